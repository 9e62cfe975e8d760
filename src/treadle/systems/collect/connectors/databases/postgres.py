"""PostgreSQL by ADBC: rows come as Arrow over COPY, and never as Python objects.

The statement is described first. What Arrow or Polars cannot hold (intervals, ranges, points, addresses, times of day) is cast
to text in the statement; a `numeric` with precision becomes a decimal of that precision, and one without a double, unless a
type is declared for it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import polars as pl

from treadle.ground.errors import MissingExtra
from treadle.systems.collect.connectors.credentials import redacted, without_password
from treadle.systems.collect.connectors.databases.asking import Ask, statement_of
from treadle.systems.collect.connectors.errors import SourceRefused, SourceUnreachable
from treadle.systems.collect.connectors.marks import Mark

try:
    import adbc_driver_manager
    import pyarrow as pa
    from adbc_driver_postgresql import dbapi
except ImportError as error:  # pragma: no cover - depends on what is installed
    raise MissingExtra.of("adbc-driver-postgresql", "sql", "Reading from PostgreSQL") from error

_CAST = {
    "integer": "bigint",
    "float": "double precision",
    "decimal": "numeric",
    "date": "date",
    "timestamp": "timestamp",
    "timestamptz": "timestamptz",
}
_SESSION = (
    "SET default_transaction_read_only = on",
    "SET standard_conforming_strings = on",
    "SET TIME ZONE 'UTC'",
    "SET extra_float_digits = 1",
)


class _Column(NamedTuple):
    name: str
    as_text: bool
    decimal: pl.DataType | None


class PostgresDatabase:
    """A server by its URL, with the password in it."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._open: Any = None

    @property
    def address(self) -> str:
        return without_password(self._url)

    def quoted(self, name: str) -> str:
        return '"' + name.replace('"', '""') + '"'

    def read(self, ask: Ask) -> Iterator[pl.DataFrame]:
        columns = self._described(ask)
        decimals = {column.name: column.decimal for column in columns if column.decimal is not None}
        asked = ", ".join(self._selected(column) for column in columns)
        kind = ask.since.kind if ask.since else None
        cursor = None if ask.cursor is None else self._ordered(ask.cursor, columns, ask, kind)
        mark = None if ask.since is None else _literal(ask.since)
        with self._connection().cursor() as found:
            self._execute(found, statement_of(ask, asked, cursor, mark))
            for batch in found.fetch_record_batch():
                yield from _with_decimals(_frame(batch), decimals).iter_slices(ask.batch_rows)

    def typed(self, frame: pl.DataFrame) -> pl.DataFrame:
        return frame

    def holds_nulls(self, ask: Ask) -> bool:
        assert ask.cursor is not None
        statement = f"SELECT 1 FROM {ask.relation} WHERE {self.quoted(ask.cursor)} IS NULL LIMIT 1"  # noqa: S608
        with self._connection().cursor() as found:
            self._execute(found, statement)
            return found.fetchone() is not None

    def close(self) -> None:
        if self._open is not None:
            self._open.close()
            self._open = None

    def _described(self, ask: Ask) -> list[_Column]:
        names = ", ".join(map(self.quoted, ask.columns)) or "*"
        statement = f"SELECT {names} FROM {ask.relation}"  # noqa: S608 - quoted names and the operator's query
        with self._connection().cursor() as found:
            try:
                schema = found.adbc_execute_schema(statement)
            except adbc_driver_manager.Error as error:
                raise self._refused(error) from error
        return [_column(field) for field in schema]

    def _selected(self, column: _Column) -> str:
        name = self.quoted(column.name)
        return f"{name}::text AS {name}" if column.as_text else name

    def _ordered(self, cursor: str, columns: list[_Column], ask: Ask, kind: str | None) -> str:
        """The cursor column; text in the order of its bytes, which is Python's, too."""
        if kind is None:
            statement = f"SELECT {self.quoted(cursor)} FROM {ask.relation}"  # noqa: S608
            with self._connection().cursor() as found:
                try:
                    kind = "text" if pa.types.is_string(found.adbc_execute_schema(statement).field(0).type) else ""
                except adbc_driver_manager.Error as error:
                    raise self._refused(error) from error
        return self.quoted(cursor) + (' COLLATE "C"' if kind == "text" else "")

    def _execute(self, found: Any, statement: str) -> None:
        try:
            found.execute(statement)
        except adbc_driver_manager.Error as error:
            raise self._refused(error) from error

    def _connection(self) -> Any:
        if self._open is None:
            try:
                self._open = dbapi.connect(self._url, autocommit=True)
                with self._open.cursor() as cursor:
                    for statement in _SESSION:
                        cursor.execute(statement)
            except adbc_driver_manager.Error as error:
                self.close()
                raise SourceUnreachable(
                    f"{self.address} cannot be reached: {_said(error)}.",
                    fix="Is it up, and are user, password and database those of the source?",
                ) from error
        return self._open

    def _refused(self, error: Exception) -> SourceRefused:
        return SourceRefused(
            f"{self.address} does not answer the source's question: {_said(error)}.",
            fix="Are table and columns spelled as the database spells them, and may this user read them?",
        )


def _column(field: Any) -> _Column:
    kind, facts = field.type, field.metadata or {}
    if facts.get(b"POSTGRESQL:type") == b"numeric":
        modifier = int(facts.get(b"POSTGRESQL:typmod", b"-1"))
        if modifier < 4:
            return _Column(field.name, False, pl.Float64())
        precision, scale = (modifier - 4) >> 16 & 0xFFFF, (modifier - 4) & 0x7FF
        wanted = pl.Decimal(precision, scale) if precision <= 38 and scale <= precision else pl.Float64()
        return _Column(field.name, False, wanted)
    return _Column(field.name, not _is_held(kind), None)


def _is_held(kind: Any) -> bool:
    if isinstance(kind, pa.BaseExtensionType):
        return False
    if pa.types.is_list(kind):
        return _is_held(kind.value_type)
    return any(
        test(kind)
        for test in (
            pa.types.is_integer,
            pa.types.is_floating,
            pa.types.is_boolean,
            pa.types.is_string,
            pa.types.is_large_string,
            pa.types.is_binary,
            pa.types.is_date,
            pa.types.is_timestamp,
            pa.types.is_null,
        )
    )


def _frame(batch: Any) -> pl.DataFrame:
    columns = [column.storage if isinstance(column, pa.ExtensionArray) else column for column in batch.columns]
    return pl.DataFrame(pl.from_arrow(pa.table(columns, names=batch.schema.names)))


def _with_decimals(frame: pl.DataFrame, decimals: Mapping[str, pl.DataType]) -> pl.DataFrame:
    """The frame with numbers where the driver hands over their text; a NaN has no decimal, and leaves its column text."""
    exact = {}
    for name, wanted in decimals.items():
        values = frame[name].cast(wanted, strict=False)
        if values.null_count() == frame[name].null_count():
            exact[name] = values
    return frame.with_columns(**exact)


def _literal(mark: Mark) -> str:
    """A mark as SQL. Its text was written by `mark_of` from a value of that kind; quotes in it are doubled all the same."""
    text = "'" + mark.text.replace("'", "''") + "'"
    return f"CAST({text} AS {_CAST[mark.kind]})" if mark.kind in _CAST else text


def _said(error: Exception) -> str:
    """What the server said, without the statement and without what is secret."""
    text = str(error).partition("\n\nQuery was:")[0].partition("Query was:")[0]
    lines = [line.strip() for line in text.splitlines() if line.strip(" ^")]
    return redacted(" ".join(lines).rstrip("."))
