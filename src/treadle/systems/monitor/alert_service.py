"""The verbs of alerts: what is open, who takes care of it, and how it ended."""

from __future__ import annotations

from treadle.ground.clock import Clock
from treadle.ground.errors import did_you_mean
from treadle.ground.ids import NewId
from treadle.kernel.events import EventLog
from treadle.kernel.events.outbox import Outbox
from treadle.kernel.governance import Caller, verb
from treadle.kernel.store import Reader, Store
from treadle.systems.monitor.alerting import Alerting
from treadle.systems.monitor.alerts import Alert
from treadle.systems.monitor.errors import AlertClosed, AlertNotFound
from treadle.systems.monitor.repository import AlertRows
from treadle.systems.monitor.requests import AcknowledgeAlert, ListAlerts, ResolveAlert, ShowAlert

Alerts = list[Alert]


class AlertService:
    """Alerts: what is open, who takes care of it, and how it ended."""

    def __init__(
        self, store: Store, events: EventLog, *, clock: Clock, new_id: NewId, outbox: Outbox | None = None
    ) -> None:
        self._store, self._alerts = store, AlertRows()
        self._alerting = Alerting(self._alerts, events, clock, new_id, outbox)

    @verb("alerts.list", permission="alert.read")
    def list(self, caller: Caller, request: ListAlerts) -> Alerts:
        """Alerts, newest first; of one endpoint or state, or all."""
        with self._store.read() as reader:
            found = self._alerts.all(reader, caller.project)
        chosen = [
            alert
            for alert in found
            if request.endpoint in (None, alert.endpoint)
            if request.state in (None, alert.state) or (request.state == "unresolved" and alert.state != "resolved")
        ]
        return chosen[: request.limit]

    @verb("alerts.show", permission="alert.read")
    def show(self, caller: Caller, request: ShowAlert) -> Alert:
        """One alert. Raises AlertNotFound."""
        with self._store.read() as reader:
            return self._get(reader, caller, request.alert)

    @verb("alerts.acknowledge", permission="alert.write", event="alert.acknowledged")
    def acknowledge(self, caller: Caller, request: AcknowledgeAlert) -> Alert:
        """The alert, which the caller now takes care of. Raises AlertNotFound, AlertClosed."""
        return self._store.write(
            lambda tx: self._alerting.acknowledge(tx, caller, self._unresolved(tx, caller, request.alert))
        )

    @verb("alerts.resolve", permission="alert.write", event="alert.resolved")
    def resolve(self, caller: Caller, request: ResolveAlert) -> Alert:
        """The alert, ended by hand for a reason. Raises AlertNotFound, AlertClosed."""
        return self._store.write(
            lambda tx: self._alerting.resolve(tx, caller, self._unresolved(tx, caller, request.alert), request.reason)
        )

    def _get(self, reader: Reader, caller: Caller, alert_id: str) -> Alert:
        found = self._alerts.find(reader, caller.project, alert_id)
        if found is None:
            known = [alert.id for alert in self._alerts.all(reader, caller.project)]
            raise AlertNotFound(
                f"There is no alert {alert_id!r}.",
                why=did_you_mean(alert_id, known),
                fix="The verb alerts.list names them.",
                alert=alert_id,
            )
        return found

    def _unresolved(self, reader: Reader, caller: Caller, alert_id: str) -> Alert:
        alert = self._get(reader, caller, alert_id)
        if alert.state == "resolved":
            raise AlertClosed(
                f"The alert {alert_id} is resolved already.", why=f"Because: {alert.resolution}.", alert=alert_id
            )
        return alert
