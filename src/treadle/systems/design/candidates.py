"""What is tried: every combination of a grid, or a sample of the space, always the same for the same seed."""

from __future__ import annotations

import itertools
import math
import random
from collections.abc import Mapping
from dataclasses import dataclass

from treadle.ground import digests
from treadle.systems.design.spec import Dimension, ModelSpec, Search

Parameter = str | float | int | bool | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """One setting to train: its parameters, the fixed ones among them, and the seed of the training."""

    name: str
    params: Mapping[str, Parameter]
    seed: int


def candidates(spec: ModelSpec, seed: int = 0) -> list[Candidate]:
    """The candidates of a specification, each setting once for each of its seeds.

    seed: of the sampling; a grid does not depend on it. Sampled numbers have six significant digits, so that they
    are the same on every platform. A random search over fewer different settings than asked for gives them all.
    """
    settings = _grid(spec.search) if spec.search.sampling == "grid" else _sample(spec, seed)
    return [
        Candidate(
            name=_name(setting, training_seed, len(spec.seeds)),
            params={**spec.search.fixed, **setting},
            seed=training_seed,
        )
        for setting in settings
        for training_seed in spec.seeds
    ]


def _name(setting: Mapping[str, Parameter], seed: int, n_seeds: int) -> str:
    """`learning_rate=0.1,num_leaves=31`, with the seed where there are several; the same setting has the same name."""
    parts = [f"{key}={value}" for key, value in sorted(setting.items())]
    return ",".join(parts + ([f"seed={seed}"] if n_seeds > 1 else [])) or "default"


def _grid(search: Search) -> list[dict[str, Parameter]]:
    axes = [list(dimension.choices) or _steps(dimension) for dimension in search.space.values()]
    return [dict(zip(search.space, point, strict=True)) for point in itertools.product(*axes)]


def _steps(dimension: Dimension) -> list[Parameter]:
    assert dimension.low is not None
    assert dimension.high is not None
    assert dimension.step is not None
    count = math.floor((dimension.high - dimension.low) / dimension.step + 1e-9)
    return [_rounded(dimension, dimension.low + place * dimension.step) for place in range(count + 1)]


def _sample(spec: ModelSpec, seed: int) -> list[dict[str, Parameter]]:
    rng = random.Random(f"{spec.name}:{seed}")  # noqa: S311 - a sample that must be the same again, no secret
    found: dict[str, dict[str, Parameter]] = {}
    misses = 0
    while len(found) < spec.search.candidates and misses < 1_000:
        setting = {name: _draw(rng, dimension) for name, dimension in spec.search.space.items()}
        before = len(found)
        found.setdefault(digests.of_json(setting), setting)
        misses = 0 if len(found) > before else misses + 1
    return list(found.values())


def _draw(rng: random.Random, dimension: Dimension) -> Parameter:
    if dimension.choices:
        return rng.choice(dimension.choices)
    if dimension.step is not None:
        return rng.choice(_steps(dimension))
    assert dimension.low is not None
    assert dimension.high is not None
    if isinstance(dimension.low, int) and isinstance(dimension.high, int) and not dimension.log:
        return rng.randint(dimension.low, dimension.high)
    low, high, share = float(dimension.low), float(dimension.high), rng.random()
    if dimension.log:
        return _rounded(dimension, low * math.pow(high / low, share))
    return _rounded(dimension, low + share * (high - low))


def _rounded(dimension: Dimension, value: float) -> Parameter:
    if isinstance(dimension.low, int) and isinstance(dimension.high, int) and not isinstance(dimension.step, float):
        return round(value)
    return float(f"{value:.6g}")
