"""How far two histograms over the same bins are apart: binned KS, Jensen-Shannon, PSI, chi-square.

All take counts of shape (..., k) and work along the last axis, so that a thousand resamples cost one call. They see
only what the bins keep; whoever fixes the bins once can add windows up without keeping rows.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from treadle.ground.stats.arrays import Floats, counts, shares
from treadle.ground.stats.distributions import chi_square_tail
from treadle.ground.stats.errors import ShapeMismatch, UnfitSample


class ChiSquare(NamedTuple):
    """The statistic, its degrees of freedom, and how likely as much or more is by chance."""

    statistic: float
    degrees: int
    p_value: float


def binned_ks(reference: ArrayLike, current: ArrayLike) -> Floats:
    """The largest gap between the two cumulated histograms, in 0..1; shape (...). Bins must be in order.

    The Kolmogorov-Smirnov distance of the values rounded up to their bin's end: never above the exact one.
    """
    left, right = np.cumsum(shares(reference, "reference"), axis=-1), np.cumsum(shares(current, "current"), axis=-1)
    _same_bins(left, right)
    return np.asarray(np.abs(left - right).max(axis=-1), dtype=np.float64)


def jensen_shannon(reference: ArrayLike, current: ArrayLike) -> Floats:
    """The Jensen-Shannon distance with base 2, in 0..1; shape (...): the root of the divergence, a true metric.

    Source: Endres and Schindelin, IEEE Transactions on Information Theory 2003.
    """
    left, right = shares(reference, "reference"), shares(current, "current")
    _same_bins(left, right)
    middle = (left + right) / 2.0
    divergence = (_relative_entropy(left, middle) + _relative_entropy(right, middle)) / 2.0
    return np.asarray(np.sqrt(np.clip(divergence, 0.0, 1.0)), dtype=np.float64)


def population_stability(reference: ArrayLike, current: ArrayLike) -> Floats:
    """The population stability index: 0 is no move, above 0.25 is usually called a shift; shape (...).

    A half row is added to every bin of both sides, so that an empty bin gives a large figure and not infinity.
    Grows by chance with few rows: about (k - 1) (1/n + 1/m) without any move.
    Source: symmetric relative entropy; Siddiqi, "Credit Risk Scorecards", 2006.
    """
    left, right = shares(counts(reference, "reference") + 0.5), shares(counts(current, "current") + 0.5)
    _same_bins(left, right)
    return np.asarray(((left - right) * np.log(left / right)).sum(axis=-1), dtype=np.float64)


def chi_square(reference: ArrayLike, current: ArrayLike) -> ChiSquare:
    """The test that two samples of counts, shape (k,), come from one distribution; bins empty on both sides are left out.

    Raises EmptySample when a side counts no rows, UnfitSample when fewer than two bins are filled.
    """
    left, right = counts(reference, "reference"), counts(current, "current")
    shares(left, "reference"), shares(right, "current")
    _same_bins(left, right)
    table = np.stack([left, right])
    table = table[:, table.sum(axis=0) > 0]
    if table.shape[1] < 2:
        raise UnfitSample("Fewer than two bins hold any row.", why="One bin alone cannot differ.")
    expected = table.sum(axis=1, keepdims=True) * table.sum(axis=0) / table.sum()
    statistic = float((np.square(table - expected) / expected).sum())
    degrees = table.shape[1] - 1
    return ChiSquare(statistic, degrees, chi_square_tail(statistic, degrees))


def _relative_entropy(p: Floats, q: Floats) -> Floats:
    ratio = np.divide(p, q, out=np.ones(np.broadcast_shapes(p.shape, q.shape)), where=p > 0)
    return np.asarray((p * np.log2(ratio)).sum(axis=-1), dtype=np.float64)


def _same_bins(left: Floats, right: Floats) -> None:
    if left.shape[-1] != right.shape[-1]:
        raise ShapeMismatch(f"{left.shape[-1]} reference bins, but {right.shape[-1]} current ones.")
