"""When an alert opens, goes on and ends: one alert a cause, however many windows show it.

What moves together for the first time is one cause. While an alert is open, its columns raise no second one; others do,
so that a sensor which fails in summer is not lost behind a temperature that has been high since June. An alert ends by
itself after two windows in a row without any of its columns, or by hand. Pure: verdicts and open alerts in, changes out.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

QUIET_WINDOWS = 2

Kind = Literal["drift", "performance"]
State = Literal["open", "acknowledged", "resolved"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Symptom:
    """A column beyond the threshold, or for performance the figure that decayed: how far, and in what way.

    impact: what the move means for the model (see `impact`), None where nothing is known of that. detail: the move in
    words, such as "mean +0.31 sd" or "nulls 2.0 % more".
    """

    column: str
    z: float
    figure: str
    impact: float | None = None
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """Something that has to be looked at. `event` is the event that its opening left, which triggers follow."""

    id: str
    monitor: str
    endpoint: str
    model_version: str
    kind: Kind
    state: State
    symptoms: tuple[Symptom, ...]
    peak: float
    threshold: float
    first_window_at: datetime
    last_window_at: datetime
    judged_window_at: datetime
    windows: int
    quiet: int
    event: str
    recorded_at: datetime
    acknowledged_by: str | None = None
    acknowledged_at: datetime | None = None
    resolved_at: datetime | None = None
    resolution: str | None = None

    @property
    def columns(self) -> tuple[str, ...]:
        """What the alert is about: what matters most to the model first, and what moved furthest among equals."""
        return tuple(symptom.column for symptom in self.symptoms)


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What one window says of one kind: the symptoms beyond the threshold, in order; often none."""

    kind: Kind
    window_at: datetime
    symptoms: tuple[Symptom, ...]
    threshold: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """A new cause: its symptoms."""

    symptoms: tuple[Symptom, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Continued:
    """An open alert whose columns moved in this window too; symptoms hold the largest z so far."""

    alert: Alert
    symptoms: tuple[Symptom, ...]
    peak: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Quieted:
    """An open alert without its columns in this window, for the `quiet`th time in a row."""

    alert: Alert
    quiet: int

    @property
    def is_over(self) -> bool:
        return self.quiet >= QUIET_WINDOWS


Change = Opened | Continued | Quieted


def changes(verdict: Verdict, unresolved: Sequence[Alert]) -> list[Change]:
    """What a window's verdict does to the alerts of its monitor, model version and kind.

    A window that an alert has judged already, or an older one, does nothing to it: judging again changes nothing.
    """
    here = {symptom.column: symptom for symptom in verdict.symptoms}
    found: list[Change] = []
    covered: set[str] = set()
    for alert in unresolved:
        covered.update(alert.columns)
        if verdict.window_at > alert.judged_window_at:
            found.append(_judge(alert, here))
    fresh = tuple(symptom for symptom in verdict.symptoms if symptom.column not in covered)
    if fresh:
        found.append(Opened(symptoms=fresh))
    return found


def _judge(alert: Alert, here: Mapping[str, Symptom]) -> Continued | Quieted:
    again = [here[column] for column in alert.columns if column in here]
    if not again:
        return Quieted(alert=alert, quiet=alert.quiet + 1)
    known = {symptom.column: symptom for symptom in alert.symptoms}
    for symptom in again:
        known[symptom.column] = max(known[symptom.column], symptom, key=lambda one: one.z)
    symptoms = in_order(known.values())
    return Continued(alert=alert, symptoms=symptoms, peak=max(alert.peak, *(symptom.z for symptom in symptoms)))


def in_order(symptoms: Iterable[Symptom]) -> tuple[Symptom, ...]:
    """Symptoms by what they mean for the model, then by how far they moved."""
    return tuple(sorted(symptoms, key=lambda one: (-(one.impact or 0.0), -one.z)))
