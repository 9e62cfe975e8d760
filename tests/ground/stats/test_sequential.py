"""Tests by betting keep their promise at every moment at once, whatever the observations are."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from treadle.ground.stats import UnfitSample, block_differences, evidence_above, evidence_below, running_mean

ALPHA, STREAMS = 0.05, 400
WANTED = math.log(1 / ALPHA)


def alarms(rng: np.random.Generator, draw: object, bound: float, *, share: float = 0.2, n: int = 1500) -> float:
    """The share of streams in which the treated arm is found to lie above the other by more than `bound`, ever."""
    found = 0
    for _ in range(STREAMS):
        treated = rng.random(n) < share
        found += evidence_above(block_differences(treated, draw(rng, treated, n)), bound) >= WANTED  # type: ignore[operator]
    return found / STREAMS


def rare(rng: np.random.Generator, treated: np.ndarray, n: int) -> np.ndarray:
    return (rng.random(n) < 0.01).astype(float)


def frequent(rng: np.random.Generator, treated: np.ndarray, n: int) -> np.ndarray:
    return (rng.random(n) < 0.4).astype(float)


def rhythmic(rng: np.random.Generator, treated: np.ndarray, n: int) -> np.ndarray:
    """Both arms follow the hour of the day."""
    return np.clip(0.5 + 0.4 * np.sin(np.arange(n) / 40) + rng.normal(0, 0.05, n), 0, 1)


def drifting(rng: np.random.Generator, treated: np.ndarray, n: int) -> np.ndarray:
    return (rng.random(n) < np.linspace(0.0, 0.9, n)).astype(float)


def at_the_bound(rng: np.random.Generator, treated: np.ndarray, n: int) -> np.ndarray:
    return (rng.random(n) < np.where(treated, 0.32, 0.30)).astype(float)


@pytest.mark.parametrize(
    ("draw", "bound"), [(rare, 0.0), (frequent, 0.0), (rhythmic, 0.0), (drifting, 0.0), (at_the_bound, 0.02)]
)
def test_looking_all_the_time_raises_no_more_false_alarms_than_promised(draw: object, bound: float) -> None:
    """Three standard errors of the share that is allowed."""
    allowed = ALPHA + 3 * math.sqrt(ALPHA * (1 - ALPHA) / STREAMS)

    assert alarms(np.random.default_rng(1), draw, bound) <= allowed


def test_a_worse_arm_is_found_and_a_better_one_is_not() -> None:
    def worse(rng: np.random.Generator, treated: np.ndarray, n: int) -> np.ndarray:
        return (rng.random(n) < np.where(treated, 0.15, 0.02)).astype(float)

    def better(rng: np.random.Generator, treated: np.ndarray, n: int) -> np.ndarray:
        return worse(rng, ~treated, n)

    assert alarms(np.random.default_rng(2), worse, 0.02) > 0.95
    assert alarms(np.random.default_rng(2), better, 0.02) == 0.0


def test_an_arm_that_always_fails_is_found_within_twenty_blocks() -> None:
    assert evidence_above(np.ones(20), 0.01) >= math.log(1 / 0.0025)


def test_the_interval_holds_the_mean_at_all_moments_at_once() -> None:
    rng = np.random.default_rng(3)
    missed = 0
    for _ in range(100):
        values = rng.beta(2, 5, 400) * 2 - 1
        truth = 2 * 2 / 7 - 1
        intervals = [running_mean(values[:n], alpha=ALPHA / 2).interval for n in (5, 20, 80, 200, 400)]
        missed += not all(interval.holds(truth) for interval in intervals)

    assert missed <= 100 * ALPHA + 3 * math.sqrt(100 * ALPHA)


def test_the_interval_narrows_to_the_mean() -> None:
    found = running_mean(np.random.default_rng(4).normal(0.1, 0.05, 3000).clip(-1, 1), alpha=0.01)

    assert found.interval.lower < found.mean < found.interval.upper
    assert found.interval.upper - found.interval.lower < 0.03
    assert found.n == 3000


@settings(max_examples=40, deadline=None, derandomize=True)
@given(
    st.lists(st.floats(-1, 1), max_size=60),
    st.floats(-0.9, 0.9),
    st.floats(-0.9, 0.9),
)
def test_what_refutes_a_bound_refutes_every_lower_one(values: list[float], one: float, other: float) -> None:
    """So the bounds that are not refuted are an interval, and halving finds its end."""
    lower, higher = sorted((one, other))
    wanted = math.log(20)

    assert not (evidence_above(values, higher) >= wanted and evidence_above(values, lower) < wanted * 0.9)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.booleans(), st.floats(0, 1)), max_size=50))
def test_blocks_are_disjoint_hold_both_arms_and_say_their_difference(seen: list[tuple[bool, float]]) -> None:
    expected, block = [], []
    for treated, value in seen:
        block.append((treated, value))
        if len({one for one, _ in block}) == 2:
            mine, theirs = ([v for t, v in block if t is arm] for arm in (True, False))
            expected.append(np.mean(mine) - np.mean(theirs))
            block = []

    found = block_differences([treated for treated, _ in seen], [value for _, value in seen])

    assert found == pytest.approx(np.array(expected, dtype=float))


def test_sides_mirror_each_other_and_nothing_is_evidence_of_nothing() -> None:
    values = np.random.default_rng(5).uniform(-1, 0.5, 50)

    assert evidence_above(values, -0.3) == pytest.approx(evidence_below(-values, 0.3))
    assert evidence_above([], 0.0) == evidence_below([], 0.0) == 0.0
    assert running_mean([], alpha=0.05).interval == (-1.0, 1.0)


def test_values_beyond_the_range_are_refused() -> None:
    with pytest.raises(UnfitSample, match="not between -1"):
        evidence_above([1.5], 0.0)
    with pytest.raises(UnfitSample, match="no probability"):
        running_mean([0.0], alpha=0.0)
