"""What tracking knows of the runs and logged models that versions come from; satisfies the port `Origins`."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping

from treadle.ground.ids import run_id_of
from treadle.kernel.store import Reader, Statements, Transaction
from treadle.systems.train import tracking
from treadle.systems.train.registry.ports import Origin
from treadle.systems.train.tracking.logged_models import LoggedModelRows
from treadle.systems.train.tracking.records import DatasetInput, ModelPoint, Point, TrackedRun
from treadle.systems.train.tracking.repository import TrackedRunRows

_TRACKING = Statements(tracking.__name__)
_VERSIONS_TAG = "mlflow.modelVersions"
_CODE = {
    "mlflow.source.git.commit": "commit",
    "mlflow.source.git.branch": "branch",
    "mlflow.source.git.repoURL": "repository",
    "mlflow.source.name": "source",
    "mlflow.source.type": "source_type",
    "mlflow.project.entryPoint": "entry_point",
}


class TrackingOrigins:
    """Reads the rows of tracking."""

    def __init__(self) -> None:
        self._runs, self._models = TrackedRunRows(), LoggedModelRows()

    def of_run(self, reader: Reader, project: str, run_id: str) -> Origin | None:
        """The run of this protocol id, or None."""
        run = self._runs.find(reader, project, run_id)
        return None if run is None else _of_run(run, run.artifact_uri, run.metrics)

    def of_logged_model(self, reader: Reader, project: str, model_id: str) -> Origin | None:
        """The logged model with what is known of its run, or None."""
        model = self._models.find(reader, project, model_id)
        if model is None or model.lifecycle == "deleted":
            return None
        run = self._runs.find(reader, project, model.source_run) if model.source_run else None
        if run is None:
            found = _figures(model.metrics)
            return Origin(location=model.artifact_location, run_id=model.source_run, metrics=found)
        return _of_run(run, model.artifact_location, model.metrics or run.metrics)

    def note_version(self, tx: Transaction, project: str, model_id: str, name: str, number: int) -> None:
        """Adds the version to the label by which clients find the versions of a logged model."""
        model = self._models.find(tx, project, model_id)
        if model is None:
            return
        known = _listed(next((tag.value for tag in model.tags if tag.key == _VERSIONS_TAG), "[]"))
        noted = {"name": name, "version": number}
        value = json.dumps(known if noted in known else [*known, noted])
        values = {"project": project, "model": model_id, "key": _VERSIONS_TAG, "value": value}
        tx.execute(_TRACKING.put_model_tag, {**values, "experiment": model.experiment})


def _of_run(run: TrackedRun, location: str, points: Iterable[Point | ModelPoint]) -> Origin:
    tags = {tag.key: tag.value for tag in run.tags}
    return Origin(
        location=location,
        run=run_id_of(run.run),
        run_id=run.run,
        code={word: tags[tag] for tag, word in _CODE.items() if tags.get(tag)},
        data=_data(run.datasets),
        metrics=_figures(points),
    )


def _listed(text: str) -> list[object]:
    """The list in a label, which a client may have written over."""
    try:
        found = json.loads(text)
    except ValueError:
        return []
    return found if isinstance(found, list) else []


def _figures(points: Iterable[Point | ModelPoint]) -> Mapping[str, float]:
    return {point.key: point.value for point in points if point.value is not None}


def _data(datasets: Iterable[DatasetInput]) -> dict[str, str]:
    """`name@digest` by the role that the data set had; a second one of a role gets a number."""
    found: dict[str, str] = {}
    for one in datasets:
        context = next((tag.value for tag in one.tags if tag.key == "mlflow.data.context"), "") or "data"
        role, count = context, 1
        while role in found:
            count += 1
            role = f"{context} {count}"
        found[role] = f"{one.name}@{one.digest}"
    return found
