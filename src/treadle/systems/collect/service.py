"""The verbs of collect: datasets are created, landed into, looked at, tagged, restored and read."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from pathlib import Path, PurePath
from typing import Any

import msgspec
import polars as pl

from treadle.ground.clock import Clock
from treadle.ground.ids import NewId
from treadle.kernel.catalog import Refs
from treadle.kernel.events import EventLog
from treadle.kernel.governance import Caller, verb
from treadle.kernel.store import Reader, Store, Transaction
from treadle.kernel.vocabulary.datasets import Dataset, RowId, Snapshot
from treadle.systems.collect import repository as rows_of
from treadle.systems.collect.creating import Creating
from treadle.systems.collect.data_files import BRANCHES, DATA, check_hashes
from treadle.systems.collect.deriving import still_there
from treadle.systems.collect.errors import NoFileMatches, OutsideInbox, SourceMovedOn
from treadle.systems.collect.landing import At, Claim, Landings, Order
from treadle.systems.collect.lookup import Lookup
from treadle.systems.collect.plans import Input, Part, Plan
from treadle.systems.collect.ports import Derived, GateSession, LandingGate, Source
from treadle.systems.collect.reading import Reading
from treadle.systems.collect.records import (
    QUARANTINE,
    Batch,
    CreateDataset,
    LandFiles,
    Landing,
    NamedDataset,
    RestoreSnapshot,
    Rows,
    WantedRows,
)
from treadle.systems.collect.replacing import in_place_of
from treadle.systems.collect.repository import DatasetRow
from treadle.systems.collect.settling import Settling
from treadle.systems.collect.snapshots import find_rows, scan
from treadle.systems.collect.sources import FileSource, polars_frame
from treadle.systems.collect.workings import Workings
from treadle.systems.collect.writing import USUAL, Evolution, OnMismatch, OnNewColumn, Writing, write_batch

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
        self._store, self._root, self._inbox = store, root, inbox
        self.lookup = Lookup(store, refs, root)
        self._creating = Creating(store, events, self.lookup, clock, new_id)
        self._settling = Settling(events, refs, root, clock, new_id)
        self._landings = Landings(store, self._settling, root, clock, new_id, at)
        self.workings = Workings(
            store=store,
            events=events,
            refs=refs,
            root=root,
            clock=clock,
            lookup=self.lookup,
            creating=self._creating,
            landings=self._landings,
        )

    def guard(self, gate: LandingGate) -> None:
        """Lets a gate judge every landing from now on."""
        self._settling.gate = gate

    @verb("datasets.create", permission="dataset.write", event="dataset.created")
    def create(self, caller: Caller, request: CreateDataset) -> Dataset:
        """Makes a dataset; one of that name stays as it is, and gets an event column if it had none."""
        return self._creating.ensure(caller, request).dataset

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
        new_columns: OnNewColumn = "add",
        limit: int | None = None,
    ) -> _Landings:
        """Lands what is new in a source, or a frame (Polars, Arrow, pandas), and answers one landing per batch.

        on_mismatch, new_columns: what may become of the dataset's columns, as `Evolution` says. key: names a frame for good, so that landing it again answers the first landing. limit: at most so many batches.
        Raises SchemaMismatch, UnreadableSource and what the source raises; batches that landed before it stay landed.
        """
        feed: Source = source if hasattr(source, "batches") else _Once(source, key)
        evolution = Evolution(mismatch=on_mismatch, new_columns=new_columns)
        each = self.land_each(caller, dataset, feed, run=run, event_column=event_column, evolution=evolution)
        with contextlib.closing(each):
            return list(islice(each, limit))

    def land_each(
        self,
        caller: Caller,
        dataset: str,
        source: Source,
        *,
        run: str | None = None,
        event_column: str | None = None,
        evolution: Evolution = USUAL,
    ) -> Generator[Landing]:
        """Lands what is new in a source, batch by batch: each landing is answered when it stands.

        Raises what `land` raises, and SourceMovedOn when another process lands from the same source at the same time.
        """
        caller.require("dataset.write")
        row = self._creating.ensure(caller, CreateDataset(name=dataset, event_column=event_column))
        name = row.dataset.name
        self._landings.recover(caller.project, name)
        cursor = self.lookup.cursor(caller.project, name, source.name)
        seen = self.lookup.seen(caller.project, name)
        for batch in source.batches(cursor, seen, lambda: self.lookup.types(caller.project, name)):
            landing = self._land(caller, name, source, batch, cursor, run, evolution)
            if batch.follows and landing.cursor != batch.cursor:
                raise SourceMovedOn(
                    f"Another process has landed from the source {source.name!r} meanwhile.", fix="Run it again."
                )
            cursor = batch.cursor or cursor
            yield landing

    @verb("datasets.land", permission="dataset.write", event="dataset.landed")
    def land_files(self, caller: Caller, request: LandFiles) -> _Landings:
        """Lands the files of the inbox that match a pattern and have not landed yet, one landing each.

        Raises OutsideInbox, and NoFileMatches where there is none, landed or not.
        """
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
        if not source.paths():
            raise NoFileMatches(
                f"No file of the inbox matches {request.pattern!r}.",
                why=f"The inbox is the folder {self._inbox.parent.name}/{self._inbox.name}, the one that the store's home holds.",
                fix="Put the files there, then land them by their names in it.",
            )
        return self.land(
            caller,
            request.dataset,
            source,
            run=request.run,
            on_mismatch=request.mismatch,
            new_columns=request.new_columns,
            limit=request.limit,
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
        row = self.lookup.get(caller.project, dataset)
        order = self._order(caller, dataset, "release", "quarantine", None, None, run, {})

        def write(landing: str, heartbeat: Callable[[], None]) -> Plan:
            job = self._writing(caller.project, row, landing, heartbeat, {}, None, USUAL, keep_row_ids=True)
            return msgspec.structs.replace(write_batch(job, Batch(frames=[frame])), reason="released from quarantine")

        return self._landings.land(order, write, claim)

    def derive(self, caller: Caller, dataset: str, derived: Derived, *, claim: Claim) -> Landing:
        """Lands rows that were made of another dataset's, under their ids, in the place of all that was there.

        claim: as in `admit`. Raises DerivationOvertaken when the dataset moved on meanwhile, and what the rows raise.
        """
        caller.require("dataset.write")
        row = self._creating.ensure(caller, CreateDataset(name=dataset, event_column=derived.event_column))
        self._landings.recover(caller.project, dataset)
        head = self.find_snapshot(caller.project, dataset)
        order = self._order(
            caller, dataset, derived.kind, derived.source, None, None, derived.run, dict(derived.origin)
        )

        def write(landing: str, heartbeat: Callable[[], None]) -> Plan:
            job = self._writing(caller.project, row, landing, heartbeat, {}, derived.session, USUAL, keep_row_ids=True)
            plan = write_batch(job, Batch(frames=derived.frames, origin=derived.origin))
            if plan.rows_refused:
                self._creating.ensure_quarantine(caller, row)
            plan = in_place_of(plan, dataset, head, job.folder)
            uses = [Input(role=role, digest=content, producer=made_by) for role, content, made_by in derived.inputs]
            return msgspec.structs.replace(plan, inputs=uses, reason=derived.reason)

        return self._landings.land(order, write, still_there(caller.project, dataset, head, self._root, claim))

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
        self.lookup.get(caller.project, request.name)
        with self._store.read() as reader:
            return rows_of.list_snapshots(reader, caller.project, request.name)

    @verb("datasets.landings", permission="dataset.read")
    def landings(self, caller: Caller, request: NamedDataset) -> _Landings:
        """Every landing of a dataset, oldest first, with those that were abandoned."""
        self.lookup.get(caller.project, request.name)
        with self._store.read() as reader:
            return rows_of.landings_of(reader, caller.project, request.name)

    def newest_appends(self, project: str, dataset: str, limit: int) -> _Landings:
        """The newest landings of what sources and frames brought, also of no rows, oldest first."""
        with self._store.read() as reader:
            return rows_of.newest_appends(reader, project, dataset, limit)

    @verb("datasets.restore", permission="dataset.write", event="dataset.restored")
    def restore(self, caller: Caller, request: RestoreSnapshot) -> Snapshot:
        """Makes the rows of an earlier snapshot the newest again, as a new snapshot with the same content id.

        Nothing is deleted, and cursors stay where they are: what had landed in between does not land by itself again.
        """
        project = caller.project
        wanted = self.snapshot(project, request.name, request.at)
        row = self.lookup.get(project, request.name)

        def write(landing: str, heartbeat: Callable[[], None]) -> Plan:
            self._landings.adopt(project, row.dataset.name)
            head = self.snapshot(project, row.dataset.name)
            have, want = ({f.path: f for f in s.files} for s in (head, wanted))
            part = Part(
                dataset=request.name,
                columns=list(wanted.columns),
                added=[file for path, file in want.items() if path not in have],
                removed=[file for path, file in have.items() if path not in want],
                content_id=wanted.content_id,
                origin=wanted.origin,
                on=head.id,
            )
            return Plan(parts=[part], reason=request.reason or f"restored version {wanted.version}")

        order = self._order(caller, request.name, "restore", f"version {wanted.version}", None, None, None, {})
        landing = self._landings.land_again(order, write)
        return self.snapshot(project, request.name, landing.snapshot)

    @verb("datasets.rows", permission="dataset.read")
    def rows(self, caller: Caller, request: WantedRows) -> Rows:
        """Rows by their ids, in the order asked for."""
        frame = self.find_rows(caller.project, request.name, [RowId.parse(row) for row in request.rows], request.at)
        return Rows(columns=frame.columns, rows=frame.to_dicts())

    @verb("datasets.adopt", permission="dataset.write", event="dataset.adopted")
    def adopt(self, caller: Caller, request: NamedDataset) -> _Snapshots:
        """Makes snapshots of what other engines have committed to the table. Landings do so by themselves."""
        self.lookup.get(caller.project, request.name)
        return self._landings.adopt(caller.project, request.name)

    def recover(self, project: str) -> Sequence[str]:
        """Completes or abandons the landings of crashed processes; answers their ids."""
        return self._landings.recover(project)

    def snapshot(self, project: str, dataset: str, at: str | None = None) -> Snapshot:
        """The snapshot at a version, tag, id or time, with its files; the newest without `at`.

        Raises DatasetNotFound, SnapshotNotFound.
        """
        return self.lookup.snapshot(project, dataset, at)

    def find_snapshot(self, project: str, dataset: str) -> Snapshot | None:
        """The newest snapshot, or None when the dataset is unknown or empty."""
        found = self.lookup.head(project, dataset)
        if found is None:
            return None
        with self._store.read() as reader:
            return rows_of.with_files(reader, project, found)

    def event_column(self, project: str, dataset: str) -> str | None:
        """The column that says when a row's event happened, if the dataset has one."""
        return self.lookup.get(project, dataset).dataset.event_column

    def scan(self, project: str, snapshot: Snapshot) -> pl.LazyFrame:
        """The rows of a snapshot, with `_landing` and `_row`. Reads our file list, never the table's log."""
        return scan(self.lookup.folder(project, snapshot), snapshot)

    def find_rows(self, project: str, dataset: str, wanted: Sequence[RowId], at: str | None = None) -> pl.DataFrame:
        """Rows by their ids, in that order. Raises RowNotFound."""
        snapshot = self.snapshot(project, dataset, at)
        return find_rows(self.lookup.folder(project, snapshot), snapshot, wanted)

    def verify(self, project: str, snapshot: Snapshot) -> None:
        """Reads every file of a snapshot and compares its digest. Raises DataFileCorrupt."""
        check_hashes(self.lookup.folder(project, snapshot), snapshot.files)

    def _land(
        self,
        caller: Caller,
        name: str,
        source: Source,
        batch: Batch,
        cursor: str | None,
        run: str | None,
        evolution: Evolution,
    ) -> Landing:
        row = self.lookup.get(caller.project, name)
        kind = "replace" if batch.replaces else "append"
        order = self._order(caller, name, kind, source.name, cursor, batch.key, run, dict(batch.origin))

        def write(landing: str, heartbeat: Callable[[], None]) -> Plan:
            gate = self._settling.gate
            session = gate.open(caller.project, name, landing) if gate is not None else None
            job = self._writing(caller.project, row, landing, heartbeat, source.types, session, evolution)
            head = self.find_snapshot(caller.project, name) if batch.replaces else None  # before anything is read
            plan = write_batch(job, batch)
            if plan.rows_refused:
                self._creating.ensure_quarantine(caller, row)
            return in_place_of(plan, name, head, job.folder) if batch.replaces else plan

        return self._landings.land(order, write)

    def _writing(
        self,
        project: str,
        row: DatasetRow,
        landing: str,
        heartbeat: Callable[[], None],
        types: Mapping[str, str],
        session: GateSession | None,
        evolution: Evolution,
        *,
        keep_row_ids: bool = False,
    ) -> Writing:
        name = row.dataset.name
        head, aside = self.lookup.head(project, name), self.lookup.head(project, name + QUARANTINE)
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
            evolution=evolution,
            heartbeat=heartbeat,
            below=DATA if row.dataset.branch_of is None else BRANCHES,
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


class _Once:
    """A frame as a source: one batch."""

    def __init__(self, frame: Any, key: str | None) -> None:
        self.name, self.types = "frame", dict[str, str]()
        self._frame, self._key = frame, key

    def batches(self, cursor: str | None, seen: Any, known: Any) -> Iterator[Batch]:
        yield Batch(frames=[polars_frame(self._frame)], key=self._key)
