"""The verbs of cleaning: a snapshot is cleaned into another dataset, what was changed is shown, and taken back.

The original stays as it is. The clean rows keep its row ids, so a row can be followed from one to the other, and the
landing names the snapshot that it was made of.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime

import msgspec
import polars as pl

from treadle.ground.clock import Clock, from_micros, to_micros
from treadle.ground.digests import canonical_json
from treadle.kernel.artifacts import Artifacts
from treadle.kernel.artifacts.records import Artifact
from treadle.kernel.catalog import ArtifactRows
from treadle.kernel.events import EventLog
from treadle.kernel.governance import Caller, verb
from treadle.kernel.store import Store, Transaction
from treadle.kernel.vocabulary.datasets import LANDING, ROW, ROW_COLUMNS, Snapshot
from treadle.systems.prepare.cleaning.changes import DROPPED, Changes, as_value, from_value
from treadle.systems.prepare.cleaning.declared import Declared, declared_steps
from treadle.systems.prepare.cleaning.listing import page_of
from treadle.systems.prepare.cleaning.program import Program, cleaned
from treadle.systems.prepare.cleaning.records import (
    ChangePage,
    ChangesOf,
    CleanDataset,
    Cleaning,
    CleaningsOf,
)
from treadle.systems.prepare.cleaning.rows import CleaningRow, cleanings_of, decided_rows, find_cleaning
from treadle.systems.prepare.cleaning.session import CleaningSession
from treadle.systems.prepare.cleaning.steps import Fill
from treadle.systems.prepare.contracts import Contracts
from treadle.systems.prepare.errors import CleaningNotFound, CleaningOvertaken, CleaningRefused, ContractNotFound
from treadle.systems.prepare.gate import ContractSession
from treadle.systems.prepare.ports import DerivedRows, Deriving, Tables
from treadle.systems.prepare.repository import sql
from treadle.wire.odcs import Contract

KIND = "cleaning"
ROWS_AT_ONCE = 500_000
QUARANTINE = ".quarantine"
_NOBODY = pl.LazyFrame()
"""Rows whose keys nothing repeats: what stood in the target is replaced as a whole."""

_Cleanings = list[Cleaning]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Job:
    """One cleaning, made ready."""

    project: str
    source: Snapshot
    target: str
    digest: str
    contract: Contract
    table: str
    steps: list[Declared]
    decided: pl.DataFrame
    """Rows of the target's quarantine that a person has decided about: `_landing`, `_row`, `state`."""


class Cleanings:
    """The cleanings of a store."""

    def __init__(
        self,
        store: Store,
        artifacts: Artifacts,
        events: EventLog,
        contracts: Contracts,
        tables: Tables,
        deriving: Deriving,
        clock: Clock,
    ) -> None:
        self._store, self._artifacts, self._events = store, artifacts, events
        self._contracts, self._tables, self._deriving, self._clock = contracts, tables, deriving, clock
        self._rows = ArtifactRows()

    @verb("cleanings.run", permission="dataset.write", event="dataset.cleaned")
    def run(self, caller: Caller, request: CleanDataset) -> Cleaning:
        """Cleans a snapshot by the steps of a contract, judges it by its rules, and lands what is left in a dataset.

        What the same contract made of the same rows, and still stands there, is answered and not made again. Raises
        CleaningRefused, ContractNotFound, CleaningOvertaken.
        """
        job = self._job(caller, request)
        done = None if request.again else self._standing(job)
        return done or self._land(caller, job, request.run)

    @verb("cleanings.preview", permission="dataset.read")
    def preview(self, caller: Caller, request: CleanDataset) -> Cleaning:
        """What a cleaning would come to. Nothing is landed, and nothing is kept."""
        job = self._job(caller, request)
        session = self._session(job)
        for frame in session.frames():
            session.judge(frame)
        return self._report(job, session)

    @verb("cleanings.list", permission="dataset.read")
    def list(self, caller: Caller, request: CleaningsOf) -> _Cleanings:
        """The cleanings that made a dataset, the newest first."""
        self._tables.snapshot(caller.project, request.name)
        with self._store.read() as reader:
            return [_cleaning(row) for row in reversed(cleanings_of(reader, caller.project, request.name))]

    @verb("cleanings.changes", permission="dataset.read")
    def changes(self, caller: Caller, request: ChangesOf) -> ChangePage:
        """What the cleaning behind a snapshot has changed, cell by cell and row by row. Raises CleaningNotFound."""
        row, log = self._log(caller.project, request.name, request.at)
        return page_of(log, request, landing=row.landing)

    def restored(self, project: str, dataset: str, at: str | None = None) -> pl.DataFrame:
        """The rows that were cleaned, computed from what came of them and the log: with `_landing` and `_row`, in their
        order. Raises CleaningNotFound.

        Rows that a person had decided about before are not among them; they are in the quarantine as they came.
        """
        _, log = self._log(project, dataset, at)
        snapshot = self._tables.snapshot(project, dataset, at)
        return log.restored(self._tables.scan(project, snapshot).collect())

    def behind(self, project: str, snapshot: Snapshot) -> tuple[str, Changes] | None:
        """The snapshot that a cleaned one was made of, and the log of it; None for one that no cleaning made."""
        with self._store.read() as reader:
            found = find_cleaning(reader, project, snapshot.dataset, snapshot.landing)
        return None if found is None else (found.source_snapshot, self._load(project, found))

    # Inside

    def _job(self, caller: Caller, request: CleanDataset) -> _Job:
        project = caller.project
        source = self._tables.snapshot(project, request.name, request.at)
        target = request.to or _target_of(request.name)
        if target == request.name or target.endswith(QUARANTINE):
            raise CleaningRefused(
                f"{request.name!r} cannot be cleaned into {target!r}.",
                why="The original stays as it came, so the clean rows land in a dataset of their own.",
                fix=f"Choose another name: --to {request.name}.clean",
            )
        holder, (digest, contract) = self._contract(project, request, target)
        table = contract.table(holder)
        name = table.name if table is not None else holder
        steps = declared_steps(contract, name)
        if not steps:
            raise CleaningRefused(
                f"The contract of {holder!r} declares no cleaning.",
                fix="Write it beside the rules: quality: [{type: custom, engine: treadle, implementation: {clean: text}}]",
            )
        with self._store.read() as reader:
            decided = decided_rows(reader, project, target)
        return _Job(
            project=project, source=source, target=target, digest=digest, contract=contract, table=name, steps=steps,
            decided=decided,
        )  # fmt: skip

    def _contract(self, project: str, request: CleanDataset, target: str) -> tuple[str, tuple[str, Contract]]:
        asked = [request.contract] if request.contract else [target, request.name, _target_of(request.name)]
        for holder in asked:
            found = self._contracts.find(project, holder)
            if found is not None:
                return holder, found
        raise ContractNotFound(
            f"There is no contract for the dataset {asked[0]!r}.",
            why="Its contract says how it is cleaned." if request.contract else f"Nor is there one for {asked[-1]!r}.",
            fix=f"Publish one: treadle contracts publish {asked[0]} FILE",
        )

    def _standing(self, job: _Job) -> Cleaning | None:
        """The cleaning that made what the target holds, if it would be the same again."""
        head = self._tables.find_snapshot(job.project, job.target)
        if head is None:
            return None
        with self._store.read() as reader:
            found = find_cleaning(reader, job.project, job.target, head.landing)
        same = (
            found is not None
            and found.landing == head.landing
            and (found.source_content, found.contract) == (job.source.content_id, job.digest)
            and found.decisions == job.decided.height
            and not _looks_elsewhere(job)
        )
        return _cleaning(found) if same and found is not None else None

    def _session(self, job: _Job) -> CleaningSession:
        carried = self._carried(job)

        judge = ContractSession(
            self._contracts,
            job.project,
            job.table,
            job.digest,
            job.contract,
            existing=_NOBODY if carried is None else carried.lazy(),
        )
        program = Program(job.steps, fit=lambda step: self._fitted_on(job, step))
        return CleaningSession(program, self._frames(job), judge=judge, carried=carried)

    def _frames(self, job: _Job) -> Iterator[pl.DataFrame]:
        """The rows of the source that nobody has decided about, in batches that fit in memory."""
        for part in _parts(job.source):
            rows = self._tables.scan(job.project, part)
            if job.decided.height:
                rows = rows.join(job.decided.lazy(), on=ROW_COLUMNS, how="anti", maintain_order="left")
            yield from rows.collect().iter_slices(ROWS_AT_ONCE)

    def _carried(self, job: _Job) -> pl.DataFrame | None:
        """The rows that people let into the target: they stay as they were let in."""
        head = self._tables.find_snapshot(job.project, job.target)
        back = job.decided.filter(pl.col("state").is_in(["released", "mended"])).select(ROW_COLUMNS)
        if head is None or not back.height:
            return None
        return self._tables.scan(job.project, head).join(back.lazy(), on=ROW_COLUMNS, how="semi").collect()

    def _fitted_on(self, job: _Job, step: Fill) -> pl.LazyFrame | None:
        """The rows of a pinned snapshot, as the steps before the filling leave them."""
        if step.at is None:
            return None
        pinned = self._tables.snapshot(job.project, job.source.dataset, step.at)
        before = job.steps[: next(place for place, one in enumerate(job.steps) if one.step is step)]
        rows, _, _ = cleaned([self._tables.scan(job.project, pinned).collect()], before)
        return rows.lazy()

    def _land(self, caller: Caller, job: _Job, run: str | None) -> Cleaning:
        session = self._session(job)
        made: list[tuple[Cleaning, Artifact]] = []

        def frames() -> Iterator[pl.DataFrame]:
            yield from session.frames()
            log = self._artifacts.put(as_value(session.program.changes), kind=KIND)
            made.append((replace(self._report(job, session), log=log.digest), log))

        def claim(tx: Transaction, landing: str) -> None:
            report, log = made[0]
            self._record(tx, caller, job, session, replace(report, landing=landing), log)

        source = job.source
        derived = DerivedRows(
            kind="clean",
            source=source.dataset,
            frames=frames(),
            session=session,
            inputs=[("rows", source.content_id, source.id)],
            reason=f"cleaned {source.dataset} version {source.version}",
            origin={"name": source.dataset, "version": source.version, "snapshot": source.id},
            event_column=self._tables.event_column(job.project, source.dataset),
            run=run,
        )
        landing = self._deriving.derive(caller, job.target, derived, claim=claim)
        with self._store.read() as reader:
            found = find_cleaning(reader, job.project, job.target, landing.id)
        assert found is not None, "the claim has recorded it"
        return _cleaning(found)

    def _record(
        self, tx: Transaction, caller: Caller, job: _Job, session: CleaningSession, report: Cleaning, log: Artifact
    ) -> None:
        decided = tx.all(sql.count_decided, {"project": job.project, "dataset": job.target})[0][0]
        if decided != job.decided.height:
            raise CleaningOvertaken(
                f"Somebody has decided about rows of the quarantine of {job.target!r} meanwhile.",
                fix="Clean it again; nothing was changed.",
            )
        at = self._clock()
        self._rows.record(tx, job.project, [log], at=at)
        values = {
            "project": job.project,
            "landing": report.landing,
            "dataset": job.target,
            "source": job.source.dataset,
            "source_snapshot": job.source.id,
            "source_content": job.source.content_id,
            "contract": job.digest,
            "log": log.digest,
            "decisions": job.decided.height,
            "report": canonical_json(report).decode(),
            "recorded_at": to_micros(at),
        }
        tx.execute(sql.insert_cleaning, values)
        body = {
            "landing": report.landing,
            "source": job.source.id,
            "contract": job.digest,
            "rows_in": report.rows_in,
            "rows_kept": report.rows_kept,
            "rows_dropped": report.rows_dropped,
            "cells": report.cells,
        }
        event = self._events.append(
            tx,
            project=job.project,
            kind="dataset.cleaned",
            subject=f"dataset/{job.target}",
            actor=caller.actor,
            body=body,
        )
        self._settle_held(tx, caller, job, session, str(report.landing), event, at)

    def _settle_held(
        self,
        tx: Transaction,
        caller: Caller,
        job: _Job,
        session: CleaningSession,
        landing: str,
        event: str,
        at: datetime,
    ) -> None:
        """Rows that an earlier cleaning held, and this one did not, are not held any more."""
        tx.execute(sql.forget_cleaned, {"project": job.project, "dataset": job.target})
        passing = self._passing(job, session)
        rows = [
            {
                "project": job.project,
                "dataset": job.target,
                "landing": first,
                "row": number,
                "state": "cleaned",
                "release": landing,
                "actor": caller.actor,
                "reason": f"cleaned anew from version {job.source.version}",
                "event": event,
                "recorded_at": to_micros(at),
            }
            for first, number in passing.iter_rows()
        ]
        if rows:
            tx.execute_many(sql.insert_decision, rows)

    def _passing(self, job: _Job, session: CleaningSession) -> pl.DataFrame:
        """Ids of rows in the target's quarantine that are in the source, undecided, and not refused this time."""
        aside = self._tables.find_snapshot(job.project, job.target + QUARANTINE)
        if aside is None:
            return pl.DataFrame(schema={LANDING: pl.String, ROW: pl.Int64})
        held = self._tables.scan(job.project, aside).select(ROW_COLUMNS).unique()
        here = self._tables.scan(job.project, job.source).select(ROW_COLUMNS)
        left = held.join(job.decided.lazy(), on=ROW_COLUMNS, how="anti").join(here, on=ROW_COLUMNS, how="semi")
        if session.refused_rows:
            left = left.join(pl.concat(session.refused_rows).lazy(), on=ROW_COLUMNS, how="anti")
        return left.collect()

    def _report(self, job: _Job, session: CleaningSession) -> Cleaning:
        changes = session.program.changes
        steps = session.program.report()
        return Cleaning(
            dataset=job.target,
            source=job.source.dataset,
            source_snapshot=job.source.id,
            contract=job.digest,
            landing=None,
            rows_in=job.source.rows,
            rows_kept=session.kept,
            rows_dropped=sum(one.rows.height for one in changes.removed if one.to == DROPPED),
            rows_quarantined=session.quarantined,
            rows_refused=session.refused,
            rows_decided=job.source.rows - changes.rows,
            cells=sum(step.cells for step in steps),
            steps=steps,
            log=None,
        )

    def _log(self, project: str, dataset: str, at: str | None) -> tuple[CleaningRow, Changes]:
        snapshot = self._tables.snapshot(project, dataset, at)
        with self._store.read() as reader:
            found = find_cleaning(reader, project, dataset, snapshot.landing)
        if found is None:
            raise CleaningNotFound(
                f"{dataset!r} version {snapshot.version} was not made by a cleaning.",
                fix=f"Clean a dataset into it: treadle datasets clean SOURCE --to {dataset}",
            )
        return found, self._load(project, found)

    def _load(self, project: str, row: CleaningRow) -> Changes:
        with self._store.read() as reader:
            artifact = self._rows.get(reader, project, row.log)
        return from_value(self._artifacts.load(artifact))


def _target_of(name: str) -> str:
    return name.removesuffix(".raw") if name.endswith(".raw") else f"{name}.clean"


def _looks_elsewhere(job: _Job) -> bool:
    """Whether the contract asks other datasets, which may have changed though these rows have not."""
    table = job.contract.table(job.table)
    pinned = any(isinstance(one.step, Fill) and one.step.at for one in job.steps)
    linked = table is not None and (table.relationships or any(column.relationships for column in table.properties))
    return bool(pinned or linked)


def _parts(snapshot: Snapshot) -> Iterator[Snapshot]:
    """A snapshot as several of neighbouring files, each of about as many rows as are cleaned at once."""
    files, rows = [], 0
    for file in snapshot.files:
        files.append(file)
        rows += file.rows
        if rows >= ROWS_AT_ONCE:
            yield replace(snapshot, files=tuple(files))
            files, rows = [], 0
    if files:
        yield replace(snapshot, files=tuple(files))


def _cleaning(row: CleaningRow) -> Cleaning:
    report: Cleaning = msgspec.json.decode(row.report, type=Cleaning)
    return replace(report, recorded_at=from_micros(row.recorded_at))
