"""A store of MLflow in memory, and a project on a fresh store to bring it into."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from treadle.assembly import Workspace, open_workspace
from treadle.systems.train.moving.errors import LocationClosed
from treadle.systems.train.moving.own_store import OwnStore
from treadle.systems.train.moving.records import StoredExperiment, StoredLoggedModel, StoredModel, StoredRun


@dataclass(frozen=True)
class MemoryFile:
    """A file with its bytes."""

    path: str
    content: bytes

    @property
    def size_bytes(self) -> int:
        return len(self.content)

    def open(self) -> BinaryIO:
        return io.BytesIO(self.content)


@dataclass
class MemoryStore:
    """A store as lists; a location that no file was put at is one that may not be opened."""

    name: str = "memory"
    of_experiments: list[StoredExperiment] = field(default_factory=list)
    of_runs: list[StoredRun] = field(default_factory=list)
    of_logged_models: list[StoredLoggedModel] = field(default_factory=list)
    of_models: list[StoredModel] = field(default_factory=list)
    of_files: dict[str, dict[str, bytes]] = field(default_factory=dict)

    def experiments(self) -> Sequence[StoredExperiment]:
        return self.of_experiments

    def run_ids(self) -> Sequence[str]:
        return [run.run for run in self.of_runs]

    def runs(self, ids: Sequence[str]) -> Sequence[StoredRun]:
        return [run for run in self.of_runs if run.run in ids]

    def logged_models(self) -> Iterator[StoredLoggedModel]:
        return iter(self.of_logged_models)

    def models(self) -> Iterator[StoredModel]:
        return iter(self.of_models)

    def files(self, location: str) -> Sequence[MemoryFile]:
        if location not in self.of_files:
            raise LocationClosed("Closed.")
        return [MemoryFile(path, content) for path, content in sorted(self.of_files[location].items())]

    def not_read(self) -> Mapping[str, int]:
        return {}

    def close(self) -> None:
        pass


def experiment(number: int, name: str, **others: object) -> StoredExperiment:
    """An experiment with times of its own."""
    values = {"location": "", "lifecycle": "active", "created_ms": 5, "updated_ms": 7, **others}
    return StoredExperiment(number=number, name=name, **values)  # type: ignore[arg-type]


def run(run: str, number: int, **others: object) -> StoredRun:
    """A finished run in an experiment."""
    values = {
        "name": "r", "status": "FINISHED", "user_id": "ada", "start_ms": 10, "end_ms": 20, "lifecycle": "active",
        "deleted_ms": None, "artifact_uri": f"memory:/{run}", **others,
    }  # fmt: skip
    return StoredRun(run=run, experiment=number, **values)  # type: ignore[arg-type]


def workspace(folder: Path) -> Workspace:
    """A project of a fresh home."""
    return open_workspace(folder, project="default", actor="ada")


def own(found: Workspace) -> OwnStore:
    """The project in the form in which stores are read."""
    return OwnStore(found.store, found.tracking.files, found.refs, found.caller)


def quiet(kind: str, done: int, count: int) -> None:
    """Shows no progress."""
