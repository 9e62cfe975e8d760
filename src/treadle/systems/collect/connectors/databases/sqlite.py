"""SQLite files, by Python's own driver, opened so that nothing can be written.

SQLite types values and not columns. Columns are typed by what they hold, and those declared as dates, times or claims
become such where every value is one; a text in a column of numbers makes the column text, and the landing says which row
does not fit.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import polars as pl

from treadle.systems.collect.connectors.databases.asking import Ask, statement_of
from treadle.systems.collect.connectors.databases.columns import frame_of_rows
from treadle.systems.collect.connectors.errors import SourceRefused, SourceUnreachable
from treadle.systems.collect.connectors.marks import Mark
from treadle.systems.collect.reading import with_times

_BUSY_S = 30.0


class SqliteDatabase:
    """A file. `path` is absolute, or relative to the working folder."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._open: sqlite3.Connection | None = None
        self._declared: dict[str, str] = {}

    @property
    def address(self) -> str:
        return f"sqlite:///{self._path}"

    def quoted(self, name: str) -> str:
        return "`" + name.replace("`", "``") + "`"  # in double quotes an unknown column would be read as a text

    def read(self, ask: Ask) -> Iterator[pl.DataFrame]:
        columns = ", ".join(map(self.quoted, ask.columns)) or "*"
        cursor, mark, values = self._cursor(ask)
        found = self._execute(statement_of(ask, columns, cursor, mark), values)
        names = [entry[0] for entry in found.description]
        self._declared = self._types_of(ask.relation)
        while rows := found.fetchmany(ask.batch_rows):
            yield frame_of_rows(names, rows)

    def typed(self, frame: pl.DataFrame) -> pl.DataFrame:
        times, claims = [], []
        for name, declared in self._declared.items():
            if name not in frame.columns:
                continue
            if frame.schema[name] == pl.String and ("DATE" in declared or "TIME" in declared):
                times.append(name)
            elif declared.startswith("BOOL") and frame.schema[name] == pl.Int64 and frame[name].is_in([0, 1]).all():
                claims.append(name)
        frame = frame.with_columns(pl.col(name).cast(pl.Boolean) for name in claims)
        return with_times(frame, except_for=set(frame.columns) - set(times)) if times else frame

    def holds_nulls(self, ask: Ask) -> bool:
        assert ask.cursor is not None
        where = f"{self.quoted(ask.cursor)} IS NULL LIMIT 1"
        return self._execute(f"SELECT 1 FROM {ask.relation} WHERE {where}", []).fetchone() is not None  # noqa: S608

    def close(self) -> None:
        if self._open is not None:
            self._open.close()
            self._open = None

    def _cursor(self, ask: Ask) -> tuple[str | None, str | None, list[Any]]:
        if ask.cursor is None:
            return None, None, []
        name = self.quoted(ask.cursor) + " COLLATE BINARY"
        return name, "?" if ask.since else None, [_bound(ask.since)] if ask.since else []

    def _types_of(self, relation: str) -> dict[str, str]:
        """The declared types of a table's columns; none for a query."""
        if relation.startswith("("):
            return {}
        schema, _, table = relation.rpartition(".")
        of = f"{schema}." if schema else ""
        return {row[1]: str(row[2]).upper() for row in self._execute(f"PRAGMA {of}table_info({table})", [])}

    def _execute(self, statement: str, values: list[Any]) -> sqlite3.Cursor:
        try:
            return self._connection().execute(statement, values)
        except sqlite3.DatabaseError as error:
            raise SourceRefused(
                f"{self._path.name} does not answer the source's question: {error}.",
                fix="Are table and columns spelled as the database spells them? treadle sources check NAME shows more.",
            ) from error

    def _connection(self) -> sqlite3.Connection:
        if self._open is None:
            if not self._path.is_file():
                raise SourceUnreachable(
                    f"There is no database file {self._path}.", fix="Is the path right, seen from the project's folder?"
                )
            uri = f"file:{quote(str(self._path.absolute()))}?mode=ro"
            self._open = sqlite3.connect(uri, uri=True, timeout=_BUSY_S, check_same_thread=False)
        return self._open


def _bound(mark: Mark) -> Any:
    return float(mark.text) if mark.kind == "decimal" else mark.value
