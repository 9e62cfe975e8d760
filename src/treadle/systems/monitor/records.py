"""Monitors, the references that they hold windows against, and what they found in each window."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from treadle.systems.monitor.alerts import Alert
from treadle.systems.monitor.bins import Kind
from treadle.systems.monitor.drift import Drift
from treadle.systems.monitor.estimating import Calibration, ErrorCurve, Estimate
from treadle.systems.monitor.impact import Impact
from treadle.systems.monitor.performance import Baseline, Performance
from treadle.systems.monitor.profiles import Profile
from treadle.systems.monitor.slices import Slice

YEAR_S = 365.25 * 86_400
Task = Literal["classification", "regression"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Monitor:
    """What watches one endpoint, window by window.

    Windows are `window_s` long and begin at `anchor_at` and every whole number of windows before and after it.
    `false_alarms_per_year` is the one budget of the monitor; `loss_increase` the rise of the error rate that matters.
    """

    id: str
    name: str
    endpoint: str
    window_s: int
    anchor_at: datetime
    false_alarms_per_year: float
    decision_threshold: float
    loss_increase: float
    kinds: Mapping[str, Kind] | None
    recorded_at: datetime
    task: Task = "classification"
    group: str | None = None
    """The column whose values are compared for fairness, where one is declared."""
    judged_until: datetime | None = None
    """The end of the newest window that was judged, with predictions in it or without."""

    @property
    def false_alarms_per_window(self) -> float:
        """The budget as a probability for each window, at most a half."""
        return min(0.5, self.false_alarms_per_year * self.window_s / YEAR_S)


@dataclass(frozen=True, slots=True, kw_only=True)
class MonitorReference:
    """What windows of one model version are held against: the profile of what it was trained on, and, where its
    validation is known, the baseline that it was let in with."""

    monitor: str
    model_version: str
    training: str
    validation: str | None
    profile: Profile
    baseline: Baseline | None
    recorded_at: datetime
    impact: Impact = field(default_factory=Impact)
    calibration: Calibration | None = None
    """What the scores of the validation turned out to mean; None without validation, and for numbers."""
    error_curve: ErrorCurve | None = None
    """How large the errors of the validation were, by the size of the number predicted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReferenceSummary:
    """A reference without its profile."""

    model_version: str
    training: str
    validation: str | None
    rows: int
    blocks: int
    threshold: float
    baseline: Baseline | None
    recorded_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class MonitorWindow:
    """What one model version saw and did in one window.

    `counts` are its rows over the bins of the reference that was recorded at `reference_at`, `products` the sums that its
    correlations come from: both add up to those of longer windows.
    """

    monitor: str
    model_version: str
    starts_at: datetime
    ends_at: datetime
    rows: int
    drift: Drift
    performance: Performance
    evaluated_at: datetime
    reference_at: datetime
    counts: Mapping[str, list[int]] = field(default_factory=dict)
    products: list[list[float]] = field(default_factory=list)
    estimate: Estimate | None = None
    """What the performance should be, by the scores alone: known at once, and beside the truth once that is there."""
    slices: list[Slice] = field(default_factory=list)
    """Where the model does worse than elsewhere, the worst first; what chance explains is left out."""
    groups: list[Slice] = field(default_factory=list)
    """The values of the declared group, the worst first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MonitorView:
    """A monitor with its references, its alerts that are not resolved, and its newest windows."""

    monitor: Monitor
    references: list[ReferenceSummary]
    alerts: list[Alert]
    windows: list[MonitorWindow]


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """What judging one window led to: a result for each model version that predicted in it, and changed alerts."""

    monitor: str
    starts_at: datetime
    ends_at: datetime
    windows: list[MonitorWindow]
    opened: list[Alert]
    continued: list[Alert]
    resolved: list[Alert]
