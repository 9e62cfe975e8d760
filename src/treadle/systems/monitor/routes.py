"""Who is told of alerts, and when nobody is: routes, silences, and the words of a message.

A route brings the alerts of one endpoint, or of all, to a webhook, a Slack channel or a mailbox. A silence keeps messages
back for a while: the alert itself opens all the same, and starts what it triggers. What is told stands in the outbox in the
transaction of the alert, so that no alert is told that does not stand, and none is forgotten.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from treadle.systems.monitor.alerts import Alert

RouteKind = Literal["webhook", "slack", "email"]
Change = Literal["opened", "resolved"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """Where alerts are told. target: a URL, or a mailbox. endpoint: of this one alone, or of all. runbook: what the message
    says to do. Of the secret only whether there is one is shown."""

    id: str
    name: str
    kind: RouteKind
    target: str
    endpoint: str | None
    runbook: str
    has_secret: bool
    recorded_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Silence:
    """No messages about an endpoint, or about one column of it, until a moment."""

    id: str
    endpoint: str
    column: str | None
    until: datetime
    reason: str
    actor: str
    recorded_at: datetime

    def covers(self, alert: Alert, now: datetime) -> bool:
        """Whether it keeps back what there is to say of an alert: all of its columns, where a column is named."""
        if alert.endpoint != self.endpoint or now >= self.until:
            return False
        return self.column is None or set(alert.columns) == {self.column}


def message_of(alert: Alert, change: Change, runbook: str) -> dict[str, Any]:
    """What is told of one alert, as plain values."""
    return {
        "alert": alert.id,
        "change": change,
        "kind": alert.kind,
        "endpoint": alert.endpoint,
        "model_version": alert.model_version,
        "since": alert.first_window_at.isoformat(),
        "threshold": alert.threshold,
        "symptoms": [
            {"column": one.column, "how": one.detail or one.figure, "z": one.z, "impact": one.impact}
            for one in alert.symptoms
        ],
        "resolution": alert.resolution,
        "runbook": runbook,
    }


def subject_of(messages: Sequence[Mapping[str, Any]]) -> str:
    """One line over all that a message says."""
    endpoints = sorted({str(one["endpoint"]) for one in messages})
    opened = sum(one["change"] == "opened" for one in messages)
    parts = [f"{n} {what}" for n, what in ((opened, "opened"), (len(messages) - opened, "resolved")) if n]
    return f"Alerts {' and '.join(parts)}: {', '.join(endpoints)}"


def text_of(messages: Sequence[Mapping[str, Any]]) -> str:
    """The same for a person: each alert with its columns, and what the runbook says."""
    lines = []
    for one in messages:
        lines.append(
            f"{one['kind']} at {one['endpoint']} (model version {one['model_version']}) {one['change']}, {one['alert']}"
        )
        lines += [f"  {symptom['column']}: {symptom['how']}, z {symptom['z']:.1f}" for symptom in one["symptoms"]]
        if one["resolution"]:
            lines.append(f"  {one['resolution']}")
        if one["runbook"] and one["change"] == "opened":
            lines.append(f"  To do: {one['runbook']}")
    return "\n".join(lines)
