"""The verb of the overview: one answer for whoever opens the pages in the morning."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from treadle.ground.clock import Clock, from_micros, to_micros
from treadle.ground.errors import InvalidInput
from treadle.kernel.events import EventLog
from treadle.kernel.governance import Caller, verb
from treadle.kernel.store import Reader, Row, Statements, Store
from treadle.loops.overview.flowing import SYSTEMS, flow_of, system_of
from treadle.loops.overview.records import Concern, Overview, OverviewOf, SystemName, SystemSheet
from treadle.systems.monitor import AlertService
from treadle.systems.monitor.requests import ListAlerts
from treadle.systems.prepare import Incidents
from treadle.systems.prepare.records import ListIncidents

sql = Statements(__package__)
MOST_HOURS, MOST_BUCKETS = 744, 96
MOST_CONCERNS = 50
_MOST_ALERTS = 200


class BadOverview(InvalidInput):
    """A window that is none."""

    code = "overview.bad_window"


@dataclass(frozen=True, slots=True)
class Tally:
    """What was done in the window, of one kind and noun, in one bucket."""

    kind: str
    noun: str
    bucket: int
    events: int
    last_at: int
    rows: int
    failed: int


class Overviews:
    """Looks at the event log, the alerts, the incidents and what waits."""

    def __init__(
        self, store: Store, events: EventLog, alerts: AlertService, incidents: Incidents, clock: Clock
    ) -> None:
        self._store, self._events, self._alerts, self._incidents = store, events, alerts, incidents
        self._clock = clock

    @verb("overview.get", permission="overview.read")
    def get(self, caller: Caller, request: OverviewOf) -> Overview:
        """What flowed through the eight systems of late, what is wrong, and what waits for a person.

        Raises BadOverview. Cost: one walk over the window's events.
        """
        if not 1 <= request.hours <= MOST_HOURS or not 1 <= request.buckets <= MOST_BUCKETS:
            raise BadOverview(
                f"The last {request.hours} hours in {request.buckets} parts are no window.",
                fix=f"1 to {MOST_HOURS} hours, in 1 to {MOST_BUCKETS} parts.",
            )
        until = self._clock()
        since = until - timedelta(hours=request.hours)
        head = self._events.head(caller.project)[0]
        with self._store.read() as reader:
            tallies = _tallies(reader, caller.project, since, request, head)
            concerns = _questions(reader, caller.project)
        concerns += self._troubles(caller)
        concerns.sort(key=lambda one: (one.state != "wrong", -one.since.timestamp()))
        return Overview(
            since=since,
            until=until,
            systems=[_sheet(name, tallies, concerns, request.buckets) for name in SYSTEMS],
            concerns=concerns[:MOST_CONCERNS],
            more_concerns=max(0, len(concerns) - MOST_CONCERNS),
            runs=sum(one.events for one in tallies if one.kind == "run.finished"),
            failed=sum(one.failed for one in tallies),
            decided=sum(one.events for one in tallies if one.kind == "release.decided"),
        )

    def _troubles(self, caller: Caller) -> list[Concern]:
        """Alerts and incidents that are not over; an alert that somebody takes care of only waits for its end."""
        found: list[Concern] = []
        for alert in self._alerts.list(caller, ListAlerts(state="unresolved", limit=_MOST_ALERTS)):
            columns = ", ".join(symptom.column for symptom in alert.symptoms[:3])
            what = f"{alert.kind} at {alert.endpoint}" + (f": {columns}" if columns else "")
            state: Literal["waits", "wrong"] = "wrong" if alert.state == "open" else "waits"
            found.append(
                Concern(
                    id=alert.id,
                    system="monitor",
                    state=state,
                    what=what,
                    subject=f"alert/{alert.id}",
                    since=alert.recorded_at,
                )
            )
        for incident in self._incidents.list(caller, ListIncidents(state="open")):
            is_wrong = incident.severity == "error"
            found.append(
                Concern(
                    id=incident.id,
                    system="prepare",
                    state="wrong" if is_wrong else "waits",
                    what=incident.title,
                    subject=f"dataset/{incident.dataset}",
                    since=incident.opened_at,
                )
            )
        return found


def _sheet(name: SystemName, tallies: list[Tally], concerns: list[Concern], buckets: int) -> SystemSheet:
    mine = [one for one in tallies if system_of(one.kind, one.noun) == name]
    series = [0] * buckets
    for one in mine:
        series[min(one.bucket, buckets - 1)] += one.events
    states = {one.state for one in concerns if one.system == name}
    return SystemSheet(
        name=name,
        state="wrong" if "wrong" in states else "waits" if "waits" in states else "well" if mine else "quiet",
        flow=flow_of(name, [(one.kind, one.noun, one.events, one.rows) for one in mine]),
        series=series,
        last_at=from_micros(max(one.last_at for one in mine)) if mine else None,
    )


def _tallies(reader: Reader, project: str, since: datetime, request: OverviewOf, head: int) -> list[Tally]:
    begin = to_micros(since)
    bucket = max(1, request.hours * 3_600_000_000 // request.buckets)
    values = {"project": project, "since": begin, "bucket": bucket}
    values["position"] = _first_since(reader, project, begin, head)
    return [_tally(row) for row in reader.all(sql.tally, values)]


def _first_since(reader: Reader, project: str, since: int, head: int) -> int:
    """The position from which on events are not older than a moment, by halving: some twenty look-ups."""
    low, high = 1, head + 1
    while low < high:
        middle = (low + high) // 2
        row = reader.find(sql.position_at, {"project": project, "position": middle})
        if row is not None and row[1] < since:
            low = middle + 1
        else:
            high = middle
    return low


def _questions(reader: Reader, project: str) -> list[Concern]:
    """Runs that wait for somebody's answer."""
    rows = reader.all(sql.open_questions, {"project": project, "limit": MOST_CONCERNS})
    return [
        Concern(
            id=run,
            system="train",
            state="waits",
            what=f"A run waits for an approval: {subject}",
            subject=f"run/{root}",
            since=from_micros(recorded_at),
        )
        for run, root, kind, subject, recorded_at in rows
        if kind == "approval"
    ]


def _tally(row: Row) -> Tally:
    kind, noun, bucket, events, last_at, rows, failed = row
    return Tally(kind, noun, int(bucket), events, last_at, int(rows), int(failed))
