"""The figures that SQLite's planner is given, the same in every store; why, is told in docs/decisions/0008."""

from __future__ import annotations

import sqlite3

_ROWS_ASSUMED, _PARTIAL_ASSUMED = 1_000_000, 10_000
"""How many rows the planner is told that a table has, and an index of some of its rows."""


def inform_planner(connection: sqlite3.Connection) -> None:
    """Tells SQLite that `project` tells next to nothing apart, and each further column of a key much.

    Without statistics it takes ten rows for what any first column leaves, and so walks a whole project along the primary
    key where an index would find the five rows in question. What a real `analyze` of a young store finds is no better,
    so these figures are ours: they make the plans the same in every store, whatever is in it.
    """
    connection.execute("analyze sqlite_schema")  # makes the table of statistics
    connection.execute("delete from sqlite_stat1")
    tables = connection.execute("select name from sqlite_schema where type = 'table' and name not like 'sqlite_%'")
    for (table,) in tables.fetchall():
        for _, index, is_unique, origin, is_partial in connection.execute(f"pragma index_list('{table}')").fetchall():
            columns = [name for _, _, name in connection.execute(f"pragma index_info('{index}')")]
            is_table = origin == "pk" and _is_without_rowid(connection, table)
            rows = _PARTIAL_ASSUMED if is_partial else _ROWS_ASSUMED
            figures = _figures(rows, len(columns), by_project=columns[0] == "project", is_unique=bool(is_unique))
            row = (table, table if is_table else index, figures)
            connection.execute("insert into sqlite_stat1 (tbl, idx, stat) values (?, ?, ?)", row)


def _is_without_rowid(connection: sqlite3.Connection, table: str) -> bool:
    found = connection.execute("select wr from pragma_table_list where name = ?", (table,)).fetchone()
    return bool(found and found[0])


def _figures(rows: int, columns: int, *, by_project: bool, is_unique: bool) -> str:
    """How many rows an index has, and how many of them share its first column, its first two, and so on."""
    telling = columns - by_project
    shared = [rows] if by_project else []
    shared += [round(rows ** (1 - place / telling)) for place in range(1, telling + 1)]
    least = 1 if is_unique else 10
    return " ".join(str(max(count, least)) for count in [rows, *shared])
