"""Writing a project out as an `mlruns` folder, which every MLflow reads: for those who leave, and for copies to keep.

A run's folder is made aside and moved into place when it is whole; one that is there is left alone. So an export that was
stopped goes on when it is started again. What the form cannot hold (a key that is no file name) is said and left out.
"""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from treadle.systems.train.moving.errors import LocationClosed
from treadle.systems.train.moving.ports import MlflowStore
from treadle.systems.train.moving.records import (
    Brought,
    Left,
    StoredExperiment,
    StoredLoggedModel,
    StoredModel,
    StoredRun,
    StoredVersion,
)
from treadle.systems.train.tracking.records import DatasetInput, ModelPoint
from treadle.wire.mlflow import folder as wire

Progress = Callable[[str, int, int], None]
_META = "meta.yaml"
_ASIDE = ".unfinished"
"""What is made aside lies beside the folder: in it, MLflow takes every folder for an experiment."""
_RUNS_AT_ONCE = 100
_CHUNK = 1 << 20


class FolderExport:
    """One export into one folder; see the module."""

    def __init__(self, source: MlflowStore, folder: Path, progress: Progress = lambda *_: None) -> None:
        self._source, self._folder, self._progress = source, folder.absolute(), progress
        self._aside = self._folder.with_name(self._folder.name + _ASIDE)
        self._counts: Counter[str] = Counter()
        self._left: list[Left] = []
        self._places: dict[int, Path] = {}

    def write(self) -> Brought:
        """Writes all of the source; answers what was written."""
        self._folder.mkdir(parents=True, exist_ok=True)
        for experiment in self._source.experiments():
            self._write_experiment(experiment)
        ids = list(self._source.run_ids())
        for start in range(0, len(ids), _RUNS_AT_ONCE):
            for run in self._source.runs(ids[start : start + _RUNS_AT_ONCE]):
                self._write_run(run)
            self._progress("runs", min(start + _RUNS_AT_ONCE, len(ids)), len(ids))
        models = {}
        for model in self._source.logged_models():
            models[model.model] = self._write_logged_model(model)
        for registered in self._source.models():
            self._write_model(registered, models)
        shutil.rmtree(self._aside, ignore_errors=True)
        left = list(dict.fromkeys(self._left))
        return Brought(source=self._source.name, is_dry_run=False, renumbered={}, left=left, **self._counts)

    def _write_experiment(self, one: StoredExperiment) -> None:
        parent = self._folder if one.lifecycle == "active" else self._folder / ".trash"
        place = self._places[one.number] = parent / str(one.number)
        if (place / _META).exists():
            return
        place.mkdir(parents=True, exist_ok=True)
        self._write_texts(place / "tags", one.tags, f"experiment {one.name}")
        self._write_meta(
            place,
            artifact_location=place.as_uri(),
            creation_time=one.created_ms,
            experiment_id=str(one.number),
            last_update_time=one.updated_ms,
            lifecycle_stage=one.lifecycle,
            name=one.name,
        )
        self._counts["experiments"] += 1

    def _write_run(self, run: StoredRun) -> None:
        place = self._places[run.experiment] / run.run
        if place.exists():
            self._counts["known_runs"] += 1
            return
        what = f"run {run.run}"
        aside = self._fresh(f"run-{run.run}")
        for name in ("artifacts", "metrics", "params", "tags"):  # MLflow takes a folder without these for no run
            (aside / name).mkdir()
        self._write_texts(aside / "params", run.params, what)
        self._write_texts(aside / "tags", run.tags, what)
        self._write_texts(aside / "metrics", _metric_texts(run), what)
        self._write_files(aside / "artifacts", run.artifact_uri, what)
        self._write_inputs(aside, run)
        for output in run.outputs:
            self._write_meta(
                aside / "outputs" / output.model,
                destination_id=output.model,
                destination_type="MODEL_OUTPUT",
                source_id=output.model,
                source_type="RUN_OUTPUT",
                step=output.step,
                tags={},
            )
        self._write_meta(
            aside,
            artifact_uri=(place / "artifacts").as_uri(),
            **({} if run.deleted_ms is None else {"deleted_time": run.deleted_ms}),
            end_time=run.end_ms,
            entry_point_name="",
            experiment_id=str(run.experiment),
            lifecycle_stage=run.lifecycle,
            run_id=run.run,
            run_name=run.name,
            source_name="",
            source_type=4,
            source_version="",
            start_time=run.start_ms,
            status=wire.STATUS_NUMBERS[run.status],
            tags=[],
            user_id=run.user_id,
        )
        aside.rename(place)
        self._counts["runs"] += 1
        self._counts["points"] += len(run.points)

    def _write_inputs(self, aside: Path, run: StoredRun) -> None:
        for one in run.datasets:
            source = wire.dataset_folder(one.name, one.digest)
            place = self._places[run.experiment] / "datasets" / source
            if not (place / _META).exists():
                self._write_meta(place, **_described(one))
            tags = {tag.key: tag.value for tag in one.tags}
            self._write_input(aside, run, source, "DATASET", tags)
        for model in run.models:
            self._write_input(aside, run, model, "MODEL", {})

    def _write_input(self, aside: Path, run: StoredRun, source: str, kind: str, tags: Mapping[str, str]) -> None:
        self._write_meta(
            aside / "inputs" / wire.input_folder(source, run.run),
            destination_id=source,
            destination_type="RUN",
            source_id=source,
            source_type=kind,
            tags=dict(tags),
        )

    def _write_logged_model(self, model: StoredLoggedModel) -> Path:
        place = self._places[model.experiment] / "models" / model.model
        if place.exists():
            return place
        what = f"logged model {model.model}"
        aside = self._fresh(model.model)
        self._write_texts(aside / "params", {pair.key: pair.value for pair in model.params}, what)
        self._write_texts(aside / "tags", {pair.key: pair.value for pair in model.tags}, what)
        points: dict[str, list[ModelPoint]] = {}
        for point in model.metrics:
            points.setdefault(point.key, []).append(point)
        lines = {key: wire.write_metric([_line(point) for point in found]) for key, found in points.items()}
        self._write_texts(aside / "metrics", lines, what)
        (aside / "artifacts").mkdir(exist_ok=True)
        self._write_files(aside / "artifacts", model.artifact_location, what)
        self._write_meta(
            aside,
            artifact_location=(place / "artifacts").as_uri(),
            creation_timestamp=model.created_ms,
            experiment_id=str(model.experiment),
            last_updated_timestamp=model.updated_ms,
            **({} if model.lifecycle == "active" else {"lifecycle_stage": model.lifecycle}),
            model_id=model.model,
            model_type=model.model_type,
            name=model.name,
            source_run_id=model.source_run,
            status=model.status,
            status_message=model.status_message,
        )
        place.parent.mkdir(parents=True, exist_ok=True)
        aside.rename(place)
        self._counts["logged_models"] += 1
        return place

    # The registry

    def _write_model(self, model: StoredModel, logged: Mapping[str, Path]) -> None:
        place = self._folder / "models" / model.name
        if not wire.is_plain_name(model.name) or "/" in model.name:
            self._left.append(Left(what=f"model {model.name}", why="its name cannot be that of a folder"))
            return
        self._counts["models"] += not place.exists()
        self._write_texts(place / "tags", model.tags, f"model {model.name}")
        aliases = {alias: str(number) for alias, number in model.aliases.items()}
        self._write_texts(place / "aliases", aliases, f"model {model.name}")
        for version in model.versions:
            self._write_version(place / f"version-{version.number}", model.name, version, logged)
        self._write_meta(
            place,
            aliases=aliases,
            creation_timestamp=model.created_ms,
            description=model.description,
            last_updated_timestamp=model.updated_ms,
            name=model.name,
        )

    def _write_version(self, place: Path, name: str, version: StoredVersion, logged: Mapping[str, Path]) -> None:
        if (place / _META).exists():
            return
        what = f"version {version.number} of {name}"
        location = self._location(version, logged)
        own = place / "artifacts"
        if location is None and version.location and self._write_files(own, version.location, what):
            location = own.as_uri()
        self._write_texts(place / "tags", version.tags, what)
        self._write_meta(
            place,
            creation_timestamp=version.created_ms,
            current_stage=version.stage,
            description=version.description,
            last_updated_timestamp=version.updated_ms,
            model_id=version.logged_model,
            name=name,
            run_id=version.run_id,
            run_link=version.run_link,
            source=version.source,
            status="READY",
            status_message=None,
            storage_location=location or version.source,
            user_id=None,
            version=version.number,
        )
        self._counts["versions"] += 1

    def _location(self, version: StoredVersion, logged: Mapping[str, Path]) -> str | None:
        """Where the files of a version lie in the folder, if they are those of a logged model that was written."""
        place = logged.get(version.logged_model or "")
        return None if place is None else (place / "artifacts").as_uri()

    # Files

    def _fresh(self, name: str) -> Path:
        place = self._aside / name
        if place.exists():
            shutil.rmtree(place)
        place.mkdir(parents=True)
        return place

    def _write_files(self, folder: Path, location: str, what: str) -> bool:
        """Whether there were files to write; those that are kept elsewhere are said."""
        try:
            found = self._source.files(location)
        except LocationClosed as error:
            self._left.append(Left(what=f"files of {what}", why=error.what))
            return False
        for file in found:
            place = folder / file.path
            place.parent.mkdir(parents=True, exist_ok=True)
            with file.open() as stream, place.open("wb") as target:
                shutil.copyfileobj(stream, target, _CHUNK)
            self._counts["files"] += 1
            self._counts["file_bytes"] += file.size_bytes
        return bool(found)

    def _write_texts(self, folder: Path, texts: Mapping[str, str], what: str) -> None:
        """A file for each key; a key may hold slashes, but not stand where another key needs a folder."""
        for key in sorted(texts):
            place = folder / key
            try:
                if not wire.is_plain_name(key):
                    raise OSError("it is no file name")
                place.parent.mkdir(parents=True, exist_ok=True)
                with place.open("w", encoding="utf-8", newline="") as stream:
                    stream.write(texts[key])
            except (OSError, ValueError) as error:
                self._left.append(Left(what=f"{folder.name} {key!r} of {what}", why=str(error)))

    def _write_meta(self, place: Path, **values: Any) -> None:
        place.mkdir(parents=True, exist_ok=True)
        unfinished = place / f"{_META}.part"
        unfinished.write_text(wire.write_meta(values), encoding="utf-8")
        unfinished.replace(place / _META)


def _metric_texts(run: StoredRun) -> dict[str, str]:
    lines: dict[str, list[wire.MetricLine]] = {}
    points = run.points
    for key, value, step, at_ms in zip(points.keys, points.values, points.steps, points.times, strict=True):
        lines.setdefault(key, []).append(wire.MetricLine(at_ms, value, step))
    return {key: wire.write_metric(found) for key, found in lines.items()}


def _line(point: ModelPoint) -> wire.MetricLine:
    value = float("nan") if point.value is None else point.value
    return wire.MetricLine(point.at_ms, value, point.step, point.run, point.dataset_name, point.dataset_digest)


def _described(one: DatasetInput) -> dict[str, Any]:
    names: Sequence[str] = ("digest", "name", "profile", "schema", "source", "source_type")
    return {name: getattr(one, name) for name in names}
