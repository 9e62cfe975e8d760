"""`treadle alerts`: what the monitors have raised."""

from __future__ import annotations

import os
from typing import Annotated, Any, Literal

from treadle.faces.cli.rendering import Paper, cell
from treadle.faces.cli.session import Session

AlertId = Annotated[str, "the alert's id"]
Kinds = Literal["webhook", "slack", "email"]
_SECRET = "TREADLE_WEBHOOK_SECRET"  # noqa: S105 -- the variable's name
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
        paper.table(
            ("column", "how", "z", "means to the model"),
            [(one.column, one.detail or one.figure, one.z, one.impact) for one in found.symptoms],
        )
        paper.line(f"What came before it: treadle alerts diagnose {found.id}", style="dim")

    session.out.show(found, draw)


def diagnose(
    session: Session,
    alert: AlertId,
    *,
    before_s: Annotated[int, "how long before the change the search begins, in seconds"] = 14 * 86_400,
) -> None:
    """Says since when, what came before it upstream (the likeliest first), what it led to, and what is to be done."""
    found = session.client.provenance.diagnose(alert=alert, before_s=before_s)

    def draw(paper: Paper) -> None:
        paper.sheet(
            {"alert": found.alert, "endpoint": found.endpoint, "model": found.model_version, "since": found.since}
        )
        paper.title("What moved")
        paper.table(
            ("column", "how", "since", "before", "after"),
            [(one.column, one.how, one.since, one.before, one.after) for one in found.moved],
        )
        paper.title("What came before")
        paper.table(
            ("when", "what", "steps away", "by", "look"),
            [(one.at, one.what, one.distance, one.actor, one.look) for one in found.suspects],
            empty="Nothing that the lineage of the model leads to; --before-s looks further back.",
        )
        paper.title("What it led to")
        paper.table(
            ("what", "", "look"),
            [(one.kind, one.title, one.look) for one in found.consequences],
            empty="Nothing yet.",
        )
        for text in found.runbooks:
            paper.title("To do")
            paper.line(text)

    session.out.show(found, draw)


def acknowledge(session: Session, alert: AlertId) -> None:
    """Says that you take care of an alert."""
    found = session.client.alerts.acknowledge(alert=alert)
    session.out.show(found, lambda paper: paper.line(f"{found.id} is acknowledged by {found.acknowledged_by}."))


def resolve(session: Session, alert: AlertId, *, reason: Annotated[str, "what it was"]) -> None:
    """Ends an alert by hand."""
    found = session.client.alerts.resolve(alert=alert, reason=reason)
    session.out.show(found, lambda paper: paper.line(f"{found.id} is resolved."))


def route(
    session: Session,
    name: Annotated[str, "what it is called"],
    target: Annotated[str, "a URL, or a mailbox"],
    *,
    kind: Annotated[Kinds, "how it is told"] = "webhook",
    endpoint: Annotated[str | None, "only of this endpoint"] = None,
    runbook: Annotated[str, "what the message says to do"] = "",
) -> None:
    """Tells somebody of alerts. With a secret in TREADLE_WEBHOOK_SECRET a webhook's messages are signed."""
    secret = os.environ.get(_SECRET) if kind == "webhook" else None
    made = session.client.alerts.route(
        name=name, kind=kind, target=target, endpoint=endpoint, runbook=runbook, secret=secret
    )
    session.out.show(made, lambda paper: paper.line(f"{made.target} is told of alerts: {made.id}"))


def routes(session: Session) -> None:
    """Everybody who is told of alerts. Secrets are never shown."""
    found = session.client.alerts.routes()

    def draw(paper: Paper) -> None:
        rows = [
            (one.name, one.kind, one.target, one.endpoint or "all", "yes" if one.has_secret else "no", one.id)
            for one in found
        ]
        columns = ("name", "kind", "target", "endpoint", "signed", "id")
        paper.table(columns, rows, empty="Nobody is told; alerts are in the log alone.")

    session.out.show(found, draw)


def unroute(session: Session, route: Annotated[str, "the route's id"]) -> None:
    """Takes a route away."""
    found = session.client.alerts.unroute(route=route)
    session.out.show(found, lambda paper: paper.line(f"{found.target} is told no longer."))


def silence(
    session: Session,
    endpoint: Annotated[str, "the endpoint"],
    *,
    reason: Annotated[str, "why"],
    for_s: Annotated[int, "for how many seconds"] = 86_400,
    column: Annotated[str | None, "only alerts of this column alone"] = None,
) -> None:
    """Tells nobody for a while; alerts open all the same, and start what they trigger."""
    found = session.client.alerts.silence(endpoint=endpoint, for_s=for_s, reason=reason, column=column)
    session.out.show(found, lambda paper: paper.line(f"Nobody is told of {found.endpoint} until {cell(found.until)}."))


def silences(session: Session) -> None:
    """What is silent now."""
    found = session.client.alerts.silences()

    def draw(paper: Paper) -> None:
        rows = [(one.endpoint, one.column or "all", one.until, one.reason, one.actor) for one in found]
        paper.table(("endpoint", "columns", "until", "why", "by"), rows, empty="Nothing is silent.")

    session.out.show(found, draw)


def columns_text(alert: Any) -> str:
    """The columns of an alert, the furthest moved first."""
    return cell([symptom.column for symptom in alert.symptoms])
