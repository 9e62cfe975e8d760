"""What a batch of points says of each of its metrics: the latest value, the range of values, the range of steps."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from treadle.systems.train.tracking.rules import GREATEST

Summary = dict[str, Any]
"""The columns of `metric_latest` but for those that say whose it is."""

_INFINITY = math.inf


@dataclass(slots=True, kw_only=True)
class PointBatch:
    """Points as they came, column by column; infinities are the greatest floats already, a NaN is a NaN."""

    keys: Sequence[str]
    values: Sequence[float]
    steps: Sequence[int]
    times: Sequence[int]

    def __len__(self) -> int:
        return len(self.values)


def finite(values: list[float]) -> list[float]:
    """The values with the greatest float in the place of an infinity."""
    if _INFINITY in values or -_INFINITY in values:
        return [math.copysign(GREATEST, value) if math.isinf(value) else value for value in values]
    return values


def summaries(batch: PointBatch) -> dict[str, Summary]:
    """By key, the columns of `metric_latest` that follow from the batch; latest is the greatest (step, time, value)."""
    keys = batch.keys
    if len(set(keys)) == len(keys):
        return {
            key: _of_one(step, at, value)
            for key, step, at, value in zip(keys, batch.steps, batch.times, batch.values, strict=True)
        }
    if keys.count(keys[0]) == len(keys):
        return {keys[0]: _of_many(list(zip(batch.steps, batch.times, batch.values, strict=True)))}
    points: dict[str, list[tuple[int, int, float]]] = {key: [] for key in keys}
    for key, step, at, value in zip(keys, batch.steps, batch.times, batch.values, strict=True):
        points[key].append((step, at, value))
    return {key: _of_many(found) for key, found in points.items()}


def _of_one(step: int, at: int, value: float) -> Summary:
    is_nan = value != value
    real = None if is_nan else value
    return {
        "value": 0.0 if is_nan else value,
        "is_nan": int(is_nan),
        "step": step,
        "at_ms": at,
        "low": real,
        "high": real,
        "first_step": step,
        "last_step": step,
    }


def _of_many(points: list[tuple[int, int, float]]) -> Summary:
    real = [value for _, _, value in points if value == value]
    is_nan = 0
    if len(real) == len(points):
        step, at, value = max(points)
    else:  # a NaN counts as 0 when the latest is looked for
        step, at, value, is_nan = max((s, t, 0.0 if v != v else v, int(v != v)) for s, t, v in points)
    return {
        "value": value,
        "is_nan": is_nan,
        "step": step,
        "at_ms": at,
        "low": min(real, default=None),
        "high": max(real, default=None),
        "first_step": min(points)[0],
        "last_step": step,
    }
