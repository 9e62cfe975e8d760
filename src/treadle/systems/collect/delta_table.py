"""The open table: a Delta Lake table below one folder, so that Spark, Trino, DuckDB and Polars read it without us.

A commit happens once: it is tried for exactly the version that follows the one looked at, after looking whether the
landing is in the log already; when another writer was quicker, it looks again. Delta itself would take the same landing
twice (its application transactions are recorded, not refused). Log retention is unlimited and deletion vectors are off,
so every snapshot stays readable from its file list alone.
"""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from treadle.kernel.vocabulary.datasets import Column, DataFile
from treadle.systems.collect.columns import columns_of_delta, delta_schema
from treadle.systems.collect.data_files import fsync_folder
from treadle.systems.collect.errors import ForeignTable, LandingBusy

if TYPE_CHECKING:
    from deltalake import DeltaTable

PROPERTIES = {
    "delta.logRetentionDuration": "interval 36500 days",
    "delta.deletedFileRetentionDuration": "interval 36500 days",
    "delta.enableExpiredLogCleanup": "false",
    "delta.enableDeletionVectors": "false",
    "delta.checkpointInterval": "100",
}
LANDING_KEY = "treadle.landing"
SCHEMA_KEY = "treadle.columns_of"
_ATTEMPTS = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Commit:
    """One entry of the table's log. `landing` is None when it is not ours; `only_columns` is ours, and holds no rows."""

    version: int
    landing: str | None
    only_columns: bool
    added: Sequence[Mapping[str, Any]]
    removed: Sequence[str]
    changes_data: bool
    schema: str | None
    operation: str


class Table:
    """The Delta table in a folder. One object may serve many landings: it reads only what is new in the log."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._log = folder / "_delta_log"
        self._handle: DeltaTable | None = None
        self._lock = threading.RLock()  # the library's object is not to be used by two threads at once

    def version(self) -> int | None:
        """The newest version of the log, or None when there is no table yet."""
        if not self.exists():
            return None
        with self._lock:
            return int(self._fresh().version())

    def exists(self) -> bool:
        """Whether there is a table yet."""
        return (self._log / _name(0)).exists()

    def columns(self, at_least: int) -> tuple[Column, ...]:
        """The columns of a version of the log that is not older than `at_least`; none when there is no table yet."""
        if not self.exists():
            return ()
        with self._lock:
            table = self._handle
            if table is None or table.version() < at_least:
                table = self._fresh()
            return columns_of_delta(str(table.schema().to_json()))

    def commit(
        self,
        landing: str,
        columns: Sequence[Column],
        added: Sequence[DataFile],
        removed: Sequence[DataFile] = (),
        *,
        now_ms: int,
        name: str,
    ) -> int:
        """Puts the landing into the log exactly once; answers the version that holds it.

        Columns that the table lacks are added by a commit of their own just before. Raises LandingBusy when other
        writers are quicker fifty times in a row.
        """
        from deltalake.transaction import AddAction, RemoveAction

        actions: list[Any] = [
            AddAction(f.path, f.size, {}, now_ms, True, json.dumps({"numRecords": f.rows, **_stats(f)})) for f in added
        ]
        actions += [
            RemoveAction(path=f.path, data_change=True, deletion_timestamp=now_ms, size=f.size) for f in removed
        ]
        with self._lock:
            self._ensure(columns, name)
            table = self._handle or self._fresh()  # what was read last is likely the newest; if not, the commit says so
            for _ in range(_ATTEMPTS):
                version = self._try(table, landing, columns, actions)
                if version is not None:
                    return version
                table = self._fresh()
        raise LandingBusy(
            f"The table {name!r} is written by others without a pause.",
            why=f"{_ATTEMPTS} commits in a row came second.",
            fix="Try again, or let fewer writers write at once.",
        )

    def _try(self, table: DeltaTable, landing: str, columns: Sequence[Column], actions: list[Any]) -> int | None:
        """One attempt at the version that follows the one looked at; None when another writer had it first."""
        from deltalake import CommitProperties, Schema, Transaction
        from deltalake.exceptions import CommitFailedError

        if table.transaction_version(landing) is not None:
            return self._version_of(landing)
        if self._add_columns(table, landing, columns):
            return None
        version = int(table.version()) + 1
        properties = CommitProperties(
            custom_metadata={LANDING_KEY: landing},
            max_commit_retries=0,
            app_transactions=[Transaction(landing, 1)],
        )
        schema = Schema.from_json(table.schema().to_json())
        try:
            table.create_write_transaction(actions, "append", schema, commit_properties=properties)
        except CommitFailedError:
            if int(self._fresh().version()) < version:
                raise
            return None
        self._settle_on_disk(version)
        return version

    def commits(self, after: int, through: int) -> list[Commit]:
        """The log's entries after a version, up to and with another, oldest first."""
        return [self._read(version) for version in range(after + 1, through + 1)]

    def _fresh(self) -> DeltaTable:
        from deltalake import DeltaTable

        if self._handle is None:
            self._handle = DeltaTable(self.folder)
        else:
            self._handle.update_incremental()
        return self._handle

    def _ensure(self, columns: Sequence[Column], name: str) -> None:
        if self.exists():
            return
        from deltalake import DeltaTable, Schema

        self.folder.mkdir(parents=True, exist_ok=True)
        schema = Schema.from_json(delta_schema(columns))
        DeltaTable.create(self.folder, schema, mode="ignore", name=name, configuration=PROPERTIES)
        self._settle_on_disk(0)

    def _add_columns(self, table: DeltaTable, landing: str, columns: Sequence[Column]) -> bool:
        """Adds the columns that the table lacks; whether there were any."""
        from deltalake import CommitProperties, Schema
        from deltalake.exceptions import CommitFailedError

        known = {field["name"] for field in json.loads(table.schema().to_json())["fields"]}
        wanted = Schema.from_json(delta_schema(columns)).fields
        missing = [field for field in wanted if field.name not in known]
        if not missing:
            return False
        properties = CommitProperties(custom_metadata={SCHEMA_KEY: landing}, max_commit_retries=0)
        try:
            table.alter.add_columns(missing, commit_properties=properties)
        except CommitFailedError:
            return True  # another writer came first: look again
        return True

    def _version_of(self, landing: str) -> int:
        newest = self._fresh().version()
        for version in range(newest, -1, -1):
            if self._read(version).landing == landing:
                return int(version)
        raise AssertionError(f"{landing} is in the table's transactions and in none of its commits")

    def _read(self, version: int) -> Commit:
        lines = (self._log / _name(version)).read_text(encoding="utf-8").splitlines()
        actions = [json.loads(line) for line in lines if line]
        info: dict[str, Any] = next((a["commitInfo"] for a in actions if "commitInfo" in a), {})
        added = [a["add"] for a in actions if "add" in a]
        removed = [a["remove"] for a in actions if "remove" in a]
        metadata = next((a["metaData"] for a in actions if "metaData" in a), None)
        return Commit(
            version=version,
            landing=info.get(LANDING_KEY),
            only_columns=SCHEMA_KEY in info or (version == 0 and not added),
            added=added,
            removed=[self._inside(action["path"]) for action in removed],
            changes_data=any(action.get("dataChange", True) for action in (*added, *removed)),
            schema=metadata["schemaString"] if metadata else None,
            operation=str(info.get("operation", "unknown")),
        )

    def path_of(self, added: Mapping[str, Any]) -> str:
        """The path of a file that a commit added. Raises ForeignTable where rows of it are deleted by a vector."""
        if added.get("deletionVector"):
            raise ForeignTable(
                f"A commit on the table in {self.folder} deletes rows by a deletion vector.",
                why="Snapshots are read from their file lists, and a vector hides rows of a file.",
                fix="Purge the vectors in the engine that wrote them (REORG TABLE … APPLY (PURGE)).",
            )
        return self._inside(str(added["path"]))

    def _inside(self, path: str) -> str:
        plain = unquote(path)
        if "://" in plain or PurePosixPath(plain).is_absolute() or ".." in PurePosixPath(plain).parts:
            raise ForeignTable(
                f"A commit on the table in {self.folder} names a file outside the table: {plain!r}.",
                fix="Copy the file into the table's folder in the engine that wrote it.",
            )
        return plain

    def _settle_on_disk(self, version: int) -> None:
        """The log entry survives a power cut; deltalake leaves that to the system."""
        with (self._log / _name(version)).open("rb") as file:
            os.fsync(file.fileno())
        fsync_folder(self._log)


def _stats(file: DataFile) -> dict[str, Any]:
    bounds = {name: ends for name, ends in file.stats.items() if isinstance(ends[0], (str, int)) and name[0] == "_"}
    return {"minValues": {n: e[0] for n, e in bounds.items()}, "maxValues": {n: e[1] for n, e in bounds.items()}}


def _name(version: int) -> str:
    return f"{version:020d}.json"
