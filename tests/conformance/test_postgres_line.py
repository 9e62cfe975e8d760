"""Several statements to a round trip: what a connection of PostgreSQL's store sends, and what becomes of it when one fails."""

from __future__ import annotations

import select
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from treadle.backends import postgres_line
from treadle.backends.postgres import PostgresStore
from treadle.backends.postgres_line import Line
from treadle.kernel.store import StoreError, StoreUnreachable, Transaction, UnfitValue
from treadle.kernel.store.sql import composed, parse

SQL = parse(
    """
-- name: make
create temp table number (value bigint primary key, note text, content bytea);
-- name: add
insert into number (value, note, content) values (:value, :note, :content);
-- name: numbers
select value, note, content from number order by value;
-- name: ask
select :value;
-- name: series
select * from generate_series(1, :most) as n;
-- name: end_me
select pg_terminate_backend(pg_backend_pid());
-- name: sleep
select pg_sleep(600);
-- name: still_running
select count(*) from pg_stat_activity
where datname = current_database() and state = 'active' and pid <> pg_backend_pid();
-- name: begin
begin;
-- name: commit
commit;
-- name: rollback
rollback;
"""
)


def row(value: int, note: str | None = None, content: bytes = b"") -> dict[str, object]:
    return {"value": value, "note": note, "content": content}


class Trips:
    """Counts how often a line waits for the server."""

    def __init__(self, line: Line, monkeypatch: pytest.MonkeyPatch) -> None:
        self.count = 0
        exchange = Line._exchange

        def counted(self_: Line) -> Any:
            self.count += 1
            return exchange(self_)

        monkeypatch.setattr(Line, "_exchange", counted)


@pytest.fixture
def line(postgres_store: PostgresStore) -> Iterator[Line]:
    with postgres_store._open() as found:
        found.begin(SQL["begin"])
        found.put(SQL["make"])
        found.end(SQL["commit"])
        yield found


def numbers(line: Line) -> list[tuple[Any, ...]]:
    line.begin(SQL["begin"])
    try:
        return line.rows(SQL["numbers"], {})
    finally:
        line.abandon(SQL["rollback"])


def test_a_write_without_a_question_takes_one_trip(line: Line, monkeypatch: pytest.MonkeyPatch) -> None:
    trips = Trips(line, monkeypatch)

    line.begin(SQL["begin"])
    for value in range(5):
        line.put(SQL["add"], row(value))
    line.end(SQL["commit"])

    assert trips.count == 1
    assert len(numbers(line)) == 5


def test_a_question_takes_along_what_waits(line: Line, monkeypatch: pytest.MonkeyPatch) -> None:
    trips = Trips(line, monkeypatch)

    line.begin(SQL["begin"])
    line.put(SQL["add"], row(1))
    assert line.first(SQL["numbers"], {}) == (1, None, b"")
    line.put(SQL["add"], row(2))
    line.end(SQL["commit"])

    assert trips.count == 2


def test_a_transaction_that_asked_nothing_and_failed_sends_nothing(line: Line, monkeypatch: pytest.MonkeyPatch) -> None:
    trips = Trips(line, monkeypatch)

    line.begin(SQL["begin"])
    line.put(SQL["add"], row(1))
    line.abandon(SQL["rollback"])

    assert (trips.count, line.is_idle) == (0, True)
    assert numbers(line) == []


@pytest.mark.parametrize("times", [1, 2, 3])
def test_values_of_every_kind_come_back_as_they_went(line: Line, times: int) -> None:
    """The first time as text with its values, from the second on as a prepared statement."""
    kinds = [
        row(1, "naïve 漢字 %s :name $1 \\", bytes(range(256))),
        row(2, "", b"\x00"),
        row(2**15, None, b"x" * 100_000),
        row(-(2**63)),
        row(2**63 - 1),
    ]
    for _ in range(times):
        line.begin(SQL["begin"])
        line.put(composed("delete", "delete from number"))
        for values in kinds:
            line.put(SQL["add"], values)
        line.end(SQL["commit"])

    expected = sorted((one["value"], one["note"], one["content"]) for one in kinds)
    assert sorted(numbers(line)) == expected


def test_a_statement_that_cannot_be_prepared_is_prepared_when_it_can(line: Line) -> None:
    """Its first text fails twice: once as it is, once while it is prepared. Then the table is there."""
    late = composed("late", "select count(*) from number_of_later")
    for _ in range(3):
        line.begin(SQL["begin"])
        with pytest.raises(psycopg.errors.UndefinedTable):
            line.first(late, {})
        line.abandon(SQL["rollback"])

    line.begin(SQL["begin"])
    line.put(composed("make", "create temp table number_of_later (value bigint)"))
    assert [line.first(late, {}) for _ in range(3)] == [(0,)] * 3
    line.end(SQL["commit"])


def test_more_statements_than_are_kept_prepared_go_on_working(line: Line, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(postgres_line, "_MOST_PREPARED", 5)

    for turn in range(3):
        for number in range(10):
            line.begin(SQL["begin"])
            assert line.first(composed("n", f"select {number} + :turn"), {"turn": turn}) == (number + turn,)
            line.end(SQL["commit"])

    assert len(line._prepared) <= 10


@pytest.mark.parametrize("most", [0, 1, 1999, 2000, 2001, 4500])
def test_rows_one_by_one_are_all_rows(postgres_store: PostgresStore, most: int) -> None:
    with postgres_store.read() as reader:
        found = []
        for (number,) in reader.each(SQL["series"], {"most": most}):
            found.append(number)
            if number in (1, 2000):
                assert reader.find(SQL["series"], {"most": 1}) == (1,)

    assert found == list(range(1, most + 1))


def test_a_value_that_has_no_place_there_is_refused_before_it_is_sent(postgres_store: PostgresStore) -> None:
    with pytest.raises(UnfitValue):
        postgres_store.write(lambda tx: tx.put(SQL["ask"], {"value": "a\0b"}))

    assert postgres_store.write(lambda tx: tx.find(SQL["ask"], {"value": 7})) == (7,)


def test_a_refused_statement_leaves_the_store_in_order(postgres_store: PostgresStore) -> None:
    def work(tx: Transaction) -> None:
        tx.put(composed("wrong", "select 1 / 0"))
        tx.find(SQL["ask"], {"value": 1})

    for _ in range(3):
        with pytest.raises(UnfitValue, match="does not fit"):
            postgres_store.write(work)
        with pytest.raises(StoreError):
            postgres_store.write(lambda tx: tx.find(composed("none", "select nothing")))

    assert postgres_store.write(lambda tx: tx.find(SQL["ask"], {"value": 7})) == (7,)


def test_a_connection_that_is_ended_in_the_middle_is_told_and_replaced(postgres_store: PostgresStore) -> None:
    with pytest.raises(StoreUnreachable):
        postgres_store.write(lambda tx: tx.find(SQL["end_me"]))

    assert postgres_store.write(lambda tx: tx.find(SQL["ask"], {"value": 7})) == (7,)


@pytest.mark.skipif(not hasattr(select, "poll"), reason="select.poll is not on this system")
def test_ctrl_c_while_the_server_works_ends_the_statement_and_the_connection(postgres_store: PostgresStore) -> None:
    """What was interrupted holds no lock for longer, and the next write finds a fresh connection."""

    class Interrupted:
        def poll(self) -> None:
            raise KeyboardInterrupt

    seen: list[Line] = []

    def work(tx: Transaction) -> None:
        tx.find(SQL["ask"], {"value": 1})
        line = tx._line  # type: ignore[attr-defined]
        seen.append(line)
        line._reading = Interrupted()
        tx.find(SQL["sleep"])

    with pytest.raises(KeyboardInterrupt):
        postgres_store.write(work)

    assert seen[0].connection.closed
    assert postgres_store.write(lambda tx: tx.find(SQL["ask"], {"value": 7})) == (7,)
    while postgres_store.write(lambda tx: tx.find(SQL["still_running"])) != (0,):
        pass  # it has been told, and ends long before its ten minutes are over
