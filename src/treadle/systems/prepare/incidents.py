"""Incidents: one for each cause, opened when a rule first fails, counting until somebody resolves it."""

from __future__ import annotations

from treadle.ground.clock import Clock, to_micros
from treadle.ground.errors import did_you_mean
from treadle.ground.ids import NewId
from treadle.kernel.events import EventLog
from treadle.kernel.governance import Caller, verb
from treadle.kernel.store import Statement, Store, Transaction
from treadle.systems.prepare.errors import IncidentClosed, IncidentNotFound
from treadle.systems.prepare.records import (
    AssignIncident,
    Incident,
    ListIncidents,
    MuteIncident,
    ResolveIncident,
    Severity,
    ShowIncident,
)
from treadle.systems.prepare.repository import find_incident, list_incidents, sql


class Incidents:
    """The incidents of a store."""

    def __init__(self, store: Store, events: EventLog, clock: Clock, new_id: NewId) -> None:
        self._store, self._events, self._clock, self._new_id = store, events, clock, new_id

    @verb("incidents.list", permission="incident.read")
    def list(self, caller: Caller, request: ListIncidents) -> list[Incident]:
        """Incidents, oldest first; without a state, those that are not resolved."""
        with self._store.read() as reader:
            found = list_incidents(reader, caller.project)
        return [
            incident
            for incident in found
            if (request.dataset is None or incident.dataset == request.dataset)
            and (incident.state == request.state if request.state else incident.state != "resolved")
        ]

    @verb("incidents.show", permission="incident.read")
    def show(self, caller: Caller, request: ShowIncident) -> Incident:
        """One incident. Raises IncidentNotFound."""
        with self._store.read() as reader:
            found = find_incident(reader, caller.project, request.id)
            if found is not None:
                return found
            known = [incident.id for incident in list_incidents(reader, caller.project)]
        raise IncidentNotFound(
            f"There is no incident {request.id!r}.",
            why=did_you_mean(request.id, known),
            fix="List them with: treadle incidents list",
            incident=request.id,
        )

    @verb("incidents.assign", permission="incident.write", event="incident.assigned")
    def assign(self, caller: Caller, request: AssignIncident) -> Incident:
        """Makes an incident somebody's."""
        values: dict[str, object] = {"assignee": request.assignee, "note": request.note}
        return self._change(caller, request.id, sql.assign_incident, values, "incident.assigned")

    @verb("incidents.mute", permission="incident.write", event="incident.muted")
    def mute(self, caller: Caller, request: MuteIncident) -> Incident:
        """Lets an incident go on counting without telling anybody."""
        return self._change(caller, request.id, sql.mute_incident, {"note": request.note}, "incident.muted")

    @verb("incidents.resolve", permission="incident.write", event="incident.resolved")
    def resolve(self, caller: Caller, request: ResolveIncident) -> Incident:
        """Closes an incident, with the run that mended it; the same cause opens a new one."""
        values: dict[str, object] = {"note": request.note, "fixing_run": request.fixing_run}
        return self._change(caller, request.id, sql.resolve_incident, values, "incident.resolved")

    def report(
        self,
        tx: Transaction,
        project: str,
        *,
        dataset: str,
        rule: str,
        cause: str,
        severity: Severity,
        title: str,
        rows: int,
        landing: str | None,
        contract: str | None,
        assignee: str | None,
    ) -> None:
        """Counts a failure on the incident that is open for it, or opens one; within the caller's transaction."""
        at = to_micros(self._clock())
        place = {"project": project, "dataset": dataset, "rule": rule, "cause": cause}
        if tx.execute(sql.seen_again, {**place, "rows": rows, "landing": landing, "at": at}):
            return
        incident = self._new_id("inc")
        values = {
            **place,
            "id": incident,
            "contract": contract,
            "severity": severity,
            "title": title,
            "rows": rows,
            "landing": landing,
            "assignee": assignee,
            "at": at,
        }
        tx.execute(sql.insert_incident, values)
        body = {
            "incident": incident,
            "dataset": dataset,
            "rule": rule,
            "severity": severity,
            "rows": rows,
            "landing": landing,
            "contract": contract,
        }
        self._events.append(
            tx, project=project, kind="incident.opened", subject=f"incident/{incident}", actor="treadle", body=body
        )

    def _change(
        self, caller: Caller, incident: str, statement: Statement, values: dict[str, object], kind: str
    ) -> Incident:
        found = self.show(caller, ShowIncident(id=incident))

        def work(tx: Transaction) -> int:
            at = to_micros(self._clock())
            changed = tx.execute(statement, {"project": caller.project, "id": incident, "at": at, **values})
            if changed:
                body = {"incident": incident, "dataset": found.dataset, "rule": found.rule}
                body |= {name: str(value) for name, value in values.items() if value and name != "note"}
                self._events.append(
                    tx,
                    project=caller.project,
                    kind=kind,
                    subject=f"incident/{incident}",
                    actor=caller.actor,
                    body=body,
                )
            return changed

        if self._store.write(work) != 1:
            raise IncidentClosed(
                f"The incident {incident} is resolved and does not change any more.",
                fix="If the cause is back, the next landing opens a new one.",
            )
        return self.show(caller, ShowIncident(id=incident))
