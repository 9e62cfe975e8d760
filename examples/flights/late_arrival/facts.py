"""What the store knows of the year: windows, alerts, retrains, decisions, refused rows, labels. Nothing is kept aside.

Everything is asked of the services that the command line and the API ask too, so whatever the report says can be looked
up with `treadle`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

import msgspec
import polars as pl

import treadle as td
from late_arrival import pipelines
from treadle.kernel.catalog import ArtifactRows, Run
from treadle.kernel.catalog.service import ListRuns, RunNamed
from treadle.loops.feedback.archive import dataset_of
from treadle.loops.provenance import Node, WhyRequest
from treadle.systems.design.leaderboard import Leaderboard
from treadle.systems.labels.records import Agreement, LabelProjectSummary
from treadle.systems.labels.service import LabelsNamed
from treadle.systems.monitor.alerts import Alert
from treadle.systems.monitor.records import MonitorView, MonitorWindow
from treadle.systems.monitor.requests import ListAlerts, ListWindows, ShowMonitor
from treadle.systems.prepare.records import Incident, ListIncidents, ListQuarantine, Quarantine
from treadle.systems.train import ModelVersion
from treadle.systems.train.registry.service import ModelNamed, VersionNamed

DATASETS = ("flights", "weather", "planes", "truth")
"""Those whose refused rows are told; what the loop itself lands (vectors, predictions) refuses none."""


@dataclass(frozen=True, kw_only=True)
class Decision:
    """A challenge and how it ended. figures: what the gate compared. caused_by: the alert behind it, if there was one."""

    version: int
    at: datetime
    promoted: bool
    reason: str
    against: int | None
    window: str
    figures: Mapping[str, Any]
    run: str
    evidence: str
    caused_by: str | None


@dataclass(frozen=True, kw_only=True)
class Retrain:
    """A run that an alert has started. trained: whether it made a version; soon after a training it makes none."""

    run: Run
    alert: Alert | None
    trained: bool


@dataclass(frozen=True, kw_only=True)
class Refusal:
    """An alert that started nothing, and why."""

    id: str
    alert: Alert | None
    reason: str
    at: datetime | None


@dataclass(frozen=True, kw_only=True)
class Example:
    """One prediction to ask about: a flight that the newest champion called late with the most confidence, and was."""

    prediction: str
    version: int
    flight: str
    score: float
    run: str


@dataclass(frozen=True, kw_only=True)
class Year:
    """Everything that the report tells. Lists are in order of time."""

    monitor: MonitorView
    windows: Sequence[MonitorWindow]
    alerts: Sequence[Alert]
    retrains: Sequence[Retrain]
    refusals: Sequence[Refusal]
    decisions: Sequence[Decision]
    versions: Sequence[ModelVersion]
    champion: int
    quarantine: Mapping[str, Quarantine]
    incidents: Sequence[Incident]
    board: Leaderboard | None
    labels: Sequence[tuple[LabelProjectSummary, Agreement]]
    landed: Mapping[str, int]
    predicted: pl.DataFrame
    """`prediction`, `version`, `event_at`, `score`, `entity` and `truth` of every prediction that was logged."""
    example: Example | None
    why: Node | None

    @property
    def refused_rows(self) -> int:
        """How many rows a contract has refused, whatever became of them."""
        return sum(one.held + one.released + one.mended + one.discarded for one in self.quarantine.values())


def gather(workspace: td.Workspace) -> Year:
    """Asks the services. Cost: about two seconds for a whole year, most of it the walk from a prediction to its rows."""
    caller = workspace.caller
    alerts = sorted(workspace.alerts.list(caller, ListAlerts(limit=1000)), key=lambda alert: alert.recorded_at)
    by_event = {alert.event: alert for alert in alerts}
    runs = workspace.runs.newest(caller, ListRuns(kind="pipeline", limit=1000)).items
    versions = sorted(
        workspace.registry.models.versions(caller, ModelNamed(model=pipelines.MODEL)),
        key=lambda version: version.number,
    )
    decided = decisions(workspace, versions, by_event)
    challenged = {decision.run for decision in decided}
    retrains = [
        Retrain(run=run, alert=by_event.get(run.caused_by or ""), trained=run.id in challenged)
        for run in reversed(runs)
        if run.name == pipelines.retrain.name
    ]
    champion = workspace.registry.models.get(caller, VersionNamed(model=pipelines.MODEL, version="champion")).version
    predicted = predictions(workspace)
    example = example_of(predicted, champion)
    return Year(
        monitor=workspace.monitors.show(caller, ShowMonitor(name=pipelines.ENDPOINT)),
        windows=workspace.monitors.windows(caller, ListWindows(name=pipelines.ENDPOINT)),
        alerts=alerts,
        retrains=retrains,
        refusals=[
            Refusal(
                id=event.id, alert=by_event.get(event.body["caused_by"]), reason=event.body["reason"], at=event.event_at
            )
            for event in workspace.events.since(caller.project, 0, kinds=("trigger.refused",))
        ],
        decisions=decided,
        versions=versions,
        champion=champion.number,
        quarantine=refused(workspace),
        incidents=incidents(workspace),
        board=leaderboard(workspace),
        labels=[
            (project, workspace.labels.agreement(caller, LabelsNamed(labels=project.name)))
            for project in workspace.labels.list(caller)
        ],
        landed={dataset.name: dataset.rows for dataset in workspace.datasets.list(caller)},
        predicted=predicted,
        example=example,
        why=None if example is None else workspace.provenance.why(caller, WhyRequest(id=example.prediction, rows=2)),
    )


def decisions(
    workspace: td.Workspace, versions: Sequence[ModelVersion], by_event: Mapping[str, Alert]
) -> list[Decision]:
    """Every challenge, promoted or refused: the evidence of the gate, with the run in which it was found."""
    found = []
    for version in versions:
        sheet = workspace.registry.models.get(
            workspace.caller, VersionNamed(model=pipelines.MODEL, version=str(version.number))
        )
        for evidence in sheet.evidence:
            if evidence.kind != "gate":
                continue
            run = workspace.runs.get(workspace.caller, RunNamed(run=str(evidence.run))).run
            alert = by_event.get(run.caused_by or "")
            found.append(
                Decision(
                    version=version.number,
                    at=run.now_at or evidence.recorded_at,
                    promoted=bool(evidence.body["promoted"]),
                    reason=str(evidence.body["reason"]),
                    against=evidence.body["against"],
                    window=str(evidence.body["window"]),
                    figures=evidence.body["figures"],
                    run=run.id,
                    evidence=evidence.id,
                    caused_by=None if alert is None else alert.id,
                )
            )
    return sorted(found, key=lambda decision: (decision.at, decision.version))


def refused(workspace: td.Workspace) -> dict[str, Quarantine]:
    """The refused rows of each dataset that has any."""
    found = {
        name: workspace.quarantine.list(workspace.caller, ListQuarantine(dataset=name, state=None, limit=1000))
        for name in DATASETS
    }
    return {name: one for name, one in found.items() if one.rows}


def incidents(workspace: td.Workspace) -> list[Incident]:
    """Every incident, open or over."""
    found = workspace.incidents.list(workspace.caller, ListIncidents(state="all"))
    return sorted(found, key=lambda incident: incident.opened_at)


def leaderboard(workspace: td.Workspace) -> Leaderboard | None:
    """What was tried before the first model was registered, baselines included; None where no board was kept."""
    with workspace.store.read() as reader:
        moves = workspace.refs.history(reader, workspace.project, f"leaderboard/{pipelines.MODEL}")
        first = min(moves, key=lambda move: move.epoch, default=None)
        if first is None or first.target is None:
            return None
        kept = ArtifactRows().get(reader, workspace.project, first.target)
    return msgspec.convert(workspace.artifacts.load(kept), Leaderboard)


def predictions(workspace: td.Workspace) -> pl.DataFrame:
    """Every prediction with its truth, as far as it is known. Reads six of the log's fifty columns."""
    snapshot = workspace.datasets.snapshot(workspace.project, dataset_of(pipelines.ENDPOINT))
    truth = workspace.datasets.snapshot(workspace.project, "truth")
    answers = (
        workspace.datasets.scan(workspace.project, truth)
        .sort("known_at")
        .unique("flight_id", keep="last")
        .select(entity="flight_id", truth="late")
    )
    return (
        workspace.datasets.scan(workspace.project, snapshot)
        .select(
            "event_at",
            "entity",
            prediction="prediction_id",
            version=pl.col("model_version").cast(pl.Int64),
            score="output",
        )
        .join(answers, on="entity", how="left")
        .sort("event_at", "entity")
        .collect()
    )


def example_of(predicted: pl.DataFrame, champion: ModelVersion) -> Example | None:
    """The flight that the newest version which has predicted called late with the most confidence, and that was."""
    newest = predicted.filter(pl.col("version") <= champion.number)
    if newest.is_empty():
        return None
    mine = newest.filter(pl.col("version") == pl.col("version").max())
    right = mine.filter(pl.col("truth") == 1.0)
    row = (right if right.height else mine).sort("score", "prediction").tail(1).to_dicts()[0]
    return Example(
        prediction=row["prediction"],
        version=row["version"],
        flight=row["entity"],
        score=row["score"],
        run=str(champion.root),
    )


def as_report(year: Year, *, seconds: float) -> dict[str, Any]:
    """The facts as `report.json` has them: plain values, times as dates of the year that was lived through."""
    return {
        "seconds": round(seconds, 2),
        "predictions": year.predicted.height,
        "weeks": [_week(window) for window in year.windows],
        "alerts": [_alert(alert) for alert in year.alerts],
        "retrains": [
            {
                "run": one.run.id,
                "caused_by": one.alert.id if one.alert else one.run.caused_by,
                "event": one.run.caused_by,
                "at": _date(one.run.now_at),
                "status": one.run.status,
                "trained": one.trained,
            }
            for one in year.retrains
        ],
        "refusals": [
            {
                "event": one.id,
                "caused_by": one.alert.id if one.alert else None,
                "at": _date(one.at),
                "reason": one.reason,
            }
            for one in year.refusals
        ],
        "decisions": [_decision(decision) for decision in year.decisions],
        "quarantined": year.refused_rows,
        "quarantine": [
            {"dataset": name, "row": row.id, "rules": row.rules, "state": row.state, "reason": row.reason}
            for name, one in year.quarantine.items()
            for row in one.rows
        ],
        "incidents": [
            {
                "id": incident.id,
                "dataset": incident.dataset,
                "rule": incident.rule,
                "title": incident.title,
                "rows": incident.rows,
                "state": incident.state,
            }
            for incident in year.incidents
        ],
        "agreement": [
            {"labels": project.name, "question": each.question, "figure": each.figure, "value": each.value}
            for project, agreement in year.labels
            for each in agreement.questions
        ],
        "examples": None
        if year.example is None
        else {
            "prediction": year.example.prediction,
            "model_version": name_of(year.example.version),
            "run": year.example.run,
        },
    }


def name_of(version: int | str) -> str:
    """A version as every command takes it: `late-arrival/3`."""
    return f"{pipelines.MODEL}/{version}"


def _week(window: MonitorWindow) -> dict[str, Any]:
    done = window.performance
    return {
        "week": _date(window.starts_at),
        "model_version": name_of(window.model_version),
        "n": window.rows,
        "auc": done.auc,
        "auc_interval": done.auc_interval,
        "drift": window.drift.score,
        "threshold": window.drift.threshold,
        "is_judged": window.drift.is_judged,
        "furthest": window.drift.columns[0].column if window.drift.columns else None,
        "late": done.base_rate,
        "error_rate": done.error_rate,
        "expected_over_observed": done.expected_over_observed,
    }


def _alert(alert: Alert) -> dict[str, Any]:
    return {
        "id": alert.id,
        "week": _date(alert.first_window_at),
        "kind": alert.kind,
        "columns": list(alert.columns),
        "peak": alert.peak,
        "threshold": alert.threshold,
        "model_version": name_of(alert.model_version),
        "state": alert.state,
        "resolution": alert.resolution,
    }


def _decision(decision: Decision) -> dict[str, Any]:
    facts = asdict(decision)
    return {
        "model_version": name_of(facts.pop("version")),
        **facts,
        "at": _date(decision.at),
        "against": None if decision.against is None else name_of(decision.against),
    }


def _date(moment: datetime | None) -> str | None:
    return None if moment is None else f"{moment.astimezone(UTC):%Y-%m-%d}"
