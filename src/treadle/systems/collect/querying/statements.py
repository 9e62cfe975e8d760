"""What a query is and what it names, read from DuckDB's own parser before anything is carried out.

A query is one SELECT. The tables in it are datasets; `weather@v3` is one at a version, tag, branch or time, which is put
into quotes here, since SQL knows no such name. Functions that read files, settings or the engine's own catalog are refused
by name: the sandbox would let none of them out of it, but they would tell where the files lie.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from treadle.systems.collect.errors import QueryRefused

_TOKENS = re.compile(
    r"""'(?:[^']|'')*' | "(?:[^"]|"")*" | \$(?P<tag>\w*)\$.*?\$(?P=tag)\$ | --[^\n]* | /\*.*?\*/
    | (?P<name>[A-Za-z_][A-Za-z0-9_.-]*)@(?P<at>[A-Za-z0-9](?:[A-Za-z0-9_.:+-]*[A-Za-z0-9])?)""",
    re.VERBOSE | re.DOTALL,
)
_TABLE_FUNCTIONS = frozenset({"generate_series", "json_each", "json_tree", "range", "unnest"})
_TELLING = frozenset({"current_setting", "getenv", "getvariable", "query", "query_table", "write_log"})
_NODES = frozenset({"CTE_NODE", "RECURSIVE_CTE_NODE", "SELECT_NODE", "SET_OPERATION_NODE", "VALUES_NODE"})


@dataclass(frozen=True, slots=True)
class Statement:
    """A query that may be carried out.

    tables: by the parts under which the query names a table (`("weather@v3",)`, `("late", "predictions")`), whether it
    is certain that a dataset is meant; a name that a WITH clause gives as well may be either.
    """

    sql: str
    tables: Mapping[tuple[str, ...], bool]


def read(sql: str) -> Statement:
    """The query. Raises QueryRefused for what is no SELECT, or reads something else than datasets."""
    import duckdb

    quoted = _TOKENS.sub(_quoted, sql)
    closed = duckdb.connect(":memory:", config={"enable_external_access": "false", "lock_configuration": "true"})
    try:
        tree = json.loads(closed.execute("select json_serialize_sql(?::varchar)", [quoted]).fetchall()[0][0])
    except duckdb.Error as error:
        raise QueryRefused("The query cannot be read.", why=str(error).splitlines()[0]) from error
    finally:
        closed.close()
    if tree.get("error"):
        raise _unread(str(tree.get("error_message", "")))
    statements = tree["statements"]
    if len(statements) != 1:
        raise QueryRefused(f"These are {len(statements)} queries.", fix="Ask them one by one.")
    nodes = list(_walk(statements[0]))
    _check(nodes)
    given = {str(entry["key"]).lower() for node in nodes for entry in _given(node)}
    tables = {
        _path(node): len(_path(node)) > 1 or _path(node)[0].lower() not in given for node in nodes if _is_table(node)
    }
    return Statement(quoted, tables)


def _quoted(found: re.Match[str]) -> str:
    return found[0] if found["name"] is None else f'"{found[0]}"'


def _walk(tree: Any) -> Iterator[dict[str, Any]]:
    if isinstance(tree, dict):
        yield tree
        for value in tree.values():
            yield from _walk(value)
    elif isinstance(tree, list):
        for value in tree:
            yield from _walk(value)


def _check(nodes: list[dict[str, Any]]) -> None:
    for node in nodes:
        kind = str(node.get("type", ""))
        if kind.endswith("_NODE") and kind not in _NODES:
            raise QueryRefused(
                f"A query reads, and this one has a {kind.removesuffix('_NODE')}.", fix="Write a SELECT."
            )
        name = str(node.get("function_name", "")).lower()
        if kind == "TABLE_FUNCTION":
            name = str(node["function"].get("function_name", "")).lower()
            if name not in _TABLE_FUNCTIONS:
                raise QueryRefused(
                    f"The function {name}() is not for queries.",
                    why="A query reads datasets, and neither files nor the engine's own tables.",
                    fix="Name a dataset: select … from flights, or from flights@v3.",
                )
        elif name in _TELLING:
            raise QueryRefused(f"The function {name}() is not for queries.", why="It tells of the engine's settings.")


def _is_table(node: Mapping[str, Any]) -> bool:
    return node.get("type") == "BASE_TABLE"


def _path(node: Mapping[str, Any]) -> tuple[str, ...]:
    qualified = node.get("qualified_name")
    if isinstance(qualified, dict) and qualified.get("path"):
        return tuple(str(part) for part in qualified["path"])
    parts = (node.get("catalog_name"), node.get("schema_name"), node.get("table_name"))
    return tuple(str(part) for part in parts if part)


def _given(node: Mapping[str, Any]) -> list[dict[str, Any]]:
    given = node.get("cte_map")
    return list(given.get("map", [])) if isinstance(given, dict) else []


def _unread(message: str) -> QueryRefused:
    if message.startswith("Only SELECT"):
        return QueryRefused(
            "This is no SELECT.", why="A query reads and changes nothing.", fix="Land what has to change."
        )
    return QueryRefused(
        "The query cannot be read.",
        why=message,
        fix='Put a name that is no plain word into double quotes: from "late-arrival".',
    )
