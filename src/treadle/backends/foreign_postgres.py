"""Rows of a foreign database on PostgreSQL, in one read-only view: what an import of its tables reads."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from treadle.backends.postgres import without_password
from treadle.ground.errors import MissingExtra
from treadle.kernel.store import StoreUnreachable

try:
    import psycopg
except ImportError as error:  # pragma: no cover - depends on what is installed
    raise MissingExtra.of("psycopg", "postgres", "Reading a database on PostgreSQL") from error


class ForeignPostgres:
    """See the module. Raises StoreUnreachable."""

    mark = "%s"

    def __init__(self, url: str) -> None:
        plain = f"postgresql://{url.partition('://')[2]}"
        try:
            self._connection = psycopg.connect(plain, connect_timeout=10)
            self._connection.read_only = True
            self._connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        except psycopg.Error as error:
            raise StoreUnreachable(
                f"The database at {without_password(plain)} does not answer.",
                why=str(error).strip(),
                fix="Check the address.",
            ) from error

    def columns(self, table: str) -> frozenset[str]:
        statement = (
            "select column_name from information_schema.columns "
            "where table_name = %s and table_schema = any(current_schemas(false))"
        )
        return frozenset(name for (name,) in self.all(statement, (table,)))

    def all(self, statement: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        return self._connection.execute(statement.encode(), tuple(parameters)).fetchall()

    def close(self) -> None:
        """Ends the connection."""
        self._connection.close()
