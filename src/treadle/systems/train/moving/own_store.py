"""A project of this store, read in the form in which MLflow's stores are read: what exports write and checks compare."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import BinaryIO

from treadle.kernel.catalog import Refs
from treadle.kernel.governance import Caller
from treadle.kernel.store import Reader, Statements, Store
from treadle.systems.train.files import Files
from treadle.systems.train.files.names import folder_of_uri
from treadle.systems.train.moving.errors import LocationClosed
from treadle.systems.train.moving.records import (
    Points,
    StoredExperiment,
    StoredLoggedModel,
    StoredModel,
    StoredRun,
    StoredVersion,
)
from treadle.systems.train.registry.lookup import Lookup
from treadle.systems.train.registry.records import ModelVersion
from treadle.systems.train.tracking.logged_models import LoggedModelRows
from treadle.systems.train.tracking.packing import in_order, joined, unpack
from treadle.systems.train.tracking.records import TrackedRun
from treadle.systems.train.tracking.repository import TrackedRunRows

sql = Statements(__package__)

PERMISSIONS = ("experiment.read", "run.read", "logged_model.read", "model.read")


@dataclass(frozen=True, slots=True)
class OwnFile:
    """A file that is kept here; `digest` is known without reading it."""

    path: str
    size_bytes: int
    digest: str
    whole: str
    files: Files
    caller: Caller

    def open(self) -> BinaryIO:
        """Its bytes."""
        return self.files.open(self.caller, self.whole).stream


class OwnStore:
    """See the module."""

    def __init__(self, store: Store, files: Files, refs: Refs, caller: Caller) -> None:
        for permission in PERMISSIONS:
            caller.require(permission)
        self.name = f"project {caller.project} of {store.url}"
        self._store, self._files, self._caller, self._project = store, files, caller, caller.project
        self._lookup, self._rows = Lookup(refs), TrackedRunRows()
        self._keys: dict[int, str] = {}

    def experiments(self) -> Sequence[StoredExperiment]:
        with self._store.read() as reader:
            tags: dict[int, dict[str, str]] = defaultdict(dict)
            for number, key, value in reader.all(sql.all_experiment_tags, {"project": self._project}):
                tags[number][key] = value
            rows = reader.all(sql.all_experiments, {"project": self._project})
        return [
            StoredExperiment(
                number=number,
                name=name,
                location=location,
                lifecycle=lifecycle,
                created_ms=created_ms,
                updated_ms=updated_ms,
                tags=tags[number],
            )
            for number, name, location, lifecycle, created_ms, updated_ms in rows
        ]

    def run_ids(self) -> Sequence[str]:
        with self._store.read() as reader:
            return [run for (run,) in reader.all(sql.all_runs, {"project": self._project})]

    def runs(self, ids: Sequence[str]) -> Sequence[StoredRun]:
        with self._store.read() as reader:
            self._keys.update(reader.all(sql.all_metric_keys, {"project": self._project}))
            numbers = self._rows.numbers(reader, self._project, ids)
            found = self._rows.load(reader, self._project, [numbers[run] for run in ids if run in numbers])
            return [self._run(reader, run) for run in found]

    def _run(self, reader: Reader, run: TrackedRun) -> StoredRun:
        head = reader.find(sql.run_head, {"project": self._project, "run": run.run})
        return StoredRun(
            run=run.run,
            experiment=run.experiment,
            name=run.name,
            status=run.status,
            user_id=run.user_id,
            start_ms=run.start_ms,
            end_ms=run.end_ms,
            lifecycle=run.lifecycle,
            deleted_ms=None if head is None else head[1],
            artifact_uri=run.artifact_uri,
            params={param.key: param.value for param in run.params},
            tags={tag.key: tag.value for tag in run.tags},
            points=self._points(reader, run.number),
            datasets=run.datasets,
            models=run.models,
            outputs=run.outputs,
        )

    def _points(self, reader: Reader, number: int) -> Points:
        values = {"project": self._project, "number": number}
        contents = [*reader.all(sql.segments_of_run, values), *reader.all(sql.chunks_of_run, values)]
        if not contents:
            return Points()
        points = in_order(joined([unpack(bytes(content)) for (content,) in contents]))
        keys = [self._keys[key] for key in points.keys.tolist()]
        return Points(keys, points.values.tolist(), points.steps.tolist(), points.times.tolist())

    def logged_models(self) -> Iterator[StoredLoggedModel]:
        with self._store.read() as reader:
            models = [model for (model,) in reader.all(sql.all_logged_models, {"project": self._project})]
        for start in range(0, len(models), 100):
            with self._store.read() as reader:
                found = LoggedModelRows().load(reader, self._project, models[start : start + 100])
            yield from found

    def models(self) -> Iterator[StoredModel]:
        with self._store.read() as reader:
            names = [name for (name,) in reader.all(sql.all_model_names, {"project": self._project})]
        for name in names:
            with self._store.read() as reader:
                line = self._lookup.line(reader, self._project, name)
                tags = self._lookup.tags.of_line(reader, self._project, line.line)
                versions = self._lookup.rows.of_model(reader, self._project, line.line)
                found = StoredModel(
                    name=name,
                    description=line.description,
                    created_ms=line.created_ms,
                    updated_ms=line.updated_ms,
                    tags=tags.get(0, {}),
                    aliases=self._lookup.aliases(reader, self._project, line),
                    versions=[_version(one, tags.get(one.number, {})) for one in reversed(versions)],
                )
            yield found

    def files(self, location: str) -> Sequence[OwnFile]:
        folder = folder_of_uri(location)
        if folder is None:
            raise LocationClosed(f"The files at {location} are not kept here.", location=location)
        start = len(folder) + 1
        with self._store.read() as reader:
            return sorted(
                (
                    OwnFile(file.path[start:], file.size_bytes, file.digest, file.path, self._files, self._caller)
                    for file in self._files.below(reader, self._project, folder)
                ),
                key=lambda file: file.path,
            )

    def not_read(self) -> Mapping[str, int]:
        return {}

    def close(self) -> None:
        """Nothing is held."""


def _version(version: ModelVersion, tags: Mapping[str, str]) -> StoredVersion:
    return StoredVersion(
        number=version.number,
        source=version.source or "",
        location=version.location,
        run_id=version.run_id,
        run_link=version.run_link,
        logged_model=version.logged_model,
        description=version.description,
        stage=version.stage,
        created_ms=version.created_ms,
        updated_ms=version.updated_ms,
        tags=tags,
    )
