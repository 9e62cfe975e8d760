"""What happens between two statements of the engine: two who take over at once, a store that is away for a moment.

Each of these was a gap once. They are small on purpose: the campaigns find such gaps by luck, these by name.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import pytest

from tests.chaos import steps
from tests.kernel.engine import sample_steps as sample
from tests.kernel.engine.engines import make_engine, opened, rows
from treadle.ground.errors import InvalidInput
from treadle.kernel.engine import each, load, pipeline, step, use
from treadle.kernel.engine.errors import RunIsHeld
from treadle.kernel.engine.leases import find, take_over
from treadle.kernel.engine.reporting import log_metric
from treadle.kernel.engine.service import Engine, Surroundings
from treadle.kernel.engine.session import InlineReporter
from treadle.kernel.store import DiskFull, StoreUnreachable, Transaction
from treadle.kernel.store.sql import parse
from treadle.kernel.store.sqlite import SqliteStore
from treadle.testing import embedded_store

T = TypeVar("T")

SQL = parse(
    """
-- name: put
insert into tag (project, subject, key, value, actor, recorded_at) values ('p', 's', :key, 'v', 'a', 0)
-- name: count
select count(*) from tag
-- name: abandon
update run set status = 'running', lease_until = 0 where parent is null
-- name: start_step
update run set status = 'running' where name = 'increased'
"""
)


class Unsteady:
    """A store that fails some of its writes."""

    def __init__(self, store: SqliteStore) -> None:
        self._store = store
        self.fails: Callable[[], Exception | None] = lambda: None

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    def write(self, work: Callable[[Transaction], T], *, durable: bool = False) -> T:
        problem = self.fails()
        if problem is not None:
            raise problem
        return self._store.write(work, durable=durable)


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    with opened(tmp_path) as engine:
        yield engine


def test_who_loses_the_race_for_a_run_leaves_the_winner_s_steps_alone(engine: Engine) -> None:
    @pipeline
    def small() -> int:
        return sample.increased(1)

    run = engine.run(small, {})
    engine.store.write(lambda tx: tx.execute(SQL["abandon"]))
    seen_by_both = find(engine.store, engine.project, run.id)
    take_over(engine.store, engine.project, seen_by_both, 1)
    engine.store.write(lambda tx: tx.execute(SQL["start_step"]))

    with pytest.raises(RunIsHeld):
        take_over(engine.store, engine.project, seen_by_both, 1)

    assert rows(engine, "select status from run where name = 'increased'") == [("running",)]


def test_a_body_that_fails_while_steps_are_in_flight_leaves_none_of_them_running(
    engine: Engine, tmp_path: Path
) -> None:
    marker = tmp_path / "begun"
    turn = threading.Event()

    @pipeline
    def hasty() -> None:
        steps.lingering.submit(str(marker))
        while not marker.exists():
            turn.wait(0.005)
        raise ValueError("cannot wait")

    run = engine.run(hasty, {}, executor="pool")

    assert run.status == "failed"
    assert rows(engine, "select status from run where name = 'lingering'") == [("interrupted",)]
    assert rows(engine, "select count(*) from run where status = 'running'") == [(0,)]


def test_a_child_pipeline_that_fails_leaves_nothing_running(engine: Engine) -> None:
    @pipeline
    def inner() -> None:
        raise ValueError("inside")

    @pipeline
    def outer() -> None:
        inner()

    engine.run(outer, {})

    assert rows(engine, "select status from run order by path") == [("failed",), ("failed",)]


def test_metrics_and_logs_wait_for_a_store_that_is_away_for_a_moment(tmp_path: Path) -> None:
    store = Unsteady(embedded_store(tmp_path))
    engine = make_engine(tmp_path)
    engine.store.close()
    engine.store = store  # type: ignore[assignment]
    flushed = threading.Event()

    @step
    def telling() -> int:
        from treadle.kernel.engine.context import running_step

        running = running_step()
        assert running is not None
        reporter = running.reporter
        assert isinstance(reporter, InlineReporter)
        log_metric("loss", 0.5)
        print("a line")
        store.fails = lambda: StoreUnreachable("The store is away.")
        with pytest.raises(StoreUnreachable):
            reporter.flush(reporter._session.journal)
        store.fails = lambda: None
        flushed.set()
        log_metric("loss", 0.25)
        return 1

    @pipeline
    def told() -> int:
        return telling()

    run = engine.run(told, {})

    assert flushed.is_set()
    assert run.status == "done"
    assert rows(engine, "select ordinal, value from metric order by ordinal") == [(0, 0.5), (1, 0.25)]
    assert rows(engine, "select content from log_chunk") == [("a line\n",)]
    engine.close()
    engine.store.close()


def test_a_body_that_goes_on_after_a_full_disk_is_told_and_never_left_waiting(tmp_path: Path) -> None:
    store = Unsteady(embedded_store(tmp_path))
    engine = make_engine(tmp_path)
    engine.store.close()
    engine.store = store  # type: ignore[assignment]
    told: list[BaseException] = []

    @pipeline
    def stubborn() -> int:
        store.fails = lambda: DiskFull("The disk is full.")
        try:
            load(sample.increased.map(each([1, 2])))
        except Exception as error:
            told.append(error)
        store.fails = lambda: None
        return load(sample.increased.submit(5))

    done: list[Any] = []
    thread = threading.Thread(
        target=lambda: done.append(engine.run(stubborn, {}, executor="pool")), name="stubborn", daemon=True
    )
    thread.start()
    thread.join(timeout=30)

    assert done, "the body waits for ever"
    assert isinstance(told[0], DiskFull)
    assert isinstance(done[0].error, DiskFull) or load(done[0].value) == 6
    engine.close()
    engine.store.close()


def test_a_run_that_cannot_begin_is_not_left_running(engine: Engine) -> None:
    @pipeline
    def small() -> int:
        return sample.increased(1)

    with pytest.raises(InvalidInput, match="no executor"):
        engine.run(small, {}, executor="nowhere")

    assert rows(engine, "select count(*) from run where status = 'running'") == [(0,)]


def test_a_run_whose_surroundings_cannot_be_described_ends_and_says_so(tmp_path: Path) -> None:
    def describe(diff: str | None) -> str:
        raise UnicodeDecodeError("utf-8", b"\xff", 0, 1, "a distribution with a broken name")

    with opened(tmp_path, surroundings=Surroundings(environment=describe)) as engine, use(engine):

        @pipeline
        def small() -> int:
            return sample.increased(1)

        run = engine.run(small, {})

        assert run.status == "failed"
        assert rows(engine, "select status from run where parent is null") == [("failed",)]


class CtrlC:
    """Ctrl-C at the worst moment: the commit has been made, and Python has not come back from it."""

    def __init__(self, store: SqliteStore) -> None:
        self._store, self._was_open = store, False

    def __call__(self, frame: Any, event: str, argument: Any) -> None:
        if event == "c_call" and getattr(argument, "__name__", "") == "execute":
            self._was_open = self._store._writer.in_transaction
        elif event == "c_return" and self._was_open and not self._store._writer.in_transaction:
            sys.setprofile(None)
            raise KeyboardInterrupt


def putting(key: str) -> Callable[[Transaction], str]:
    def work(tx: Transaction) -> str:
        tx.execute(SQL["put"], {"key": key})
        return key

    return work


@pytest.fixture
def sqlite_store(tmp_path: Path) -> Iterator[SqliteStore]:
    store = embedded_store(tmp_path)
    yield store
    store.close()


@pytest.mark.parametrize("others", [1, 5])
def test_ctrl_c_at_a_commit_writes_nobody_else_s_rows_twice(sqlite_store: SqliteStore, others: int) -> None:
    """Python hears of a signal when it comes back from the commit: the rows stand, and whoever waited is answered."""
    answers: list[str] = []
    threads = [
        threading.Thread(target=lambda key=f"k{n}": answers.append(sqlite_store.write(putting(key))))  # type: ignore[misc]
        for n in range(others)
    ]
    turn = threading.Event()
    with sqlite_store._commit_lock:
        for thread in threads:
            thread.start()
        while len(sqlite_store._waiting) < others:
            turn.wait(0.001)
        own = type(sqlite_store._waiting[0])(putting("own"), False)
        sqlite_store._waiting.append(own)
        sys.setprofile(CtrlC(sqlite_store))
        try:
            with pytest.raises(KeyboardInterrupt):
                sqlite_store._commit_waiting(own)
        finally:
            sys.setprofile(None)
    for thread in threads:
        thread.join(timeout=20)

    assert sorted(answers) == [f"k{n}" for n in range(others)]
    with sqlite_store.read() as reader:
        assert reader.all(SQL["count"]) == [(others + 1,)]


def test_ctrl_c_inside_a_write_takes_back_its_own_rows_and_loses_nobody_else_s(sqlite_store: SqliteStore) -> None:
    answers: list[str] = []
    thread = threading.Thread(target=lambda: answers.append(sqlite_store.write(putting("other"))))
    turn = threading.Event()

    def interrupted(tx: Transaction) -> None:
        tx.execute(SQL["put"], {"key": "own"})
        raise KeyboardInterrupt

    with sqlite_store._commit_lock:
        thread.start()
        while not sqlite_store._waiting:
            turn.wait(0.001)
        own = type(sqlite_store._waiting[0])(interrupted, False)
        sqlite_store._waiting.append(own)
        with pytest.raises(KeyboardInterrupt):
            sqlite_store._commit_waiting(own)
    thread.join(timeout=20)

    assert answers == ["other"]
    with sqlite_store.read() as reader:
        assert reader.all(SQL["count"]) == [(1,)]
