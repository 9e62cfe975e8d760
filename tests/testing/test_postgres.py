"""A database that is given to the next test must not be told from a new one."""

from __future__ import annotations

import psycopg
import pytest

from treadle.backends.postgres import open_postgres
from treadle.kernel.store.sql import parse
from treadle.migrations import schema
from treadle.testing.postgres import postgres_store_database

SQL = parse(
    """
-- name: put
insert into tag (project, subject, key, value, actor, recorded_at) values ('p', 's', 'k', 'v', 'a', 0)
"""
)


def test_a_database_is_given_on_without_its_rows() -> None:
    with postgres_store_database() as first:
        store = open_postgres(first, schema())
        store.write(lambda tx: tx.put(SQL["put"]))
        store.close()

    with postgres_store_database() as second, psycopg.connect(second) as connection:
        rows = connection.execute("select count(*) from tag").fetchone()

    assert (second, rows) == (first, (0,))


@pytest.mark.parametrize(
    "change",
    [
        "create table of_a_test (id int)",
        "alter table tag add column of_a_test int",
        "create schema of_a_test",
        "create function of_a_test() returns int language sql as 'select 1'",
        "update alembic_version set version_num = 'of_a_test'",
        "drop table alembic_version",
        "create publication of_a_test for all tables",
    ],
)
def test_a_database_that_somebody_changed_is_given_to_nobody(change: str) -> None:
    with postgres_store_database() as first, psycopg.connect(first, autocommit=True) as connection:
        connection.execute(change)  # type: ignore[arg-type]

    with postgres_store_database() as second:
        assert second != first
