"""The open table: a Delta Lake table below one folder, so that Spark, Trino, DuckDB and Polars read it without us.

A commit happens once: it is tried for exactly the version that follows the one looked at, after looking whether the
landing is in the log already; when another writer was quicker, it looks again. Delta itself would take the same landing
twice (its application transactions are recorded, not refused). Log retention is unlimited and deletion vectors are off,
so every snapshot stays readable from its file list alone.
"""

from __future__ import annotations

import contextlib
import json
import os
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from treadle.kernel.vocabulary.datasets import Column, DataFile
from treadle.systems.collect.columns import VOID, columns_of_delta, delta_schema
from treadle.systems.collect.data_files import fsync_folder
from treadle.systems.collect.delta_log import (
    LANDING_KEY,
    SCHEMA_KEY,
    Commit,
    entry_name,
    inside,
    is_plain,
    read_entry,
    write_entry,
)
from treadle.systems.collect.errors import DataFileCorrupt, ForeignTable, LandingBusy

CHECKPOINT_EVERY = 100
PROPERTIES = {
    "delta.logRetentionDuration": "interval 36500 days",
    "delta.deletedFileRetentionDuration": "interval 36500 days",
    "delta.enableExpiredLogCleanup": "false",
    "delta.enableDeletionVectors": "false",
    "delta.checkpointInterval": str(CHECKPOINT_EVERY),
}
_ATTEMPTS = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class _Head:
    """What is known of the newest version of the log."""

    version: int
    columns: tuple[Column, ...]
    is_plain: bool


class Table:
    """The Delta table in a folder. One object may serve many landings: it reads only what is new in the log."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._log = folder / "_delta_log"
        self._known: _Head | None = None
        self._lock = threading.RLock()

    def version(self) -> int | None:
        """The newest version of the log, or None when there is no table yet."""
        return self._head().version if self.exists() else None

    def exists(self) -> bool:
        """Whether there is a table yet."""
        return (self._log / entry_name(0)).exists()

    def columns(self) -> tuple[Column, ...]:
        """The columns of the newest version; none when there is no table yet."""
        return self._head().columns if self.exists() else ()

    def commit(
        self,
        landing: str,
        columns: Sequence[Column],
        added: Sequence[DataFile],
        removed: Sequence[DataFile] = (),
        *,
        after: int,
        now_ms: int,
        name: str,
        changes_data: bool = True,
    ) -> int:
        """Puts the landing into the log exactly once; answers the version that holds it.

        changes_data: False where rows are laid elsewhere and stay what they are, so that nobody reads them as new.
        after: a version before which the landing cannot be, since all up to it belongs to snapshots. Columns that the
        table lacks are added by a commit of their own just before. Raises LandingBusy when other writers are quicker
        fifty times in a row.
        """
        with self._lock:
            self._ensure(columns, name)
            for _ in range(_ATTEMPTS):
                head = self._head()
                for commit in self.commits(after, head.version):
                    if commit.landing == landing:
                        return commit.version
                if self._add_columns(head, landing, columns):
                    continue
                version = head.version + 1
                write = self._write if head.is_plain else self._write_by_library
                if write(version, landing, added, removed, now_ms, changes_data):
                    self._checkpoint(version)
                    return version
        raise LandingBusy(
            f"The table {name!r} is written by others without a pause.",
            why=f"{_ATTEMPTS} commits in a row came second.",
            fix="Try again, or let fewer writers write at once.",
        )

    def commits(self, after: int, through: int) -> list[Commit]:
        """The log's entries after a version, up to and with another, oldest first. Raises DataFileCorrupt for a gap."""
        found = []
        for version in range(after + 1, through + 1):
            commit = read_entry(self._log, version)
            if commit is None:
                raise DataFileCorrupt(
                    f"The log of the table in {self.folder} lacks its version {version}.",
                    why="Another engine has cleaned the log, or files were deleted by hand.",
                    fix="Restore the file from a backup; snapshots that are made already stay readable.",
                )
            found.append(commit)
        return found

    def path_of(self, added: Mapping[str, Any]) -> str:
        """The path of a file that a commit added. Raises ForeignTable where rows of it are deleted by a vector."""
        if added.get("deletionVector"):
            raise ForeignTable(
                f"A commit on the table in {self.folder} deletes rows by a deletion vector.",
                why="Snapshots are read from their file lists, and a vector hides rows of a file.",
                fix="Purge the vectors in the engine that wrote them (REORG TABLE … APPLY (PURGE)).",
            )
        return inside(self._log, str(added["path"]))

    def _head(self) -> _Head:
        """The newest version. Reads what is new since the last look; where the table itself changed, everything."""
        with self._lock:
            head = self._known or self._read_all()
            version = head.version
            while (commit := read_entry(self._log, version + 1)) is not None:
                if commit.changes_table:
                    head = self._read_all()
                    version = head.version
                    continue
                version += 1
            self._known = _Head(version=version, columns=head.columns, is_plain=head.is_plain)
            return self._known

    def _read_all(self) -> _Head:
        from deltalake import DeltaTable
        from deltalake.exceptions import DeltaError

        try:
            table = DeltaTable(self.folder)
        except DeltaError as error:
            raise DataFileCorrupt(
                f"The log of the table in {self.folder} cannot be read.",
                why=str(error).splitlines()[0],
                fix="Restore the folder _delta_log from a backup; snapshots that are made already stay readable.",
            ) from error
        schema, protocol = str(table.schema().to_json()), table.protocol()
        return _Head(
            version=int(table.version()),
            columns=columns_of_delta(schema),
            is_plain=is_plain(
                protocol.min_reader_version,
                protocol.min_writer_version,
                protocol.writer_features,
                schema,
                table.metadata().configuration,
            ),
        )

    def _ensure(self, columns: Sequence[Column], name: str) -> None:
        if self.exists():
            return
        from deltalake import DeltaTable, Schema

        self.folder.mkdir(parents=True, exist_ok=True)
        schema = Schema.from_json(delta_schema(columns))
        DeltaTable.create(self.folder, schema, mode="ignore", name=name, configuration=PROPERTIES)
        self._settle_on_disk(0)

    def _add_columns(self, head: _Head, landing: str, columns: Sequence[Column]) -> bool:
        """Adds the columns that the table lacks; whether there were any."""
        known = {column.name for column in head.columns}
        missing = [column for column in columns if column.name not in known and column.type != VOID]
        if not missing:
            return False
        from deltalake import CommitProperties, DeltaTable, Schema
        from deltalake.exceptions import CommitFailedError

        properties = CommitProperties(custom_metadata={SCHEMA_KEY: landing}, max_commit_retries=0)
        fields = Schema.from_json(delta_schema(missing)).fields
        with contextlib.suppress(CommitFailedError):  # another writer came first: the caller looks again
            DeltaTable(self.folder, version=head.version).alter.add_columns(fields, commit_properties=properties)
        return True

    def _write(
        self,
        version: int,
        landing: str,
        added: Sequence[DataFile],
        removed: Sequence[DataFile],
        now_ms: int,
        changes_data: bool,
    ) -> bool:
        actions: list[dict[str, Any]] = [
            {
                "add": {
                    "path": file.path,
                    "partitionValues": {},
                    "size": file.size,
                    "modificationTime": now_ms,
                    "dataChange": changes_data,
                    "stats": _stats(file),
                }
            }
            for file in added
        ]
        actions += [
            {"remove": {"path": file.path, "deletionTimestamp": now_ms, "dataChange": changes_data, "size": file.size}}
            for file in removed
        ]
        return write_entry(self._log, version, landing, actions, now_ms=now_ms)

    def _write_by_library(
        self,
        version: int,
        landing: str,
        added: Sequence[DataFile],
        removed: Sequence[DataFile],
        now_ms: int,
        changes_data: bool,
    ) -> bool:
        """The same for a table whose protocol asks for more, which the library knows or refuses by name."""
        from deltalake import CommitProperties, DeltaTable, Schema, Transaction
        from deltalake.exceptions import CommitFailedError
        from deltalake.transaction import AddAction, RemoveAction

        table = DeltaTable(self.folder, version=version - 1)
        actions: list[Any] = [AddAction(f.path, f.size, {}, now_ms, changes_data, _stats(f)) for f in added]
        actions += [
            RemoveAction(path=f.path, data_change=changes_data, deletion_timestamp=now_ms, size=f.size) for f in removed
        ]
        properties = CommitProperties(
            custom_metadata={LANDING_KEY: landing}, max_commit_retries=0, app_transactions=[Transaction(landing, 1)]
        )
        schema = Schema.from_json(table.schema().to_json())
        try:
            table.create_write_transaction(actions, "append", schema, commit_properties=properties)
        except CommitFailedError:
            if not (self._log / entry_name(version)).exists():
                raise
            return False
        self._settle_on_disk(version)
        return True

    def _checkpoint(self, version: int) -> None:
        """Every hundredth version gets a checkpoint, for readers; without one they only read more entries."""
        if version % CHECKPOINT_EVERY:
            return
        from deltalake import DeltaTable
        from deltalake.exceptions import DeltaError

        with contextlib.suppress(DeltaError, OSError):
            DeltaTable(self.folder, version=version).create_checkpoint()

    def _settle_on_disk(self, version: int) -> None:
        """The log entry survives a power cut; deltalake leaves that to the system."""
        with (self._log / entry_name(version)).open("rb") as file:
            os.fsync(file.fileno())
        fsync_folder(self._log)


def _stats(file: DataFile) -> str:
    bounds = {name: ends for name, ends in file.stats.items() if name.startswith("_")}
    least, greatest = ({name: ends[side] for name, ends in bounds.items()} for side in (0, 1))
    return json.dumps({"numRecords": file.rows, "minValues": least, "maxValues": greatest})
