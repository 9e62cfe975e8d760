"""How well scores rank: the area under the ROC curve with DeLong's variance, and the paired test of two models.

The paired test is what a challenger has to pass against a champion on the same rows: it uses that both were scored on
the same flights, and so sees differences that two separate intervals hide.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from treadle.ground.stats.arrays import Bools, Floats, truth_and_scores
from treadle.ground.stats.distributions import normal_quantile, two_sided_p
from treadle.ground.stats.errors import OneClass
from treadle.ground.stats.intervals import Interval


@dataclass(frozen=True, slots=True, kw_only=True)
class Auc:
    """An area under the ROC curve, how sure it is, and what it was counted on."""

    value: float
    variance: float
    interval: Interval
    n_positive: int
    n_negative: int


@dataclass(frozen=True, slots=True, kw_only=True)
class AucDifference:
    """`second` minus `first` on the same rows, with the paired interval and the two-sided p-value."""

    first: float
    second: float
    difference: float
    interval: Interval
    z: float
    p_value: float


def roc_auc(truth: ArrayLike, score: ArrayLike) -> float:
    """The chance that a random positive is scored above a random negative, ties counting half.

    truth: 0/1 of shape (n,); score: float of shape (n,). Cost: one sort. Raises OneClass when a class is missing.
    """
    positive, (values,) = truth_and_scores(truth, score)
    m, n = _class_sizes(positive)
    return float((midranks(values)[positive].sum() - m * (m + 1) / 2.0) / (m * n))


def auc(truth: ArrayLike, score: ArrayLike, *, level: float = 0.95) -> Auc:
    """The area with DeLong's variance and an interval on the logit scale, which stays inside 0 and 1.

    A perfect ranking has variance 0, which says nothing about the next sample: its interval is the rule of three on
    the smaller class. Source: DeLong et al., Biometrics 1988; the fast form of Sun and Xu, IEEE SPL 2014.
    """
    positive, scores = truth_and_scores(truth, score)
    m, n = _class_sizes(positive)
    areas, covariance = _delong(positive, scores)
    value, variance = float(areas[0]), float(covariance[0, 0])
    return Auc(
        value=value,
        variance=variance,
        interval=_logit_interval(value, variance, min(m, n), level),
        n_positive=m,
        n_negative=n,
    )


def compare_aucs(truth: ArrayLike, first: ArrayLike, second: ArrayLike, *, level: float = 0.95) -> AucDifference:
    """Whether `second` ranks the same rows better than `first`: DeLong's paired test.

    Equal scores give difference 0, z 0 and p 1. Raises OneClass, ShapeMismatch.
    """
    positive, scores = truth_and_scores(truth, first, second)
    areas, covariance = _delong(positive, scores)
    difference = float(areas[1] - areas[0])
    variance = float(covariance[0, 0] + covariance[1, 1] - 2.0 * covariance[0, 1])
    spread = math.sqrt(max(variance, 0.0))
    z = (
        difference / spread
        if spread > 1e-15
        else 0.0
        if abs(difference) < 1e-15
        else math.copysign(math.inf, difference)
    )
    reach = normal_quantile(0.5 + level / 2.0) * spread
    return AucDifference(
        first=float(areas[0]),
        second=float(areas[1]),
        difference=difference,
        interval=Interval(difference - reach, difference + reach),
        z=z,
        p_value=two_sided_p(z),
    )


def midranks(values: Floats) -> Floats:
    """Ranks from 1, ties sharing the mean of theirs. Cost: one sort."""
    _, place, sizes = np.unique(values, return_inverse=True, return_counts=True)
    ends = np.cumsum(sizes)
    middles = ends - (sizes - 1) / 2.0
    return np.asarray(middles[place], dtype=np.float64)


def _class_sizes(positive: Bools) -> tuple[int, int]:
    m = int(positive.sum())
    n = positive.size - m
    if m == 0 or n == 0:
        raise OneClass(
            f"All {positive.size} rows of truth are {'1' if m else '0'}.",
            why="Ranking compares rows of both classes.",
            fix="Ask over a longer window.",
        )
    return m, n


def _delong(positive: Bools, scores: list[Floats]) -> tuple[Floats, Floats]:
    """Areas of shape (k,), and their covariance of shape (k, k)."""
    m, n = _class_sizes(positive)
    by_positive, by_negative = np.empty((len(scores), m)), np.empty((len(scores), n))
    for row, score in enumerate(scores):
        together = midranks(score)
        by_positive[row] = (together[positive] - midranks(score[positive])) / n
        by_negative[row] = 1.0 - (together[~positive] - midranks(score[~positive])) / m
    return by_positive.mean(axis=1), _covariance(by_positive) / m + _covariance(by_negative) / n


def _covariance(rows: Floats) -> Floats:
    if rows.shape[1] < 2:
        return np.zeros((rows.shape[0], rows.shape[0]))
    return np.atleast_2d(np.cov(rows, ddof=1))


def _logit_interval(value: float, variance: float, smaller: int, level: float) -> Interval:
    slack = min(1.0, 3.0 / smaller)
    if value >= 1.0 or value <= 0.0:
        return Interval(1.0 - slack, 1.0) if value >= 1.0 else Interval(0.0, slack)
    middle = math.log(value / (1.0 - value))
    reach = normal_quantile(0.5 + level / 2.0) * math.sqrt(variance) / (value * (1.0 - value))
    return Interval(_expit(middle - reach), _expit(middle + reach))


def _expit(x: float) -> float:
    """1 / (1 + e^-x), without overflow on either side."""
    return 1.0 / (1.0 + math.exp(-x)) if x >= 0 else math.exp(x) / (1.0 + math.exp(x))
