"""From an alert to what came before it: the change point in the stored windows, and the events upstream of that moment."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta

from treadle.kernel.catalog import RunRows
from treadle.kernel.events import Event
from treadle.kernel.store import Statements
from treadle.loops.provenance.counting import Served
from treadle.loops.provenance.diagnosis import Consequence, Diagnosis, Moved, Suspect, change_point
from treadle.loops.provenance.downward import Downward
from treadle.loops.provenance.records import Node
from treadle.loops.provenance.upward import Upward
from treadle.systems.monitor.alerts import Alert, Symptom
from treadle.systems.monitor.records import MonitorWindow
from treadle.systems.monitor.repository import WindowRows
from treadle.systems.monitor.requests import ShowAlert
from treadle.systems.monitor.route_rows import RouteRows

sql = Statements(__package__)

_OF_THE_ENDPOINT = {
    "endpoint.deployed": "a revision was deployed",
    "endpoint.split": "the traffic was split anew",
    "endpoint.rolled_back": "an earlier route came back",
    "endpoint.drained": "the endpoint was drained",
    "canary.advanced": "a canary advanced",
    "canary.rolled_back": "a canary was rolled back",
}
_OF_A_DATASET = {
    "dataset.landed": "a snapshot landed",
    "dataset.merged": "a branch was merged",
    "dataset.restored": "an earlier snapshot came back",
    "dataset.cleaned": "it was cleaned",
}
_OF_INCIDENTS = {
    "incident.opened": "an incident opened",
    "incident.reopened": "an incident opened again",
}
_PIPELINES = 2
"""Code is published for all pipelines: it stands behind the model's training, as its data does."""


class Diagnosing:
    """One diagnosis, over one view of the store."""

    def __init__(self, up: Upward) -> None:
        self._up, self._sources, self._reader, self._project = up, up.sources, up.reader, up.project

    def diagnose(self, alert_id: str, before_s: int) -> Diagnosis:
        """Raises AlertNotFound."""
        alert = self._sources.alerts.show(self._up.caller, ShowAlert(alert=alert_id))
        windows = [
            one
            for one in WindowRows().all(self._reader, self._project, alert.monitor)
            if one.model_version == alert.model_version and one.starts_at <= alert.last_window_at
        ]
        moved = [_moved(alert, symptom, windows) for symptom in alert.symptoms]
        since = min((one.since for one in moved), default=alert.first_window_at)
        ends_at = next((one.ends_at for one in windows if one.starts_at == since), since)
        routes = [one for one in RouteRows().all(self._reader, self._project) if one.endpoint in (None, alert.endpoint)]
        return Diagnosis(
            alert=alert.id,
            endpoint=alert.endpoint,
            model_version=alert.model_version,
            since=since,
            moved=moved,
            suspects=self._suspects(alert, ends_at, ends_at - since, timedelta(seconds=before_s)),
            consequences=self._consequences(alert),
            runbooks=list(dict.fromkeys(route.runbook for route in routes if route.runbook)),
        )

    def _suspects(self, alert: Alert, ends_at: datetime, window: timedelta, before: timedelta) -> list[Suspect]:
        story = self._up.alert(alert.id, whole=True)
        datasets = _datasets(story)
        models = {node.id.rpartition("/")[0] for node in story.walk() if node.kind == "model version"}
        length = window or timedelta(days=1)
        found = []
        for event in self._events(ends_at - window - before):
            moments = (event.recorded_at, event.event_at)
            within = [one for one in moments if one is not None and ends_at - window - before <= one <= ends_at]
            if not within:
                continue
            at = max(within)
            told = _told(event, alert.endpoint, datasets, models)
            if told is not None:
                what, distance, look = told
                found.append(
                    Suspect(
                        id=event.id,
                        what=what,
                        subject=event.subject,
                        at=at,
                        actor=event.actor,
                        distance=distance,
                        windows_before=(ends_at - at) / length,
                        look=look,
                    )
                )
        return sorted(found, key=lambda one: (-one.rank, one.id))

    def _events(self, since: datetime) -> Iterator[Event]:
        """Those recorded since, the newest first: what happened later was not recorded before."""
        before = None
        while batch := self._sources.events.newest(self._project, before=before, limit=500):
            for event in batch:
                if event.recorded_at < since:
                    return
                yield event
            before = batch[-1].position

    def _consequences(self, alert: Alert) -> list[Consequence]:
        down = Downward(self._up, Served(self._sources.datasets, self._project))
        found: dict[str, Consequence] = {}
        for (id,) in self._reader.all(sql.runs_caused_by, {"project": self._project, "event": alert.event}):
            run = down.run(RunRows().get(self._reader, self._project, id))
            found[id] = Consequence(kind="run", id=id, title=run.title, look=f"treadle runs show {id}")
            for node in run.walk():
                if node.kind == "model version" and node.id not in found:
                    look = f"treadle impact {node.id}"
                    found[node.id] = Consequence(kind="model version", id=node.id, title=node.title, look=look)
                    found |= {one.id: one for one in self._decisions(node.id)}
        return list(found.values())

    def _decisions(self, version: str) -> Iterator[Consequence]:
        """What was decided about a version, and the aliases that were moved onto it."""
        for event in self._sources.events.about(self._project, version):
            if event.kind == "release.decided":
                verdict = "promoted" if event.body.get("promoted") else "held back"
                title = f"{verdict}: {event.body.get('reason')}"
                yield Consequence(kind="decision", id=event.id, title=title, look=f"treadle events show {event.id}")
        for event in self._sources.events.below(self._project, f"{version.rpartition('/')[0]}@"):
            if event.kind == "ref.moved" and event.body.get("to") == version:
                yield Consequence(
                    kind="promotion",
                    id=event.id,
                    title=f"{event.subject} moved onto it",
                    look=f"treadle events show {event.id}",
                )


def _told(event: Event, endpoint: str, datasets: Mapping[str, int], models: set[str]) -> tuple[str, int, str] | None:
    """What an event says, its distance from the endpoint, and the command that shows it; None for what is not upstream."""
    noun, _, name = event.subject.partition("/")
    if event.kind in _OF_THE_ENDPOINT:
        look = f"treadle endpoints show {endpoint}"
        return (_OF_THE_ENDPOINT[event.kind], 0, look) if event.subject == f"endpoint/{endpoint}" else None
    if event.kind == "ref.moved":
        if event.subject.partition("@")[0] in models:
            return "an alias of the model moved", 1, f"treadle events show {event.id}"
        if noun in ("truth", "value") and name == endpoint:
            return f"the {noun} rule changed", 1, f"treadle events show {event.id}"
        return None
    if event.kind == "project.published":
        return "pipelines were published", _PIPELINES, f"treadle events show {event.id}"
    dataset, what, look = "", "", ""
    if event.kind in _OF_A_DATASET:
        dataset, what = name.partition("@")[0], _OF_A_DATASET[event.kind]
        snapshot = event.body.get("snapshot")
        look = f"treadle why {snapshot}" if snapshot else f"treadle datasets history {dataset}"
    elif event.kind == "contract.published":
        dataset, what = event.subject.removeprefix("contract/"), "its contract changed"
        look = f"treadle contracts history {dataset}"
    elif event.kind in _OF_INCIDENTS:
        dataset, what = str(event.body.get("dataset")), f"{_OF_INCIDENTS[event.kind]}: {event.body.get('rule')}"
        look = f"treadle incidents show {event.body.get('incident')}"
    return (f"{dataset}: {what}", datasets[dataset], look) if dataset in datasets else None


def _datasets(node: Node, depth: int = 0) -> dict[str, int]:
    """The datasets below a node, with how many steps lie between by the shortest way."""
    found = {node.title.rpartition(" version ")[0]: depth} if node.kind == "snapshot" else {}
    for child in node.children:
        for name, distance in _datasets(child, depth + 1).items():
            found[name] = min(found.get(name, distance), distance)
    return found


def _moved(alert: Alert, symptom: Symptom, windows: list[MonitorWindow]) -> Moved:
    """A symptom with the window in which it began: at the latest the one that the alert opened in."""
    series = [(one.starts_at, value) for one in windows if (value := _value(one, symptom, alert)) is not None]
    since, before, after = alert.first_window_at, None, None
    if series:
        values = [value for _, value in series]
        led = [] if alert.kind == "performance" else [0.0]  # drift is told against the reference, which is its own zero
        place = change_point([*led, *values]) - len(led) if len(led) + len(values) > 1 else 0
        opened = sum(moment <= alert.first_window_at for moment, _ in series) - 1
        place = max(0, min(place, opened))
        since = series[place][0]
        after = sum(values[place:]) / len(values[place:])
        before = sum(values[:place]) / place if place else None
    return Moved(
        column=symptom.column,
        how=symptom.detail or symptom.figure,
        z=symptom.z,
        impact=symptom.impact,
        since=since,
        before=before,
        after=after,
    )


def _value(window: MonitorWindow, symptom: Symptom, alert: Alert) -> float | None:
    """The figure that moved, as one number of a window."""
    if alert.kind == "performance":
        return window.performance.error_rate
    column = next((one for one in window.drift.columns if one.column == symptom.column), None)
    if column is None or not window.drift.is_judged:
        return None
    if symptom.figure == "nulls":
        return column.nulls
    if symptom.figure == "unseen":
        return column.unseen
    if symptom.figure == "correlation" and column.correlation is not None:
        return column.correlation[1] - column.correlation[0]
    if symptom.figure in ("mean", "together", "slow") and column.mean is not None:
        return column.mean
    return column.shift
