"""`treadle alerts`: what the monitors have raised."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from treadle.faces.cli.rendering import Paper, cell
from treadle.faces.cli.session import Session

AlertId = Annotated[str, "the alert's id"]
States = Literal["open", "acknowledged", "resolved", "unresolved"]


def list_all(
    session: Session,
    *,
    endpoint: Annotated[str | None, "only those of this endpoint"] = None,
    state: Annotated[States | None, "only those in this state"] = None,
    limit: Annotated[int, "at most so many"] = 100,
) -> None:
    """Alerts, the newest first."""
    alerts = session.client.alerts.list(endpoint=endpoint, state=state, limit=limit)

    def draw(paper: Paper) -> None:
        columns = ("alert", "state", "kind", "endpoint", "model", "since", "windows", "peak", "columns")
        rows = [
            (
                one.id,
                one.state,
                one.kind,
                one.endpoint,
                one.model_version,
                one.first_window_at,
                one.windows,
                one.peak,
                columns_text(one),
            )
            for one in alerts
        ]
        paper.table(columns, rows, empty="No alerts.")

    session.out.show(alerts, draw)


def show(session: Session, alert: AlertId) -> None:
    """One alert: what moved, how far, since when, and who takes care of it."""
    found = session.client.alerts.show(alert=alert)

    def draw(paper: Paper) -> None:
        paper.sheet(
            {
                "alert": found.id,
                "state": found.state,
                "kind": found.kind,
                "monitor": found.monitor,
                "endpoint": found.endpoint,
                "model": found.model_version,
                "first window": found.first_window_at,
                "last window": found.last_window_at,
                "windows": found.windows,
                "threshold": found.threshold,
                "acknowledged by": found.acknowledged_by,
                "acknowledged": found.acknowledged_at,
                "resolved": found.resolved_at,
                "resolution": found.resolution,
            }
        )
        paper.title("What moved")
        paper.table(("column", "figure", "z"), [(one.column, one.figure, one.z) for one in found.symptoms])

    session.out.show(found, draw)


def acknowledge(session: Session, alert: AlertId) -> None:
    """Says that you take care of an alert."""
    found = session.client.alerts.acknowledge(alert=alert)
    session.out.show(found, lambda paper: paper.line(f"{found.id} is acknowledged by {found.acknowledged_by}."))


def resolve(session: Session, alert: AlertId, *, reason: Annotated[str, "what it was"]) -> None:
    """Ends an alert by hand."""
    found = session.client.alerts.resolve(alert=alert, reason=reason)
    session.out.show(found, lambda paper: paper.line(f"{found.id} is resolved."))


def columns_text(alert: Any) -> str:
    """The columns of an alert, the furthest moved first."""
    return cell([symptom.column for symptom in alert.symptoms])
