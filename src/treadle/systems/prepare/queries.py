"""SQL rules, carried out by DuckDB on the rows of one frame and on nothing else.

The text comes from a contract, and a contract may come from anybody: the engine is closed to files, networks, extensions
and settings before the text is seen.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa

from treadle.systems.prepare.errors import RuleRefused

_TABLE = re.compile(r"\$\{(?:table|object|schema)\}")
_COUNT = re.compile(r"count\s*\(\s*\*\s*\)")
_STAR = re.compile(r"(?:select|distinct|,|\.|\()\s*\*|\bcolumns\b")
_ROWS_IN_MEMORY = 2_000_000
_FIX = "Write a SELECT over ${table} that gives one number."


def answer(query: str, frame: pl.LazyFrame | pl.DataFrame) -> Any:
    """The one value that a query gives. `${table}` is the frame. Raises RuleRefused.

    Only columns that the text mentions are read. Rows beyond two million, or of unknown number, go through a file of
    DuckDB's own, so that they need not fit in memory.
    """
    rows = frame.lazy()
    named = _mentioned(query, rows)
    with _database(rows.select(named)) as connection:
        found = _carried_out(connection, _TABLE.sub("rows", query), query)
    if len(found) != 1 or len(found[0]) != 1:
        raise RuleRefused(f"The query {query!r} gives {len(found)} rows.", fix=_FIX)
    return found[0][0]


class RowConditions:
    """Conditions on rows, in DuckDB's SQL, asked of batch after batch. Close it when done."""

    def __init__(self, conditions: Mapping[str, str]) -> None:
        self._conditions = conditions
        self._connection = _connect(":memory:")
        self._is_closed_in = False

    def failing(self, frame: pl.DataFrame) -> list[pl.Series]:
        """For each condition, the rows of which it is false."""
        self._connection.register("rows", frame.to_arrow())
        if not self._is_closed_in:
            _close_in(self._connection)
            self._is_closed_in = True
        answer = []
        for name, condition in self._conditions.items():
            # one condition, in brackets: a text with a subquery or a second statement finds nothing to reach but `rows`
            text = f"select not cast(({condition}) as boolean) as failing from rows"  # noqa: S608
            table = _arrow(self._connection, text, condition)
            found = pl.Series(name, table.column(0), dtype=pl.Boolean)
            if len(found) != frame.height:
                raise RuleRefused(f"The condition {condition!r} answers {len(found)} times for {frame.height} rows.")
            answer.append(found.fill_null(False))
        self._connection.unregister("rows")
        return answer

    def close(self) -> None:
        """Ends the engine."""
        self._connection.close()


@contextmanager
def _database(rows: pl.LazyFrame) -> Iterator[Any]:
    """An engine that holds the rows as the table `rows`, and can reach nothing else."""
    with tempfile.TemporaryDirectory(prefix="treadle-sql-", ignore_cleanup_errors=True) as folder:
        head = rows.head(_ROWS_IN_MEMORY + 1).collect(engine="streaming")
        if head.height <= _ROWS_IN_MEMORY:
            connection = _connect(":memory:")
            connection.register("rows", head.to_arrow())
        else:
            connection = _connect(str(Path(folder) / "rows.duckdb"))
            connection.register("incoming", _reader(rows))
            connection.execute("create table rows as select * from incoming")
            connection.unregister("incoming")
        try:
            _close_in(connection)
            yield connection
        finally:
            connection.close()


def _reader(rows: pl.LazyFrame) -> pa.RecordBatchReader:
    batches = rows.collect_batches(chunk_size=1 << 17)
    schema = pl.DataFrame(schema=rows.collect_schema()).to_arrow().schema

    def read() -> Iterator[pa.RecordBatch]:
        for batch in batches:
            yield from batch.to_arrow().cast(schema).to_batches()

    return pa.RecordBatchReader.from_batches(schema, read())


def _connect(place: str) -> Any:
    import duckdb

    return duckdb.connect(place, config={"threads": "2", "memory_limit": "4GB"})


def _close_in(connection: Any) -> None:
    connection.execute("set enable_external_access = false")
    connection.execute("set lock_configuration = true")


def _carried_out(connection: Any, text: str, written: str) -> list[tuple[Any, ...]]:
    import duckdb

    try:
        return list(connection.execute(text).fetchall())
    except duckdb.Error as error:
        raise _refusal(written, error) from error


def _arrow(connection: Any, text: str, written: str) -> pa.Table:
    import duckdb

    try:
        return connection.sql(text).to_arrow_table()
    except duckdb.Error as error:
        raise _refusal(written, error) from error


def _refusal(written: str, error: Exception) -> RuleRefused:
    return RuleRefused(f"The query {written!r} cannot be carried out.", why=str(error).splitlines()[0], fix=_FIX)


def _mentioned(query: str, rows: pl.LazyFrame) -> list[str]:
    """The columns that a text may mean: all of them where it has a star, one at least."""
    names = rows.collect_schema().names()
    lowered = query.lower()
    found = [name for name in names if name.lower() in lowered]
    return names if _STAR.search(_COUNT.sub("", lowered)) or not found else found
