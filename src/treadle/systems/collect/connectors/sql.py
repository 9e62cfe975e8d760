"""Tables and queries of databases: SQLite, PostgreSQL, MySQL and MariaDB, streamed and typed.

With a cursor column, each run reads what came since, in batches that land one by one, and goes on after a kill where the
last landing stopped. Rows at the boundary (ties, and what a slow transaction writes behind it, as far back as `overlap`) are
recognised, so none is lost and none comes twice. Without a cursor column a run reads all of it, and its rows take the place of
those that were there.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import msgspec
import polars as pl

from treadle.ground.errors import did_you_mean
from treadle.ground.plugins import Plugins
from treadle.systems.collect.connectors.boundaries import Boundary, Place, no_column
from treadle.systems.collect.connectors.credentials import with_password
from treadle.systems.collect.connectors.databases.asking import Ask, Database, relation_of
from treadle.systems.collect.connectors.databases.sqlite import SqliteDatabase
from treadle.systems.collect.connectors.errors import CursorUnusable, SourceDeclarationInvalid
from treadle.systems.collect.connectors.limits import Count, Seconds
from treadle.systems.collect.connectors.looking import Look
from treadle.systems.collect.connectors.steps import Known, Step, SteppedSource

_AT = "treadle.systems.collect.connectors.databases"
_SERVERS = Plugins(
    "treadle.databases",
    {
        "postgresql": f"{_AT}.postgres:PostgresDatabase",
        "postgres": f"{_AT}.postgres:PostgresDatabase",
        "mysql": f"{_AT}.mysql:MysqlDatabase",
        "mariadb": f"{_AT}.mysql:MysqlDatabase",
    },
)


class SqlSource(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a database source is declared with.

    url: `sqlite:///shop.db`, `postgresql://user@host/db`, `mysql://user@host/db`. password: `secret://NAME` or `env://VARIABLE`.
    cursor: a column that only grows for new and changed rows. key: columns by which a row at the boundary is known (default:
    all). overlap: how far behind the cursor rows may still appear, in seconds for times, in units for numbers.
    """

    url: str
    password: str | None = None
    table: str | None = None
    query: str | None = None
    columns: list[str] = []
    cursor: str | None = None
    key: list[str] = []
    overlap: Seconds = 0.0
    batch_rows: Count = 100_000

    def open(self, name: str, root: Path, types: dict[str, str] | None = None) -> SteppedSource:
        """The source. Nothing connects before it is read. Raises SourceDeclarationInvalid."""
        if self.cursor is None and (self.overlap or self.key):
            raise SourceDeclarationInvalid("`overlap` and `key` say nothing without a `cursor` column.", source=name)
        relation_of(SqliteDatabase(root), self.table, self.query)
        return SteppedSource(name, TableReader(self, root), types)

    def database(self, root: Path) -> Database:
        """The database of the URL. Raises SourceDeclarationInvalid for one that is not read here."""
        scheme = urlsplit(self.url).scheme.partition("+")[0]
        if scheme == "sqlite":
            return SqliteDatabase(root / self.url.partition(":///")[2])
        if scheme not in _SERVERS.names():
            raise SourceDeclarationInvalid(
                f"Databases of the kind {scheme!r} are not read here.",
                why=did_you_mean(scheme, ["sqlite", *_SERVERS.names()]),
                fix="A pipeline can land what any library reads: td.dataset(NAME).land(frame).",
            )
        made: Database = _SERVERS.load(scheme)(with_password(self.url, self.password))
        return made


class TableReader:
    """Reads a table or a query from where it stands."""

    def __init__(self, asked: SqlSource, root: Path) -> None:
        self._asked, self._root = asked, root

    def steps(self, at: Any, known: Known) -> Iterator[Step]:
        database = self._asked.database(self._root)
        try:
            relation = relation_of(database, self._asked.table, self._asked.query)
            if self._asked.cursor is None:
                yield self._whole(database, relation)
            else:
                yield from self._since(database, relation, self._asked.cursor, at)
        finally:
            database.close()

    def look(self, rows: int) -> Look:
        asked, database = self._asked, self._asked.database(self._root)
        try:
            relation = relation_of(database, asked.table, asked.query)
            ask = Ask(relation=relation, columns=self._columns(), cursor=asked.cursor)
            first = Ask(relation=relation, columns=self._columns(), batch_rows=rows, limit=rows)
            frame = next(map(database.typed, database.read(first)), pl.DataFrame())
            if asked.cursor is None:
                return Look(
                    frame=frame, notes=["Without a `cursor` column every run reads all rows, and replaces them."]
                )
            missing = [name for name in (asked.cursor, *asked.key) if frame.width and name not in frame.columns]
            if missing:
                return Look(frame=frame, problems=[no_column(missing[0], frame.columns).what])
            problems = [_nulls(asked.cursor).what] if database.holds_nulls(ask) else []
            return Look(frame=frame, problems=problems)
        finally:
            database.close()

    def _origin(self, database: Database) -> dict[str, Any]:
        what = {"table": self._asked.table} if self._asked.table else {"query": self._asked.query}
        return {"database": database.address, **what}

    def _whole(self, database: Database, relation: str) -> Step:
        ask = Ask(relation=relation, columns=self._asked.columns, batch_rows=self._asked.batch_rows)
        frames = (database.typed(frame) for frame in database.read(ask))
        return Step(frames=frames, at=None, origin=self._origin(database), replaces=True)

    def _since(self, database: Database, relation: str, cursor: str, at: Any) -> Iterator[Step]:
        asked = self._asked
        before = None if at is None else msgspec.convert(at, Place)
        ask = Ask(
            relation=relation,
            columns=self._columns(),
            cursor=cursor,
            since=before.mark.less(asked.overlap) if before else None,
            batch_rows=asked.batch_rows,
        )
        if database.holds_nulls(ask):
            raise _nulls(cursor)
        boundary = Boundary(cursor, asked.key, asked.overlap, before)
        for frame in database.read(ask):
            fresh = boundary.pass_over(frame)
            if fresh.height:
                yield Step(frames=[database.typed(fresh)], at=boundary.place(), origin=self._origin(database))

    def _columns(self) -> list[str]:
        asked = self._asked
        if not asked.columns:
            return []
        return list(dict.fromkeys([*asked.columns, *asked.key, asked.cursor or ""]))


def _nulls(cursor: str | None) -> CursorUnusable:
    return CursorUnusable(
        f"The cursor column {cursor!r} is null in some rows.",
        why="A row without a value is never newer than another: it would never come.",
        fix=f"Leave such rows out with a query (… where {cursor} is not null), or coalesce it there.",
    )
