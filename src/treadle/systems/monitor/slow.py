"""Drift too slow for any single window: cumulative sums over windows of what moved by a little, again and again.

Page's two-sided CUSUM on each mean and null share, one-sided on the mixture of words. Its allowance is what a window must
exceed to count at all: half a standard deviation, and more where the reference is short, since the reference's own error
moves every window by the same amount and must not add up to an alarm. The state is a few numbers in each stored window.
Source: Page, Biometrika 1954; the limit by Siegmund, "Sequential Analysis", 1985.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from treadle.systems.monitor.figures import Family, Floats, Layout

SIGNED: tuple[Family, ...] = ("mean", "nulls")
WATCHED: tuple[Family, ...] = ("mean", "nulls", "words")

ALLOWANCE = 0.5
"""In standard deviations of a window: the sum is quickest for a move of twice as much. Page, 1954."""

REFERENCE_ERROR = 2.5
"""So many standard deviations of the reference's own error are allowed for in addition."""

OVERSHOOT = 1e-6
"""A sum is held just above its limit, so that the first window without what raised it ends the alarm."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sums:
    """Where the sums of each family stand after a window, upward and downward, by figure; none at the beginning."""

    up: Mapping[Family, tuple[float, ...]] = field(default_factory=dict)
    down: Mapping[Family, tuple[float, ...]] = field(default_factory=dict)


def sides(layout: Layout) -> int:
    """How many sums there are."""
    return sum(layout.size(family) * (2 if family in SIGNED else 1) for family in WATCHED)


def advance(sums: Sums, z: Mapping[Family, Floats], *, allowance: float, limit: float) -> Sums:
    """The sums after one more window, z being its figures as signed normal points by family, shape (size,)."""
    up, down = {}, {}
    for family in WATCHED:
        if family in z:
            up[family] = _folded(sums.up.get(family), z[family] - allowance, limit)
            if family in SIGNED:
                down[family] = _folded(sums.down.get(family), -z[family] - allowance, limit)
    return Sums(up=up, down=down)


def levels(sums: Sums) -> dict[Family, Floats]:
    """The larger of both sums of each figure, by family."""
    return {
        family: np.maximum(np.array(up), np.array(sums.down.get(family, (0.0,) * len(up))))
        for family, up in sums.up.items()
    }


def allowance_for(rows: float, reference_rows: float) -> float:
    """What a window of so many rows must exceed, in its standard deviations, beside a reference of so many."""
    return ALLOWANCE + REFERENCE_ERROR * math.sqrt(rows / max(rows + reference_rows, 1.0))


def limit_for(windows: float, allowance: float, *, spare: float = 0.0) -> float:
    """The limit that one side passes once in so many windows on average, when nothing moves.

    spare: how much of the allowance is held back for the reference's error, and does not count here.
    """
    k = max(allowance - spare, 0.1)
    low, high = 0.0, 1.0
    while _run_length(high, k) < windows:
        high *= 2.0
    for _ in range(60):
        middle = (low + high) / 2.0
        low, high = (middle, high) if _run_length(middle, k) < windows else (low, middle)
    return high


def _run_length(limit: float, k: float) -> float:
    reach = min(2.0 * k * (limit + 1.166), 700.0)
    return (math.exp(reach) - reach - 1.0) / (2.0 * k * k)


def _folded(before: tuple[float, ...] | None, added: Floats, limit: float) -> tuple[float, ...]:
    start = np.zeros(added.size) if before is None or len(before) != added.size else np.array(before)
    return tuple(np.clip(start + added, 0.0, limit + OVERSHOOT).tolist())
