"""Seeds depend on the run's seed and the path, on nothing else."""

from __future__ import annotations

import random

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from treadle.kernel.engine.seeds import derive, derive32, seed_everything


def test_derived_seeds_are_fixed_for_all_time() -> None:
    """A change here would change every reproduced run."""
    assert derive(0, "retrain/fit[learning_rate=0.1]") == 4006164751524865714
    assert derive32(0, "retrain/fit[learning_rate=0.1]") == 4006164751524865714 & 0xFFFF_FFFF


@given(seed=st.integers(), path=st.text())
def test_seeds_fit_where_they_are_used(seed: int, path: str) -> None:
    assert 0 <= derive(seed, path) < 2**63
    assert 0 <= derive32(seed, path) < 2**32
    assert derive(seed, path) == derive(seed, path)


def test_paths_and_run_seeds_give_seeds_of_their_own() -> None:
    found = {derive(seed, f"fit[{item}]") for seed in range(20) for item in range(50)}

    assert len(found) == 1000


def test_global_generators_are_seeded() -> None:
    state, numpy_state = random.getstate(), np.random.get_state()
    try:
        seeded = seed_everything(7)
        first = random.random(), np.random.random()
        seed_everything(7)

        assert (random.random(), np.random.random()) == first
        assert {"random", "numpy"} <= set(seeded)
    finally:
        random.setstate(state)
        np.random.set_state(numpy_state)
