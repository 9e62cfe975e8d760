"""Differences that may be looked at as often as one likes: tests by betting, valid at every moment at once.

A fixed test that is looked at again and again cries wolf in the end. Here a gambler bets, observation by observation, that
the mean lies beyond a bound; if it does not, her capital is a supermartingale, and by Ville's inequality it ever reaches
1/alpha with a probability of at most alpha, whenever and however often one looks. Nothing is assumed of the observations
but their range and that each has, given those before it, a mean on the named side of the bound: no normality, no variance,
no count fixed in advance.

Source: Waudby-Smith and Ramdas, "Estimating means of bounded random variables by betting", JRSS B 86 (2024): capital
process and bets ("aGRAPA", section B.3). Ville, "Étude critique de la notion de collectif", 1939.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from treadle.ground.stats.arrays import Floats, numbers
from treadle.ground.stats.errors import ShapeMismatch, UnfitSample
from treadle.ground.stats.intervals import Interval

_MOST = 0.75
"""The share of her capital that the gambler risks at most on one observation."""
_HALVINGS = 30


class Running(NamedTuple):
    """A mean as it can be told at this moment. interval: every mean that is not yet refuted; valid at all moments at once."""

    n: int
    mean: float
    interval: Interval


def evidence_above(values: ArrayLike, bound: float, *, low: float = -1.0, high: float = 1.0) -> float:
    """The largest log capital so far of betting that the mean lies above `bound`; log(1/alpha) refutes that it does not.

    values: in the order in which they came, shape (n,), each in [low, high]. 0.0 for no values.
    With a mean of at most `bound` it ever exceeds log(1/alpha) with a probability of at most alpha. Cost: O(n).
    Raises UnfitSample for values or a bound beyond the range.
    """
    return _evidence(_scaled(values, low, high), (_within(bound, low, high) - low) / (high - low))


def evidence_below(values: ArrayLike, bound: float, *, low: float = -1.0, high: float = 1.0) -> float:
    """As `evidence_above`, of betting that the mean lies below `bound`."""
    return _evidence(1.0 - _scaled(values, low, high), 1.0 - (_within(bound, low, high) - low) / (high - low))


def running_mean(values: ArrayLike, *, alpha: float, low: float = -1.0, high: float = 1.0) -> Running:
    """The mean with an interval whose every end is wrong at any moment with a probability of at most `alpha`.

    Without values the interval is the whole range and the mean its middle. Cost: 60 times O(n).
    """
    if not 0 < alpha < 1:
        raise UnfitSample(f"{alpha} is no probability of an error.")
    scaled = _scaled(values, low, high)
    if scaled.size == 0:
        return Running(0, (low + high) / 2, Interval(low, high))
    wanted, mean = math.log(1 / alpha), float(scaled.mean())
    lower = _end(scaled, mean, wanted)
    upper = 1.0 - _end(1.0 - scaled, 1.0 - mean, wanted)
    width = high - low
    return Running(scaled.size, low + mean * width, Interval(low + lower * width, low + upper * width))


def block_differences(is_treated: ArrayLike, values: ArrayLike) -> Floats:
    """Differences of two arms that were observed side by side, one a block, in the order of time.

    is_treated: bool, shape (n,), in the order of time. values: shape (n,). A block ends with the first observation that
    makes both arms present; its difference is the treated mean less the other. Blocks are disjoint and where they end
    depends on who was assigned and never on what was seen, so the differences are what a sequential test may be fed, and
    what changes with the hour changes both sides of a difference alike. An unfinished block is left out.
    """
    treated = np.asarray(is_treated, dtype=bool)
    if treated.size == 0:
        return np.empty(0)
    seen = numbers(values)
    if treated.shape != seen.shape:
        raise ShapeMismatch(f"There are {treated.size} assignments for {seen.size} values.")
    changes = np.flatnonzero(treated[1:] != treated[:-1]) + 1
    ends, start = [], 0
    while True:
        after = int(np.searchsorted(changes, start, side="right"))
        if after == changes.size:
            break
        start = int(changes[after]) + 1
        ends.append(start)
    if not ends:
        return np.empty(0)
    starts = np.array([0, *ends[:-1]])
    whole = ends[-1]
    one, other = treated[:whole].astype(float), (~treated[:whole]).astype(float)
    mine = np.add.reduceat(seen[:whole] * one, starts) / np.add.reduceat(one, starts)
    theirs = np.add.reduceat(seen[:whole] * other, starts) / np.add.reduceat(other, starts)
    return mine - theirs


def _evidence(values: Floats, bound: float) -> float:
    """values in [0, 1]. The bet on each is fixed by those before it: the growth-optimal one for their mean and variance."""
    n = values.size
    if n == 0 or bound >= 1.0:
        return 0.0
    counts = np.arange(1, n + 1)
    sums = np.cumsum(values)
    means = (0.5 + sums) / (counts + 1)
    before = np.concatenate([[0.5], means[:-1]])
    squares = 0.25 + np.cumsum((values - means) ** 2)
    variances = np.concatenate([[0.25], squares[:-1] / (counts[:-1] + 1)])
    gap = before - bound
    most = _MOST / bound if bound > 0 else 1e6
    bets = np.clip(gap / (variances + gap * gap), 0.0, most)
    capital = np.cumsum(np.log1p(bets * (values - bound)))
    return max(0.0, float(capital.max()))


def _end(values: Floats, mean: float, wanted: float) -> float:
    """The smallest mean that is not refuted from below, by halving between 0 and the mean."""
    low, high = 0.0, mean
    if _evidence(values, low) < wanted:
        return 0.0
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        if _evidence(values, middle) >= wanted:
            low = middle
        else:
            high = middle
    return low


def _scaled(values: ArrayLike, low: float, high: float) -> Floats:
    if not low < high:
        raise UnfitSample(f"From {low} to {high} is no range.")
    if np.size(values) == 0:
        return np.empty(0)
    seen = numbers(values)
    if not (np.isfinite(seen).all() and seen.min() >= low and seen.max() <= high):
        raise UnfitSample(f"A value is not between {low} and {high}.")
    return (seen - low) / (high - low)


def _within(bound: float, low: float, high: float) -> float:
    if not low <= bound <= high:
        raise UnfitSample(f"The bound {bound} is not between {low} and {high}.")
    return bound
