"""Views, rows, and a source of snapshots in memory, for the tests of features online."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl

from treadle.ground.digests import of_json
from treadle.kernel.vocabulary.datasets import DataFile, Snapshot
from treadle.systems.features.errors import FeatureViewNotFound
from treadle.systems.features.online.materializing import Materializer
from treadle.systems.features.online.ports import OnlineStore

START = datetime(2026, 1, 1, tzinfo=UTC)
MOMENT = pl.Datetime("us", "UTC")


def at(hours: float) -> datetime:
    """A time of the tests' world."""
    return START + timedelta(hours=hours)


@dataclass
class Landed:
    """Snapshots of datasets in memory, one file a landing: satisfies `SnapshotSource` and `LandingTimes`."""

    files: dict[str, pl.DataFrame] = field(default_factory=dict)
    snapshots: dict[str, list[Snapshot]] = field(default_factory=dict)
    landings: dict[str, datetime] = field(default_factory=dict)
    reads: list[list[str]] = field(default_factory=list)

    def land(self, dataset: str, rows: pl.DataFrame, landed_at: datetime = START) -> Snapshot:
        """Adds a file with the rows."""
        landing = f"land_{len(self.files):04}"
        self.landings[landing] = landed_at
        rows = rows.with_columns(_landing=pl.lit(landing), _row=pl.int_range(pl.len(), dtype=pl.Int64))
        return self._add(dataset, [*self._paths(dataset), self._file(rows)])

    def replace_all(self, dataset: str, frames: Sequence[pl.DataFrame]) -> Snapshot:
        """A snapshot of other files: what compaction, a restored version or a forgotten person leaves."""
        return self._add(dataset, [self._file(frame) for frame in frames])

    def rows(self, dataset: str) -> pl.DataFrame:
        """All rows of the newest snapshot."""
        return self.scan("default", self.snapshots[dataset][-1]).collect()

    def snapshot(self, project: str, dataset: str, at: str | None = None) -> Snapshot:
        found = self.snapshots.get(dataset, [])
        if at is None and found:
            return found[-1]
        for one in found:
            if one.id == at:
                return one
        raise FeatureViewNotFound(f"no snapshot {at!r} of {dataset!r}")

    def scan(self, project: str, snapshot: Snapshot) -> pl.LazyFrame:
        self.reads.append([file.path for file in snapshot.files])
        schema = self.files[next(iter(self._paths(snapshot.dataset)))].schema
        frames = [self.files[file.path] for file in snapshot.files]
        return pl.concat([pl.DataFrame(schema=schema), *frames], how="vertical_relaxed").lazy()

    def landed_at(self, project: str, dataset: str) -> Mapping[str, datetime]:
        return self.landings

    def _file(self, rows: pl.DataFrame) -> str:
        path = f"file_{len(self.files):04}"
        self.files[path] = rows
        return path

    def _paths(self, dataset: str) -> list[str]:
        found = self.snapshots.get(dataset)
        return [file.path for file in found[-1].files] if found else []

    def _add(self, dataset: str, paths: list[str]) -> Snapshot:
        known = self.snapshots.setdefault(dataset, [])
        frames = [self.files[path] for path in paths]
        rows = pl.concat(frames, how="vertical_relaxed").sort("_landing", "_row")
        content = of_json([str(row) for row in rows.rows()])
        version = len(known) + 1
        snapshot = Snapshot(
            id=f"snap_{dataset}_{version}", dataset=dataset, version=version, delta_version=version, parent=None,
            landing=None, content_id=content, layout_digest=of_json(paths), columns=(), rows=len(rows), bytes=0, run=None,
            recorded_at=START, files=[DataFile(path=path, sha256=of_json(path), size=1, rows=1) for path in paths],
        )  # fmt: skip
        known.append(snapshot)
        return snapshot


@dataclass
class World:
    """A store with a materialiser whose clock is set by hand."""

    store: OnlineStore
    landed: Landed = field(default_factory=Landed)
    now: datetime = START

    def materializer(self, **options: Any) -> Materializer:
        return Materializer(self.store, self.landed, self.landed, lambda: self.now, "default", **options)


__all__ = ["MOMENT", "START", "Landed", "World", "at"]
