"""The rows of collect: reading them into records, and the records' values for writing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec

from treadle.ground.clock import from_micros, to_micros
from treadle.ground.digests import canonical_json
from treadle.kernel.store import Reader, Row, Statements, Transaction
from treadle.kernel.vocabulary.datasets import Column, DataFile, Dataset, Snapshot
from treadle.systems.collect.errors import SnapshotExpired
from treadle.systems.collect.records import MAIN, QUARANTINE, Landing

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
    base: str | None = None
    """The snapshot that a branch began at."""
    depth: int = 0

    @property
    def ref(self) -> str:
        """The name that moves with each landing: `dataset/flights@main`, or that of the branch."""
        if self.dataset.branch_of is None:
            return f"dataset/{self.dataset.name}@{MAIN}"
        branch = self.dataset.name.partition("@")[2].removesuffix(QUARANTINE)
        return f"dataset/{self.dataset.branch_of}@{branch}"


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
    """The committed landing of a batch, or None. On a branch also one of the dataset, from before the branch began."""
    row = reader.find(sql.find_landing_by_key, {"project": project, "dataset": dataset, "key": key})
    if row is not None:
        return _landing(row)[0]
    base = base_of(reader, project, dataset)
    earlier = None if base is None else find_landing_by_key(reader, project, base.dataset, key)
    return earlier if base is not None and earlier is not None and (earlier.version or 0) <= base.version else None


def newest_landings_of(reader: Reader, project: str, dataset: str, source: str, limit: int) -> list[Landing]:
    """The newest landings of a source in a dataset, the newest first."""
    values = {"project": project, "dataset": dataset, "source": source, "limit": limit}
    return [_landing(row)[0] for row in reader.all(sql.newest_landings_of, values)]


def totals_of_source(reader: Reader, project: str, dataset: str, source: str) -> tuple[int, int, datetime | None]:
    """How many landings of a source stand, how many rows they kept, and when the last one ended."""
    row = reader.find(sql.totals_of_source, {"project": project, "dataset": dataset, "source": source})
    assert row is not None
    return int(row[0]), int(row[1]), None if row[2] is None else from_micros(int(row[2]))


def landings_of(reader: Reader, project: str, dataset: str) -> list[Landing]:
    """Every landing of a dataset, oldest first."""
    return [_landing(row)[0] for row in reader.all(sql.landings_of, {"project": project, "dataset": dataset})]


def newest_appends(reader: Reader, project: str, dataset: str, limit: int) -> list[Landing]:
    """The newest landings that brought rows in (or none), oldest first."""
    values = {"project": project, "dataset": dataset, "limit": limit}
    return [_landing(row)[0] for row in reversed(reader.all(sql.newest_appends, values))]


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
    """The snapshot with its file list; where clean-up took files of it, with that of one that holds the very same rows.

    Raises SnapshotExpired where there is none.
    """
    files = _files(reader, project, snapshot)
    if files is not None:
        return replace(snapshot, files=files)
    for row in reader.all(sql.twins_of, {"project": project, "origin": snapshot.origin}):
        files = _files(reader, project, _snapshot(row))
        if files is not None:
            return replace(snapshot, files=files)
    raise SnapshotExpired(
        f"Files of {snapshot.dataset} version {snapshot.version} were removed by clean-up.",
        why="It was no longer the newest, and no tag, branch, run or model held it.",
        fix="Tag what has to stay: treadle datasets tag NAME TAG --at VERSION",
        snapshot=snapshot.id,
    )


def _files(reader: Reader, project: str, snapshot: Snapshot) -> list[DataFile] | None:
    """The file list, or None where a file of it is deleted."""
    values = {"project": project, "dataset": snapshot.dataset, "version": snapshot.version}
    rows = reader.all(sql.files_at, values)
    if any(row[6] is not None for row in rows):
        return None
    files = [
        DataFile(path=path, sha256=sha256, size=size, rows=count, stats=msgspec.json.decode(stats), place=place)
        for path, sha256, size, count, stats, place, _ in rows
    ]
    if "@" in snapshot.dataset:
        return sorted([*_of_base(reader, project, snapshot), *files], key=lambda file: file.place)
    return files


def hold(tx: Transaction, project: str, snapshot: str) -> None:
    """Takes a snapshot's files out of clean-up's hands, in the transaction that gives a reason to. Raises SnapshotExpired."""
    if tx.find(sql.any_condemned, {"project": project}) is None:
        return
    found = find_snapshot(tx, project, snapshot)
    if found is not None:
        for file in with_files(tx, project, found).files:
            tx.execute(sql.hold_file, {"project": project, "path": file.path})


def hold_again(tx: Transaction, project: str, files: Sequence[DataFile]) -> bool:
    """Takes files that a plan lists anew out of clean-up's hands; False where one is deleted already."""
    for file in files:
        values = {"project": project, "path": file.path}
        tx.execute(sql.hold_file, values)
        if tx.find(sql.is_deleted, values) is not None:
            return False
    return True


def base_of(reader: Reader, project: str, dataset: str) -> Snapshot | None:
    """The snapshot that a branch began at; None for what is no branch. Cost: nothing for a name without an @."""
    if "@" not in dataset:
        return None
    row = reader.find(sql.find_base, {"project": project, "name": dataset})
    return find_snapshot(reader, project, row[0]) if row is not None and row[0] is not None else None


def bases_of(reader: Reader, project: str, snapshot: Snapshot) -> list[Snapshot]:
    """From a snapshot down to main: the snapshots that its branch, the branch below, … began at. None on main itself."""
    found: list[Snapshot] = []
    while (base := base_of(reader, project, (found[-1] if found else snapshot).dataset)) is not None:
        found.append(base)
    return found


def cursors_at(reader: Reader, project: str, snapshot: Snapshot) -> dict[str, tuple[str, str]]:
    """Where each source stood at a snapshot: by source, the cursor and the landing that moved it there."""
    base = base_of(reader, project, snapshot.dataset)
    found = cursors_at(reader, project, base) if base is not None else {}
    values = {"project": project, "dataset": snapshot.dataset, "version": snapshot.version}
    return found | {source: (cursor, landing) for source, cursor, landing in reader.all(sql.cursors_at, values)}


def _of_base(reader: Reader, project: str, snapshot: Snapshot) -> list[DataFile]:
    """The files that a branch's snapshot has from the one that the branch began at."""
    base = base_of(reader, project, snapshot.dataset)
    if base is None:
        return []
    values = {"project": project, "dataset": snapshot.dataset, "version": snapshot.version}
    gone = {path for (path,) in reader.all(sql.taken_away, values)}
    return [file for file in with_files(reader, project, base).files if file.path not in gone]


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
        "origin": snapshot.origin,
    }


def list_branches(reader: Reader, project: str, name: str, root: Path) -> list[DatasetRow]:
    """The branches of a dataset by name, without those that were dropped and without quarantines."""
    found = [_dataset(row, root) for row in reader.all(sql.list_branches, {"project": project, "name": name})]
    return [one for one in found if "~" not in one.dataset.name and not one.dataset.name.endswith(QUARANTINE)]


def file_values(
    project: str, dataset: str, version: int, files: Sequence[DataFile], depth: int = 0
) -> list[dict[str, Any]]:
    """The parameters of `insert_file`. A file without a place stands behind all that came before it."""
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
            "place": file.place or f"{depth:02}.{version:012}.{index:06}",
        }
        for index, file in enumerate(files)
    ]


def _dataset(row: Row, root: Path) -> DatasetRow:
    name, id, folder, description, event_column, recorded_at, version, snapshot, delta_version, turn, owner, until, branch_of, base, depth = row  # fmt: skip
    dataset = Dataset(
        name=name,
        id=id,
        location=str(root / folder),
        description=description,
        event_column=event_column,
        recorded_at=from_micros(recorded_at),
        branch_of=branch_of,
    )
    return DatasetRow(
        dataset=dataset,
        head_version=version,
        head_snapshot=snapshot,
        head_delta_version=delta_version,
        turn=turn,
        turn_owner=owner,
        turn_until=until,
        base=base,
        depth=depth,
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
     recorded_at, event_from_at, event_to_at, origin) = row  # fmt: skip
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
        origin=origin or id,
    )
