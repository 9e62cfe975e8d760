"""Writes what becomes of alerts: the row and its event in one transaction, so that triggers see what the tables say."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime

from treadle.ground.clock import Clock
from treadle.ground.ids import NewId
from treadle.kernel.events import EventLog
from treadle.kernel.events.outbox import ALERT, Outbox
from treadle.kernel.governance import Caller
from treadle.kernel.store import Transaction
from treadle.systems.monitor.alerts import Alert, Continued, Opened, Verdict, changes
from treadle.systems.monitor.records import Monitor
from treadle.systems.monitor.repository import AlertRows
from treadle.systems.monitor.route_rows import RouteRows
from treadle.systems.monitor.routes import Change, message_of


@dataclass(frozen=True, slots=True)
class Changed:
    """The alerts that a verdict opened, found again, and saw end."""

    opened: list[Alert] = field(default_factory=list)
    continued: list[Alert] = field(default_factory=list)
    resolved: list[Alert] = field(default_factory=list)

    def __add__(self, other: Changed) -> Changed:
        return Changed(self.opened + other.opened, self.continued + other.continued, self.resolved + other.resolved)


class Alerting:
    """Alerts as rows and events. Every method works within the caller's transaction."""

    def __init__(
        self, alerts: AlertRows, events: EventLog, clock: Clock, new_id: NewId, outbox: Outbox | None = None
    ) -> None:
        """outbox: where those wait who are to be told; without one nobody is."""
        self._alerts, self._events, self._clock, self._new_id = alerts, events, clock, new_id
        self._outbox, self._routes = outbox, RouteRows()

    def apply(
        self,
        tx: Transaction,
        caller: Caller,
        monitor: Monitor,
        model_version: str,
        verdict: Verdict,
        *,
        judged_at: datetime,
    ) -> Changed:
        """Carries a verdict out; the event `alert.opened` names alert, monitor, endpoint and columns.

        judged_at: the end of the window that was judged; of that moment the events speak, and who is started by one
        takes it for the present.
        """
        concerned = [
            alert
            for alert in self._alerts.unresolved(tx, caller.project, monitor.id)
            if (alert.kind, alert.model_version) == (verdict.kind, model_version)
        ]
        done = Changed()
        for change in changes(verdict, concerned):
            if isinstance(change, Opened):
                done.opened.append(self._open(tx, caller, monitor, model_version, verdict, change, judged_at))
            elif isinstance(change, Continued):
                done.continued.append(self._continue(tx, caller, verdict, change))
            elif change.is_over:
                over = replace(change.alert, quiet=change.quiet, judged_window_at=verdict.window_at)
                done.resolved.append(self.resolve(tx, caller, over, f"quiet for {change.quiet} windows", at=judged_at))
            else:
                waiting = replace(change.alert, quiet=change.quiet, judged_window_at=verdict.window_at)
                self._alerts.update(tx, caller.project, waiting)
        return done

    def resolve(
        self, tx: Transaction, caller: Caller, alert: Alert, reason: str, *, at: datetime | None = None
    ) -> Alert:
        """Ends an alert, with the event `alert.resolved`; `at` is when that was in the world, where somebody knows."""
        resolved = replace(alert, state="resolved", resolved_at=self._clock(), resolution=reason)
        self._alerts.update(tx, caller.project, resolved)
        event = self._leave(tx, caller, "alert.resolved", alert, {"windows": alert.windows}, at)
        self._tell(tx, caller, resolved, "resolved", event)
        return resolved

    def acknowledge(self, tx: Transaction, caller: Caller, alert: Alert) -> Alert:
        """Notes that somebody takes care of an alert, with the event `alert.acknowledged`."""
        seen = replace(alert, state="acknowledged", acknowledged_by=caller.actor, acknowledged_at=self._clock())
        self._alerts.update(tx, caller.project, seen)
        self._leave(tx, caller, "alert.acknowledged", alert, {}, None)
        return seen

    def _open(
        self,
        tx: Transaction,
        caller: Caller,
        monitor: Monitor,
        model_version: str,
        verdict: Verdict,
        change: Opened,
        judged_at: datetime,
    ) -> Alert:
        alert = Alert(
            id=self._new_id("alert"),
            monitor=monitor.id,
            endpoint=monitor.endpoint,
            model_version=model_version,
            kind=verdict.kind,
            state="open",
            symptoms=change.symptoms,
            peak=max(symptom.z for symptom in change.symptoms),
            threshold=verdict.threshold,
            first_window_at=verdict.window_at,
            last_window_at=verdict.window_at,
            judged_window_at=verdict.window_at,
            windows=1,
            quiet=0,
            event="",
            recorded_at=self._clock(),
        )
        facts: dict[str, object] = {
            "kind": alert.kind,
            "columns": list(alert.columns),
            "peak": alert.peak,
            "threshold": alert.threshold,
            "began_at": alert.first_window_at.isoformat(),
        }
        opened = replace(alert, event=self._leave(tx, caller, "alert.opened", alert, facts, judged_at))
        self._alerts.insert(tx, caller.project, opened)
        self._tell(tx, caller, opened, "opened", opened.event)
        return opened

    def _tell(self, tx: Transaction, caller: Caller, alert: Alert, change: Change, event: str) -> None:
        """Puts what there is to say into the outbox, once for each route, unless a silence keeps it back."""
        if self._outbox is None:
            return
        routes = [one for one in self._routes.all(tx, caller.project) if one.endpoint in (None, alert.endpoint)]
        if not routes:
            return
        now = self._clock()
        if any(silence.covers(alert, now) for silence in self._routes.silences(tx, caller.project, now)):
            return
        for route in routes:
            payload = {"route": route.id, "message": message_of(alert, change, route.runbook)}
            self._outbox.put(tx, caller.project, kind=ALERT, payload=payload, event=event)

    def _continue(self, tx: Transaction, caller: Caller, verdict: Verdict, change: Continued) -> Alert:
        alert = replace(
            change.alert,
            symptoms=change.symptoms,
            peak=change.peak,
            last_window_at=verdict.window_at,
            judged_window_at=verdict.window_at,
            windows=change.alert.windows + 1,
            quiet=0,
        )
        self._alerts.update(tx, caller.project, alert)
        return alert

    def _leave(
        self,
        tx: Transaction,
        caller: Caller,
        kind: str,
        alert: Alert,
        facts: dict[str, object],
        at: datetime | None,
    ) -> str:
        return self._events.append(
            tx,
            project=caller.project,
            kind=kind,
            subject=f"endpoint/{alert.endpoint}",
            actor=caller.actor,
            body={"alert": alert.id, "monitor": alert.monitor, "model_version": alert.model_version, **facts},
            event_at=at,
        )
