"""The rows of collect: reading them into records, and the records' values for writing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import msgspec

from treadle.ground.clock import from_micros, to_micros
from treadle.ground.digests import canonical_json
from treadle.kernel.store import Reader, Row, Statements
from treadle.kernel.vocabulary.datasets import Column, DataFile, Dataset, Snapshot
from treadle.systems.collect.records import Landing

sql = Statements(__package__)


@dataclass(frozen=True, slots=True, kw_only=True)
class DatasetRow:
    """A dataset with its head and whose turn it is to commit."""

    dataset: Dataset
    head_version: int
    head_snapshot: str | None
    head_delta_version: int
    turn: str | None
    turn_owner: str | None
    turn_until: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Intent:
    """A landing that has not come to its end."""

    id: str
    dataset: str
    owner: str
    lease_until: int
    is_planned: bool


def find_dataset(reader: Reader, project: str, name: str, root: Path) -> DatasetRow | None:
    """The dataset of that name, or None."""
    row = reader.find(sql.find_dataset, {"project": project, "name": name})
    return None if row is None else _dataset(row, root)


def list_datasets(reader: Reader, project: str, root: Path) -> list[DatasetRow]:
    """Every dataset, by name."""
    return [_dataset(row, root) for row in reader.all(sql.list_datasets, {"project": project})]


def find_landing(reader: Reader, project: str, landing: str) -> tuple[Landing, dict[str, Any]] | None:
    """The landing, and what recovery needs: `plan`, `source`, `owner`, `key`."""
    row = reader.find(sql.find_landing, {"project": project, "id": landing})
    return None if row is None else _landing(row)


def find_landing_by_key(reader: Reader, project: str, dataset: str, key: str) -> Landing | None:
    """The committed landing of a batch, or None."""
    row = reader.find(sql.find_landing_by_key, {"project": project, "dataset": dataset, "key": key})
    return None if row is None else _landing(row)[0]


def landings_of(reader: Reader, project: str, dataset: str) -> list[Landing]:
    """Every landing of a dataset, oldest first."""
    return [_landing(row)[0] for row in reader.all(sql.landings_of, {"project": project, "dataset": dataset})]


def intents(reader: Reader, project: str, dataset: str | None = None) -> list[Intent]:
    """The landings that have not come to their end, oldest first."""
    values = {"project": project}
    rows = (
        reader.all(sql.intents, values)
        if dataset is None
        else reader.all(sql.intents_of, values | {"dataset": dataset})
    )
    return [
        Intent(id=id, dataset=name, owner=owner, lease_until=until, is_planned=bool(planned))
        for id, name, owner, until, planned in rows
    ]


def find_snapshot(reader: Reader, project: str, snapshot: str) -> Snapshot | None:
    """The snapshot of that id, without its files."""
    row = reader.find(sql.find_snapshot, {"project": project, "id": snapshot})
    return None if row is None else _snapshot(row)


def find_snapshot_by_version(reader: Reader, project: str, dataset: str, version: int) -> Snapshot | None:
    """The snapshot of that version, without its files."""
    row = reader.find(sql.find_snapshot_by_version, {"project": project, "dataset": dataset, "version": version})
    return None if row is None else _snapshot(row)


def find_snapshot_by_time(reader: Reader, project: str, dataset: str, at: int) -> Snapshot | None:
    """The newest snapshot recorded at or before a time in microseconds."""
    row = reader.find(sql.find_snapshot_by_time, {"project": project, "dataset": dataset, "at": at})
    return None if row is None else _snapshot(row)


def list_snapshots(reader: Reader, project: str, dataset: str) -> list[Snapshot]:
    """Every snapshot of a dataset, oldest first, without their files."""
    return [_snapshot(row) for row in reader.all(sql.list_snapshots, {"project": project, "dataset": dataset})]


def with_files(reader: Reader, project: str, snapshot: Snapshot) -> Snapshot:
    """The snapshot with its file list."""
    values = {"project": project, "dataset": snapshot.dataset, "version": snapshot.version}
    files = [
        DataFile(path=path, sha256=sha256, size=size, rows=rows, stats=msgspec.json.decode(stats))
        for path, sha256, size, rows, stats in reader.all(sql.files_at, values)
    ]
    return replace(snapshot, files=files)


def snapshot_values(project: str, snapshot: Snapshot) -> dict[str, Any]:
    """The parameters of `insert_snapshot`."""
    return {
        "project": project,
        "id": snapshot.id,
        "dataset": snapshot.dataset,
        "version": snapshot.version,
        "delta_version": snapshot.delta_version,
        "parent": snapshot.parent,
        "landing": snapshot.landing,
        "content_id": snapshot.content_id,
        "layout_digest": snapshot.layout_digest,
        "columns": canonical_json([[c.name, c.type] for c in snapshot.columns]).decode(),
        "rows": snapshot.rows,
        "bytes": snapshot.bytes,
        "run": snapshot.run,
        "recorded_at": to_micros(snapshot.recorded_at),
        "event_from_at": None if snapshot.event_from_at is None else to_micros(snapshot.event_from_at),
        "event_to_at": None if snapshot.event_to_at is None else to_micros(snapshot.event_to_at),
    }


def file_values(project: str, dataset: str, version: int, files: Sequence[DataFile]) -> list[dict[str, Any]]:
    """The parameters of `insert_file`."""
    return [
        {
            "project": project,
            "dataset": dataset,
            "version": version,
            "path": file.path,
            "sha256": file.sha256,
            "size": file.size,
            "rows": file.rows,
            "stats": canonical_json(file.stats).decode(),
        }
        for file in files
    ]


def _dataset(row: Row, root: Path) -> DatasetRow:
    name, id, folder, description, event_column, recorded_at, version, snapshot, delta_version, turn, owner, until = row
    dataset = Dataset(
        name=name,
        id=id,
        location=str(root / folder),
        description=description,
        event_column=event_column,
        recorded_at=from_micros(recorded_at),
    )
    return DatasetRow(
        dataset=dataset,
        head_version=version,
        head_snapshot=snapshot,
        head_delta_version=delta_version,
        turn=turn,
        turn_owner=owner,
        turn_until=until,
    )


def _landing(row: Row) -> tuple[Landing, dict[str, Any]]:
    (id, dataset, kind, state, key, source, before, after, origin, plan, snapshot, version, rows_in, kept, refused, size,
     refused_by, run, actor, owner, _lease, started_at, ended_at, error) = row  # fmt: skip
    landing = Landing(
        id=id,
        dataset=dataset,
        state=state,
        kind=kind,
        snapshot=snapshot,
        version=version,
        rows_in=rows_in,
        rows_kept=kept,
        rows_refused=refused,
        bytes=size,
        refused_by=msgspec.json.decode(refused_by),
        source={"name": source, **msgspec.json.decode(origin), **({"error": error} if error else {})},
        cursor=after or before,
        run=run,
        actor=actor,
        owner=owner,
        started_at=from_micros(started_at),
        ended_at=None if ended_at is None else from_micros(ended_at),
        seconds=0.0 if ended_at is None else (ended_at - started_at) / 1_000_000,
    )
    return landing, {"plan": plan, "source": source, "owner": owner, "key": key}


def _snapshot(row: Row) -> Snapshot:
    (id, dataset, version, delta_version, parent, landing, content_id, layout_digest, columns, rows, size, run,
     recorded_at, event_from_at, event_to_at) = row  # fmt: skip
    return Snapshot(
        id=id,
        dataset=dataset,
        version=version,
        delta_version=delta_version,
        parent=parent,
        landing=landing,
        content_id=content_id,
        layout_digest=layout_digest,
        columns=tuple(Column(name=name, type=kind) for name, kind in msgspec.json.decode(columns)),
        rows=rows,
        bytes=size,
        run=run,
        recorded_at=from_micros(recorded_at),
        event_from_at=None if event_from_at is None else from_micros(event_from_at),
        event_to_at=None if event_to_at is None else from_micros(event_to_at),
    )
