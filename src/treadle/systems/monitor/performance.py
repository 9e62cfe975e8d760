"""How well a model did on predictions whose truth has come, and whether it does worse than it was let in with.

A cohort is the predictions of one window, by the time of prediction: their truth comes late, so a cohort's figures come
with its completeness. Decay is watched with a likelihood-ratio CUSUM over cohorts: the base is the champion's error rate
in validation, the target the smallest rise that matters. It needs only each cohort's counts, so it is folded anew from
stored windows whenever a late label changes one, and carries no state that could be lost.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from treadle.ground import stats
from treadle.systems.monitor.errors import UnfitReference

Floats = NDArray[np.float64]

LEAST_COMPLETENESS = 0.95
"""A cohort enters the CUSUM when so much of its truth is known: what comes first is not a fair sample of the rest."""

LEAST_STRETCHES = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Performance:
    """The figures of one cohort. Figures are None where its labelled rows cannot answer: none yet, or one class."""

    n: int
    labelled: int
    closed: int
    """Predictions whose truth will never come, such as a cancelled flight."""
    errors: int
    """Labelled rows where the decision at the threshold was wrong."""
    completeness: float
    base_rate: float | None = None
    auc: float | None = None
    auc_interval: tuple[float, float] | None = None
    log_loss: float | None = None
    log_loss_interval: tuple[float, float] | None = None
    brier: float | None = None
    calibration_error: float | None = None
    expected_over_observed: float | None = None
    error_rate: float | None = None
    error_rate_interval: tuple[float, float] | None = None
    mean_error: float | None = None
    """Of numbers: the mean absolute error, and its interval."""
    mean_error_interval: tuple[float, float] | None = None

    @property
    def is_complete(self) -> bool:
        """Whether enough of the truth is known for the cohort to be judged."""
        return self.labelled > 0 and self.completeness >= LEAST_COMPLETENESS


@dataclass(frozen=True, slots=True, kw_only=True)
class Baseline:
    """What the model was let in with. `dispersion` is how much more its errors vary between stretches of time than
    independent ones would: 1 for independent errors, far more where a storm spoils a whole week."""

    n: int
    error_rate: float
    log_loss: float
    auc: float | None
    dispersion: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Decay:
    """Where the CUSUM stands after the newest complete cohort, and the level that means an alarm."""

    level: float
    threshold: float
    cohorts: int

    @property
    def is_alarm(self) -> bool:
        return self.level > self.threshold


def measure_performance(
    score: ArrayLike, truth: ArrayLike, *, closed: int = 0, decision_threshold: float = 0.5
) -> Performance:
    """The figures of a cohort.

    score: probabilities of shape (n,); truth: 0, 1, or NaN where it has not come, shape (n,).
    closed: how many of those without truth will never have any. Cost: a sort of the labelled rows.
    """
    scores, answers = np.asarray(score, dtype=np.float64), np.asarray(truth, dtype=np.float64)
    known = ~np.isnan(answers)
    n, labelled = scores.size, int(known.sum())
    completeness = (labelled + closed) / n if n else 0.0
    if labelled == 0:
        return Performance(n=n, labelled=0, closed=closed, errors=0, completeness=completeness)
    scores, answers = scores[known], answers[known]
    errors = count_errors(scores, answers, decision_threshold)
    losses = stats.log_losses(answers, scores)
    area = stats.auc(answers, scores) if 0.0 < answers.mean() < 1.0 else None
    return Performance(
        n=n,
        labelled=labelled,
        closed=closed,
        errors=errors,
        completeness=completeness,
        base_rate=float(answers.mean()),
        auc=None if area is None else area.value,
        auc_interval=None if area is None else area.interval,
        log_loss=float(losses.mean()),
        log_loss_interval=stats.mean_interval(losses) if labelled > 1 else None,
        brier=stats.brier(answers, scores),
        calibration_error=stats.calibration_error(answers, scores, by="mass"),
        expected_over_observed=float(scores.sum() / answers.sum()) if answers.any() else None,
        error_rate=errors / labelled,
        error_rate_interval=stats.wilson(errors, labelled),
    )


def measure_regression(prediction: ArrayLike, truth: ArrayLike, *, closed: int = 0) -> Performance:
    """The mean absolute error of a cohort of numbers; arguments as for `measure_performance`."""
    values, answers = np.asarray(prediction, dtype=np.float64), np.asarray(truth, dtype=np.float64)
    errors = np.abs(answers - values)[~np.isnan(answers)]
    n, labelled = values.size, errors.size
    return Performance(
        n=n,
        labelled=labelled,
        closed=closed,
        errors=0,
        completeness=(labelled + closed) / n if n else 0.0,
        mean_error=float(errors.mean()) if labelled else None,
        mean_error_interval=stats.mean_interval(errors) if labelled > 1 else None,
    )


def count_errors(score: Floats, truth: Floats, decision_threshold: float) -> int:
    """How many decisions at the threshold were wrong."""
    return int(((score >= decision_threshold) != (truth == 1.0)).sum())


def measure_baseline(
    score: ArrayLike, truth: ArrayLike, *, at: Floats | None, window_s: int, decision_threshold: float = 0.5
) -> Baseline:
    """What a champion's validation says. Rows without truth are left out.

    at: the time of each row in seconds, for the dispersion: it is measured between windows, or between sevenths of
    windows where the validation holds fewer than four windows, and is 1 where there are too few of these too.
    Raises UnfitReference when no row has a truth.
    """
    scores, answers = np.asarray(score, dtype=np.float64), np.asarray(truth, dtype=np.float64)
    known = ~np.isnan(answers)
    if not known.any():
        raise UnfitReference("No row of the validation has a truth.", why="The base error rate is counted on them.")
    scores, answers = scores[known], answers[known]
    wrong = (scores >= decision_threshold) != (answers == 1.0)
    return Baseline(
        n=answers.size,
        error_rate=(float(wrong.sum()) + 0.5) / (answers.size + 1.0),
        log_loss=stats.log_loss(answers, scores),
        auc=stats.roc_auc(answers, scores) if 0.0 < answers.mean() < 1.0 else None,
        dispersion=1.0 if at is None else _dispersion(wrong, np.asarray(at)[known], window_s),
    )


def decay(
    cohorts: Sequence[tuple[int, int]], baseline: Baseline, *, loss_increase: float, false_alarms_per_window: float
) -> Decay:
    """The CUSUM over complete cohorts in order of time.

    cohorts: (labelled rows, errors) of each. loss_increase: the rise of the error rate, in absolute terms, that matters.
    Each cohort adds its log likelihood ratio of the raised against the base rate, divided by the dispersion; the sum
    never falls below 0. The threshold ln(1 / false_alarms_per_window) keeps the promise: without decay, at least so
    many windows pass on average before an alarm. Source: Lorden, Annals of Mathematical Statistics 1971.
    """
    base = min(max(baseline.error_rate, 1e-6), 1.0 - 1e-6)
    raised = min(base + loss_increase, 1.0 - 1e-9)
    for_error, for_right = math.log(raised / base), math.log((1.0 - raised) / (1.0 - base))
    level = 0.0
    for labelled, errors in cohorts:
        level = max(0.0, level + (errors * for_error + (labelled - errors) * for_right) / baseline.dispersion)
    return Decay(level=level, threshold=math.log(1.0 / false_alarms_per_window), cohorts=len(cohorts))


def _dispersion(wrong: NDArray[np.bool_], at: Floats, window_s: int) -> float:
    for length in (window_s, window_s / 7.0):
        place = ((at - at.min()) // length).astype(np.int64)
        sizes = np.bincount(place)
        kept = sizes >= np.median(sizes[sizes > 0]) / 2.0
        if kept.sum() >= LEAST_STRETCHES:
            rate = float(wrong.mean())
            expected = sizes[kept] * rate
            surplus = np.square(np.bincount(place, weights=wrong, minlength=sizes.size)[kept] - expected)
            spread = expected * (1.0 - rate)
            return max(1.0, float((surplus / spread).sum() / (kept.sum() - 1))) if rate not in (0.0, 1.0) else 1.0
    return 1.0
