"""A foreign SQLite file, opened so that nothing in it can change."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

from treadle.systems.train.moving.errors import NoMlflowStore


class SqliteRows:
    """See the module. Close it when done."""

    mark = "?"

    def __init__(self, path: Path) -> None:
        if not path.is_file():
            raise NoMlflowStore(
                f"There is no file {path}.", fix="Give the path of MLflow's database, or a folder mlruns."
            )
        self._connection = sqlite3.connect(f"file:{quote(str(path.absolute()))}?mode=ro", uri=True)
        try:
            self._connection.execute("begin")
            self._connection.execute("select 1 from sqlite_master limit 1").fetchone()
        except sqlite3.DatabaseError as error:
            self._connection.close()
            raise NoMlflowStore(f"{path} is no SQLite database.", why=str(error)) from error

    def columns(self, table: str) -> frozenset[str]:
        return frozenset(name for (name,) in self.all("select name from pragma_table_info(?)", (table,)))

    def all(self, statement: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        return self._connection.execute(statement, parameters).fetchall()

    def close(self) -> None:
        """Ends the connection."""
        self._connection.close()
