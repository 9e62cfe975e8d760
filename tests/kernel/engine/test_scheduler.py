"""Schedules and triggers: claimed once however many schedulers live, carried out by a runner from published code."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.kernel.engine.engines import HeldClock, make_engine, opened, rows
from treadle.ground.clock import to_micros
from treadle.kernel.engine import on_event, pipeline
from treadle.kernel.engine.acts import wait_until
from treadle.kernel.engine.errors import InvalidSchedule
from treadle.kernel.engine.pipelines import Schedule
from treadle.kernel.engine.processes import Processes
from treadle.kernel.engine.publishing import PublicationNotFound, get_publication, publish
from treadle.kernel.engine.runner import TAKEN, fire
from treadle.kernel.engine.scheduler import FRUITLESS_DEATHS, LONGEST_PAUSE_S, Firing, Scheduler, pause_s
from treadle.kernel.engine.service import Engine
from treadle.kernel.store.sql import parse

REPO = Path(__file__).parents[3]


class Ended:
    def poll(self) -> int | None:
        return 0


class Noted:
    """A starter that only notes what it was asked to start."""

    def __init__(self) -> None:
        self.started: list[Firing] = []
        self.resumed: list[str] = []

    def start(self, firing: Firing) -> Ended:
        self.started.append(firing)
        return Ended()

    def resume(self, run: str, publication: str) -> Ended:
        self.resumed.append(run)
        return Ended()


@pipeline(
    schedule=["0 3 * * *", Schedule(cron="0 6 * * mon", timezone="Europe/Berlin")],
    triggers=[on_event("thing.happened", "thing/*")],
)
def nightly(n: int = 1) -> int:
    return n


@pipeline(schedule="0 3 * * *")
def waiting() -> str:
    wait_until(timedelta(hours=1))
    return "waited"


@pytest.fixture
def clock() -> HeldClock:
    return HeldClock(datetime(2026, 3, 1, 2, 30, tzinfo=UTC))


@pytest.fixture
def engine(tmp_path: Path, clock: HeldClock) -> Iterator[Engine]:
    with opened(tmp_path, clock=clock) as engine:
        yield engine


def published(engine: Engine, tmp_path: Path, *pipelines: Any) -> str:
    return publish(engine, pipelines or [nightly], tmp_path).id


def happened(engine: Engine, subject: str = "thing/a") -> str:
    return engine.store.write(
        lambda tx: engine.events.append(tx, project="default", kind="thing.happened", subject=subject, actor="me")
    )


def test_nothing_is_due_before_its_time(engine: Engine, tmp_path: Path, clock: HeldClock) -> None:
    published(engine, tmp_path)
    scheduler = Scheduler(engine, Noted())

    assert scheduler.tick() == []
    clock.move(hours=1)
    assert [firing.pipeline for firing in scheduler.tick()] == ["nightly"]
    assert scheduler.tick() == []


def test_of_two_schedulers_one_starts_a_firing(engine: Engine, tmp_path: Path, clock: HeldClock) -> None:
    published(engine, tmp_path)
    clock.move(hours=1)
    other = make_engine(tmp_path, clock=clock)
    noted = Noted()
    schedulers = [Scheduler(each, noted) for each in (engine, other)]
    barrier = threading.Barrier(2)

    def tick(scheduler: Scheduler) -> None:
        barrier.wait()
        scheduler.tick()

    threads = [threading.Thread(target=tick, args=(each,)) for each in schedulers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    other.store.close()

    assert len(noted.started) == 1
    assert rows(engine, "select state, count(*) from firing group by state") == [("claimed", 1)]


def test_what_was_missed_is_recorded_and_only_the_newest_starts(
    engine: Engine, tmp_path: Path, clock: HeldClock
) -> None:
    published(engine, tmp_path)
    clock.move(days=3, hours=1)

    firings = Scheduler(engine, Noted()).tick()

    daily = rows(engine, "select state from firing where source like '%0 3 %' order by fire_at")
    assert [state for (state,) in daily] == ["missed", "missed", "missed", "claimed"]
    assert len(firings) == 2


def test_a_trigger_fires_once_for_each_event_that_matches(engine: Engine, tmp_path: Path) -> None:
    happened(engine)
    published(engine, tmp_path)
    first = happened(engine, "thing/b")
    happened(engine, "other/b")
    noted = Noted()
    scheduler = Scheduler(engine, noted)

    scheduler.tick()
    scheduler.tick()

    assert [firing.caused_by for firing in noted.started] == [first]


def test_a_firing_becomes_one_run_however_often_it_is_handed_out(
    engine: Engine, tmp_path: Path, clock: HeldClock
) -> None:
    published(engine, tmp_path)
    clock.move(hours=1)
    (firing,) = Scheduler(engine, Noted()).tick()

    run = fire(engine, firing.id)
    with pytest.raises(Exception, match="started by another process"):
        fire(engine, firing.id)

    assert run.status == "done"
    assert rows(engine, "select state, run from firing") == [("started", run.id)]
    ((now_at, caused_by),) = rows(engine, "select now_at, caused_by from run where id = :id", id=run.id)
    assert now_at == int(datetime(2026, 3, 1, 3, tzinfo=UTC).timestamp() * 1_000_000)
    assert caused_by == firing.id


def test_a_firing_whose_scheduler_died_is_started_by_another(engine: Engine, tmp_path: Path, clock: HeldClock) -> None:
    published(engine, tmp_path)
    clock.move(hours=1)
    Scheduler(engine, Noted()).tick()
    other = Scheduler(engine, Noted())
    assert other.tick() == []

    clock.move(minutes=2)

    assert [firing.pipeline for firing in other.tick()] == ["nightly"]


def test_publishing_again_takes_back_what_is_no_longer_declared(engine: Engine, tmp_path: Path) -> None:
    published(engine, tmp_path)

    @pipeline(name="nightly", schedule="0 4 * * *")
    def changed() -> int:
        return 1

    second = published(engine, tmp_path, changed)

    assert rows(engine, "select cron, publication from schedule") == [("0 4 * * *", second)]
    assert rows(engine, "select count(*) from trigger") == [(0,)]


def test_a_run_that_waits_is_resumed_when_its_time_has_come(engine: Engine, tmp_path: Path, clock: HeldClock) -> None:
    published(engine, tmp_path, waiting)
    clock.move(hours=1)
    noted = Noted()
    scheduler = Scheduler(engine, noted)
    (firing,) = scheduler.tick()
    run = fire(engine, firing.id)
    scheduler.tick()
    assert noted.resumed == []

    clock.move(hours=2)
    scheduler.tick()

    assert run.status == "waiting"
    assert noted.resumed == [run.id]


def died(engine: Engine, run: str, clock: HeldClock, *, times: int) -> None:
    """The run as processes leave it that were killed before any step of it was done."""
    text = "update run set status = 'running', epoch = :epoch, lease_until = :until where id = :id"
    values = {"id": run, "epoch": times, "until": to_micros(clock()) - 1}
    engine.store.write(lambda tx: tx.execute(parse(f"-- name: died\n{text}")["died"], values))


def test_a_run_whose_process_keeps_dying_is_left_alone_longer_each_time(
    engine: Engine, tmp_path: Path, clock: HeldClock
) -> None:
    published(engine, tmp_path)
    clock.move(hours=1)
    noted = Noted()
    scheduler = Scheduler(engine, noted)
    run = fire(engine, scheduler.tick()[0].id).id

    died(engine, run, clock, times=1)
    scheduler.tick()
    assert noted.resumed == [run]

    died(engine, run, clock, times=3)
    scheduler.tick()
    clock.move(seconds=pause_s(3) - 1)
    scheduler.tick()
    assert noted.resumed == [run]
    clock.move(seconds=2)
    scheduler.tick()
    assert noted.resumed == [run, run]
    assert [pause_s(deaths) for deaths in (1, 2, 3, 4, 40)] == [0, 5, 10, 20, LONGEST_PAUSE_S]


def test_a_run_that_kills_its_process_again_and_again_fails_and_says_why(
    engine: Engine, tmp_path: Path, clock: HeldClock
) -> None:
    published(engine, tmp_path)
    clock.move(hours=1)
    noted = Noted()
    scheduler = Scheduler(engine, noted)
    run = fire(engine, scheduler.tick()[0].id).id

    died(engine, run, clock, times=FRUITLESS_DEATHS)
    scheduler.tick()

    ((status, error),) = rows(engine, "select status, error from run where id = :id", id=run)
    assert (status, noted.resumed) == ("failed", [])
    assert "died 8 times before it had done a step" in error
    assert engine.events.since("default", 0, kinds=("run.failed",))[-1].subject == run
    assert engine.resume(run, nightly).status == "done"


def test_a_schedule_that_cannot_be_read_is_refused_where_it_is_written() -> None:
    with pytest.raises(InvalidSchedule):
        pipeline(schedule="every day")(lambda: 1)


def test_nothing_published_says_what_to_do(engine: Engine) -> None:
    with engine.store.read() as reader, pytest.raises(PublicationNotFound, match="Nothing has been published"):
        get_publication(reader, "default")


PROJECT = """
from treadle.kernel.engine import pipeline, step
from lib_of_it import GREETING

@step
def greeted(name: str) -> str:
    return GREETING + name

@pipeline(schedule="0 3 * * *")
def greeting(name: str = "you"):
    return greeted(name)
"""
OPENER = """
import os
from pathlib import Path
from tests.kernel.engine.engines import make_engine

def open_it():
    return make_engine(Path(os.environ["TEST_HOME"]))
"""


def test_a_runner_runs_published_code_in_a_process_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The project is edited after it was published; what runs unattended is what was published."""
    project = tmp_path / "project"
    project.mkdir()
    (project / "flow_of_it.py").write_text(PROJECT)
    (project / "lib_of_it.py").write_text('GREETING = "hello "\n')
    (project / "opening_it.py").write_text(OPENER)
    script = (
        "from pathlib import Path; import opening_it, flow_of_it;"
        "from treadle.kernel.engine.publishing import publish;"
        f"publish(opening_it.open_it(), [flow_of_it.greeting], Path({str(project)!r}))"
    )
    monkeypatch.setenv("TEST_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("PYTHONPATH", f"{REPO}")
    environment = {"PYTHONPATH": f"{project}:{REPO}", "TEST_HOME": str(tmp_path / "home")}
    subprocess.run([sys.executable, "-c", script], check=True, cwd=project, env=environment)
    (project / "lib_of_it.py").write_text('GREETING = "goodbye "\n')
    future = HeldClock(datetime.now(UTC) + timedelta(days=2))
    with opened(tmp_path / "home", clock=future) as engine:
        processes = Processes(engine, "opening_it:open_it", folder=tmp_path / "code")
        scheduler = Scheduler(engine, processes)

        (firing,) = scheduler.tick()
        assert scheduler._runners[firing.id].wait(timeout=60) == 0  # type: ignore[attr-defined]
        assert processes.start(firing).wait(timeout=60) == TAKEN

        ((status, digest),) = rows(
            engine,
            "select r.status, e.digest from run r join edge e on e.run = r.id and e.role = 'result' and e.direction = 'out'"
            " where r.kind = 'pipeline'",
        )
        assert status == "done"
        assert digest == engine.artifacts.digest("hello you")
