"""What is asked of a database: a table or a query, from a place in its cursor column on, in that order.

Names are quoted by the dialect, and a place is a typed value; nothing that is not the operator's own query becomes SQL.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import polars as pl

from treadle.systems.collect.connectors.errors import SourceDeclarationInvalid
from treadle.systems.collect.connectors.marks import Mark


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """Rows of a relation, from `since` on (that value included), in the order of the cursor column."""

    relation: str
    """A quoted table, or a query in parentheses."""
    columns: Sequence[str] = ()
    cursor: str | None = None
    since: Mark | None = None
    batch_rows: int = 100_000
    limit: int | None = None


class Database(Protocol):
    """A database, connected when it is first read."""

    @property
    def address(self) -> str:
        """Where it is, without credentials."""

    def quoted(self, name: str) -> str:
        """A name as the dialect quotes it; a table's name may have a schema before a dot."""

    def read(self, ask: Ask) -> Iterator[pl.DataFrame]:
        """Frames of at most `batch_rows` rows, values as the database has them."""

    def typed(self, frame: pl.DataFrame) -> pl.DataFrame:
        """The frame in the types that the columns are declared with, where its values are such."""

    def holds_nulls(self, ask: Ask) -> bool:
        """Whether the cursor column is null anywhere."""

    def close(self) -> None:
        """Gives the connection back."""


def relation_of(database: Database, table: str | None, query: str | None) -> str:
    """A table or a query as what stands after FROM. Raises SourceDeclarationInvalid unless just one is given."""
    if (table is None) == (query is None):
        raise SourceDeclarationInvalid(
            "A database is read by its `table` or by a `query`: give one of the two.",
            fix='table = "orders", or query = "select * from orders where …".',
        )
    if table is not None:
        return ".".join(database.quoted(part) for part in table.split("."))
    assert query is not None
    return f"({query.strip().rstrip(';')}) AS treadle_source"


def statement_of(ask: Ask, columns: str, cursor: str | None, mark: str | None) -> str:
    """The statement; columns, cursor and mark are the dialect's own SQL."""
    where = f" WHERE {cursor} >= {mark}" if mark is not None else ""
    order = f" ORDER BY {cursor}" if cursor is not None else ""
    limit = f" LIMIT {ask.limit}" if ask.limit is not None else ""
    return f"SELECT {columns} FROM {ask.relation}{where}{order}{limit}"  # noqa: S608 - quoted names and the operator's query
