"""A house to clean: store, bytes, engine and registry over one clock that the test holds."""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from treadle.ground.ids import new_id
from treadle.kernel.artifacts.local import LocalBlobs
from treadle.kernel.artifacts.records import Artifact
from treadle.kernel.artifacts.service import Artifacts
from treadle.kernel.catalog import ArtifactRows, EvidenceRows, Refs
from treadle.kernel.engine.code import fingerprint
from treadle.kernel.engine.service import Engine, Surroundings
from treadle.kernel.events import EventLog
from treadle.kernel.governance import Caller
from treadle.kernel.store import Store
from treadle.kernel.store.sql import parse
from treadle.systems.infra import CleanUp, Storage
from treadle.systems.infra.service import CleanUpStorage, ExamineStorage
from treadle.systems.train import Models
from treadle.systems.train.registry.roots import VersionRoots

PROJECT = "default"
ADA = Caller(project=PROJECT, actor="ada")


class House:
    """See the module. Time passes by `wait`: rows and files grow older, since the age of files is the system's to say."""

    def __init__(self, store: Store, home: Path) -> None:
        self.store, self.home = store, home
        self.blobs = LocalBlobs(home / "artifacts")
        self.artifacts = Artifacts(self.blobs, workspace=home / "workspace")
        self.events = EventLog(store, self.clock, new_id)
        self.refs = Refs(self.events, self.clock)
        self.evidence = EvidenceRows(self.events, self.clock, new_id)
        self.models = Models(store, self.refs, self.evidence, self.events, self.clock)
        self.described = {"environment": b"e" * 5000, "code": b"c" * 5000}
        self.engine = Engine(
            store,
            self.artifacts,
            clock=self.clock,
            fingerprint=fingerprint,
            surroundings=Surroundings(
                environment=lambda _: self.record(self.described["environment"], kind="environment").digest,
                bundle=lambda _: self.record(self.described["code"], kind="code").digest,
            ),
        )
        self.storage = Storage(
            store, self.artifacts, self.events, self.clock, home=home, roots=[VersionRoots(self.evidence)]
        )

    def clock(self) -> datetime:
        return datetime.now(UTC)

    def wait(self, **time: float) -> None:
        """Lets time pass for every row and every blob."""
        passed = timedelta(**time)
        for place in self.home.joinpath("artifacts").rglob("*"):
            if place.is_file():
                at = place.stat().st_mtime - passed.total_seconds()
                os.utime(place, (at, at))
        self._age_rows(passed)

    def _age_rows(self, passed: timedelta) -> None:
        micros = int(passed.total_seconds() * 1_000_000)
        for table, columns in {
            "artifact": ("recorded_at", "condemned_at"),
            "run": ("recorded_at",),
            "checkpoint": ("recorded_at",),
        }.items():
            for column in columns:
                query = f"-- name: age\nupdate {table} set {column} = {column} - :by where {column} is not null"
                self.store.write(lambda tx, q=query: tx.execute(parse(q)["age"], {"by": micros}))  # type: ignore[misc]

    def record(self, value: Any, *, kind: str | None = None, project: str = PROJECT) -> Artifact:
        """Stores a value and makes it known to a project."""
        artifact = self.artifacts.put(value, kind=kind)
        self.store.write(lambda tx: ArtifactRows().record(tx, project, [artifact], at=self.clock()))
        return artifact

    def find(self, digest: str, project: str = PROJECT) -> Artifact | None:
        with self.store.read() as reader:
            return ArtifactRows().find(reader, project, digest)

    def stands(self, digest: str) -> bool:
        """Whether an artifact is known, with all of its bytes."""
        found = self.find(digest)
        return found is not None and self.artifacts.verify(found) is None

    def clean(self, *, days: int = 30, is_dry_run: bool = False) -> CleanUp:
        return self.storage.clean(ADA, CleanUpStorage(retention_days=days, is_dry_run=is_dry_run))

    def clean_twice(self, *, days: int = 30) -> CleanUp:
        """Condemns, waits for the grace, and deletes."""
        self.clean(days=days)
        self.wait(hours=25)
        return self.clean(days=days)

    def examine(self, *, deep: bool = False) -> dict[str, Any]:
        """The checks by name."""
        found = self.storage.examine(ADA, ExamineStorage(deep=deep))
        return {check.name: check for check in found.checks}

    def rows(self, query: str, **values: object) -> list[tuple[Any, ...]]:
        with self.store.read() as reader:
            return reader.all(parse(f"-- name: asked\n{query}")["asked"], values)

    def everything(self) -> tuple[Any, ...]:
        """All rows of all tables that clean-up may touch, and every file with its age."""
        tables = ("artifact", "edge", "run", "ref", "ref_move", "event", "checkpoint", "model_version")
        files = sorted(
            (str(place), place.stat().st_mtime_ns, place.stat().st_size)
            for place in self.home.joinpath("artifacts").rglob("*")
            if place.is_file()
        )
        return ({table: self.rows(f"select * from {table} order by 1, 2, 3") for table in tables}, files)


@pytest.fixture
def house(any_store: Store, tmp_path: Path) -> Iterator[House]:
    found = House(any_store, tmp_path)
    yield found
    found.engine.close()
