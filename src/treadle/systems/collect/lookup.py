"""Finding datasets and their snapshots by what people type: a name, and a version, tag, branch, id or time.

    flights              the newest snapshot of main
    flights  at 12, v12  a version            (also written flights@12)
    flights  at golden   a tag
    flights  at fix      the newest snapshot of a branch; flights@fix is the branch itself, and lands like a dataset
    flights  at fix:2    the second snapshot of a branch  (and main:2 is main's, when asked on a branch)
    flights  at snap_…   a snapshot by its id, on whatever branch
    flights  at 2013-04  what was the newest then: the highest version recorded at or before that time

Versions, not clocks, order a history: where the system's clock was set back, a later time still never finds an earlier
version.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

from treadle.ground.clock import to_micros
from treadle.ground.errors import did_you_mean
from treadle.kernel.catalog import Refs
from treadle.kernel.store import Reader, Store
from treadle.kernel.vocabulary.datasets import Snapshot
from treadle.systems.collect import repository as rows_of
from treadle.systems.collect.errors import BranchNotFound, DatasetNotFound, SnapshotNotFound
from treadle.systems.collect.records import MAIN
from treadle.systems.collect.repository import DatasetRow, sql

_VERSION = re.compile(r"^v?(\d{1,18})$")
_MONTH = re.compile(r"^\d{4}-\d{2}$")


class Lookup:
    """Datasets and snapshots of a store. Reads, and changes nothing."""

    def __init__(self, store: Store, refs: Refs, root: Path) -> None:
        self._store, self._refs, self.root = store, refs, root

    def find(self, project: str, name: str) -> DatasetRow | None:
        """The dataset or branch of that name, or None."""
        with self._store.read() as reader:
            return rows_of.find_dataset(reader, project, name, self.root)

    def get(self, project: str, name: str) -> DatasetRow:
        """The dataset or branch of that name. Raises DatasetNotFound with near names."""
        row = self.find(project, name)
        if row is not None:
            return row
        with self._store.read() as reader:
            known = [other.dataset.name for other in rows_of.list_datasets(reader, project, self.root)]
            base, at, branch = name.partition("@")
            if at and base in known:
                raise self._no_branch(base, branch, rows_of.list_branches(reader, project, base, self.root))
        raise DatasetNotFound(
            f"There is no dataset {name!r}.",
            why=did_you_mean(name, known),
            fix="List them with: treadle datasets list",
            dataset=name,
        )

    def head(self, project: str, name: str) -> Snapshot | None:
        """The newest snapshot without its files, or None: what a landing needs to know, at a cost that does not grow."""
        with self._store.read() as reader:
            row = rows_of.find_dataset(reader, project, name, self.root)
            if row is None or row.head_snapshot is None:
                return None
            return rows_of.find_snapshot(reader, project, row.head_snapshot)

    def snapshot(self, project: str, name: str, at: str | None = None) -> Snapshot:
        """The snapshot with its files. Raises DatasetNotFound, SnapshotNotFound."""
        name, at = self.divided(project, name, at)
        if at is not None and at.startswith("snap_"):
            return self._by_id(project, name, at)
        row = self.get(project, name)
        with self._store.read() as reader:
            found = self._resolve(reader, project, row, at)
            if found is None:
                raise self._no_snapshot(reader, project, row, at)
            return rows_of.with_files(reader, project, found)

    def divided(self, project: str, name: str, at: str | None) -> tuple[str, str | None]:
        """Name and place of what was written as `name@at`; a branch's own name stays whole."""
        if at is not None or "@" not in name or self.find(project, name) is not None:
            return name, at
        name, _, at = name.partition("@")
        return name, at

    def folder(self, project: str, snapshot: Snapshot) -> Path:
        """The folder that holds the snapshot's files."""
        return Path(self.get(project, snapshot.dataset).dataset.location)

    def cursor(self, project: str, dataset: str, source: str) -> str | None:
        """Where a source stands."""
        with self._store.read() as reader:
            row = reader.find(sql.find_cursor, {"project": project, "dataset": dataset, "source": source})
        return None if row is None else str(row[0])

    def seen(self, project: str, dataset: str) -> Callable[[str], bool]:
        """Whether the batch of a key has landed."""

        def seen(key: str) -> bool:
            with self._store.read() as reader:
                return rows_of.find_landing_by_key(reader, project, dataset, key) is not None

        return seen

    def types(self, project: str, dataset: str) -> dict[str, str]:
        """The types of the newest snapshot's columns by name."""
        head = self.head(project, dataset)
        return {} if head is None else {column.name: column.type for column in head.columns}

    def _by_id(self, project: str, name: str, id: str) -> Snapshot:
        """The snapshot of an id, on whatever branch of the dataset it is, also when that branch is no more."""
        with self._store.read() as reader:
            found = rows_of.find_snapshot(reader, project, id)
            if found is not None and found.dataset.partition("@")[0] == name.partition("@")[0]:
                return rows_of.with_files(reader, project, found)
        row = self.get(project, name)
        with self._store.read() as reader:
            raise self._no_snapshot(reader, project, row, id)

    def _resolve(self, reader: Reader, project: str, row: DatasetRow, at: str | None) -> Snapshot | None:
        name = row.dataset.name
        if at is None:
            return rows_of.find_snapshot(reader, project, row.head_snapshot) if row.head_snapshot else None
        dataset = name.partition("@")[0]
        ref = self._refs.find(reader, project, f"dataset/{dataset}@{at}")
        if ref is not None:
            return rows_of.find_snapshot(reader, project, ref.target)
        if version := _VERSION.match(at):
            return rows_of.find_snapshot_by_version(reader, project, name, int(version[1]))
        branch, colon, number = at.rpartition(":")
        if colon and number.isdecimal():
            whose = dataset if branch == MAIN else f"{dataset}@{branch}"
            found = rows_of.find_snapshot_by_version(reader, project, whose, int(number))
            if found is not None:
                return found
        moment = moment_of(at)
        return None if moment is None else rows_of.find_snapshot_by_time(reader, project, name, to_micros(moment))

    @staticmethod
    def _no_branch(name: str, branch: str, known: Sequence[DatasetRow]) -> BranchNotFound:
        return BranchNotFound(
            f"The dataset {name!r} has no branch {branch!r}.",
            why=did_you_mean(branch, [row.dataset.name.partition("@")[2] for row in known]),
            fix=f"Make it with: treadle datasets branch {name} {branch}",
            dataset=name,
            branch=branch,
        )

    def _no_snapshot(self, reader: Reader, project: str, row: DatasetRow, at: str | None) -> SnapshotNotFound:
        name = row.dataset.name
        known = [ref.name.partition("@")[2] for ref in self._refs.list(reader, project, f"dataset/{name}@")]
        why = f"Its newest version is {row.head_version}. {did_you_mean(at, known) if at else ''}".strip()
        return SnapshotNotFound(
            f"There is no snapshot {at!r} of the dataset {name!r}." if at else f"The dataset {name!r} is empty.",
            why=why if row.head_version else "Nothing has landed in it yet.",
            fix=f"List them with: treadle datasets history {name}",
            dataset=name,
            wanted=at,
        )


def moment_of(text: str) -> datetime | None:
    """The time that a text names, or None; UTC where it names no zone. A month is its first moment."""
    try:
        moment = datetime.fromisoformat(f"{text}-01" if _MONTH.match(text) else text)
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
