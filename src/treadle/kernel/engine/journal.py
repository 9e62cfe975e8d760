"""What a run writes down, and when: the only module of the engine that writes rows of runs.

Two commits carry a step. The first says that it runs. The second comes after the bytes are stored, and holds all that
follows from the step: artifact, edges, metrics, logs, event, and the row's end. Each begins with the fence, a look at
the root's row with the epoch that this process holds; whoever was taken over finds nothing there and writes nothing.

Hits are not worth a commit each: their rows wait for the next one, or for the end of the run. One that is lost to a
crash is found again by its key.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec

from treadle.ground.clock import Clock, system_clock, to_micros
from treadle.ground.errors import Conflict
from treadle.ground.ids import NewId
from treadle.kernel.artifacts.records import Artifact
from treadle.kernel.catalog.artifacts import ArtifactRows
from treadle.kernel.engine.errors import LeaseLost
from treadle.kernel.engine.inputs import Used
from treadle.kernel.engine.records import Failure, Point
from treadle.kernel.events import EventLog
from treadle.kernel.store import Reader, Row, Statements, Store, Transaction

sql = Statements(__package__)

_encode = msgspec.json.Encoder(order="sorted").encode
_decode = msgspec.json.decode


def as_text(value: Any) -> str:
    """Canonical JSON as text, for a column."""
    return _encode(value).decode()


def of_text(text: str | None) -> Any:
    """The JSON of a column; None for null."""
    return None if text is None else _decode(text)


def this_host() -> str:
    """The name of this machine."""
    return _HOST


_HOST = os.environ.get("COMPUTERNAME", "") if sys.platform == "win32" else os.uname().nodename


@dataclass(frozen=True, slots=True)
class Fence:
    """The right to write for a root run: as long as its row carries this epoch."""

    root: str
    epoch: int


@dataclass(slots=True, kw_only=True)
class Attempt:
    """A step's row as the journal needs it: made when the step is asked for, written when it starts or is found."""

    id: str
    name: str
    path: str
    parent: str
    key: str
    code: str
    params: str
    key_parts: str
    seed: int | None
    used: Sequence[Used]
    kind: str = "step"
    number: int = 1
    arguments: Sequence[Artifact] = ()
    started_at: int = 0
    slot: tuple[str, int] | None = None


@dataclass(slots=True, kw_only=True)
class Finish:
    """The end of an attempt: a result or a failure, and what it said."""

    attempt: Attempt
    artifact: Artifact | None
    failure: Failure | None = None
    started_at: int = 0
    metrics: Sequence[Point] = ()
    logs: Sequence[tuple[str, str]] = ()
    first_metric: int = 0
    first_log: int = 0
    notes: dict[str, Any] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRow:
    """The row of a pipeline run, root or not, as it begins."""

    id: str
    kind: str
    name: str
    path: str
    parent: str | None
    params: str
    seed: int
    now_at: int
    lease_owner: str | None = None
    lease_until: int | None = None
    key_parts: str | None = None
    code_digest: str | None = None
    bundle_digest: str | None = None
    environment_digest: str | None = None
    caused_by: str | None = None
    notes: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """What an earlier attempt at a path came to."""

    id: str
    path: str
    kind: str
    status: str
    key: str
    attempt: int
    code: str | None
    reused_from: str | None
    error: dict[str, Any] | None
    was_caught: bool
    artifact: Artifact | None


@dataclass(slots=True)
class Pending:
    """Rows that wait for the next commit."""

    cached: list[tuple[Attempt, str, Artifact]] = field(default_factory=list)
    caught: list[str] = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self.cached or self.caught)


class Journal:
    """The journal of one root run, and of the runs inside it."""

    def __init__(
        self,
        store: Store,
        events: EventLog,
        clock: Clock,
        new_id: NewId,
        *,
        project: str,
        actor: str,
        fence: Fence,
    ) -> None:
        self.store, self.events, self.clock, self.new_id = store, events, clock, new_id
        self.project, self.actor, self.fence = project, actor, fence
        self.pending = Pending()
        self._rows = ArtifactRows()
        self._known_code: set[str] = set()
        self._pid = os.getpid()
        self._lock = threading.Lock()

    def now(self) -> int:
        """The present in microseconds."""
        if self.clock is system_clock:
            return time.time_ns() // 1000  # what the line below gives, in a tenth of the time
        return to_micros(self.clock())

    def commit(
        self,
        starts: Sequence[Attempt] = (),
        finishes: Sequence[Finish] = (),
        code_parts: Callable[[str], Mapping[str, str]] | None = None,
    ) -> None:
        """Commits ends of attempts with all that follows from them, and beginnings of others. Raises LeaseLost.

        code_parts: gives the parts of a code digest that this journal has not written yet.
        """
        pending = self._take_pending()
        at = self.now()

        def work(tx: Transaction) -> None:
            self._check(tx)
            if pending:
                self._write_pending(tx, pending, at)
            for finish in finishes:
                self._finish_one(tx, finish, at)
            for attempt in starts:
                self._start_one(tx, attempt, code_parts, at)

        self._write_or_keep(work, pending)
        if code_parts is not None:
            self._known_code.update(attempt.code for attempt in starts)

    def start_unless_known(
        self, attempt: Attempt, code_parts: Callable[[str], Mapping[str, str]]
    ) -> tuple[str, Artifact] | None:
        """As `commit` of one beginning, unless a finished step has its key: then answers that, and nothing begins.

        Looking on the connection that writes saves a third of a step: a reader would have to fetch every page anew that
        the last commit has touched (measured 2026-11: 0.06 ms of 0.40).
        """
        pending = self._take_pending()
        at = self.now()

        def work(tx: Transaction) -> tuple[str, Artifact] | None:
            self._check(tx)
            if pending:
                self._write_pending(tx, pending, at)
            known = find_done(tx, self.project, attempt.key)
            if known is None:
                self._start_one(tx, attempt, code_parts, at)
            return known

        known: tuple[str, Artifact] | None = self._write_or_keep(work, pending)
        if known is None:
            self._known_code.add(attempt.code)
        return known

    def found(self, attempt: Attempt, reused_from: str, artifact: Artifact) -> None:
        """Notes a hit; its row goes with the next commit."""
        with self._lock:
            self.pending.cached.append((attempt, reused_from, artifact))

    def caught(self, run: str) -> None:
        """Notes that the body went on after this failure; the note goes with the next commit."""
        with self._lock:
            self.pending.caught.append(run)

    def flush(self) -> None:
        """Commits the rows that wait."""
        pending = self._take_pending()
        if not pending:
            return
        at = self.now()

        def work(tx: Transaction) -> None:
            self._check(tx)
            self._write_pending(tx, pending, at)

        self._write_or_keep(work, pending)

    def act(
        self, attempt: Attempt, effect: Callable[[Transaction], tuple[Artifact, Mapping[str, Any]]], *, durable: bool
    ) -> Artifact:
        """Commits an act and its journal row as one: both stand or neither. Raises LeaseLost, and what `effect` raises."""
        pending = self._take_pending()
        at = self.now()

        def work(tx: Transaction) -> Artifact:
            self._check(tx)
            self._write_pending(tx, pending, at)
            attempt.started_at = at
            tx.put(sql.insert_step, self._step_row(attempt, "running", at))
            artifact, notes = effect(tx)
            self._finish_one(
                tx, Finish(attempt=attempt, artifact=artifact, started_at=at, notes=dict(notes) or None), at
            )
            return artifact

        artifact: Artifact = self._write_or_keep(work, pending, durable=durable)
        return artifact

    def live(
        self,
        attempt: Attempt,
        points: Sequence[Point],
        logs: Sequence[tuple[str, str]],
        first_metric: int,
        first_log: int,
    ) -> None:
        """Commits what a running step has said so far."""

        def work(tx: Transaction) -> None:
            self._check(tx)
            self._write_said(tx, attempt.id, points, logs, first_metric, first_log, self.now())

        self.store.write(work)

    def open_root(self, row: RunRow, firing: str | None = None) -> None:
        """Commits that a root run begins. With a firing, only if no other process has started that: raises Conflict."""
        at = self.now()

        def work(tx: Transaction) -> None:
            if firing is not None:
                taken = tx.execute(sql.start_firing, {"project": self.project, "id": firing, "run": row.id})
                if taken != 1:
                    raise Conflict(f"The firing {firing} was started by another process.", firing=firing)
            self._insert_run(tx, row, at)

        self.store.write(work)

    def open_child(self, row: RunRow) -> None:
        """Commits that a pipeline run inside this one begins."""
        at = self.now()

        def work(tx: Transaction) -> None:
            self._check(tx)
            self._insert_run(tx, row, at)

        self.store.write(work)

    def close_run(
        self,
        run: str,
        status: str,
        *,
        failure: Failure | None = None,
        made: Sequence[Used] = (),
        points: Sequence[Point] = (),
        notes: Mapping[str, Any] | None = None,
        is_news: bool = True,
    ) -> None:
        """Commits the end of a pipeline run with what its body returned. Raises LeaseLost.

        is_news: leaves an event; False for a run that had ended so before and was only looked at again.
        """
        pending = self._take_pending()
        at = self.now()
        is_root = run == self.fence.root
        error = None if failure is None else as_text(failure_json(failure))
        values = {"project": self.project, "id": run, "status": status, "error": error, "at": at}

        def work(tx: Transaction) -> None:
            self._check(tx)
            self._write_pending(tx, pending, at)
            for role, digest, maker in made:
                edge = {"project": self.project, "run": run, "direction": "out", "role": role, "digest": digest}
                tx.put(sql.insert_edge, edge | {"producer": maker})
            self._write_said(tx, run, points, (), 0, 0, at)
            if notes:
                tx.put(sql.set_notes, {"project": self.project, "id": run, "notes": as_text(dict(notes))})
            if is_root and status != "done":  # steps that were in flight when the body failed: nobody ends them now
                tx.put(sql.interrupt_steps, {"project": self.project, "root": run, "at": at})
            tx.put(sql.finish_root if is_root else sql.finish_child, values | {"epoch": self.fence.epoch})
            if is_news:
                body = {"status": status, "run": self.fence.root}
                self._event(tx, "run.finished" if status == "done" else f"run.{status}", run, body)

        self._write_or_keep(work, pending)

    def suspend(self) -> None:
        """Commits that the run waits and that no process holds it."""
        pending = self._take_pending()
        at = self.now()

        def work(tx: Transaction) -> None:
            self._check(tx)
            self._write_pending(tx, pending, at)
            values = {"project": self.project, "id": self.fence.root, "epoch": self.fence.epoch}
            tx.put(sql.suspend_root, values)

        self._write_or_keep(work, pending)

    def begin_waiting(self, attempt: Attempt, wait: Mapping[str, Any]) -> None:
        """Commits a wait: its row, and what it waits for."""
        at = self.now()

        def work(tx: Transaction) -> None:
            self._check(tx)
            tx.put(sql.insert_step, self._step_row(attempt, "waiting", at))
            values = {"project": self.project, "run": attempt.id, "root": self.fence.root, "at": at}
            tx.put(sql.insert_waiting, {**values, **wait})

        self.store.write(work)

    def find_answer(self, run: str) -> tuple[bool, Any, int | None]:
        """Whether a wait was answered, the answer, and when it is due."""
        with self.store.read() as reader:
            row = reader.find(sql.find_waiting, {"project": self.project, "run": run})
        return (False, None, None) if row is None else (row[6] is not None, of_text(row[5]), row[3])

    def note_surroundings(self, environment: str | None, bundle: str | None) -> None:
        """Fills in where the root run ran, and from which code: digests of recorded artifacts."""

        def work(tx: Transaction) -> None:
            self._check(tx)
            key = {"project": self.project, "id": self.fence.root}
            if environment is not None:
                tx.put(sql.set_environment, {**key, "environment": environment})
            if bundle is not None:
                tx.put(sql.set_bundle, {**key, "bundle": bundle})

        self.store.write(work)

    def finish_alone(self, tx: Transaction, row: RunRow, artifact: Artifact, used: Sequence[Used], at: int) -> None:
        """The end of an act that is a root run of its own, in the transaction of its effect."""
        attempt = Attempt(
            id=row.id,
            name=row.name,
            path=row.path,
            parent="",
            key="",
            code="",
            params=row.params,
            key_parts="{}",
            seed=None,
            used=used,
            kind=row.kind,
        )
        self._finish_one(tx, Finish(attempt=attempt, artifact=artifact, started_at=at), at)

    def record(self, tx: Transaction, artifact: Artifact, at: int) -> None:
        """Makes an artifact known to the project."""
        self._rows.record_one(tx, self.project, artifact, at)

    def artifact(self, reader: Reader, digest: str) -> Artifact:
        """An artifact of the project. Raises ArtifactNotFound."""
        return self._rows.get(reader, self.project, digest)

    def _insert_run(self, tx: Transaction, row: RunRow, at: int) -> None:
        values = {name: getattr(row, name) for name in RunRow.__slots__}
        values |= {
            "project": self.project,
            "root": self.fence.root,
            "epoch": self.fence.epoch,
            "actor": self.actor,
            "host": _HOST,
            "pid": self._pid,
            "at": at,
        }
        tx.put(sql.insert_root, values)
        self._event(tx, "run.started", row.id, {"name": row.name, "path": row.path, "run": self.fence.root})

    def _event(self, tx: Transaction, kind: str, subject: str, body: Mapping[str, Any]) -> None:
        self.events.append(tx, project=self.project, kind=kind, subject=subject, actor=self.actor, body=body)

    def save_checkpoint(self, attempt_id: str, path: str, name: str, artifact: Artifact) -> None:
        """Commits a checkpoint. Raises LeaseLost."""
        at = self.now()
        values = {"project": self.project, "root": self.fence.root, "path": path, "name": name, "at": at}

        def work(tx: Transaction) -> None:
            self._check(tx)
            self._rows.record_one(tx, self.project, artifact, at)
            tx.put(sql.save_checkpoint, values | {"digest": artifact.digest, "run": attempt_id})

        self.store.write(work)

    def find_checkpoint(self, path: str, name: str) -> Artifact | None:
        """The newest checkpoint of a path in this run."""
        values = {"project": self.project, "root": self.fence.root, "path": path, "name": name}
        with self.store.read() as reader:
            row = reader.find(sql.find_checkpoint, values)
            return None if row is None else self._rows.find(reader, self.project, row[0])

    def find_done(self, key: str) -> tuple[str, Artifact] | None:
        """The newest finished step of the project with this key, and its result."""
        with self.store.read() as reader:
            return find_done(reader, self.project, key)

    def recorded(self) -> dict[str, Recorded]:
        """What this run has recorded so far: the newest attempt at each path. For resume."""
        with self.store.read() as reader:
            rows = reader.all(sql.recorded_steps, {"project": self.project, "root": self.fence.root})
        return {row[1]: _recorded(row) for row in rows}

    def metrics_of(self, run: str) -> dict[str, float]:
        """The newest value of each metric of a run."""
        with self.store.read() as reader:
            return {row[0]: row[1] for row in reader.all(sql.newest_metrics, {"project": self.project, "run": run})}

    def take_slot(self, attempt: Attempt, name: str, limit: int) -> bool:
        """Takes a place of a concurrency limit, one whose holder is gone included. False when all are taken."""
        at = self.now()

        def work(tx: Transaction) -> int | None:
            taken = set()
            for number, run, is_held in tx.all(sql.slots_of, {"project": self.project, "name": name, "at": at}):
                if is_held:
                    taken.add(number)
                else:
                    tx.put(sql.free_slot, {"project": self.project, "name": name, "number": number, "run": run})
            for number in range(limit):
                values = {"project": self.project, "name": name, "number": number, "run": attempt.id, "at": at}
                fence = {"root": self.fence.root, "epoch": self.fence.epoch}
                if number not in taken and tx.execute(sql.take_slot, values | fence) == 1:
                    return number
            return None

        number = self.store.write(work)
        attempt.slot = None if number is None else (name, number)
        return number is not None

    def _check(self, tx: Transaction) -> None:
        if os.getpid() != self._pid:
            raise LeaseLost(
                "A forked child of this run tried to write to its journal.",
                why="A step forked, and its child went on as if it were the run.",
                fix="End a forked child with os._exit, or use subprocess or multiprocessing.",
            )
        values = {"project": self.project, "root": self.fence.root, "epoch": self.fence.epoch}
        if tx.find(sql.fence, values) is None:
            raise LeaseLost(
                f"The run {self.fence.root} is no longer this process's.",
                why="It was cancelled, or its lease ran out and another process has resumed it.",
                fix=f"Look at it with: treadle runs show {self.fence.root}",
                run=self.fence.root,
            )

    def _write_or_keep(self, work: Callable[[Transaction], Any], pending: Pending, *, durable: bool = False) -> Any:
        """Writes; if that fails, the waiting rows wait on."""
        try:
            return self.store.write(work, durable=durable)
        except BaseException:
            with self._lock:
                self.pending.cached[:0] = pending.cached
                self.pending.caught[:0] = pending.caught
            raise

    def _take_pending(self) -> Pending:
        with self._lock:
            pending, self.pending = self.pending, Pending()
        return pending

    def _write_pending(self, tx: Transaction, pending: Pending, at: int) -> None:
        for attempt, reused_from, artifact in pending.cached:
            attempt.started_at = at
            for argument in attempt.arguments:
                self._rows.record_one(tx, self.project, argument, at)
            tx.put(sql.insert_step, self._step_row(attempt, "cached", at, reused_from=reused_from, ended_at=at))
            self._write_edges(tx, attempt, artifact, producer=reused_from)
        for run in pending.caught:
            tx.put(sql.caught, {"project": self.project, "id": run, "notes": '{"caught":true}'})

    def _start_one(
        self, tx: Transaction, attempt: Attempt, code_parts: Callable[[str], Mapping[str, str]] | None, at: int
    ) -> None:
        if code_parts is not None and attempt.code not in self._known_code:
            parts = as_text(dict(code_parts(attempt.code)))
            values = {"project": self.project, "digest": attempt.code, "parts": parts, "at": at}
            tx.put(sql.insert_code_parts, values)
        attempt.started_at = at
        tx.put(sql.insert_step, self._step_row(attempt, "running", at))

    def _finish_one(self, tx: Transaction, finish: Finish, at: int) -> None:
        attempt, artifact, failure = finish.attempt, finish.artifact, finish.failure
        values = {
            "project": self.project,
            "id": attempt.id,
            "status": "done" if failure is None else "failed",
            "started_at": finish.started_at or attempt.started_at,
            "at": at,
            "notes": None if finish.notes is None else as_text(finish.notes),
            "error": None if failure is None else as_text(failure_json(failure)),
        }
        if tx.execute(sql.finish_step, values) != 1:
            raise LeaseLost(f"The step {attempt.path} was ended by somebody else.", run=attempt.id)
        for argument in attempt.arguments:
            self._rows.record_one(tx, self.project, argument, at)
        if artifact is not None:
            self._rows.record_one(tx, self.project, artifact, at)
        self._write_edges(tx, attempt, artifact, producer=attempt.id)
        if finish.metrics or finish.logs:
            self._write_said(tx, attempt.id, finish.metrics, finish.logs, finish.first_metric, finish.first_log, at)
        if attempt.slot is not None:
            name, number = attempt.slot
            tx.put(sql.free_slot, {"project": self.project, "name": name, "number": number, "run": attempt.id})
        body: dict[str, Any] = {"path": attempt.path, "key": attempt.key, "run": self.fence.root}
        if artifact is not None:
            body["result"] = artifact.digest
        self._event(tx, f"{attempt.kind}.{'finished' if failure is None else 'failed'}", attempt.id, body)

    def made(self, tx: Transaction, run: str, outputs: Mapping[str, str]) -> None:
        """Further outputs of a run, by role: digests of artifacts that the project knows."""
        for role, digest in outputs.items():
            values = {"project": self.project, "run": run, "direction": "out", "role": role}
            tx.put(sql.insert_edge, values | {"digest": digest, "producer": run})

    def _write_edges(self, tx: Transaction, attempt: Attempt, artifact: Artifact | None, *, producer: str) -> None:
        project, run = self.project, attempt.id
        for role, digest, maker in attempt.used:
            values = {
                "project": project,
                "run": run,
                "direction": "in",
                "role": role,
                "digest": digest,
                "producer": maker,
            }
            tx.put(sql.insert_edge, values)
        if artifact is not None:
            digest = artifact.digest
            values = {
                "project": project,
                "run": run,
                "direction": "out",
                "role": "result",
                "digest": digest,
                "producer": producer,
            }
            tx.put(sql.insert_edge, values)

    def _write_said(
        self,
        tx: Transaction,
        run: str,
        points: Iterable[Point],
        logs: Iterable[tuple[str, str]],
        first_metric: int,
        first_log: int,
        at: int,
    ) -> None:
        for ordinal, point in enumerate(points, first_metric):
            values = {"project": self.project, "run": run, "key": point.name, "ordinal": ordinal, "value": point.value}
            tx.put(sql.insert_metric, values | {"step": point.position, "at": point.at})
        for ordinal, (stream, content) in enumerate(logs, first_log):
            # PostgreSQL's text cannot hold NUL, and a log line loses nothing by showing it.
            values = {"project": self.project, "run": run, "ordinal": ordinal, "stream": stream, "at": at}
            tx.put(sql.insert_log, values | {"content": content.replace("\0", "␀")})

    def _step_row(
        self, attempt: Attempt, status: str, at: int, *, reused_from: str | None = None, ended_at: int | None = None
    ) -> dict[str, Any]:
        return {
            "project": self.project,
            "id": attempt.id,
            "kind": attempt.kind,
            "name": attempt.name,
            "path": attempt.path,
            "parent": attempt.parent,
            "root": self.fence.root,
            "status": status,
            "attempt": attempt.number,
            "epoch": self.fence.epoch,
            "key": attempt.key or None,
            "key_parts": attempt.key_parts,
            "code_digest": attempt.code or None,
            "params": attempt.params,
            "seed": attempt.seed,
            "actor": self.actor,
            "host": _HOST,
            "pid": self._pid,
            "reused_from": reused_from,
            "at": at,
            "started_at": at,
            "ended_at": ended_at,
        }


def find_done(reader: Reader, project: str, key: str) -> tuple[str, Artifact] | None:
    """The newest finished step of a project with this key, and its result."""
    row = reader.find(sql.find_done, {"project": project, "key": key})
    return None if row is None else (row[0], artifact_of(row, 1))


def failure_json(failure: Failure) -> dict[str, Any]:
    """What a run row keeps of a failure."""
    return {name: getattr(failure, name) for name in Failure.__slots__ if getattr(failure, name) != ""}


def artifact_of(row: Row, start: int) -> Artifact:
    """The artifact in a row whose columns from `start` are digest, kind, codec, size_bytes, blob, inline, meta."""
    digest, kind, codec, size_bytes, blob, inline, meta = row[start : start + 7]
    return Artifact(
        digest=digest,
        kind=kind,
        codec=codec,
        size_bytes=size_bytes,
        blob=blob,
        inline=None if inline is None else bytes(inline),
        meta={} if meta == "{}" else _decode(meta),
    )


def _recorded(row: Row) -> Recorded:
    id, path, kind, status, key, attempt, code, reused_from, error, notes = row[:10]
    has_artifact = row[11] is not None and row[18] is None
    return Recorded(
        id=id,
        path=path,
        kind=kind,
        status=status,
        key=key or "",
        attempt=attempt,
        code=code,
        reused_from=reused_from,
        error=of_text(error),
        was_caught=bool(notes and (of_text(notes) or {}).get("caught")),
        artifact=artifact_of(row, 11) if has_artifact else None,
    )
