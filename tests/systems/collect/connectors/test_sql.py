"""A database is read forward: each row lands once, whatever ties, late rows and kills there are."""

from __future__ import annotations

import contextlib
import sqlite3
from collections import Counter
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.systems.collect.conftest import ADA, Home, open_home
from treadle.ground.errors import TreadleError
from treadle.systems.collect.connectors.sql import SqlSource
from treadle.systems.collect.connectors.steps import SteppedSource


def orders(folder: Path, **options: object) -> SteppedSource:
    given = {"url": "sqlite:///shop.db", "table": "orders", "cursor": "updated_at", **options}
    return SqlSource(**given).open("orders", folder)  # type: ignore[arg-type]


def execute(folder: Path, *statements: str) -> None:
    with contextlib.closing(sqlite3.connect(folder / "shop.db")) as connection, connection:
        for statement in statements:
            connection.execute(statement)


def insert(folder: Path, rows: list[tuple[int, object]]) -> None:
    with contextlib.closing(sqlite3.connect(folder / "shop.db")) as connection, connection:
        connection.execute("create table if not exists orders (id integer, updated_at)")
        connection.executemany("insert into orders values (?, ?)", rows)


def landed(home: Home, name: str = "orders") -> pl.DataFrame:
    return home.datasets.scan("default", home.datasets.snapshot("default", name)).collect().sort("_landing", "_row")


def ids(home: Home) -> list[int]:
    return sorted(landed(home)["id"])


def test_a_run_lands_what_came_since_the_last_one(home):
    insert(home.folder, [(1, 10), (2, 20)])
    home.datasets.land(ADA, "orders", orders(home.folder))
    insert(home.folder, [(3, 30)])

    [second] = home.datasets.land(ADA, "orders", orders(home.folder))

    assert (second.rows_in, ids(home)) == (1, [1, 2, 3])
    assert home.datasets.land(ADA, "orders", orders(home.folder)) == []


def test_a_tie_at_the_boundary_is_neither_lost_nor_doubled(home):
    insert(home.folder, [(1, 10), (2, 20)])
    home.datasets.land(ADA, "orders", orders(home.folder))
    insert(home.folder, [(3, 20), (2, 20)])

    home.datasets.land(ADA, "orders", orders(home.folder))

    assert ids(home) == [1, 2, 2, 3]  # two equal rows are two rows


def test_what_a_slow_transaction_writes_behind_the_cursor_lands_within_the_overlap(home):
    insert(home.folder, [(1, 100), (2, 200)])
    home.datasets.land(ADA, "orders", orders(home.folder, overlap=50))
    insert(home.folder, [(3, 160), (4, 120)])

    home.datasets.land(ADA, "orders", orders(home.folder, overlap=50))
    home.datasets.land(ADA, "orders", orders(home.folder, overlap=50))

    assert ids(home) == [1, 2, 3]  # 120 lies further back than the overlap


def test_a_large_table_lands_batch_by_batch_and_can_be_stopped_after_any(home):
    insert(home.folder, [(n, n // 4) for n in range(100)])

    first = home.datasets.land(ADA, "orders", orders(home.folder, batch_rows=7), limit=3)
    rest = home.datasets.land(ADA, "orders", orders(home.folder, batch_rows=9))

    assert [one.rows_in for one in first] == [7, 7, 7]
    assert sum(one.rows_in for one in rest) == 79
    assert ids(home) == list(range(100))


def test_a_process_that_was_overtaken_is_told_so_and_loses_nothing(tmp_path):
    home, other = open_home(tmp_path), open_home(tmp_path)
    insert(tmp_path, [(1, 10), (2, 20)])
    slow = orders(tmp_path)
    batches = slow.batches(None, lambda key: False, dict)
    held = next(batches)
    insert(tmp_path, [(3, 30)])
    other.datasets.land(ADA, "orders", orders(tmp_path))

    class Late:
        name, types = "orders", {}

        def batches(self, cursor, seen, known):
            yield held

    with pytest.raises(TreadleError) as caught:
        home.datasets.land(ADA, "orders", Late())

    assert caught.value.code == "source.moved_on"
    assert ids(home) == [1, 2, 3]
    home.store.close()
    other.store.close()


def test_without_a_cursor_column_a_run_replaces_what_was_there(home):
    insert(home.folder, [(1, 10), (2, 20)])
    home.datasets.land(ADA, "orders", orders(home.folder, cursor=None))
    execute(home.folder, "delete from orders where id = 1", "update orders set updated_at = 21")

    [second] = home.datasets.land(ADA, "orders", orders(home.folder, cursor=None))

    assert landed(home).select("id", "updated_at").rows() == [(2, 21)]
    assert (second.kind, second.version) == ("replace", 2)
    first = home.datasets.snapshot("default", "orders", "1")
    assert home.datasets.scan("default", first).collect().height == 2


def test_a_table_that_has_not_changed_makes_no_new_snapshot(home):
    insert(home.folder, [(1, 10)])
    home.datasets.land(ADA, "orders", orders(home.folder, cursor=None))

    [second] = home.datasets.land(ADA, "orders", orders(home.folder, cursor=None))

    assert (second.snapshot, second.rows_in) == (None, 1)
    assert home.datasets.snapshot("default", "orders").version == 1
    assert len(list((home.folder / "tables").rglob("*.parquet"))) == 1


def test_a_table_that_was_emptied_empties_the_dataset(home):
    insert(home.folder, [(1, 10)])
    home.datasets.land(ADA, "orders", orders(home.folder, cursor=None))
    execute(home.folder, "delete from orders")

    home.datasets.land(ADA, "orders", orders(home.folder, cursor=None))

    assert home.datasets.snapshot("default", "orders").rows == 0


@pytest.mark.parametrize(
    ("options", "code", "says"),
    [
        ({"cursor": "changed_at"}, "source.refused", "changed_at"),
        ({"table": "order"}, "source.refused", "order"),
        ({"table": "orders; drop table orders"}, "source.refused", "no such table"),
        ({"table": None, "query": "select id from orders"}, "source.refused", "updated_at"),
        ({"query": "select 1"}, "source.declaration_invalid", "one of the two"),
        ({"url": "oracle://db/shop"}, "source.declaration_invalid", "oracle"),
        ({"url": "sqlite:///shup.db"}, "source.unreachable", "shup.db"),
        ({"cursor": None, "overlap": 5.0}, "source.declaration_invalid", "cursor"),
    ],
)
def test_what_cannot_be_read_is_refused_in_plain_words(home, options, code, says):
    insert(home.folder, [(1, 10)])

    with pytest.raises(TreadleError) as caught:
        home.datasets.land(ADA, "orders", orders(home.folder, **options))

    assert caught.value.code == code
    assert says in " ".join(caught.value.sentences())


def test_a_cursor_column_with_nulls_is_refused_since_such_rows_would_never_come(home):
    insert(home.folder, [(1, 10), (2, None)])

    with pytest.raises(TreadleError) as caught:
        home.datasets.land(ADA, "orders", orders(home.folder))

    assert caught.value.code == "source.cursor_unusable"


def test_a_query_may_end_in_a_semicolon_and_cannot_write(home):
    insert(home.folder, [(1, 10)])
    source = orders(home.folder, table=None, query="select id * 2 as id, updated_at from orders;")

    home.datasets.land(ADA, "orders", source)
    with pytest.raises(TreadleError):
        home.datasets.land(ADA, "orders", orders(home.folder, table=None, query="delete from orders returning *"))

    assert ids(home) == [2]


def test_declared_types_of_a_table_become_types_of_columns(home):
    execute(
        home.folder,
        "create table events (at datetime, day date, is_open boolean, price decimal(8,2), note text, n integer)",
        "insert into events values ('2024-01-02 03:04:05', '2024-01-02', 1, 9.5, '2024-01-02', 7)",
        "insert into events values ('2024-01-03 00:00:00', '2024-01-03', 0, 10, null, null)",
    )

    home.datasets.land(ADA, "events", orders(home.folder, table="events", cursor="at"))

    types = {c.name: c.type for c in home.datasets.snapshot("default", "events").columns if not c.name.startswith("_")}
    assert types == {
        "at": "timestamp_ntz",
        "day": "date",
        "is_open": "boolean",
        "price": "double",
        "note": "string",
        "n": "long",
    }


def test_a_value_of_another_type_than_its_column_is_put_aside_and_not_bent(home):
    insert(home.folder, [(1, 10), (2, 20)])
    home.datasets.land(ADA, "orders", orders(home.folder))
    execute(home.folder, "insert into orders values ('seven', 30), (8, 30)")

    [landing] = home.datasets.land(ADA, "orders", orders(home.folder), on_mismatch="quarantine")

    assert (landing.rows_kept, landing.rows_refused) == (1, 1)
    assert ids(home) == [1, 2, 8]


class Killed(BaseException):
    """The process ends here, as far as the landing can tell."""


POINTS = ["intent", "written", "planned", "committed main", "settled"]
ROWS = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 6)), max_size=8)
"""(id, cursor value): with ties, equal rows, and values behind those that were read already."""


@settings(max_examples=12, deadline=None)
@given(
    rounds=st.lists(
        st.tuples(ROWS, st.integers(1, 4), st.none() | st.tuples(st.sampled_from(POINTS), st.integers(1, 3))),
        min_size=1,
        max_size=5,
    )
)
def test_whatever_is_killed_and_whenever_rows_come_each_row_lands_once(tmp_path_factory, rounds):
    folder = tmp_path_factory.mktemp("home")
    countdown: list[tuple[str, int] | None] = [None]

    def die(point: str) -> None:
        if countdown[0] and countdown[0][0] == point:
            countdown[0] = (point, countdown[0][1] - 1) if countdown[0][1] > 1 else None
            if countdown[0] is None:
                raise Killed

    home = open_home(folder, at=die)
    insert(folder, [])
    for rows, batch_rows, kill in rounds:
        insert(folder, rows)
        countdown[0] = kill
        with contextlib.suppress(Killed):
            home.datasets.land(ADA, "orders", orders(folder, overlap=10, batch_rows=batch_rows))
        countdown[0] = None
    home.datasets.land(ADA, "orders", orders(folder, overlap=10))
    home.datasets.recover("default")

    wanted = Counter(row for rows, _, _ in rounds for row in rows)
    found = Counter(landed(home).select("id", "updated_at").rows()) if wanted else Counter()
    home.store.close()
    assert found == wanted
