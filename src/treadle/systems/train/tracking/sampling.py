"""Fewer points for a chart: evenly spaced ones as MLflow takes them, or those that keep every peak and every dip."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from treadle.systems.train.tracking.packing import Columns, rises

if TYPE_CHECKING:
    from numpy.typing import NDArray


def by_step(points: Columns) -> Columns:
    """The points of one key by step, time and value; a NaN stands where 0 would, behind it."""
    is_nan = np.isnan(points.values)
    plain = np.where(is_nan, 0.0, points.values)
    columns = (points.steps, points.times, plain, is_nan)
    return points if rises(columns) else points.take(np.lexsort(columns[::-1]))


def evenly(points: Columns, most: int) -> Columns:
    """At most `most` of points in order: the first of each of `most` even groups, and in any case the last point.

    Groups are as SQL's ntile makes them: the larger ones first.
    """
    count = len(points)
    if count <= most:
        return points
    size, larger = divmod(count, most)
    sizes = np.full(most, size)
    sizes[:larger] += 1
    chosen = np.concatenate(([0], np.cumsum(sizes)[:-1]))
    chosen[-1] = count - 1
    return points.take(chosen)


def with_extremes(points: Columns, most: int) -> Columns:
    """About `most` of points in order: of each group its lowest and its highest, besides the first and the last.

    What is drawn from them has the outline of the whole series. NaN is kept only where a group holds nothing else.
    Source: the minimum-maximum aggregation of Jugel et al., "M4: a visualization-oriented time series data
    aggregation", VLDB 2014, without its first and last of each group.
    """
    count = len(points)
    if count <= max(most, 4):
        return points
    starts = np.linspace(0, count, max(most // 2, 1), endpoint=False).astype(np.int64)
    low = np.where(np.isnan(points.values), np.inf, points.values)
    high = np.where(np.isnan(points.values), -np.inf, points.values)
    chosen = np.unique(
        np.concatenate(([0, count - 1], _places(low, starts, np.argmin), _places(high, starts, np.argmax)))
    )
    return points.take(chosen)


def _places(values: NDArray[np.float64], starts: NDArray[np.int64], best: object) -> NDArray[np.int64]:
    parts = np.split(values, starts[1:])
    return np.array([start + best(part) for start, part in zip(starts, parts, strict=True)])  # type: ignore[operator]
