"""Numbers in a column: their range, moments and quantile points."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce

import numpy as np
from numpy.typing import NDArray

from treadle.ground.profiling import moments, points
from treadle.ground.profiling.moments import Moments
from treadle.ground.profiling.points import POINTS, Points


@dataclass(frozen=True, slots=True, kw_only=True)
class Numbers:
    """n finite numbers: least, greatest, moments, quantile points. Times are microseconds since 1970."""

    low: int | float
    high: int | float
    moments: Moments
    points: Points

    @property
    def n(self) -> int:
        return self.moments.n

    def quantiles(self, shares: Sequence[float]) -> list[float]:
        """The value below which each share lies; 0 and 1 are the least and the greatest, exactly."""
        found = points.quantiles(self.points, shares).tolist()
        ends = {0.0: float(self.low), 1.0: float(self.high)}
        return [ends.get(share, value) for share, value in zip(shares, found, strict=True)]

    def ranks(self, at: Sequence[float] | NDArray[np.float64]) -> NDArray[np.float64]:
        """The share of rows at or below each value."""
        found = points.ranks(self.points, at)
        wanted = np.asarray(at, dtype=np.float64)
        return np.where(wanted < self.low, 0.0, np.where(wanted >= self.high, 1.0, found))


def of_sorted(values: NDArray[np.generic], size: int = POINTS) -> Numbers:
    """The numbers of a sorted, finite array (one at least)."""
    low, high = values[0].item(), values[-1].item()
    return Numbers(
        low=low,
        high=high,
        moments=moments.of_values(values, float(low), float(high)),
        points=points.of_sorted(values, size),
    )


def of_counts(values: NDArray[np.generic], counts: NDArray[np.int64], size: int = POINTS) -> Numbers:
    """The numbers of ascending values (one at least) that occur so often."""
    floats = values.astype(np.float64)
    return Numbers(
        low=values[0].item(),
        high=values[-1].item(),
        moments=moments.of_counts(floats, counts),
        points=points.of_counts(floats, counts, size),
    )


def merged(parts: Sequence[Numbers], size: int = POINTS) -> Numbers:
    """The numbers of all parts together."""
    if len(parts) == 1:
        return parts[0]
    return Numbers(
        low=min(part.low for part in parts),
        high=max(part.high for part in parts),
        moments=reduce(moments.merged, (part.moments for part in parts), Moments(n=0, mean=0.0, std=0.0, skew=0.0)),
        points=points.merged([part.points for part in parts], size),
    )
