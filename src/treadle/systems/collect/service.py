"""The verbs of collect: datasets are created, landed into, looked at, tagged, restored and read."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path, PurePath
from typing import Any

import msgspec
import polars as pl

from treadle.ground.clock import Clock, to_micros
from treadle.ground.errors import did_you_mean
from treadle.ground.ids import NewId
from treadle.kernel.catalog import Refs
from treadle.kernel.events import EventLog
from treadle.kernel.governance import Caller, verb
from treadle.kernel.store import Reader, Store, Transaction
from treadle.kernel.vocabulary.datasets import Dataset, RowId, Snapshot
from treadle.systems.collect import repository as rows_of
from treadle.systems.collect.data_files import check_hashes
from treadle.systems.collect.errors import DatasetNameRefused, DatasetNotFound, OutsideInbox, SnapshotNotFound
from treadle.systems.collect.landing import At, Landings, Order
from treadle.systems.collect.plans import Part, Plan
from treadle.systems.collect.ports import GateSession, LandingGate, Source
from treadle.systems.collect.reading import Reading
from treadle.systems.collect.records import (
    MAIN,
    QUARANTINE,
    Batch,
    CreateDataset,
    LandFiles,
    Landing,
    NamedDataset,
    RestoreSnapshot,
    Rows,
    TagSnapshot,
    WantedRows,
)
from treadle.systems.collect.repository import DatasetRow, sql
from treadle.systems.collect.settling import Settling
from treadle.systems.collect.snapshots import find_rows, scan
from treadle.systems.collect.sources import FileSource, polars_frame
from treadle.systems.collect.writing import OnMismatch, Writing, write_batch

_NAME = re.compile(r"^[a-z][a-z0-9_.-]{0,99}$")
_Snapshots = list[Snapshot]
_Landings = list[Landing]
_TAG = re.compile(r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,99}$")


@dataclass(frozen=True, slots=True, kw_only=True)
class DatasetSummary:
    """A dataset and its newest snapshot, for lists."""

    name: str
    description: str
    version: int
    rows: int
    bytes: int
    columns: int
    updated_at: datetime


def _nowhere(point: str) -> None:
    """The points of a landing mean something to tests alone."""


class Datasets:
    """Datasets of a store, below one folder.

    root: where tables are kept. inbox: the folder from which the verb `datasets.land` takes files; None refuses them.
    """

    def __init__(
        self,
        store: Store,
        events: EventLog,
        refs: Refs,
        root: Path,
        clock: Clock,
        new_id: NewId,
        *,
        inbox: Path | None = None,
        at: At = _nowhere,
    ) -> None:
        self._store, self._events, self._refs = store, events, refs
        self._root, self._clock, self._new_id, self._inbox = root, clock, new_id, inbox
        self._settling = Settling(events, refs, root, clock, new_id)
        self._landings = Landings(store, self._settling, root, clock, new_id, at)

    def guard(self, gate: LandingGate) -> None:
        """Lets a gate judge every landing from now on."""
        self._settling.gate = gate

    @verb("datasets.create", permission="dataset.write", event="dataset.created")
    def create(self, caller: Caller, request: CreateDataset) -> Dataset:
        """Makes a dataset; one of that name stays as it is, and gets an event column if it had none."""
        return self._ensure(caller, request).dataset

    def land(
        self,
        caller: Caller,
        dataset: str,
        source: Source | Any,
        *,
        run: str | None = None,
        key: str | None = None,
        event_column: str | None = None,
        on_mismatch: OnMismatch = "refuse",
        limit: int | None = None,
    ) -> _Landings:
        """Lands what is new in a source, or a frame (Polars, Arrow, pandas), and answers one landing per batch.

        key: names a frame for good, so that landing it again answers the first landing. limit: at most so many batches.
        Raises SchemaMismatch, UnreadableSource and what the source raises; batches that landed before it stay landed.
        """
        caller.require("dataset.write")
        row = self._ensure(caller, CreateDataset(name=dataset, event_column=event_column))
        name = row.dataset.name
        self._landings.recover(caller.project, name)
        feed: Source = source if hasattr(source, "batches") else _Once(source, key)
        cursor = self._cursor(caller.project, name, feed.name)
        landed: list[Landing] = []
        seen = self._seen(caller.project, name)
        for batch in feed.batches(cursor, seen, lambda: self._types(caller.project, name)):
            landed.append(self._land(caller, name, feed, batch, cursor, run, on_mismatch))
            cursor = batch.cursor or cursor
            if limit is not None and len(landed) >= limit:
                break
        return landed

    @verb("datasets.land", permission="dataset.write", event="dataset.landed")
    def land_files(self, caller: Caller, request: LandFiles) -> _Landings:
        """Lands the files of the inbox that match a pattern and have not landed yet, one landing each."""
        pattern = PurePath(request.pattern)
        if self._inbox is None or pattern.is_absolute() or ".." in pattern.parts:
            raise OutsideInbox(
                f"Files are not taken from {request.pattern!r}.",
                why="This verb takes files from the inbox alone." if self._inbox else "No inbox is set up here.",
                fix="Give a pattern relative to the inbox, such as flights/*.csv.",
            )
        reading = Reading(
            format=request.format,
            encoding=request.encoding,
            null_values=request.null_values,
            malformed=request.malformed,
        )
        source = FileSource(request.pattern, root=self._inbox, reading=reading)
        return self.land(
            caller, request.dataset, source, run=request.run, on_mismatch=request.mismatch, limit=request.limit
        )

    def admit(
        self,
        caller: Caller,
        dataset: str,
        frame: pl.DataFrame,
        *,
        claim: Callable[[Transaction, str], None],
        run: str | None = None,
    ) -> Landing:
        """Lands rows that come back from quarantine, under the ids that they had; they are not judged again here.

        frame: with `_landing` and `_row`. claim: what must be true for the landing to go on; it runs in the transaction
        from which on the landing is certain, and given its id. When it raises, nothing has happened.
        """
        caller.require("dataset.write")
        row = self._get(caller.project, dataset)
        order = self._order(caller, dataset, "release", "quarantine", None, None, run, {})

        def write(landing: str, heartbeat: Callable[[], None]) -> Plan:
            job = self._writing(caller.project, row, landing, heartbeat, {}, None, "refuse", keep_row_ids=True)
            return msgspec.structs.replace(write_batch(job, Batch(frames=[frame])), reason="released from quarantine")

        return self._landings.land(order, write, claim)

    @verb("datasets.list", permission="dataset.read")
    def list(self, caller: Caller) -> list[DatasetSummary]:
        """Every dataset with its newest version."""
        with self._store.read() as reader:
            found = rows_of.list_datasets(reader, caller.project, self._root)
            return [self._summary(reader, caller.project, row) for row in found]

    @verb("datasets.get", permission="dataset.read")
    def get(self, caller: Caller, request: NamedDataset) -> Snapshot:
        """A snapshot with its files: the newest, or the one at a version, tag, id or time."""
        return self.snapshot(caller.project, request.name, request.at)

    @verb("datasets.history", permission="dataset.read")
    def history(self, caller: Caller, request: NamedDataset) -> _Snapshots:
        """Every snapshot of a dataset, oldest first, without file lists."""
        self._get(caller.project, request.name)
        with self._store.read() as reader:
            return rows_of.list_snapshots(reader, caller.project, request.name)

    @verb("datasets.landings", permission="dataset.read")
    def landings(self, caller: Caller, request: NamedDataset) -> _Landings:
        """Every landing of a dataset, oldest first, with those that were abandoned."""
        self._get(caller.project, request.name)
        with self._store.read() as reader:
            return rows_of.landings_of(reader, caller.project, request.name)

    @verb("datasets.tag", permission="dataset.write", event="ref.moved")
    def tag(self, caller: Caller, request: TagSnapshot) -> Snapshot:
        """Gives a snapshot a name; a name that is taken moves, and its history stays."""
        if not _TAG.match(request.tag) or request.tag == MAIN or request.tag.isdecimal():
            raise DatasetNameRefused(
                f"{request.tag!r} cannot be a tag.",
                why=f"A tag has letters, digits, '_', '.' and '-', is no bare number, and not {MAIN!r}.",
            )
        snapshot = self.snapshot(caller.project, request.name, request.at)
        name = f"dataset/{request.name}@{request.tag}"
        reason = request.reason or f"tagged version {snapshot.version}"
        self._store.write(
            lambda tx: self._refs.move(tx, caller.project, name, snapshot.id, actor=caller.actor, reason=reason)
        )
        return snapshot

    @verb("datasets.restore", permission="dataset.write", event="dataset.restored")
    def restore(self, caller: Caller, request: RestoreSnapshot) -> Snapshot:
        """Makes the rows of an earlier snapshot the newest again, as a new snapshot with the same content id.

        Nothing is deleted, and cursors stay where they are: what had landed in between does not land by itself again.
        """
        project = caller.project
        wanted = self.snapshot(project, request.name, request.at)

        def write(landing: str, heartbeat: Callable[[], None]) -> Plan:
            head = self.snapshot(project, request.name)
            have, want = ({f.path: f for f in s.files} for s in (head, wanted))
            part = Part(
                dataset=request.name,
                columns=list(wanted.columns),
                added=[file for path, file in want.items() if path not in have],
                removed=[file for path, file in have.items() if path not in want],
                content_id=wanted.content_id,
            )
            return Plan(parts=[part], reason=request.reason or f"restored version {wanted.version}")

        order = self._order(caller, request.name, "restore", f"version {wanted.version}", None, None, None, {})
        self._landings.land(order, write)
        return self.snapshot(project, request.name)

    @verb("datasets.rows", permission="dataset.read")
    def rows(self, caller: Caller, request: WantedRows) -> Rows:
        """Rows by their ids, in the order asked for."""
        frame = self.find_rows(caller.project, request.name, [RowId.parse(row) for row in request.rows], request.at)
        return Rows(columns=frame.columns, rows=frame.to_dicts())

    @verb("datasets.adopt", permission="dataset.write", event="dataset.adopted")
    def adopt(self, caller: Caller, request: NamedDataset) -> _Snapshots:
        """Makes snapshots of what other engines have committed to the table. Landings do so by themselves."""
        self._get(caller.project, request.name)
        return self._landings.adopt(caller.project, request.name)

    def recover(self, project: str) -> Sequence[str]:
        """Completes or abandons the landings of crashed processes; answers their ids."""
        return self._landings.recover(project)

    def snapshot(self, project: str, dataset: str, at: str | None = None) -> Snapshot:
        """The snapshot at a version, tag, id or time, with its files; the newest without `at`.

        Raises DatasetNotFound, SnapshotNotFound.
        """
        row = self._get(project, dataset)
        with self._store.read() as reader:
            found = self._resolve(reader, project, row, at)
            if found is None:
                raise self._no_snapshot(reader, project, row, at)
            return rows_of.with_files(reader, project, found)

    def find_snapshot(self, project: str, dataset: str) -> Snapshot | None:
        """The newest snapshot, or None when the dataset is unknown or empty."""
        found = self._head(project, dataset)
        if found is None:
            return None
        with self._store.read() as reader:
            return rows_of.with_files(reader, project, found)

    def scan(self, project: str, snapshot: Snapshot) -> pl.LazyFrame:
        """The rows of a snapshot, with `_landing` and `_row`. Reads our file list, never the table's log."""
        return scan(self._folder(project, snapshot), snapshot)

    def find_rows(self, project: str, dataset: str, wanted: Sequence[RowId], at: str | None = None) -> pl.DataFrame:
        """Rows by their ids, in that order. Raises RowNotFound."""
        snapshot = self.snapshot(project, dataset, at)
        return find_rows(self._folder(project, snapshot), snapshot, wanted)

    def verify(self, project: str, snapshot: Snapshot) -> None:
        """Reads every file of a snapshot and compares its digest. Raises DataFileCorrupt."""
        check_hashes(self._folder(project, snapshot), snapshot.files)

    def _land(
        self,
        caller: Caller,
        name: str,
        source: Source,
        batch: Batch,
        cursor: str | None,
        run: str | None,
        on_mismatch: OnMismatch,
    ) -> Landing:
        row = self._get(caller.project, name)
        order = self._order(caller, name, "append", source.name, cursor, batch.key, run, dict(batch.origin))

        def write(landing: str, heartbeat: Callable[[], None]) -> Plan:
            gate = self._settling.gate
            session = gate.open(caller.project, name, landing) if gate is not None else None
            job = self._writing(caller.project, row, landing, heartbeat, source.types, session, on_mismatch)
            plan = write_batch(job, batch)
            if plan.rows_refused:
                self._ensure_quarantine(caller, row)
            return plan

        return self._landings.land(order, write)

    def _writing(
        self,
        project: str,
        row: DatasetRow,
        landing: str,
        heartbeat: Callable[[], None],
        types: Mapping[str, str],
        session: GateSession | None,
        on_mismatch: OnMismatch,
        *,
        keep_row_ids: bool = False,
    ) -> Writing:
        name = row.dataset.name
        head, aside = self._head(project, name), self._head(project, name + QUARANTINE)
        table = self._landings.table(row.dataset)
        stored = {column.name: column.type for column in table.columns()}
        return Writing(
            dataset=name,
            landing=landing,
            folder=Path(row.dataset.location),
            quarantine_folder=Path(row.dataset.location + QUARANTINE),
            known=head.columns if head else (),
            quarantined=aside.columns if aside else (),
            types={**types, **(session.types if session is not None else {}), **stored},
            event_column=row.dataset.event_column,
            gate=session,
            on_mismatch=on_mismatch,
            heartbeat=heartbeat,
            keep_row_ids=keep_row_ids,
        )

    def _order(
        self,
        caller: Caller,
        dataset: str,
        kind: str,
        source: str,
        cursor: str | None,
        key: str | None,
        run: str | None,
        origin: dict[str, Any],
    ) -> Order:
        return Order(
            project=caller.project,
            actor=caller.actor,
            dataset=dataset,
            kind=kind,
            source=source,
            cursor=cursor,
            key=key,
            run=run,
            origin=origin,
        )

    def _ensure(self, caller: Caller, request: CreateDataset) -> DatasetRow:
        if not _NAME.match(request.name) or request.name.endswith(QUARANTINE):
            raise DatasetNameRefused(
                f"{request.name!r} cannot be a dataset's name.",
                why=f"A name has lower-case letters, digits, '_', '.' and '-', begins with a letter, has at most 100 of "
                f"them, and does not end in {QUARANTINE!r}.",
            )
        with self._store.read() as reader:
            row = rows_of.find_dataset(reader, caller.project, request.name, self._root)
        if row is None:
            self._insert(caller, request.name, self._new_id("data"), request.description, request.event_column)
        elif request.event_column is not None and row.dataset.event_column is None:
            values = {"project": caller.project, "name": request.name, "event_column": request.event_column}
            self._store.write(lambda tx: tx.execute(sql.set_event_column, values))
        else:
            return row
        return self._get(caller.project, request.name)

    def _ensure_quarantine(self, caller: Caller, row: DatasetRow) -> None:
        name = row.dataset.name + QUARANTINE
        with self._store.read() as reader:
            if rows_of.find_dataset(reader, caller.project, name, self._root) is not None:
                return
        folder = Path(row.dataset.location + QUARANTINE).name
        description = f"Rows that were refused for {row.dataset.name}."
        self._insert(caller, name, folder, description, row.dataset.event_column)

    def _insert(self, caller: Caller, name: str, folder: str, description: str, event_column: str | None) -> None:
        values = {
            "project": caller.project,
            "name": name,
            "id": folder,
            "folder": folder,
            "description": description,
            "event_column": event_column,
            "recorded_at": to_micros(self._clock()),
        }

        def work(tx: Any) -> None:
            if tx.execute(sql.insert_dataset, values) == 1:
                body = {"dataset": folder, "event_column": event_column}
                self._events.append(
                    tx,
                    project=caller.project,
                    kind="dataset.created",
                    subject=f"dataset/{name}",
                    actor=caller.actor,
                    body=body,
                )

        self._store.write(work)

    def _get(self, project: str, name: str) -> DatasetRow:
        with self._store.read() as reader:
            row = rows_of.find_dataset(reader, project, name, self._root)
            if row is not None:
                return row
            known = [other.dataset.name for other in rows_of.list_datasets(reader, project, self._root)]
        raise DatasetNotFound(
            f"There is no dataset {name!r}.",
            why=did_you_mean(name, known),
            fix="List them with: treadle datasets list",
            dataset=name,
        )

    def _resolve(self, reader: Reader, project: str, row: DatasetRow, at: str | None) -> Snapshot | None:
        name = row.dataset.name
        if at is None:
            return rows_of.find_snapshot(reader, project, row.head_snapshot) if row.head_snapshot else None
        if at.isdecimal():
            return rows_of.find_snapshot_by_version(reader, project, name, int(at))
        if at.startswith("snap_"):
            found = rows_of.find_snapshot(reader, project, at)
            return found if found is not None and found.dataset == name else None
        ref = self._refs.find(reader, project, f"dataset/{name}@{at}")
        if ref is not None:
            return rows_of.find_snapshot(reader, project, ref.target)
        moment = _moment(at)
        return None if moment is None else rows_of.find_snapshot_by_time(reader, project, name, to_micros(moment))

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

    def _summary(self, reader: Reader, project: str, row: DatasetRow) -> DatasetSummary:
        head = rows_of.find_snapshot(reader, project, row.head_snapshot) if row.head_snapshot else None
        return DatasetSummary(
            name=row.dataset.name,
            description=row.dataset.description,
            version=row.head_version,
            rows=head.rows if head else 0,
            bytes=head.bytes if head else 0,
            columns=len(head.columns) if head else 0,
            updated_at=head.recorded_at if head else row.dataset.recorded_at,
        )

    def _head(self, project: str, dataset: str) -> Snapshot | None:
        """The newest snapshot without its files: what a landing needs to know, at a cost that does not grow."""
        with self._store.read() as reader:
            row = rows_of.find_dataset(reader, project, dataset, self._root)
            if row is None or row.head_snapshot is None:
                return None
            return rows_of.find_snapshot(reader, project, row.head_snapshot)

    def _folder(self, project: str, snapshot: Snapshot) -> Path:
        return Path(self._get(project, snapshot.dataset).dataset.location)

    def _cursor(self, project: str, dataset: str, source: str) -> str | None:
        values = {"project": project, "dataset": dataset, "source": source}
        with self._store.read() as reader:
            row = reader.find(sql.find_cursor, values)
        return None if row is None else str(row[0])

    def _seen(self, project: str, dataset: str) -> Callable[[str], bool]:
        def seen(key: str) -> bool:
            with self._store.read() as reader:
                return rows_of.find_landing_by_key(reader, project, dataset, key) is not None

        return seen

    def _types(self, project: str, dataset: str) -> dict[str, str]:
        head = self._head(project, dataset)
        return {} if head is None else {column.name: column.type for column in head.columns}


class _Once:
    """A frame as a source: one batch."""

    def __init__(self, frame: Any, key: str | None) -> None:
        self.name, self.types = "frame", dict[str, str]()
        self._frame, self._key = frame, key

    def batches(self, cursor: str | None, seen: Any, known: Any) -> Iterator[Batch]:
        yield Batch(frames=[polars_frame(self._frame)], key=self._key)


def _moment(text: str) -> datetime | None:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
