"""The verbs of runs: what ran, and what ran inside it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec

from treadle.ground.clock import from_micros
from treadle.kernel.catalog.records import Direction, Run, RunStatus
from treadle.kernel.catalog.runs import RunRows, sql
from treadle.kernel.governance import Caller, verb
from treadle.kernel.store import Reader, Row, Store
from treadle.kernel.vocabulary.pages import Page

FOLLOW_EVERY_S = 0.5
_LATE_US = 10_000_000
"""Workers and driver say their times themselves; a chunk may come in so much later than one with a later time."""
STARTED = ("pipeline", "tracking", "study")
"""The kinds of runs that somebody or a schedule started; acts and landings are parts of other stories."""
_READABLE = ("text/utf-8", "value/json", "snapshot")
"""The codecs whose bytes are text."""
_LONGEST_TEXT = 4096
_AT_WORK = ("queued", "running", "waiting")


@dataclass(frozen=True, slots=True, kw_only=True)
class ListRuns:
    """Runs that no other run holds, newest first: what people and schedules started, or one kind of runs.

    kind: pipeline, tracking (of a tracking client), study, act, landing, …; without one the first three. status: only
    those that stand so. name: only those with this in their name, in whatever case. `after` is a page's `next`.
    """

    kind: str | None = None
    status: RunStatus | None = None
    name: str | None = None
    limit: int = 50
    after: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RunNamed:
    """One run by its id."""

    run: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RunSheet:
    """A run with every run inside it, in the order in which they were recorded."""

    run: Run
    below: list[Run]


@dataclass(frozen=True, slots=True, kw_only=True)
class RunEdge:
    """One use or one making of an artifact inside a run. producer: the run, snapshot, … that made it.

    kind: of the artifact (frame, model, snapshot, value, …); meta: what is known of it, such as its rows; text: the
    artifact itself where it is a short text or short JSON. is_gone: clean-up has taken the bytes.
    """

    run: str
    direction: Direction
    role: str
    digest: str
    producer: str | None
    kind: str | None
    size_bytes: int | None
    meta: dict[str, Any]
    text: str | None
    is_gone: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class RunLogs:
    """What was printed inside a run. `follow` goes on until the run has ended."""

    run: str
    follow: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class LogChunk:
    """Text that one step printed; `stream` is stdout or stderr. A chunk may end in the middle of a line."""

    run: str
    path: str
    stream: str
    content: str
    recorded_at: datetime


class Runs:
    """The service."""

    def __init__(self, store: Store, *, sleep: Callable[[float], None] = time.sleep) -> None:
        self._store, self._rows, self._sleep = store, RunRows(), sleep

    @verb("runs.list", permission="run.read")
    def newest(self, caller: Caller, request: ListRuns) -> Page[Run]:
        """Runs, the newest first, a page at a time."""
        with self._store.read() as reader:
            return self._rows.top(
                reader,
                caller.project,
                kinds=STARTED if request.kind is None else (request.kind,),
                status=request.status,
                name=request.name,
                after=request.after,
                limit=min(max(request.limit, 1), 1000),
            )

    @verb("runs.get", permission="run.read")
    def get(self, caller: Caller, request: RunNamed) -> RunSheet:
        """A run with everything inside it. Raises RunNotFound."""
        with self._store.read() as reader:
            run = self._rows.get(reader, caller.project, request.run)
            inside = self._rows.children(reader, caller.project, run.root)
        return RunSheet(run=run, below=inside if run.id == run.root else _below(run, inside))

    @verb("runs.edges", permission="run.read")
    def edges(self, caller: Caller, request: RunNamed) -> Sequence[RunEdge]:
        """What every run inside a run used and made, by run. Raises RunNotFound."""
        with self._store.read() as reader:
            run = self._rows.get(reader, caller.project, request.run)
            chosen = self._inside(reader, run)
            rows = reader.all(
                sql.edges_of_root, {"project": caller.project, "root": run.root, "longest": _LONGEST_TEXT}
            )
        return [_edge(row) for row in rows if chosen is None or row[0] in chosen]

    @verb("runs.logs", permission="run.read", shape="stream")
    def logs(self, caller: Caller, request: RunLogs) -> Iterator[LogChunk]:
        """What the steps of a run printed, in the order in which it was written. Raises RunNotFound."""
        seen: dict[str, int] = {}
        since = 0
        while True:
            with self._store.read() as reader:
                run = self._rows.get(reader, caller.project, request.run)
                is_over = run.status not in _AT_WORK
                chosen = self._inside(reader, run)
                found = reader.all(
                    sql.logs_of_root,
                    {"project": caller.project, "root": run.root, "since": since - _LATE_US},
                )
            for one, path, ordinal, stream, content, at in found:
                if (chosen is None or one in chosen) and ordinal > seen.get(one, -1):
                    seen[one], since = ordinal, max(since, at)
                    yield LogChunk(run=one, path=path, stream=stream, content=content, recorded_at=from_micros(at))
            if is_over or not request.follow:
                return
            self._sleep(FOLLOW_EVERY_S)

    def _inside(self, reader: Reader, run: Run) -> set[str] | None:
        """The ids of a run and of those below it; None for a root, which has all."""
        if run.id == run.root:
            return None
        return {run.id, *(one.id for one in _below(run, self._rows.children(reader, run.project, run.root)))}


def _edge(row: Row) -> RunEdge:
    run, direction, role, digest, producer, kind, codec, size_bytes, meta, inline, condemned_at = row
    return RunEdge(
        run=run,
        direction=direction,
        role=role,
        digest=digest,
        producer=producer,
        kind=kind,
        size_bytes=size_bytes,
        meta={} if meta is None else msgspec.json.decode(meta),
        text=bytes(inline).decode() if inline is not None and codec in _READABLE else None,
        is_gone=kind is None or condemned_at is not None,
    )


def _below(run: Run, inside: list[Run]) -> list[Run]:
    """The runs of a tree that hang below one of it; a parent is recorded before its children."""
    known = {run.id}
    found = []
    for one in inside:
        if one.parent in known:
            known.add(one.id)
            found.append(one)
    return found
