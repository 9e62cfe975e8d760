"""A window judged: what a cohort says beside its reference, and the verdicts that follow. Pure, on tables in memory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import numpy as np

from treadle.systems.monitor.alerts import Symptom, Verdict, in_order
from treadle.systems.monitor.bins import Kind, count, infer_kinds
from treadle.systems.monitor.cohorts import Cohort, Floats, numbers, seconds, words_of
from treadle.systems.monitor.drift import ColumnDrift, measure
from treadle.systems.monitor.estimating import Estimate, estimate, estimate_error
from treadle.systems.monitor.impact import Impact, losses_by_slot
from treadle.systems.monitor.performance import (
    LEAST_COMPLETENESS,
    Baseline,
    Performance,
    decay,
    measure_baseline,
    measure_performance,
    measure_regression,
)
from treadle.systems.monitor.ports import EVENT_AT, RESERVED, SCORE, TRUTH
from treadle.systems.monitor.profiles import Profile, profile
from treadle.systems.monitor.records import Monitor, MonitorReference, MonitorWindow
from treadle.systems.monitor.slices import by_group, weakest
from treadle.systems.monitor.slow import Sums

if TYPE_CHECKING:
    import pyarrow as pa

SETTLES = timedelta(minutes=1)
"""A window is judged so long after its end: its last predictions have then been shipped."""


def window_of(monitor: Monitor, moment: datetime) -> tuple[datetime, datetime]:
    """The window of a monitor that holds a moment: start, and end, which belongs to the next."""
    length = timedelta(seconds=monitor.window_s)
    starts_at = monitor.anchor_at + (moment - monitor.anchor_at) // length * length
    return starts_at, starts_at + length


def windows_due(monitor: Monitor, since: datetime, now: datetime) -> list[datetime]:
    """The starts of the windows that have ended by now and were not judged; `since` is where a new monitor begins."""
    length = timedelta(seconds=monitor.window_s)
    start = window_of(monitor, since)[0] if monitor.judged_until is None else monitor.judged_until
    found = []
    while start + length + SETTLES <= now:
        found.append(start)
        start += length
    return found


def profile_of(monitor: Monitor, training: pa.Table) -> Profile:
    """The profile of a training frame: of what the monitor names, or else of every column but those that say when,
    which and who."""
    return profile(
        training,
        at=seconds(training) if EVENT_AT in training.column_names else None,
        window_s=monitor.window_s,
        anchor_s=monitor.anchor_at.timestamp(),
        kinds=monitor.kinds if monitor.kinds is not None else watched(training),
    )


def watched(training: pa.Table) -> dict[str, Kind]:
    """How each column of a frame is watched, without those that have a meaning of their own."""
    return {name: kind for name, kind in infer_kinds(training.schema).items() if name not in RESERVED}


def baseline_of(monitor: Monitor, validation: pa.Table) -> Baseline:
    """The baseline that a validation frame gives."""
    return measure_baseline(
        numbers(validation, SCORE),
        numbers(validation, TRUTH),
        at=seconds(validation) if EVENT_AT in validation.column_names else None,
        window_s=monitor.window_s,
        decision_threshold=monitor.decision_threshold,
    )


def scored(validation: pa.Table) -> tuple[Floats, Floats]:
    """The scores of a validation frame, and its truth."""
    return numbers(validation, SCORE), numbers(validation, TRUTH)


def shared_budget(monitor: Monitor, baseline: Baseline | None) -> float:
    """What one kind of alarm may use of the monitor's budget: all of it, or half where decay is watched as well."""
    return monitor.false_alarms_per_window / (1 if baseline is None else 2)


def impact_of(monitor: Monitor, profile: Profile, validation: pa.Table | None, weights: Mapping[str, float]) -> Impact:
    """What is known of the meaning of a monitor's columns: the model's attributions, and the losses of its validation."""
    if validation is None:
        return Impact(weights=weights)
    losses = losses_of(monitor, *scored(validation))
    return Impact(weights=weights, losses=losses_by_slot(profile.bins, validation, losses))


def performance_of(monitor: Monitor, cohort: Cohort) -> Performance:
    """What a cohort's truth says, as far as it is known."""
    if monitor.task == "regression":
        return measure_regression(cohort.score, cohort.truth, closed=cohort.closed)
    return measure_performance(
        cohort.score, cohort.truth, closed=cohort.closed, decision_threshold=monitor.decision_threshold
    )


def estimate_of(monitor: Monitor, reference: MonitorReference, score: Floats) -> Estimate | None:
    """What the performance should be by the scores alone; None where no validation says what they mean."""
    if reference.error_curve is not None:
        return estimate_error(score, reference.error_curve)
    if reference.calibration is not None:
        return estimate(score, reference.calibration, decision_threshold=monitor.decision_threshold)
    return None


def losses_of(monitor: Monitor, score: Floats, truth: Floats) -> Floats:
    """The loss of each prediction: 1 for a wrong decision, or how far off a number was; NaN where the truth is not known."""
    if monitor.task == "regression":
        return np.asarray(np.abs(truth - score), dtype=np.float64)
    wrong = (score >= monitor.decision_threshold) != (truth == 1.0)
    return np.where(np.isnan(truth), np.nan, wrong.astype(np.float64))


def judge(
    monitor: Monitor,
    cohort: Cohort,
    reference: MonitorReference,
    starts_at: datetime,
    evaluated_at: datetime,
    before: Sums | None = None,
) -> MonitorWindow:
    """What a cohort saw and did. before: the sums of slow drift after the window before.

    Raises UnfitColumn when it lacks a watched column.
    """
    counts = count(reference.profile.bins, cohort.rows)
    drift = measure(
        reference.profile,
        counts,
        false_alarms_per_window=shared_budget(monitor, reference.baseline),
        span=cohort.span,
        before=before,
        phase=(starts_at - monitor.anchor_at) // timedelta(seconds=monitor.window_s),
    )
    loss = losses_of(monitor, cohort.score, cohort.truth)
    return MonitorWindow(
        monitor=monitor.id,
        model_version=cohort.model_version,
        starts_at=starts_at,
        ends_at=starts_at + timedelta(seconds=monitor.window_s),
        rows=cohort.rows.num_rows,
        drift=drift,
        performance=performance_of(monitor, cohort),
        estimate=estimate_of(monitor, reference, cohort.score),
        slices=weakest(reference.profile.bins, cohort.rows, loss),
        groups=[] if monitor.group is None else by_group(words_of(cohort.rows, monitor.group), loss),
        counts={name: column.tolist() for name, column in counts.columns.items()},
        products=[[round(one, 2) for one in row] for row in counts.products.tolist()],
        reference_at=reference.recorded_at,
        evaluated_at=evaluated_at,
    )


def drift_verdict(window: MonitorWindow, reference: MonitorReference) -> Verdict | None:
    """The columns that moved in a window, those first that mean most to the model; None where it is not judged."""
    if not window.drift.is_judged:
        return None
    there = {column.bins.name: np.array(column.counts) for column in reference.profile.columns}
    moved = in_order(
        Symptom(
            column=one.column,
            z=one.z,
            figure=one.figure,
            impact=reference.impact.of(one, there[one.column], np.array(window.counts[one.column])),
            detail=in_words(one),
        )
        for one in window.drift.moved
    )
    return Verdict(kind="drift", window_at=window.starts_at, symptoms=moved, threshold=window.drift.threshold)


def in_words(drift: ColumnDrift) -> str:
    """How a column moved, in a few words."""
    if drift.figure == "correlation" and drift.correlation is not None:
        return f"correlation with {drift.partner} {drift.correlation[0]:+.2f} before, {drift.correlation[1]:+.2f} now"
    if drift.figure == "nulls":
        return f"nulls {drift.nulls * 100:+.1f} points"
    if drift.figure == "unseen":
        return f"{drift.unseen * 100:.1f} % of what the reference did not have"
    if drift.figure in ("mean", "together", "slow") and drift.mean is not None:
        how = {"mean": "", "together": ", with others", "slow": ", window after window"}[drift.figure]
        return f"mean {drift.mean:+.2f} sd{how}"
    return f"{drift.shift * 100:.1f} % of the values moved"


def performance_verdict(
    monitor: Monitor, baseline: Baseline, cohorts: Sequence[tuple[datetime, int, int, float]]
) -> Verdict | None:
    """Whether the model decayed by its complete cohorts (start, labelled, errors, completeness); None without any."""
    complete = [cohort for cohort in cohorts if cohort[1] > 0 and cohort[3] >= LEAST_COMPLETENESS]
    if not complete:
        return None
    found = decay(
        [(labelled, errors) for _, labelled, errors, _ in complete],
        baseline,
        loss_increase=monitor.loss_increase,
        false_alarms_per_window=shared_budget(monitor, baseline),
    )
    symptom = Symptom(column="error_rate", z=found.level, figure="decay")
    return Verdict(
        kind="performance",
        window_at=complete[-1][0],
        symptoms=(symptom,) if found.is_alarm else (),
        threshold=found.threshold,
    )
