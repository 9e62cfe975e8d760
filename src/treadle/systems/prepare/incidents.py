"""Incidents: one for each cause, opened when a rule first fails, counting until it recovers or somebody resolves it.

A cause is a rule of a dataset, failing in rows or as a whole. An incident recovers by itself when landings in a row were
clean, and is the same one when the cause comes back; what somebody has resolved is over, and the cause opens a new one.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

from treadle.ground.clock import Clock, to_micros
from treadle.ground.errors import did_you_mean
from treadle.ground.ids import NewId
from treadle.kernel.events import EventLog
from treadle.kernel.governance import Caller, verb
from treadle.kernel.store import Statement, Store, Transaction, UniqueViolation
from treadle.systems.prepare.errors import IncidentClosed, IncidentNotFound, IncidentOpen
from treadle.systems.prepare.records import (
    AssignIncident,
    CommentIncident,
    Incident,
    IncidentAct,
    IncidentHistory,
    ListIncidents,
    MuteIncident,
    ReopenIncident,
    ResolveIncident,
    Severity,
    ShowIncident,
)
from treadle.systems.prepare.repository import comments_of, find_incident, list_incidents, occurrences_of, sql

_ACTIVE = ("open", "muted")
_SYSTEM = "treadle"

_Causes = Iterable[tuple[str, str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """A rule that failed in a landing. cause: `rows` that fail, or a `table` that does not hold.

    is_whole: the landing brought all rows of the dataset anew, so those that failed before are among its rows.
    """

    dataset: str
    rule: str
    cause: str
    severity: Severity
    title: str
    rows: int
    landing: str | None
    snapshot: str | None = None
    contract: str | None = None
    assignee: str | None = None
    is_whole: bool = False


class Incidents:
    """The incidents of a store. recover_after: so many clean landings in a row end an incident."""

    def __init__(self, store: Store, events: EventLog, clock: Clock, new_id: NewId, *, recover_after: int = 3) -> None:
        self._store, self._events, self._clock, self._new_id = store, events, clock, new_id
        self._recover_after = recover_after

    @verb("incidents.list", permission="incident.read")
    def list(self, caller: Caller, request: ListIncidents) -> list[Incident]:
        """Incidents, oldest first; without a state, those that are open or muted."""
        with self._store.read() as reader:
            found = [self._now(one) for one in list_incidents(reader, caller.project)]
        states = (request.state,) if request.state else _ACTIVE
        return [
            one
            for one in found
            if request.dataset in (None, one.dataset)
            and request.assignee in (None, one.assignee)
            and (request.state == "all" or one.state in states)
        ]

    @verb("incidents.show", permission="incident.read")
    def show(self, caller: Caller, request: ShowIncident) -> Incident:
        """One incident. Raises IncidentNotFound."""
        id = request.id.removeprefix("incident/")
        with self._store.read() as reader:
            found = find_incident(reader, caller.project, id)
            if found is not None:
                return self._now(found)
            known = [incident.id for incident in list_incidents(reader, caller.project)]
        raise IncidentNotFound(
            f"There is no incident {id!r}.",
            why=did_you_mean(id, known),
            fix="List them with: treadle incidents list --state all",
            incident=id,
        )

    @verb("incidents.history", permission="incident.read")
    def history(self, caller: Caller, request: ShowIncident) -> IncidentHistory:
        """The landings that showed the cause, everything that was done about it, and what was said."""
        found = self.show(caller, request)
        with self._store.read() as reader:
            occurrences = occurrences_of(reader, caller.project, found.id)
            comments = comments_of(reader, caller.project, found.id)
        acts = [
            IncidentAct(
                kind=event.kind,
                actor=event.actor,
                facts={name: value for name, value in event.body.items() if name not in _PLACE},
                recorded_at=event.recorded_at,
                event=event.id,
            )
            for event in self._events.about(caller.project, f"incident/{found.id}")
        ]
        return IncidentHistory(incident=found.id, occurrences=occurrences, acts=acts, comments=comments)

    @verb("incidents.assign", permission="incident.write", event="incident.assigned")
    def assign(self, caller: Caller, request: AssignIncident) -> Incident:
        """Makes an incident somebody's."""
        values: dict[str, object] = {"assignee": request.assignee, "note": request.note}
        return self._change(caller, request.id, sql.assign_incident, values, "incident.assigned")

    @verb("incidents.comment", permission="incident.write", event="incident.commented")
    def comment(self, caller: Caller, request: CommentIncident) -> IncidentHistory:
        """Says something about an incident; also about one that is over. The text is no part of the event."""
        found = self.show(caller, ShowIncident(id=request.id))
        id = self._new_id("comment")
        values = {
            "project": caller.project,
            "id": id,
            "incident": found.id,
            "actor": caller.actor,
            "text": request.text,
        }

        def work(tx: Transaction) -> None:
            tx.execute(sql.insert_comment, {**values, "at": to_micros(self._clock())})
            self._tell(
                tx, caller.project, caller.actor, "incident.commented", found.id, {**_about(found), "comment": id}
            )

        self._store.write(work)
        return self.history(caller, ShowIncident(id=found.id))

    @verb("incidents.mute", permission="incident.write", event="incident.muted")
    def mute(self, caller: Caller, request: MuteIncident) -> Incident:
        """Lets an incident go on counting without telling anybody, for good or until a time."""
        until = None if request.until is None else to_micros(request.until)
        values: dict[str, object] = {"note": request.note, "muted_until": until}
        return self._change(caller, request.id, sql.mute_incident, values, "incident.muted")

    @verb("incidents.resolve", permission="incident.write", event="incident.resolved")
    def resolve(self, caller: Caller, request: ResolveIncident) -> Incident:
        """Closes an incident, with the run that mended it; the same cause opens a new one."""
        values: dict[str, object] = {"note": request.note, "fixing_run": request.fixing_run}
        return self._change(caller, request.id, sql.resolve_incident, values, "incident.resolved")

    @verb("incidents.reopen", permission="incident.write", event="incident.reopened")
    def reopen(self, caller: Caller, request: ReopenIncident) -> Incident:
        """Opens an incident again that was resolved or has recovered. Raises IncidentOpen where another of its cause is open."""
        found = self.show(caller, ShowIncident(id=request.id))
        if found.state in _ACTIVE:
            return found
        try:
            return self._change(caller, found.id, sql.reopen_incident, {"note": request.note}, "incident.reopened")
        except UniqueViolation as error:
            raise IncidentOpen(
                f"The cause of {found.id} has an open incident already.",
                fix=f"Look at: treadle incidents list --dataset {found.dataset}",
                incident=found.id,
            ) from error

    # What landings say

    def failed(self, tx: Transaction, project: str, failure: Failure) -> str:
        """Counts a failure on the incident of its cause, or opens one; within the caller's transaction. Answers its id."""
        at = self._clock()
        place = {"project": project, "dataset": failure.dataset, "rule": failure.rule, "cause": failure.cause}
        known = tx.find(sql.incident_of_cause, place)
        values = {
            **place,
            "contract": failure.contract,
            "severity": failure.severity,
            "title": failure.title,
            "rows": failure.rows,
            "landing": failure.landing,
            "at": to_micros(at),
        }
        if known is None:
            id = self._new_id("inc")
            tx.execute(sql.insert_incident, {**values, "id": id, "assignee": failure.assignee})
            facts = {"severity": failure.severity, "rows": failure.rows, "landing": failure.landing}
            facts |= {"contract": failure.contract, "snapshot": failure.snapshot}
            self._tell(tx, project, _SYSTEM, "incident.opened", id, {**_place(failure), **facts})
        else:
            id, before, until, rows = known
            values["rows"] = failure.rows - (rows if failure.is_whole else 0)
            is_muted = before == "muted" and (until is None or until > to_micros(at))
            state = {"id": id, "state": "muted" if is_muted else "open", "muted_until": until if is_muted else None}
            tx.execute(sql.seen_again, {**values, **state})
            if state["state"] != before:
                kind = "incident.reopened" if before == "recovered" else "incident.unmuted"
                self._tell(tx, project, _SYSTEM, kind, id, {**_place(failure), "landing": failure.landing})
        if failure.landing is not None:
            seen = {"incident": id, "landing": failure.landing, "snapshot": failure.snapshot, "rows": failure.rows}
            seen |= {"contract": failure.contract, "at": to_micros(at)}
            tx.execute(sql.insert_occurrence, {"project": project, **seen})
        return str(id)

    def passed(self, tx: Transaction, project: str, dataset: str, causes: _Causes, landing: str) -> None:
        """Counts a clean landing for the incidents of these causes; one that has had enough of them has recovered."""
        clean = set(causes)
        for id, rule, cause, count in tx.all(sql.active_incidents, {"project": project, "dataset": dataset}):
            if (rule, cause) not in clean:
                continue
            place = {"project": project, "id": id}
            if count + 1 < self._recover_after:
                tx.execute(sql.count_clean, place)
                continue
            tx.execute(sql.recover_incident, {**place, "at": to_micros(self._clock())})
            facts = {"dataset": dataset, "rule": rule, "landing": landing, "clean_landings": count + 1}
            self._tell(tx, project, _SYSTEM, "incident.recovered", id, facts)

    # Inside

    def _now(self, incident: Incident) -> Incident:
        """The incident as it is now: muted until a time that is over, it is open."""
        over = incident.state == "muted" and incident.muted_until is not None and incident.muted_until <= self._clock()
        return replace(incident, state="open", muted_until=None) if over else incident

    def _change(
        self, caller: Caller, incident: str, statement: Statement, values: dict[str, object], kind: str
    ) -> Incident:
        found = self.show(caller, ShowIncident(id=incident))

        def work(tx: Transaction) -> int:
            at = to_micros(self._clock())
            changed = tx.execute(statement, {"project": caller.project, "id": found.id, "at": at, **values})
            if changed:
                said = {name: str(value) for name, value in values.items() if value and name != "note"}
                self._tell(tx, caller.project, caller.actor, kind, found.id, _about(found) | said)
            return changed

        if self._store.write(work) != 1:
            raise IncidentClosed(
                f"The incident {found.id} is {found.state}.",
                fix=f"Open it again: treadle incidents reopen {found.id}. If the cause is back, the next landing shows it.",
            )
        return self.show(caller, ShowIncident(id=found.id))

    def _tell(self, tx: Transaction, project: str, actor: str, kind: str, incident: str, facts: dict[str, Any]) -> None:
        body = {"incident": incident, **facts}
        self._events.append(tx, project=project, kind=kind, subject=f"incident/{incident}", actor=actor, body=body)


_PLACE = ("incident", "dataset", "rule")


def _about(incident: Incident) -> dict[str, Any]:
    return {"dataset": incident.dataset, "rule": incident.rule}


def _place(failure: Failure) -> dict[str, Any]:
    return {"dataset": failure.dataset, "rule": failure.rule}
