"""PostgreSQL and MariaDB are read as they are: every type keeps its values, and a kill or a tie costs nothing."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pymysql
import pytest

from tests.systems.collect.conftest import ADA, Home
from tests.systems.collect.connectors.servers import MARIADB, needs
from treadle.ground.errors import TreadleError
from treadle.ground.ids import new_id
from treadle.systems.collect.connectors.sql import SqlSource
from treadle.systems.collect.connectors.steps import SteppedSource
from treadle.testing.postgres import postgres_database

Execute = Callable[[str], None]


@pytest.fixture(scope="module")
def postgres_url() -> Iterator[str]:
    with postgres_database() as url:
        yield url


@pytest.fixture
def postgres(postgres_url: str) -> Iterator[tuple[str, Execute]]:
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        connection.execute("drop schema public cascade; create schema public")
        yield postgres_url, lambda statement: connection.execute(statement)


@pytest.fixture
def mariadb() -> Iterator[tuple[str, Execute]]:
    needs(MARIADB, "MariaDB", "TREADLE_TEST_MARIADB")
    parts = urlsplit(MARIADB)
    name = new_id("t")
    connection = pymysql.connect(
        host=parts.hostname,
        port=parts.port or 3306,
        user=parts.username,
        password=parts.password or "",
        autocommit=True,
    )

    def execute(statement: str) -> None:
        with connection.cursor() as cursor:
            cursor.execute(statement)

    execute(f"create database `{name}`")
    execute(f"use `{name}`")
    yield parts._replace(path=f"/{name}").geturl(), execute
    execute(f"drop database `{name}`")
    connection.close()


@pytest.fixture(params=["postgres", "mariadb"])
def server(request: pytest.FixtureRequest) -> tuple[str, Execute]:
    found: tuple[str, Execute] = request.getfixturevalue(request.param)
    return found


def source(url: str, **options: object) -> SteppedSource:
    return SqlSource(**{"url": url, "table": "orders", "cursor": "updated_at", **options}).open("orders", Path())  # type: ignore[arg-type]


def rows(home: Home, *columns: str) -> list[tuple[object, ...]]:
    frame = home.datasets.scan("default", home.datasets.snapshot("default", "orders")).collect()
    return sorted(frame.select(columns).rows())


def test_rows_land_in_batches_and_what_is_new_lands_later(home, server):
    url, execute = server
    execute("create table orders (id int, updated_at timestamp(6) not null)")
    execute(
        "insert into orders values (1, '2024-01-01 10:00:00'), (2, '2024-01-01 10:00:00'), (3, '2024-01-02 00:00:00.25')"
    )

    first = home.datasets.land(ADA, "orders", source(url, batch_rows=2))
    execute("insert into orders values (4, '2024-01-02 00:00:00.25'), (5, '2024-03-01 00:00:00')")
    second = home.datasets.land(ADA, "orders", source(url, batch_rows=2))

    assert [one.rows_in for one in first] == [2, 1]
    assert sum(one.rows_in for one in second) == 2
    assert rows(home, "id") == [(1,), (2,), (3,), (4,), (5,)]
    assert home.datasets.land(ADA, "orders", source(url)) == []


@pytest.mark.parametrize("kind", ["bigint", "numeric(20,4)", "double precision", "date", "varchar(30)"])
def test_a_cursor_column_may_be_of_any_kind_that_has_an_order(home, server, kind):
    url, execute = server
    low, tie, high = (
        ("'2024-01-01'", "'2024-01-02'", "'2024-02-01'") if kind in ("date", "varchar(30)") else ("1", "2", "3")
    )
    execute(f"create table orders (id int, updated_at {kind} not null)")
    execute(f"insert into orders values (1, {low}), (2, {tie})")

    home.datasets.land(ADA, "orders", source(url))
    execute(f"insert into orders values (3, {tie}), (4, {high})")
    home.datasets.land(ADA, "orders", source(url))

    assert rows(home, "id") == [(1,), (2,), (3,), (4,)]


def test_texts_that_a_collation_holds_for_equal_are_different_rows(home, server):
    url, execute = server
    execute("create table orders (id int, updated_at varchar(10) not null)")
    execute("insert into orders values (1, 'a'), (2, 'B'), (3, 'A'), (4, 'b''%s')")

    home.datasets.land(ADA, "orders", source(url, batch_rows=1))
    execute("insert into orders values (5, 'b'), (6, 'c')")
    home.datasets.land(ADA, "orders", source(url, batch_rows=1))

    assert rows(home, "id") == [(1,), (2,), (3,), (4,), (6,)]  # 'b' sorts before "b'%s" and came too late


def test_late_rows_within_the_overlap_land_once(home, server):
    url, execute = server
    execute("create table orders (id int, updated_at timestamp not null)")
    execute("insert into orders values (1, '2024-01-01 10:00:00'), (2, '2024-01-01 10:10:00')")

    home.datasets.land(ADA, "orders", source(url, overlap=300))
    execute("insert into orders values (3, '2024-01-01 10:06:00')")
    home.datasets.land(ADA, "orders", source(url, overlap=300))
    home.datasets.land(ADA, "orders", source(url, overlap=300))

    assert rows(home, "id") == [(1,), (2,), (3,)]


def test_a_query_lands_as_it_is_written(home, server):
    url, execute = server
    execute("create table orders (id int, updated_at int not null, note varchar(20))")
    execute("insert into orders values (1, 1, 'ab'), (2, 2, 'cd')")

    query = "select id * 10 as id, updated_at from orders where note like 'a%'; "
    home.datasets.land(ADA, "orders", source(url, table=None, query=query))
    home.datasets.land(ADA, "orders", source(url, table=None, query=query))

    assert rows(home, "id") == [(10,)]


def test_a_source_cannot_write(home, server):
    url, execute = server
    execute("create table orders (id int, updated_at int not null)")
    execute("insert into orders values (1, 1)")

    query = "select 1 as updated_at) as x; delete from orders; select * from (select 1 as updated_at"

    with pytest.raises(TreadleError):
        home.datasets.land(ADA, "orders", source(url, table=None, query=query))

    home.datasets.land(ADA, "orders", source(url))
    assert rows(home, "id") == [(1,)]


def test_a_password_that_is_wrong_is_in_no_error(home, server, monkeypatch):
    monkeypatch.setenv("TREADLE_SECRET_SHOP", "n0t/the:one")
    url, execute = server
    with contextlib.suppress(Exception):
        execute("drop table orders")
    wrong = urlsplit(url)._replace(netloc="nobody@127.0.0.1:1").geturl()

    with pytest.raises(TreadleError) as caught:
        home.datasets.land(ADA, "orders", source(wrong, password="secret://shop"))

    assert caught.value.code == "source.unreachable"
    assert "n0t" not in repr(caught.value.sentences())


def test_postgres_types_keep_their_values(home, postgres):
    url, execute = postgres
    execute(
        """create table orders (
            updated_at bigint not null, small smallint, price numeric(12,2), any_numeric numeric, real real, flag boolean,
            day date, clock timestamp, moment timestamptz, note text, uid uuid, doc jsonb, lasts interval, at_time time,
            tags text[], numbers integer[], raw bytea, ip inet)"""
    )
    execute(
        """insert into orders values (1, 2, 19.99, 0.5, 1.5, true, '2024-02-29', '2024-01-01 10:00:00.123456',
            '2024-01-01 10:00:00+02', 'ä', '6f9619ff-8b86-d011-b42d-00cf4fc964ff', '{"a": 1}', '1 day', '10:00',
            '{a,b}', '{1,2}', '\\x00ff', '10.0.0.1'),
            (2, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null)"""
    )

    home.datasets.land(ADA, "orders", source(url))

    frame = home.datasets.scan("default", home.datasets.snapshot("default", "orders")).collect().sort("updated_at")
    assert frame.row(0, named=True) | {"_landing": ""} == {
        "_landing": "", "_row": 0, "updated_at": 1, "small": 2, "price": Decimal("19.99"), "any_numeric": 0.5, "real": 1.5,
        "flag": True, "day": date(2024, 2, 29), "clock": datetime(2024, 1, 1, 10, 0, 0, 123456),
        "moment": datetime(2024, 1, 1, 8, tzinfo=UTC), "note": "ä", "uid": "6f9619ff-8b86-d011-b42d-00cf4fc964ff",
        "doc": '{"a": 1}', "lasts": "1 day", "at_time": "10:00:00", "tags": ["a", "b"], "numbers": [1, 2],
        "raw": b"\x00\xff", "ip": "10.0.0.1/32",
    }  # fmt: skip
    assert set(frame.row(1)[3:]) == {None}


def test_mariadb_types_keep_their_values(home, mariadb):
    url, execute = mariadb
    execute(
        """create table orders (
            updated_at bigint not null, tiny tinyint, big bigint unsigned, price decimal(12,2), half float, twice double,
            day date, clock datetime(6), moment timestamp null, note text, short varchar(10), doc json, at_time time,
            raw varbinary(4), born year)"""
    )
    execute(
        """insert into orders values (1, 1, 18446744073709551615, 19.99, 1.5, 2.5, '2024-02-29',
            '2024-01-01 10:00:00.123456', '2024-01-01 10:00:00', 'ä', '007', '{"a": 1}', '-10:30:00', x'00ff', 1999),
            (2, null, null, null, null, null, null, null, null, null, null, null, null, null, null)"""
    )

    home.datasets.land(ADA, "orders", source(url))

    frame = home.datasets.scan("default", home.datasets.snapshot("default", "orders")).collect().sort("updated_at")
    found = frame.row(0, named=True)
    assert isinstance(found.pop("moment"), datetime)
    assert str(frame.schema["moment"]) == "Datetime(time_unit='us', time_zone='UTC')"
    assert found | {"_landing": ""} == {
        "_landing": "", "_row": 0, "updated_at": 1, "tiny": 1, "big": Decimal(18446744073709551615), "price": Decimal("19.99"),
        "half": 1.5, "twice": 2.5, "day": date(2024, 2, 29), "clock": datetime(2024, 1, 1, 10, 0, 0, 123456),
        "note": "ä", "short": "007", "doc": '{"a": 1}', "at_time": "-10:30:00.000000", "raw": b"\x00\xff", "born": 1999,
    }  # fmt: skip
    assert set(frame.row(1)[3:]) == {None}


def test_a_value_that_is_no_date_is_put_aside_and_not_bent(home, mariadb):
    url, execute = mariadb
    execute("set session sql_mode = ''")
    execute("create table orders (updated_at int not null, day date)")
    execute("insert into orders values (1, '2024-01-01')")
    home.datasets.land(ADA, "orders", source(url))
    execute("insert into orders values (2, '0000-00-00'), (3, '2024-01-03')")

    [landing] = home.datasets.land(ADA, "orders", source(url), on_mismatch="quarantine")

    assert (landing.rows_kept, landing.rows_refused) == (1, 1)
    assert rows(home, "updated_at") == [(1,), (3,)]
