"""MySQL and MariaDB by PyMySQL, over a cursor of the server: rows stream, and are typed by what the server says of them.

The session is read-only and in UTC, so a `TIMESTAMP` is a moment and a `DATETIME` a time of the clock. What cannot be held
(times of day, dates of zero) is text, and the landing says which rows do not fit.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any
from urllib.parse import unquote, urlsplit

import polars as pl

from treadle.ground.errors import MissingExtra
from treadle.systems.collect.connectors.credentials import redacted, without_password
from treadle.systems.collect.connectors.databases.asking import Ask, statement_of
from treadle.systems.collect.connectors.databases.columns import frame_of_rows
from treadle.systems.collect.connectors.errors import SourceRefused, SourceUnreachable

try:
    import pymysql
    from pymysql.constants import FIELD_TYPE, FLAG
    from pymysql.cursors import SSCursor
except ImportError as error:  # pragma: no cover - depends on what is installed
    raise MissingExtra.of("pymysql", "sql", "Reading from MySQL or MariaDB") from error

_INTEGERS = {
    FIELD_TYPE.TINY: (pl.Int8(), pl.Int16()),
    FIELD_TYPE.SHORT: (pl.Int16(), pl.Int32()),
    FIELD_TYPE.INT24: (pl.Int32(), pl.Int64()),
    FIELD_TYPE.LONG: (pl.Int32(), pl.Int64()),
    FIELD_TYPE.LONGLONG: (pl.Int64(), pl.Decimal(20, 0)),
    FIELD_TYPE.YEAR: (pl.Int16(), pl.Int16()),
}
"""Signed and unsigned."""
_TEXTS = {FIELD_TYPE.VAR_STRING, FIELD_TYPE.STRING, FIELD_TYPE.VARCHAR, FIELD_TYPE.BLOB, FIELD_TYPE.JSON}
_BINARY_CHARSET = 63
_BAD_PASSWORD = 1045


class MysqlDatabase:
    """A server by its URL, with the password in it."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._open: Any = None

    @property
    def address(self) -> str:
        return without_password(self._url)

    def quoted(self, name: str) -> str:
        return "`" + name.replace("`", "``") + "`"

    def read(self, ask: Ask) -> Iterator[pl.DataFrame]:
        columns = ", ".join(map(self.quoted, ask.columns)) or "*"
        cursor = None if ask.cursor is None else self._ordered(ask)
        mark = None if ask.since is None else self._literal(ask.since.value)
        with self._connection().cursor(SSCursor) as found:
            self._execute(found, statement_of(ask, columns, cursor, mark))
            names, types = _described(found)
            while rows := found.fetchmany(ask.batch_rows):
                yield _in_utc(frame_of_rows(names, rows, types), found)

    def typed(self, frame: pl.DataFrame) -> pl.DataFrame:
        return frame

    def holds_nulls(self, ask: Ask) -> bool:
        assert ask.cursor is not None
        where = f"{self.quoted(ask.cursor)} IS NULL LIMIT 1"
        with self._connection().cursor() as found:
            self._execute(found, f"SELECT 1 FROM {ask.relation} WHERE {where}")  # noqa: S608
            return found.fetchone() is not None

    def close(self) -> None:
        if self._open is not None:
            try:
                self._open._force_close()  # a stream that is not read to its end would be read to it first
            finally:
                self._open = None

    def _ordered(self, ask: Ask) -> str:
        """The cursor column; text in the order of its bytes, since collations hold different texts for equal."""
        assert ask.cursor is not None
        name = self.quoted(ask.cursor)
        with self._connection().cursor() as found:
            self._execute(found, f"SELECT {name} FROM {ask.relation} LIMIT 0")  # noqa: S608
            kind = found.description[0][1]
        return f"CAST({name} AS BINARY)" if kind in _TEXTS else name

    def _literal(self, value: Any) -> str:
        """A value as the driver escapes it: the statement may hold `%` signs of the operator's query, so none is bound."""
        if isinstance(value, datetime) and value.tzinfo is not None:
            value = value.astimezone(UTC).replace(tzinfo=None)
        return str(self._connection().escape(value, self._connection().encoders))

    def _execute(self, found: Any, statement: str) -> None:
        try:
            found.execute(statement)
        except pymysql.MySQLError as error:
            raise SourceRefused(
                f"{self.address} does not answer the source's question: {_said(error)}.",
                fix="Are table and columns spelled as the database spells them, and may this user read them?",
            ) from error

    def _connection(self) -> Any:
        if self._open is None:
            parts = urlsplit(self._url)
            try:
                self._open = pymysql.connect(
                    host=parts.hostname or "127.0.0.1",
                    port=parts.port or 3306,
                    user=unquote(parts.username or ""),
                    password=unquote(parts.password or ""),
                    database=parts.path.lstrip("/") or None,
                    charset="utf8mb4",
                    connect_timeout=30,
                )
                with self._open.cursor() as cursor:
                    cursor.execute("SET time_zone = '+00:00'")
                    cursor.execute("SET SESSION TRANSACTION READ ONLY")
            except pymysql.MySQLError as error:
                fix = (
                    "Are user and password those of the source?" if error.args[:1] == (_BAD_PASSWORD,) else "Is it up?"
                )
                raise SourceUnreachable(f"{self.address} cannot be reached: {_said(error)}.", fix=fix) from error
        return self._open


def _described(found: Any) -> tuple[list[str], dict[str, pl.DataType]]:
    """Names and types of what a statement finds; a column that is not among the types is typed by its values."""
    types: dict[str, pl.DataType] = {}
    for field, entry in zip(found._result.fields, found.description, strict=True):
        name, kind = entry[0], field.type_code
        if kind in _INTEGERS:
            types[name] = _INTEGERS[kind][bool(field.flags & FLAG.UNSIGNED)]
        elif kind in (FIELD_TYPE.FLOAT, FIELD_TYPE.DOUBLE):
            types[name] = pl.Float64()
        elif kind == FIELD_TYPE.NEWDECIMAL:
            types[name] = pl.Decimal(min(38, field.length), field.scale)
        elif kind == FIELD_TYPE.DATE:
            types[name] = pl.Date()
        elif kind in (FIELD_TYPE.DATETIME, FIELD_TYPE.TIMESTAMP):
            types[name] = pl.Datetime("us")
        elif kind in _TEXTS:
            is_binary = field.charsetnr == _BINARY_CHARSET and kind != FIELD_TYPE.JSON
            types[name] = pl.Binary() if is_binary else pl.String()
    return [entry[0] for entry in found.description], types


def _in_utc(frame: pl.DataFrame, found: Any) -> pl.DataFrame:
    moments = [
        field.name
        for field in found._result.fields
        if field.type_code == FIELD_TYPE.TIMESTAMP and frame.schema[field.name] == pl.Datetime("us")
    ]
    return frame.with_columns(pl.col(name).dt.replace_time_zone("UTC") for name in moments)


def _said(error: Exception) -> str:
    return redacted(str(error.args[-1] if error.args else error).rstrip("."))
