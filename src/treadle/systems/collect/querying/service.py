"""The verbs of questions: SQL on any snapshots, and rows as files."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import polars as pl

from treadle.kernel.governance import Caller, verb
from treadle.kernel.vocabulary.datasets import Snapshot
from treadle.systems.collect.errors import DatasetNotFound, QueryRefused
from treadle.systems.collect.lookup import Lookup
from treadle.systems.collect.querying import statements
from treadle.systems.collect.querying.records import Answer, ExportRows, Format, Piece, QueryDatasets, ResultColumn
from treadle.systems.collect.querying.sandbox import Limits, Scanned, carried_out
from treadle.systems.collect.querying.writing import file_of

if TYPE_CHECKING:
    import pyarrow as pa

MAX_ROWS = 10_000


@dataclass(frozen=True, slots=True)
class Question:
    """A query whose tables are settled: by the parts under which it names them, the snapshots that are meant."""

    sql: str
    tables: Mapping[tuple[str, ...], Snapshot]

    @property
    def named(self) -> dict[str, str]:
        """What each table is, as `flights@12`."""
        return {name: f"{one.dataset}@{one.version}" for name, one in self.inputs.items()}

    @property
    def inputs(self) -> dict[str, Snapshot]:
        """The snapshots by the names under which the query has them."""
        return {".".join(path): one for path, one in self.tables.items()}


class Queries:
    """Questions to snapshots. Every table of a query is resolved once, before the engine is opened."""

    def __init__(self, lookup: Lookup, limits: Limits | None = None) -> None:
        self._lookup, self._limits = lookup, limits or Limits()

    @verb("datasets.query", permission="dataset.query")
    def query(self, caller: Caller, request: QueryDatasets) -> Answer:
        """Asks a question in SQL, in an engine that sees the named snapshots and nothing else.

        Raises QueryRefused, QueryFailed, QueryTooLong, QueryTooLarge, DatasetNotFound, SnapshotNotFound.
        """
        begun = time.monotonic()
        limit = max(0, min(request.limit, MAX_ROWS))
        question = self.question(caller.project, request.sql)
        with self._reader(caller.project, question) as reader:
            rows, is_cut = _first(reader, limit)
            schema = reader.schema
        return Answer(
            columns=[ResultColumn(name=field.name, type=str(field.type)) for field in schema],
            rows=rows,
            is_cut=is_cut,
            snapshots=question.named,
            seconds=round(time.monotonic() - begun, 4),
        )

    @verb("datasets.export", permission="dataset.query", shape="stream")
    def export(self, caller: Caller, request: ExportRows) -> Iterator[Piece]:
        """All rows of a snapshot or a query as the bytes of one file, piece by piece."""
        if (request.sql is None) == (request.name is None):
            raise QueryRefused("An export is of a dataset or of a query.", fix="Give either name or sql.")
        if request.sql is not None:
            question = self.question(caller.project, request.sql)
        else:
            assert request.name is not None
            snapshot = self._lookup.snapshot(caller.project, request.name, request.at)
            question = Question("select * from exported", {("exported",): snapshot})
        return self._pieces(caller.project, question, request.format)

    def frame(self, project: str, question: Question) -> pl.DataFrame:
        """The whole answer."""
        with self._reader(project, question) as reader:
            return pl.DataFrame(pl.from_arrow(reader.read_all()))

    def pinned(self, project: str, sql: str, snapshots: Mapping[str, Sequence[str]]) -> Question:
        """The query on snapshots that were settled before: by table, a dataset's name and a snapshot's id."""
        statement = statements.read(sql)
        found = {
            path: self._lookup.snapshot(project, *snapshots[".".join(path)])
            for path in statement.tables
            if ".".join(path) in snapshots
        }
        return Question(statement.sql, found)

    def question(self, project: str, sql: str) -> Question:
        """The query with the snapshot of every table in it. Raises QueryRefused, DatasetNotFound, SnapshotNotFound."""
        statement = statements.read(sql)
        found = {}
        for path, is_dataset in statement.tables.items():
            name = ".".join(path)
            if len(path) > 2:
                raise QueryRefused(f"{name} is no dataset.", fix=f'Put it into quotes: "{name}"')
            try:
                found[path] = self._lookup.snapshot(project, name)
            except DatasetNotFound:
                if is_dataset:
                    raise
        return Question(statement.sql, found)

    def _pieces(self, project: str, question: Question, form: Format) -> Iterator[Piece]:
        with self._reader(project, question) as reader:
            for data in file_of(reader.schema, reader, form):
                if data:
                    yield Piece(data=data)

    @contextmanager
    def _reader(self, project: str, question: Question) -> Iterator[pa.RecordBatchReader]:
        scanned = {path: Scanned(self._lookup.folder(project, one), one) for path, one in question.tables.items()}
        with carried_out(question.sql, scanned, self._limits) as reader:
            yield reader


def _first(reader: pa.RecordBatchReader, limit: int) -> tuple[list[list[object]], bool]:
    """At most so many rows, and whether there are more; what comes after them is not computed."""
    rows: list[list[object]] = []
    for batch in reader:
        rows += map(list, zip(*(column.to_pylist() for column in batch.columns), strict=True))
        if len(rows) > limit:
            return rows[:limit], True
    return rows, False
