"""How well a model does before the truth is known: from its own calibrated scores, cohort by cohort.

A calibrated score says how likely it is to be right; the sum of that over a window is the error rate to expect, and the
threshold's expected confusion is all that follows from it (CBPE). For numbers, where a prediction says nothing of its own
error, a reference that holds the errors shows how large they are for predictions of each size (DLE). Both hold as long as
only the inputs drift. Where what follows from the inputs has changed, they cannot know: so each estimate stands beside
what came out once it has, and how far it lay off is part of the answer.
Source: NannyML's documentation of CBPE and DLE; calibration by pooling neighbours, Ayer et al. 1955.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from treadle.ground.stats import normal_quantile
from treadle.systems.monitor.figures import Floats

CALIBRATION_BINS = 200
"""Steps of the calibration curve before neighbours are pooled; one bin holds at least 20 rows."""

LEAST_BIN = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """The rate of the positive class by score: `rates[i]` from `scores[i]` on, rising, straight in between."""

    scores: tuple[float, ...]
    rates: tuple[float, ...]

    def of(self, score: ArrayLike) -> Floats:
        """The calibrated probability of each score, shape (n,)."""
        return np.asarray(np.interp(np.asarray(score, dtype=np.float64), self.scores, self.rates), dtype=np.float64)


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """What a cohort's performance should be. For probabilities all but the mean error, for numbers that alone."""

    n: int
    error_rate: float | None = None
    error_rate_interval: tuple[float, float] | None = None
    log_loss: float | None = None
    brier: float | None = None
    auc: float | None = None
    precision: float | None = None
    recall: float | None = None
    positive_rate: float | None = None
    mean_error: float | None = None
    mean_error_interval: tuple[float, float] | None = None


def calibrate(score: ArrayLike, truth: ArrayLike) -> Calibration | None:
    """The calibration that labelled rows show, or None where fewer than 20 of them are labelled.

    score: shape (n,); truth: 0, 1 or NaN, shape (n,). Cost: a sort.
    """
    scores, answers = np.asarray(score, dtype=np.float64), np.asarray(truth, dtype=np.float64)
    known = np.isfinite(scores) & np.isfinite(answers)
    n = int(known.sum())
    if n < LEAST_BIN:
        return None
    order = np.argsort(scores[known], kind="stable")
    parts = max(1, min(CALIBRATION_BINS, n // LEAST_BIN))
    means = [float(part.mean()) for part in np.array_split(scores[known][order], parts)]
    rates = [float(part.mean()) for part in np.array_split(answers[known][order], parts)]
    weights = [float(part.size) for part in np.array_split(order, parts)]
    pooled = _rising(rates, weights)
    places, first = np.unique(np.array(means), return_index=True)
    return Calibration(scores=tuple(places.tolist()), rates=tuple(np.array(pooled)[first].tolist()))


def estimate(score: ArrayLike, calibration: Calibration, *, decision_threshold: float = 0.5) -> Estimate:
    """The performance to expect of a cohort by its scores alone. The interval is that of chance at this many rows.

    Source: CBPE: with p the calibrated probability, a decision for the positive class is wrong with 1 - p, one against
    it with p.
    """
    scores = np.asarray(score, dtype=np.float64)
    scores = scores[np.isfinite(scores)]
    n = scores.size
    if n == 0:
        return Estimate(n=0)
    p = calibration.of(scores)
    positive = scores >= decision_threshold
    wrong = np.where(positive, 1.0 - p, p)
    rate = float(wrong.mean())
    reach = normal_quantile(0.975) * math.sqrt(float((wrong * (1.0 - wrong)).sum())) / n
    promised = np.clip(scores, 1e-15, 1.0 - 1e-15)
    found, decided = float(p[positive].sum()), int(positive.sum())
    return Estimate(
        n=n,
        error_rate=rate,
        error_rate_interval=(max(0.0, rate - reach), min(1.0, rate + reach)),
        log_loss=float(-(p * np.log(promised) + (1.0 - p) * np.log1p(-promised)).mean()),
        brier=float((p * (1.0 - promised) ** 2 + (1.0 - p) * promised**2).mean()),
        auc=_expected_auc(scores, p),
        precision=found / decided if decided else None,
        recall=found / float(p.sum()) if p.sum() > 0 else None,
        positive_rate=float(p.mean()),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorCurve:
    """How large errors are by the size of the prediction: mean and variance of the absolute error around each of `at`."""

    at: tuple[float, ...]
    mean: tuple[float, ...]
    variance: tuple[float, ...]


def error_curve(prediction: ArrayLike, truth: ArrayLike) -> ErrorCurve | None:
    """What labelled rows of a regression show of its absolute errors, or None for fewer than 20 of them."""
    values, answers = np.asarray(prediction, dtype=np.float64), np.asarray(truth, dtype=np.float64)
    known = np.isfinite(values) & np.isfinite(answers)
    n = int(known.sum())
    if n < LEAST_BIN:
        return None
    order = np.argsort(values[known], kind="stable")
    parts = max(1, min(CALIBRATION_BINS, n // LEAST_BIN))
    sizes = np.array_split(values[known][order], parts)
    errors = np.array_split(np.abs(answers - values)[known][order], parts)
    places, first = np.unique(np.array([part.mean() for part in sizes]), return_index=True)
    return ErrorCurve(
        at=tuple(places.tolist()),
        mean=tuple(np.array([part.mean() for part in errors])[first].tolist()),
        variance=tuple(np.array([part.var() for part in errors])[first].tolist()),
    )


def estimate_error(prediction: ArrayLike, curve: ErrorCurve) -> Estimate:
    """The mean absolute error to expect of a cohort by its predictions alone (DLE), with the interval of chance."""
    values = np.asarray(prediction, dtype=np.float64)
    values = values[np.isfinite(values)]
    if values.size == 0:
        return Estimate(n=0)
    mean = float(np.interp(values, curve.at, curve.mean).mean())
    spread = math.sqrt(float(np.interp(values, curve.at, curve.variance).sum())) / values.size
    reach = normal_quantile(0.975) * spread
    return Estimate(n=values.size, mean_error=mean, mean_error_interval=(max(0.0, mean - reach), mean + reach))


def _expected_auc(scores: Floats, p: Floats) -> float | None:
    """The AUC to expect: each pair counts by the odds that its first is positive and its second is not; ties half."""
    order = np.argsort(scores, kind="stable")
    values, positive = scores[order], p[order]
    _, start, size = np.unique(values, return_index=True, return_counts=True)
    negatives = np.concatenate([[0.0], np.cumsum(1.0 - positive)])
    before, within = negatives[start], negatives[start + size] - negatives[start]
    ahead = np.repeat(before + within / 2.0, size)
    total = float(positive.sum() * (1.0 - positive).sum())
    return float((positive * ahead).sum() / total) if total > 0 else None


def _rising(rates: list[float], weights: list[float]) -> list[float]:
    """The rates made rising by pooling neighbours that fall, weighted."""
    pools: list[list[float]] = []
    for rate, weight in zip(rates, weights, strict=True):
        pools.append([rate, weight, 1.0])
        while len(pools) > 1 and pools[-2][0] > pools[-1][0]:
            (a, n, i), (b, m, j) = pools[-2], pools.pop()
            pools[-1] = [(a * n + b * m) / (n + m), n + m, i + j]
    return [rate for rate, _, many in pools for _ in range(int(many))]
