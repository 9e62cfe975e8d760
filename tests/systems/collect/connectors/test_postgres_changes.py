"""Changes of a real PostgreSQL land once each, with their commits, and add up to the table."""

from __future__ import annotations

import contextlib
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl
import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.systems.collect.conftest import ADA, Home, open_home
from treadle.ground.errors import TreadleError
from treadle.systems.collect.connectors.changes import current
from treadle.systems.collect.connectors.looking import look_at
from treadle.systems.collect.connectors.postgres_changes import PostgresChangesSource
from treadle.systems.collect.connectors.steps import SteppedSource
from treadle.testing.postgres import logical_postgres_database, postgres_database

PROGRAM = Path(__file__).with_name("changes_that_die.py")


class Database:
    def __init__(self, url: str) -> None:
        self.url = url
        self._connection = psycopg.connect(url, autocommit=True)

    def do(self, *statements: str) -> None:
        for statement in statements:
            self._connection.execute(statement)  # type: ignore[arg-type]

    def rows(self, statement: str) -> list[tuple[Any, ...]]:
        return self._connection.execute(statement).fetchall()  # type: ignore[arg-type]

    def clear(self) -> None:
        for (slot,) in self.rows("select slot_name from pg_replication_slots where database = current_database()"):
            self.do(f"select pg_drop_replication_slot('{slot}')")
        for (name,) in self.rows("select pubname from pg_publication"):
            self.do(f'drop publication "{name}"')
        self.do("drop schema public cascade", "create schema public")

    def close(self) -> None:
        self._connection.close()


@pytest.fixture(scope="module")
def server() -> Iterator[Database]:
    with logical_postgres_database() as url:
        opened = Database(url)
        yield opened
        opened.close()


@pytest.fixture
def database(server: Database) -> Database:
    server.clear()
    server.do("create table orders (id int primary key, note text)")
    return server


def source(database: Database, **options: Any) -> SteppedSource:
    return PostgresChangesSource(**{"url": database.url, "table": "orders", **options}).open("orders", Path())


def changes(home: Home) -> pl.DataFrame:
    frame = home.datasets.scan("default", home.datasets.snapshot("default", "orders")).collect()
    return frame.sort("_lsn", "_position")


def told(home: Home) -> list[tuple[Any, ...]]:
    return changes(home).select("_op", "id", "note").rows()


def test_a_copy_lands_first_and_then_each_change(home, database):
    database.do("insert into orders values (1, 'tea'), (2, 'rice')")
    home.datasets.land(ADA, "orders", source(database))
    database.do(
        "insert into orders values (3, 'oil')",
        "update orders set note = 'green tea' where id = 1",
        "delete from orders where id = 2",
    )

    [landing] = home.datasets.land(ADA, "orders", source(database))

    assert told(home) == [
        ("read", 1, "tea"),
        ("read", 2, "rice"),
        ("insert", 3, "oil"),
        ("update", 1, "green tea"),
        ("delete", 2, None),
    ]
    assert landing.source["transactions"] == 3
    frame = changes(home)
    assert frame["_committed_at"].null_count() == 2
    assert frame["_lsn"].is_sorted()
    assert current(frame, "id").collect().select("id", "note").rows() == [(1, "green tea"), (3, "oil")]
    assert home.datasets.land(ADA, "orders", source(database)) == []


def test_the_slot_moves_on_when_the_landing_stands_and_not_before(home, database):
    home.datasets.land(ADA, "orders", source(database))
    database.do("insert into orders values (1, 'a')")
    where = "select confirmed_flush_lsn from pg_replication_slots where slot_name = 'treadle_orders'"
    before = database.rows(where)

    at_landing: list[Any] = []
    watching = open_home(home.folder, at=lambda point: at_landing.append(database.rows(where)))
    watching.datasets.land(ADA, "orders", source(database))

    assert at_landing
    assert all(seen == before for seen in at_landing)
    assert database.rows(where) > before
    watching.store.close()


@pytest.mark.parametrize(
    ("point", "is_first"), [("written", True), ("settled", True), ("planned", False), ("settled", False)]
)
def test_a_process_killed_at_any_point_loses_and_doubles_no_change(tmp_path, database, point, is_first):
    database.do("insert into orders values (1, 'a')")
    home = open_home(tmp_path)
    if not is_first:
        home.datasets.land(ADA, "orders", source(database))
        database.do("insert into orders values (2, 'b')", "update orders set note = 'c' where id = 1")

    done = subprocess.run([sys.executable, PROGRAM, tmp_path, database.url, point], capture_output=True, check=False)
    assert done.returncode == -signal.SIGKILL, done.stderr.decode()
    database.do("insert into orders values (9, 'z')")
    home.datasets.recover("default")
    home.datasets.land(ADA, "orders", source(database))

    if is_first:
        assert Counter((id, note) for _, id, note in told(home)) == {(1, "a"): 1, (9, "z"): 1}
    else:
        assert told(home) == [("read", 1, "a"), ("insert", 2, "b"), ("update", 1, "c"), ("insert", 9, "z")]
    home.store.close()


def test_a_transaction_lands_as_a_whole_and_one_that_was_rolled_back_not_at_all(home, database):
    home.datasets.land(ADA, "orders", source(database))
    database.do("begin", "insert into orders select g, 'x' from generate_series(1, 20) g", "commit")
    database.do("begin", "insert into orders values (99, 'no')", "rollback", "insert into orders values (21, 'y')")

    landings = home.datasets.land(ADA, "orders", source(database, batch_changes=5))

    assert [one.rows_in for one in landings] == [20, 1]
    assert changes(home).group_by("_lsn").len()["len"].sort().to_list() == [1, 20]


def test_a_change_of_the_key_takes_the_old_one_away(home, database):
    database.do("insert into orders values (1, 'a')")
    home.datasets.land(ADA, "orders", source(database))
    database.do("update orders set id = 7 where id = 1")

    home.datasets.land(ADA, "orders", source(database))

    assert told(home)[1:] == [("delete", 1, None), ("update", 7, "a")]
    assert current(changes(home), "id").collect()["id"].to_list() == [7]


def test_a_large_value_that_an_update_leaves_alone_is_taken_from_before(home, database):
    database.do(
        "create table docs (id int primary key, body text, n int)", "alter table docs alter body set storage external"
    )
    database.do("insert into docs values (1, repeat('x', 10000), 1)")
    home.datasets.land(ADA, "orders", source(database, table="docs"))
    database.do("update docs set n = 2")

    home.datasets.land(ADA, "orders", source(database, table="docs"))

    frame = changes(home)
    assert frame["_unchanged"].to_list() == [[], ["body"]]
    assert current(frame, "id").collect().select("n", pl.col("body").str.len_bytes()).rows() == [(2, 10000)]


def test_a_truncated_table_is_empty_until_rows_come(home, database):
    database.do("insert into orders values (1, 'a'), (2, 'b')")
    home.datasets.land(ADA, "orders", source(database))
    database.do("truncate orders", "insert into orders values (2, 'c')")

    home.datasets.land(ADA, "orders", source(database))

    assert [op for op, _, _ in told(home)] == ["read", "read", "truncate", "insert"]
    assert current(changes(home), "id").collect().select("id", "note").rows() == [(2, "c")]


def test_a_column_that_is_added_is_there_from_then_on(home, database):
    home.datasets.land(ADA, "orders", source(database))
    database.do("insert into orders values (1, 'a')", "alter table orders add price numeric(8,2)")
    database.do("insert into orders values (2, 'b', 9.5)")

    home.datasets.land(ADA, "orders", source(database))

    assert changes(home).select("id", "price").rows() == [(1, None), (2, Decimal("9.50"))]


def test_copy_and_changes_give_the_same_types_and_values(home, database):
    database.do(
        """create table kinds (id bigint primary key, small smallint, flag boolean, price numeric(12,2), any_numeric numeric,
            ratio double precision, day date, clock timestamp, moment timestamptz, raw bytea, doc jsonb, tags text[])"""
    )
    values = """2, true, 19.99, 0.5, 1e300, '2024-02-29', '2024-01-01 10:00:00.123456', '2024-01-01 10:00:00+02', '\\x00ff',
        '{"a": 1}', '{a,b}'"""
    database.do(f"insert into kinds values (1, {values})")
    home.datasets.land(ADA, "orders", source(database, table="kinds"))
    database.do(f"insert into kinds values (2, {values})")

    home.datasets.land(ADA, "orders", source(database, table="kinds"))

    frame = changes(home)
    first, second = (row[3:14] for row in frame.rows())
    assert first == second
    assert first[:3] == (2, True, Decimal("19.99"))
    assert (first[4], first[8]) == (1e300, b"\x00\xff")
    assert isinstance(first[7], datetime)
    assert first[7].utcoffset() is not None


def test_a_slot_that_somebody_took_away_is_an_error_and_not_a_gap(home, database):
    home.datasets.land(ADA, "orders", source(database))
    database.do("select pg_drop_replication_slot('treadle_orders')", "insert into orders values (1, 'a')")

    with pytest.raises(TreadleError) as caught:
        home.datasets.land(ADA, "orders", source(database))

    assert caught.value.code == "source.position_lost"


def test_a_slot_that_was_moved_on_by_somebody_is_an_error_and_not_a_gap(home, database):
    home.datasets.land(ADA, "orders", source(database))
    database.do("insert into orders values (1, 'a')")
    database.do("select pg_replication_slot_advance('treadle_orders', pg_current_wal_lsn())")

    with pytest.raises(TreadleError) as caught:
        home.datasets.land(ADA, "orders", source(database))

    assert caught.value.code == "source.position_lost"


def test_a_table_without_a_key_is_refused_before_it_is_published(home, database):
    database.do("create table notes (note text)")

    with pytest.raises(TreadleError) as caught:
        home.datasets.land(ADA, "orders", source(database, table="notes"))
    database.do("insert into notes values ('a')", "update notes set note = 'b'")  # the application goes on
    database.do("alter table notes replica identity full")
    home.datasets.land(ADA, "orders", source(database, table="notes"))
    database.do("update notes set note = 'c'", "delete from notes")
    home.datasets.land(ADA, "orders", source(database, table="notes"))

    assert "REPLICA IDENTITY FULL" in caught.value.fix
    assert changes(home).select("_op", "note").rows() == [("read", "b"), ("update", "c"), ("delete", "c")]


def test_a_server_without_logical_decoding_says_so_and_what_to_do_instead(home):
    with postgres_database() as url:
        plain = Database(url)
        plain.do("create table orders (id int primary key, note text)", "insert into orders values (1, 'a')")
        level = plain.rows("show wal_level")[0][0]
        if level == "logical":
            pytest.skip("the server of TREADLE_TEST_POSTGRES has logical decoding")

        with pytest.raises(TreadleError) as caught:
            home.datasets.land(ADA, "orders", source(plain))
        seen = look_at(source(plain), 5)
        plain.close()

    assert caught.value.code == "source.refused"
    assert "kind `sql`" in caught.value.fix
    assert seen.frame.rows() == [(1, "a")]
    assert "wal_level" in seen.problems[0]


def test_a_look_makes_neither_slot_nor_publication(database):
    database.do("insert into orders values (1, 'a')")

    seen = look_at(source(database), 5)

    assert seen.frame.rows() == [(1, "a")]
    assert database.rows("select 1 from pg_replication_slots where database = current_database()") == []
    assert database.rows("select 1 from pg_publication") == []


class Killed(BaseException):
    """The process ends here, as far as the landing can tell."""


ACTS = st.sampled_from(["insert", "update", "delete", "rekey"])
POINTS = st.none() | st.sampled_from(["intent", "written", "planned", "committed main", "settled"])


@settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    rounds=st.lists(st.tuples(st.lists(st.tuples(ACTS, st.integers(0, 4)), max_size=6), POINTS), min_size=1, max_size=4)
)
def test_whatever_changes_and_is_killed_the_changes_add_up_to_the_table(tmp_path_factory, database, rounds):
    database.clear()
    database.do("create table orders (id int primary key, note text)", "insert into orders values (0, 'first')")
    point: list[str | None] = [None]

    def die(reached: str) -> None:
        if reached == point[0]:
            raise Killed

    home = open_home(tmp_path_factory.mktemp("home"), at=die)
    statements = {
        "insert": "insert into orders values ({id}, 'n{n}') on conflict do nothing",
        "update": "update orders set note = 'u{n}' where id = {id}",
        "delete": "delete from orders where id = {id}",
        "rekey": "update orders set id = id + 1000 * ({n} + 1) where id = {id}",
    }
    for number, (acts, kill) in enumerate(rounds):
        for place, (act, id) in enumerate(acts):
            database.do(statements[act].format(id=id, n=number * 10 + place))
        point[0] = kill
        with contextlib.suppress(Killed):
            home.datasets.land(ADA, "orders", source(database, batch_changes=2))
        point[0] = None
    home.datasets.recover("default")
    home.datasets.land(ADA, "orders", source(database))

    wanted = sorted(database.rows("select id, note from orders"))
    frame = changes(home) if home.datasets.find_snapshot("default", "orders") else None
    home.store.close()
    if frame is None:
        assert wanted == []
        return
    assert current(frame, "id").collect().select("id", "note").rows() == wanted
    assert frame.select("_lsn", "_position").is_unique().all()
