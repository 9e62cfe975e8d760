"""SQL rules, carried out by DuckDB on the rows of one frame and on nothing else.

The text comes from a contract, and a contract may come from anybody: the engine is closed to files, networks, extensions
and settings before the query is seen.
"""

from __future__ import annotations

import re
from typing import Any

import polars as pl

from treadle.systems.prepare.errors import RuleRefused

_TABLE = re.compile(r"\$\{(?:table|object|schema)\}")


def answer(query: str, frame: pl.LazyFrame | pl.DataFrame) -> Any:
    """The one value that a query gives. `${table}` is the frame. Raises RuleRefused."""
    import duckdb

    connection = duckdb.connect(":memory:", config={"enable_external_access": "false", "threads": "2"})
    try:
        connection.register("rows", frame.lazy().collect().to_arrow())
        connection.execute("set lock_configuration = true")
        found = connection.execute(_TABLE.sub("rows", query)).fetchall()
    except duckdb.Error as error:
        raise RuleRefused(
            f"The query {query!r} cannot be carried out.",
            why=str(error).splitlines()[0],
            fix="Write a SELECT over ${table} that gives one number.",
        ) from error
    finally:
        connection.close()
    if len(found) != 1 or len(found[0]) != 1:
        raise RuleRefused(
            f"The query {query!r} gives {len(found)} rows.", fix="Write a SELECT over ${table} that gives one number."
        )
    return found[0][0]
