"""An `mlruns` folder as a store: `<experiment>/<run>/…`, deleted experiments in `.trash`, the registry in `models`.

Everything that is read lies in the folder itself, but for the artifacts of runs that were given a location elsewhere.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from treadle.systems.train.moving.errors import NoMlflowStore, UnreadableStore
from treadle.systems.train.moving.places import LocalFile, Places
from treadle.systems.train.moving.records import (
    Points,
    StoredExperiment,
    StoredLoggedModel,
    StoredModel,
    StoredRun,
    StoredVersion,
)
from treadle.systems.train.moving.sql_store import NAME_TAG, logged_model_of
from treadle.systems.train.tracking.records import DatasetInput, ModelOutput, ModelPoint, Pair
from treadle.systems.train.tracking.summaries import finite
from treadle.wire.mlflow import folder as wire

_META = "meta.yaml"
_TRASH = ".trash"
_NO_RUNS = {"datasets", "inputs", "models", "outputs", "tags", "traces"}


class FolderStore:
    """See the module. places: which files outside of the folder may be opened."""

    def __init__(self, folder: Path, places: Places) -> None:
        self.name = str(folder.absolute())
        self._folder, self._places = folder, places
        self._experiments = dict(self._experiment_folders())
        if not self._experiments and not (folder / "models").is_dir():
            raise NoMlflowStore(
                f"{folder} is no mlruns folder.",
                why="No experiment lies in it: a folder with a number for its name and a meta.yaml.",
                fix="Give the folder itself, for example ./mlruns.",
            )
        self._found: dict[str, Path] | None = None

    def _experiment_folders(self) -> Iterator[tuple[int, Path]]:
        for parent in (self._folder, self._folder / _TRASH):
            for place in _folders(parent):
                if place.name.isdecimal() and (place / _META).is_file():
                    yield int(place.name), place

    def experiments(self) -> Sequence[StoredExperiment]:
        found = []
        for number, place in sorted(self._experiments.items()):
            meta = _meta(place)
            found.append(
                StoredExperiment(
                    number=number,
                    name=str(meta.get("name", number)),
                    location=str(meta.get("artifact_location") or ""),
                    lifecycle=str(meta.get("lifecycle_stage") or "active"),
                    created_ms=int(meta.get("creation_time") or 0),
                    updated_ms=int(meta.get("last_update_time") or meta.get("creation_time") or 0),
                    tags=_texts(place / "tags"),
                )
            )
        return found

    def run_ids(self) -> Sequence[str]:
        starts = [(int(_meta(place).get("start_time") or 0), run) for run, place in self._runs().items()]
        return [run for _, run in sorted(starts)]

    def runs(self, ids: Sequence[str]) -> Sequence[StoredRun]:
        places = self._runs()
        return [self._run(places[run]) for run in ids if run in places]

    def _runs(self) -> dict[str, Path]:
        """The folder of every run."""
        if self._found is None:
            self._found = {
                run.name: run
                for place in self._experiments.values()
                for run in _folders(place)
                if run.name not in _NO_RUNS and (run / _META).is_file()
            }
        return self._found

    def _run(self, place: Path) -> StoredRun:
        meta = _meta(place)
        tags = _texts(place / "tags")
        status = meta.get("status", 1)
        datasets, models = self._inputs(place)
        return StoredRun(
            run=place.name,
            experiment=int(place.parent.name),
            name=str(meta.get("run_name") or tags.get(NAME_TAG, "")),
            status=wire.STATUSES.get(status, "RUNNING") if isinstance(status, int) else str(status),
            user_id=str(meta.get("user_id") or ""),
            start_ms=meta.get("start_time"),
            end_ms=meta.get("end_time"),
            lifecycle=str(meta.get("lifecycle_stage") or "active"),
            deleted_ms=meta.get("deleted_time"),
            artifact_uri=self._artifacts(place, str(meta.get("artifact_uri") or meta.get("artifact_location") or "")),
            params=_texts(place / "params"),
            tags=tags,
            points=_points(place / "metrics"),
            datasets=datasets,
            models=models,
            outputs=[
                ModelOutput(str(found["destination_id"]), int(found.get("step") or 0))
                for found in (_meta(output) for output in _folders(place / "outputs"))
            ],
        )

    def _inputs(self, run: Path) -> tuple[list[DatasetInput], list[str]]:
        datasets, models = [], []
        for found in (_meta(place) for place in _folders(run / "inputs")):
            source = str(found.get("source_id"))
            if found.get("source_type") == "MODEL":
                models.append(source)
            elif wire.is_plain_name(source) and (run.parent / "datasets" / source / _META).is_file():
                meta = _meta(run.parent / "datasets" / source)
                datasets.append(
                    DatasetInput(
                        name=str(meta["name"]),
                        digest=str(meta["digest"]),
                        source_type=str(meta.get("source_type") or ""),
                        source=str(meta.get("source") or ""),
                        schema=meta.get("schema"),
                        profile=meta.get("profile"),
                        tags=[Pair(key, str(value)) for key, value in sorted((found.get("tags") or {}).items())],
                    )
                )
        return datasets, models

    def logged_models(self) -> Iterator[StoredLoggedModel]:
        for number, experiment in sorted(self._experiments.items()):
            for place in _folders(experiment / "models"):
                meta = _meta(place)
                yield StoredLoggedModel(
                    model=place.name,
                    experiment=number,
                    name=str(meta.get("name") or ""),
                    artifact_location=self._artifacts(place, str(meta.get("artifact_location") or "")),
                    created_ms=int(meta.get("creation_timestamp") or 0),
                    updated_ms=int(meta.get("last_updated_timestamp") or 0),
                    status=int(meta.get("status") or 0),
                    lifecycle=str(meta.get("lifecycle_stage") or "active"),
                    model_type=meta.get("model_type"),
                    source_run=meta.get("source_run_id"),
                    status_message=meta.get("status_message"),
                    params=[Pair(key, value) for key, value in sorted(_texts(place / "params").items())],
                    tags=[Pair(key, value) for key, value in sorted(_texts(place / "tags").items())],
                    metrics=list(_model_points(place)),
                )

    def models(self) -> Iterator[StoredModel]:
        for place in _folders(self._folder / "models"):
            if not (place / _META).is_file():
                continue
            meta = _meta(place)
            versions = [
                self._version(version)
                for version in _folders(place)
                if version.name.startswith("version-") and (version / _META).is_file()
            ]
            yield StoredModel(
                name=str(meta.get("name") or place.name),
                description=meta.get("description"),
                created_ms=int(meta.get("creation_timestamp") or 0),
                updated_ms=int(meta.get("last_updated_timestamp") or 0),
                tags=_texts(place / "tags"),
                aliases={alias: int(version) for alias, version in _texts(place / "aliases").items()},
                versions=sorted(versions, key=lambda version: version.number),
            )

    def _version(self, place: Path) -> StoredVersion:
        meta = _meta(place)
        source = str(meta.get("source") or "")
        return StoredVersion(
            number=int(meta["version"]),
            source=source,
            location=meta.get("storage_location"),
            run_id=meta.get("run_id") or None,
            run_link=meta.get("run_link") or None,
            logged_model=meta.get("model_id") or logged_model_of(source),
            description=meta.get("description"),
            stage=str(meta.get("current_stage") or "None"),
            created_ms=int(meta.get("creation_timestamp") or 0),
            updated_ms=int(meta.get("last_updated_timestamp") or 0),
            tags=_texts(place / "tags"),
        )

    def files(self, location: str) -> Sequence[LocalFile]:
        return self._places.files(location)

    def not_read(self) -> Mapping[str, int]:
        traces = sum(len(list(_folders(place / "traces"))) for place in self._experiments.values())
        return {"traces": traces} if traces else {}

    def close(self) -> None:
        """Nothing is held."""

    def _artifacts(self, place: Path, said: str) -> str:
        """Where the files of a run or a model are: in its own folder where it has some, whatever its meta.yaml says.

        A folder that was moved still says where it was.
        """
        own = place / "artifacts"
        return str(own.absolute()) if own.is_dir() else said


def _folders(parent: Path) -> Iterator[Path]:
    if parent.is_dir():
        with os.scandir(parent) as entries:
            names = sorted(entry.name for entry in entries if entry.is_dir(follow_symlinks=False))
        yield from (parent / name for name in names)


def _meta(place: Path) -> dict[str, Any]:
    try:
        return wire.read_meta((place / _META).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UnreadableStore(f"{place / _META} cannot be read.", why=str(error), place=str(place)) from error


def _files(folder: Path) -> Iterator[tuple[str, str]]:
    """(key, text) of every file below a folder; a key may hold slashes."""
    for parent, _, names in os.walk(folder):  # it does not go into links
        for name in sorted(names):
            place = Path(parent, name)
            if not place.is_symlink():
                with place.open(encoding="utf-8", newline="") as stream:
                    yield place.relative_to(folder).as_posix(), stream.read()


def _texts(folder: Path) -> dict[str, str]:
    return dict(_files(folder))


def _points(folder: Path) -> Points:
    found = Points()
    for key, text in _files(folder):
        lines = _read(wire.read_metric, folder / key, text)
        for line, value in zip(lines, finite([line.value for line in lines]), strict=True):
            found.add(key, value, line.step, line.at_ms)
    return found


def _model_points(place: Path) -> Iterator[ModelPoint]:
    for key, text in _files(place / "metrics"):
        for line in _read(wire.read_model_metric, place / "metrics" / key, text):
            value = None if line.value != line.value else finite([line.value])[0]
            yield ModelPoint(
                key, value, line.at_ms, line.step, place.name, line.run or "", line.dataset_name, line.dataset_digest
            )


def _read(read: Any, place: Path, text: str) -> list[wire.MetricLine]:
    try:
        found: list[wire.MetricLine] = read(text)
    except ValueError as error:
        raise UnreadableStore(f"{place} cannot be read.", why=str(error), place=str(place)) from error
    return found
