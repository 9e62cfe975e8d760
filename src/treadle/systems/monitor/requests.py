"""What the verbs of monitoring are asked with."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

from treadle.systems.monitor.alerts import State
from treadle.systems.monitor.bins import Kind
from treadle.systems.monitor.records import Task

MONDAY = datetime(2001, 1, 1, tzinfo=UTC)
WEEK_S = 7 * 86_400


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateMonitor:
    """A monitor of an endpoint, with the reference of the model version that serves there now.

    training, validation: the addresses of frames (an artifact's digest): what the model was trained on, and its scored
    validation rows. columns: which inputs to watch and how to read them; without it, all that can be.
    importance: what the inputs weigh in the model, by any attribution: an alarm names what weighs most first.
    task: whether scores are probabilities of the truth 1, or predictions of a number. group: a column whose values are
    compared for fairness. false_alarms_per_year: the one budget, over all columns and over drift and decay alike; the default is one a
    quarter.
    """

    name: str
    endpoint: str
    model_version: str
    training: str
    validation: str | None = None
    window_s: int = WEEK_S
    anchor_at: datetime = MONDAY
    false_alarms_per_year: float = 4.0
    decision_threshold: float = 0.5
    loss_increase: float = 0.03
    columns: dict[str, Kind] | None = None
    importance: dict[str, float] | None = None
    task: Task = "classification"
    group: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RebaseMonitor:
    """A new model version serves: what its windows are held against from now on."""

    name: str
    model_version: str
    training: str
    validation: str | None = None
    importance: dict[str, float] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ShowMonitor:
    """One monitor by its name, with so many of its newest windows."""

    name: str
    windows: int = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class ListWindows:
    """The windows of a monitor, oldest first; of one model version, or of all."""

    name: str
    model_version: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluateMonitor:
    """Judge the window that holds this moment, for whatever monitors the endpoint has."""

    endpoint: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckMonitor:
    """Judge what is due by now: every window that has ended since the newest one judged, at most so many, and those before
    it whose truth was not complete. since: where a monitor begins that has judged nothing yet; by default when it was made.
    """

    name: str
    since: datetime | None = None
    most: int = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class ListAlerts:
    """Alerts, newest first; of one endpoint or state, or all."""

    endpoint: str | None = None
    state: State | Literal["unresolved"] | None = None
    limit: int = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class ShowAlert:
    """One alert by its id."""

    alert: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AcknowledgeAlert:
    """Somebody has seen the alert and takes care of it."""

    alert: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ResolveAlert:
    """The alert is over, and why."""

    alert: str
    reason: str
