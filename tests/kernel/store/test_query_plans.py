"""How SQLite answers the statements: by an index on what they ask for, not by walking a whole project."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

import treadle
from treadle.kernel.store.sql import Statement, Statements
from treadle.testing.stores import embedded_store

SOURCE = Path(treadle.__file__).parent
LARGE = {
    "run",
    "edge",
    "metric",
    "log_chunk",
    "landing",
    "tracked_run",
    "metric_latest",
    "metric_chunk",
    "run_param",
    "stored_file",
    "trace",
    "span",
    "assessment",
    "trial",
    "study_change",
    "run_tag",
    "logged_model_metric",
    "trace_tag",
    "trace_metadata",
    "logged_model",
    "run_input",
    "stored_folder",
}
"""Tables that grow with every run."""
WALKS = {
    "all_logged_models": "an export writes all of them",
    "all_runs": "an export writes all of them, a check compares them",
    "blobs": "clean-up asks what every file needs",
    "expired_models": "clean-up, once in a while, asks what was deleted long ago",
    "expired_runs": "clean-up, once in a while, asks what was deleted long ago",
    "needed_as_arguments": "clean-up asks what every run needs",
    "needed_as_code": "clean-up asks what every run needs",
    "needed_as_environment": "clean-up asks what every run needs",
    "needed_by_runs": "clean-up asks what every run needs",
    "newest_run": "the last row of the key is the answer",
    "runs_of_bundle": "asked when somebody looks at a bundle of code",
    "stored": "a check compares every file with its bytes",
}
"""Statements that read all of it, and why they may."""


def statements() -> Iterator[tuple[str, Statement]]:
    for file in sorted(SOURCE.rglob("statements.sql")):
        package = ".".join(("treadle", *file.parent.relative_to(SOURCE).parts))
        yield from Statements(package).known().items()


@pytest.fixture(scope="module")
def connection(tmp_path_factory: pytest.TempPathFactory) -> Iterator[sqlite3.Connection]:
    store = embedded_store(tmp_path_factory.mktemp("store"))
    connection = sqlite3.connect(store.path)
    yield connection
    connection.close()
    store.close()


def test_no_statement_walks_all_runs_of_a_project(connection: sqlite3.Connection) -> None:
    walking = set()
    for name, statement in statements():
        values = dict.fromkeys(statement.parameters, "1")
        if LARGE.isdisjoint(re.findall(r"\w+", statement.sqlite)):
            continue
        for *_, step in connection.execute("explain query plan " + statement.sqlite, values):
            walk = re.fullmatch(r"SCAN (\w+)(?: USING .*)?|SEARCH (\w+) USING .*\(project=\?\)", step)
            if walk and is_large(walk[1] or walk[2], statement.sqlite) and "ix_landing_intent" not in step:
                walking.add(name)

    assert walking - set(WALKS) == set()


def is_large(alias: str, sql: str) -> bool:
    """Whether the table that a statement calls so is one of the large ones."""
    return alias in LARGE or re.search(rf"\b({'|'.join(LARGE)}) (as )?{alias}\b", sql) is not None


def test_the_planner_knows_every_index(connection: sqlite3.Connection) -> None:
    named = {row[0] for row in connection.execute("select name from sqlite_schema where type = 'index'")}
    informed = {row[0] for row in connection.execute("select idx from sqlite_stat1")}

    assert {name for name in named if not name.startswith("sqlite_autoindex")} <= informed
