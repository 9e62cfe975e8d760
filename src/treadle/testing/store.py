"""The conformance suite of `Store`: whatever passes it can stand behind Treadle.

    class TestMyStore(StoreConformance):
        @pytest.fixture
        def store(self) -> Iterator[Store]: ...

The fixture gives a store with Treadle's tables and no rows.
"""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from treadle.kernel.store import Store, StoreError, Transaction, UniqueViolation
from treadle.kernel.store.sql import parse

_SQL = parse(
    """
-- name: put
insert into tag (project, subject, key, value, actor, recorded_at)
values ('p', :subject, :key, :value, 'tester', :recorded_at);
-- name: put_if_absent
insert into tag (project, subject, key, value, actor, recorded_at)
values ('p', :subject, :key, :value, 'tester', 0) on conflict (project, subject, key) do nothing;
-- name: get
select value from tag where project = 'p' and subject = :subject and key = :key;
-- name: values
select value from tag where project = 'p' and subject = :subject order by key;
-- name: count
select count(*) from tag where project = 'p' and subject = :subject;
-- name: change
update tag set value = :value where project = 'p' and subject = :subject and key = :key and value = :expected;
"""
)


def _put(tx: Transaction, subject: str, key: str, value: str = "x", recorded_at: int = 0) -> None:
    tx.execute(_SQL["put"], {"subject": subject, "key": key, "value": value, "recorded_at": recorded_at})


def _row(key: str, value: str = "v") -> dict[str, object]:
    return {"subject": "s", "key": key, "value": value, "recorded_at": 0}


def _count(store: Store, subject: str) -> int:
    with store.read() as reader:
        row = reader.find(_SQL["count"], {"subject": subject})
    assert row is not None
    return int(row[0])


class StoreConformance:
    """The promises of the port, one test each."""

    def test_what_is_written_can_be_read(self, store: Store) -> None:
        store.write(lambda tx: _put(tx, "s", "k", "hello"))

        with store.read() as reader:
            assert reader.find(_SQL["get"], {"subject": "s", "key": "k"}) == ("hello",)

    def test_a_row_that_is_not_there_is_none(self, store: Store) -> None:
        with store.read() as reader:
            assert reader.find(_SQL["get"], {"subject": "s", "key": "k"}) is None
            assert reader.all(_SQL["values"], {"subject": "s"}) == []

    def test_rows_come_in_the_order_of_the_statement(self, store: Store) -> None:
        rows = [{"subject": "s", "key": key, "value": key, "recorded_at": 0} for key in ("b", "c", "a")]
        store.write(lambda tx: tx.execute_many(_SQL["put"], rows))

        with store.read() as reader:
            assert reader.all(_SQL["values"], {"subject": "s"}) == [("a",), ("b",), ("c",)]
            assert list(reader.each(_SQL["values"], {"subject": "s"})) == [("a",), ("b",), ("c",)]

    def test_a_write_answers_what_its_work_answers(self, store: Store) -> None:
        assert store.write(lambda tx: tx.execute(_SQL["count"], {"subject": "s"}) * 0 + 42) == 42

    def test_a_write_sees_its_own_changes(self, store: Store) -> None:
        def work(tx: Transaction) -> object:
            _put(tx, "s", "k", "mine")
            return tx.find(_SQL["get"], {"subject": "s", "key": "k"})

        assert store.write(work) == ("mine",)

    def test_a_write_that_fails_leaves_nothing(self, store: Store) -> None:
        def work(tx: Transaction) -> None:
            _put(tx, "s", "k")
            raise LookupError("no")

        with pytest.raises(LookupError):
            store.write(work)
        assert _count(store, "s") == 0

    def test_a_key_that_is_taken_is_a_unique_violation(self, store: Store) -> None:
        store.write(lambda tx: _put(tx, "s", "k"))

        with pytest.raises(UniqueViolation):
            store.write(lambda tx: _put(tx, "s", "k"))
        assert (
            store.write(lambda tx: tx.execute(_SQL["put_if_absent"], {"subject": "s", "key": "k", "value": "y"})) == 0
        )

    def test_times_of_the_far_future_fit(self, store: Store) -> None:
        store.write(lambda tx: _put(tx, "s", "k", recorded_at=253_402_300_799_999_999))

    def test_text_of_every_script_comes_back(self, store: Store) -> None:
        text = "naïve 漢字 🚂 ' \" ; -- %s :name \\ \n\t"
        store.write(lambda tx: _put(tx, "s", "k", text))

        with store.read() as reader:
            assert reader.find(_SQL["get"], {"subject": "s", "key": "k"}) == (text,)

    def test_many_rows_go_in_at_once(self, store: Store) -> None:
        rows = [{"subject": "s", "key": f"{n:05}", "value": "v", "recorded_at": n} for n in range(2500)]

        store.write(lambda tx: tx.execute_many(_SQL["put"], rows))

        assert _count(store, "s") == 2500

    def test_what_was_put_is_seen_by_what_comes_after_it(self, store: Store) -> None:
        def work(tx: Transaction) -> tuple[object, int]:
            tx.put(_SQL["put"], _row("a", "old"))
            tx.put_many(_SQL["put"], [_row("b"), _row("c")])
            found = tx.find(_SQL["get"], {"subject": "s", "key": "a"})
            tx.put(_SQL["put"], _row("d"))
            return found, tx.execute(_SQL["change"], {"subject": "s", "key": "a", "value": "new", "expected": "old"})

        assert store.write(work) == (("old",), 1)
        assert _count(store, "s") == 4

    def test_a_row_that_cannot_be_put_undoes_the_write_and_says_which_it_was(self, store: Store) -> None:
        store.write(lambda tx: tx.put(_SQL["put"], _row("taken")))

        def work(tx: Transaction) -> None:
            tx.put(_SQL["put"], _row("mine"))
            tx.put(_SQL["put"], _row("taken"))
            tx.put(_SQL["put_if_absent"], _row("also mine"))

        for _ in range(3):
            with pytest.raises(UniqueViolation) as caught:
                store.write(work)
            assert caught.value.context["statement"] == "put"
        assert _count(store, "s") == 1

    def test_more_rows_than_one_trip_holds_are_put(self, store: Store) -> None:
        store.write(lambda tx: tx.put_many(_SQL["put"], [_row(f"{n:05}") for n in range(1100)]))

        assert _count(store, "s") == 1100

    def test_a_reader_keeps_its_view_while_others_write(self, store: Store) -> None:
        store.write(lambda tx: _put(tx, "s", "a"))

        with store.read() as reader:
            before = reader.find(_SQL["count"], {"subject": "s"})
            store.write(lambda tx: _put(tx, "s", "b"))
            after = reader.find(_SQL["count"], {"subject": "s"})

        assert before == after == (1,)
        assert _count(store, "s") == 2

    def test_writes_of_many_threads_all_stand(self, store: Store) -> None:
        def writer(thread: int) -> None:
            for n in range(25):
                store.write(lambda tx, n=n: _put(tx, "s", f"{thread}/{n}"))  # type: ignore[misc]

        with ThreadPoolExecutor(8) as pool:
            list(pool.map(writer, range(8)))

        assert _count(store, "s") == 200

    def test_a_write_that_fails_takes_no_neighbour_with_it(self, store: Store) -> None:
        barrier = threading.Barrier(8)

        def write(n: int) -> bool:
            barrier.wait()
            try:
                store.write(lambda tx: _put(tx, "s", "same") if n % 2 else _put(tx, "s", str(n)))
            except UniqueViolation:
                return False
            return True

        with ThreadPoolExecutor(8) as pool:
            stood = list(pool.map(write, range(8)))

        assert stood[0::2] == [True] * 4
        assert sum(stood[1::2]) == 1
        assert _count(store, "s") == 5

    def test_one_of_two_racing_moves_wins(self, store: Store) -> None:
        store.write(lambda tx: _put(tx, "s", "k", "old"))
        barrier = threading.Barrier(4)

        def move(n: int) -> int:
            barrier.wait()
            values = {"subject": "s", "key": "k", "value": f"new{n}", "expected": "old"}
            return store.write(lambda tx: tx.execute(_SQL["change"], values))

        with ThreadPoolExecutor(4) as pool:
            assert sorted(pool.map(move, range(4))) == [0, 0, 0, 1]

    def test_a_durable_write_stands_like_any_other(self, store: Store) -> None:
        store.write(lambda tx: _put(tx, "s", "k"), durable=True)
        store.write(lambda tx: _put(tx, "s", "l"))

        assert _count(store, "s") == 2

    def test_what_is_done_at_once_stands_like_anything_else(self, store: Store) -> None:
        store.write(lambda tx: _put(tx, "s", "k"))
        with store.at_once():
            store.write(lambda tx: _put(tx, "s", "l"))
        with store.at_once():
            assert _count(store, "s") == 2

        assert _count(store, "s") == 2

    def test_a_closed_store_says_so(self, store: Store) -> None:
        store.close()
        store.close()

        with pytest.raises(StoreError, match="closed"):
            store.write(lambda tx: None)
