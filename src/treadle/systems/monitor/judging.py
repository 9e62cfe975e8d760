"""A window judged: what a cohort says beside its reference, and the verdicts that follow. Pure, on tables in memory."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import numpy as np

from treadle.systems.monitor.alerts import Symptom, Verdict
from treadle.systems.monitor.bins import Kind, count, infer_kinds
from treadle.systems.monitor.cohorts import Cohort, numbers, seconds
from treadle.systems.monitor.drift import measure
from treadle.systems.monitor.performance import (
    LEAST_COMPLETENESS,
    Baseline,
    decay,
    measure_baseline,
    measure_performance,
)
from treadle.systems.monitor.ports import EVENT_AT, RESERVED, SCORE, TRUTH
from treadle.systems.monitor.profiles import Profile, profile
from treadle.systems.monitor.records import Monitor, MonitorReference, MonitorWindow

if TYPE_CHECKING:
    import pyarrow as pa


def window_of(monitor: Monitor, moment: datetime) -> tuple[datetime, datetime]:
    """The window of a monitor that holds a moment: start, and end, which belongs to the next."""
    length = timedelta(seconds=monitor.window_s)
    starts_at = monitor.anchor_at + (moment - monitor.anchor_at) // length * length
    return starts_at, starts_at + length


def profile_of(monitor: Monitor, training: pa.Table, address: str) -> Profile:
    """The profile of a training frame. Resamples are drawn from its address, so the same frame gives the same profile.

    Watched is what the monitor names, or else every column but those that say when, which and who.
    """
    seed = int.from_bytes(hashlib.sha256(address.encode()).digest()[:8], "big")
    return profile(
        training,
        at=seconds(training) if EVENT_AT in training.column_names else None,
        window_s=monitor.window_s,
        rng=np.random.default_rng(seed),
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


def shared_budget(monitor: Monitor, baseline: Baseline | None) -> float:
    """What one kind of alarm may use of the monitor's budget: all of it, or half where decay is watched as well."""
    return monitor.false_alarms_per_window / (1 if baseline is None else 2)


def judge(
    monitor: Monitor, cohort: Cohort, reference: MonitorReference, starts_at: datetime, evaluated_at: datetime
) -> MonitorWindow:
    """What a cohort saw and did. Raises UnfitColumn when it lacks a watched column."""
    counts = count(reference.profile.bins, cohort.rows)
    budget = shared_budget(monitor, reference.baseline)
    drift = measure(reference.profile, counts, false_alarms_per_window=budget, span=cohort.span)
    return MonitorWindow(
        monitor=monitor.id,
        model_version=cohort.model_version,
        starts_at=starts_at,
        ends_at=starts_at + timedelta(seconds=monitor.window_s),
        rows=cohort.rows.num_rows,
        drift=drift,
        performance=measure_performance(
            cohort.score, cohort.truth, closed=cohort.closed, decision_threshold=monitor.decision_threshold
        ),
        counts={name: column.tolist() for name, column in counts.columns.items()},
        evaluated_at=evaluated_at,
    )


def drift_verdict(window: MonitorWindow) -> Verdict | None:
    """The columns that moved in a window; None where it is not judged."""
    if not window.drift.is_judged:
        return None
    moved = tuple(Symptom(column=one.column, z=one.z, figure=one.figure) for one in window.drift.moved)
    return Verdict(kind="drift", window_at=window.starts_at, symptoms=moved, threshold=window.drift.threshold)


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
