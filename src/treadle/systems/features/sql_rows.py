"""Queries that work row by row: `select ... from flights where ...`, carried out by DuckDB on rows and on nothing else.

A view or a feature that is defined in SQL must not see across rows, as an expression must not. So DuckDB's own parser
reads the query, and what may stand in it is listed here: columns, constants, casts, comparisons, cases, and scalar
functions whose answer depends on their arguments alone. No aggregate, window, join, subquery, order, limit, clock or
random number. The engine is closed to files, networks, extensions and settings before it sees rows.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache
from typing import TYPE_CHECKING, Any

import polars as pl

from treadle.kernel.vocabulary.datasets import LANDING, ROW
from treadle.systems.features.errors import InvalidFeatureView, LooksAcrossRows

if TYPE_CHECKING:
    import duckdb

_PLAIN = {
    "COLUMN_REF",
    "CONSTANT",
    "COMPARISON",
    "CONJUNCTION",
    "CAST",
    "CASE",
    "BETWEEN",
    "TYPE",
    "OPERATOR",
    "FUNCTION",
}
"""Classes of DuckDB's syntax tree whose value depends on one row."""

_ACROSS = ("group_expressions", "group_sets", "having", "sample", "qualify", "modifiers")
"""Parts of a select that look across rows."""

KEPT = (LANDING, ROW, "_landed_at")
"""Columns that pass through a query, so that its rows can still be referred to."""


@dataclass(frozen=True, slots=True)
class RowQuery:
    """A checked query. Made by `row_query`.

    outputs: the columns that it gives, in order. reads: the columns that it reads. has_filter: whether it drops rows.
    """

    text: str
    table: str
    outputs: tuple[str, ...]
    reads: tuple[str, ...]
    has_filter: bool
    _tree: str

    @classmethod
    def parse(cls, text: str, table: str, of: str) -> RowQuery:
        """The query over one table. of: how errors name what is defined by it.

        Raises InvalidFeatureView for what is no such query, LooksAcrossRows for one that looks across rows.
        """
        tree = _tree_of(text, of)
        node = tree["statements"][0]["node"]
        _check_shape(node, table, of)
        outputs = tuple(_name_of(item, of) for item in node["select_list"])
        if len(set(outputs)) != len(outputs):
            raise InvalidFeatureView(f"The query of {of} gives two columns one name.", fix="Name them with: as.")
        reads: dict[str, None] = {}
        for part in _parts([*node["select_list"], node["where_clause"]]):
            _check_part(part, of)
            if part["class"] == "COLUMN_REF":
                path = part["column_names"]
                reads[path[1] if len(path) > 1 and path[0] == table else path[0]] = None
        return cls(text, table, outputs, tuple(sorted(reads)), node["where_clause"] is not None, json.dumps(tree))

    def apply(self, rows: pl.DataFrame) -> pl.DataFrame:
        """The query's columns of these rows, in their order, and those of `KEPT` that the rows have.

        Raises InvalidFeatureView when the query cannot be carried out on them.
        """
        kept = [column for column in KEPT if column in rows.columns and column not in self.outputs]
        with _connection() as connection:
            return _run(connection, self._with(kept), self.table, rows.select(*self.reads, *(c for c in kept if c not in self.reads)))  # fmt: skip

    def selecting(self, more: list[str]) -> str:
        """The query as SQL text, with further columns of the table."""
        with _connection() as connection:
            return _text_of(connection, self._with(more))

    def _with(self, more: list[str]) -> dict[str, Any]:
        tree: dict[str, Any] = json.loads(self._tree)
        node = tree["statements"][0]["node"]
        node["select_list"] += [_column(name) for name in more]
        return tree

    def only(self, outputs: tuple[str, ...]) -> RowQuery:
        """The same query with some of its columns. It reads what it read before."""
        tree = json.loads(self._tree)
        node = tree["statements"][0]["node"]
        node["select_list"] = [item for item, name in zip(node["select_list"], self.outputs, strict=True) if name in outputs]  # fmt: skip
        return replace(self, outputs=tuple(name for name in self.outputs if name in outputs), _tree=json.dumps(tree))


@cache
def row_query(text: str, table: str, of: str) -> RowQuery:
    """`RowQuery.parse`, once for each query."""
    return RowQuery.parse(text, table, of)


def _run(
    connection: duckdb.DuckDBPyConnection, tree: Mapping[str, Any], table: str, rows: pl.DataFrame
) -> pl.DataFrame:
    import duckdb

    connection.register(table, rows.to_arrow())
    try:
        found = pl.from_arrow(connection.sql(_text_of(connection, tree)).to_arrow_table())
    except duckdb.Error as error:
        raise InvalidFeatureView(
            f"The query over {table!r} cannot be carried out.",
            why=str(error).splitlines()[0],
            fix="Mend the query; try_cast gives null for what does not fit.",
        ) from error
    assert isinstance(found, pl.DataFrame)
    return found.with_columns(pl.col(pl.Datetime).dt.convert_time_zone("UTC")) if _zoned(found) else found


def _zoned(frame: pl.DataFrame) -> bool:
    return all(dtype.time_zone is not None for dtype in frame.dtypes if isinstance(dtype, pl.Datetime))


def _connection() -> duckdb.DuckDBPyConnection:
    import duckdb

    connection = duckdb.connect(":memory:", config={"enable_external_access": "false", "threads": "2"})
    connection.execute("set TimeZone = 'UTC'")
    connection.execute("set lock_configuration = true")
    return connection


def _tree_of(text: str, of: str) -> dict[str, Any]:
    with _connection() as connection:
        [(answer,)] = connection.execute("select json_serialize_sql(?)", [text]).fetchall()
    tree: dict[str, Any] = json.loads(answer)
    if tree.get("error") or len(tree.get("statements", ())) != 1:
        raise InvalidFeatureView(
            f"The query of {of} is not one select.",
            why=tree.get("error_message", "It holds several statements."),
            fix="Write: select key, event_time, ... from dataset",
        )
    return tree


def _text_of(connection: duckdb.DuckDBPyConnection, tree: Mapping[str, Any]) -> str:
    [(text,)] = connection.execute("select json_deserialize_sql(?::json)", [json.dumps(tree)]).fetchall()
    return str(text)


def _check_shape(node: Mapping[str, Any], table: str, of: str) -> None:
    source = node.get("from_table", {})
    if node["type"] != "SELECT_NODE" or source.get("type") != "BASE_TABLE" or source.get("table_name") != table:
        raise InvalidFeatureView(
            f"The query of {of} does not select from {table!r} alone.",
            why="Joins, subqueries and other tables would hide when their rows were known.",
            fix=f'Read from "{table}" and nothing else; join by point in time, with a view for each dataset.',
        )
    across = [part for part in _ACROSS if node.get(part)]
    if across or node["cte_map"]["map"]:
        raise LooksAcrossRows(
            f"The query of {of} looks across rows: {', '.join(across) or 'it has a with clause'}.",
            why="A value made from several rows can hold what was not yet known, and changes with the batch.",
            fix="Leave out group by, order by, limit, distinct; use windows for history.",
        )


def _name_of(item: Mapping[str, Any], of: str) -> str:
    name = item.get("alias") or (item["column_names"][-1] if item["class"] == "COLUMN_REF" else "")
    if not name:
        raise InvalidFeatureView(
            f"A column of the query of {of} has no name.",
            why="A star has none either: a column that is added to the dataset would change the view.",
            fix="Name each column, with: as.",
        )
    return str(name)


def _parts(tree: object) -> Iterator[Mapping[str, Any]]:
    """Every expression in a piece of the syntax tree."""
    if isinstance(tree, dict):
        if "class" in tree:
            yield tree
        for each in tree.values():
            yield from _parts(each)
    elif isinstance(tree, list):
        for each in tree:
            yield from _parts(each)


def _check_part(part: Mapping[str, Any], of: str) -> None:
    name = part.get("function_name", "")
    if part["class"] == "FUNCTION" and name in _functions():
        return
    if part["class"] in _PLAIN and part["class"] != "FUNCTION":
        return
    raise LooksAcrossRows(
        f"The query of {of} uses {name or str(part['class']).lower()!r}, whose value does not come from one row alone.",
        why="Aggregates, windows and subqueries look across rows; clocks and random numbers differ each time.",
        fix="Use windows for history, and the columns of the row for the rest.",
    )


@cache
def _functions() -> frozenset[str]:
    """The names of functions whose value depends on their arguments alone."""
    with _connection() as connection:
        found = connection.execute(
            "select function_name from duckdb_functions() group by 1 having bool_and(function_type = 'scalar' and"
            " stability = 'CONSISTENT' and not coalesce(has_side_effects, false))"
        ).fetchall()
    return frozenset(name for (name,) in found)


def _column(name: str) -> dict[str, Any]:
    return {
        "class": "COLUMN_REF",
        "type": "COLUMN_REF",
        "alias": "",
        "query_location": 0,
        "query_location_length": 0,
        "column_names": [name],
    }
