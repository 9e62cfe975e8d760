"""Two who want the same: a firing is started once, and a run has one driver, whoever wakes up late."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from tests.architecture.tree import ROOT
from tests.chaos import rivals, witness
from tests.chaos.house import House
from treadle.ground.clock import system_clock
from treadle.testing.postgres import postgres_store_database

TICKS = 6


@pytest.fixture
def url() -> Iterator[str]:
    with postgres_store_database() as found:
        yield found


@pytest.fixture(params=["sqlite", "postgresql"])
def store_url(request: pytest.FixtureRequest) -> str:
    found: str = request.getfixturevalue("url") if request.param == "postgresql" else ""
    return found


def rival(*arguments: object, home: Path) -> subprocess.Popen[str]:
    """A process of `tests.chaos.rivals`."""
    command = [sys.executable, "-m", "tests.chaos.rivals", *map(str, arguments)]
    environment = {**os.environ, witness.VARIABLE: str(home / "witness")}
    return subprocess.Popen(
        command,
        cwd=ROOT,
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def outcome(process: subprocess.Popen[str]) -> str:
    """What a rival said; fails with its errors when it has failed."""
    said, problems = process.communicate(timeout=120)
    assert process.returncode == 0, problems
    return said


def test_schedulers_side_by_side_start_every_firing_once(tmp_path: Path, store_url: str) -> None:
    house = House(tmp_path, store_url)
    rivals.plant(house)
    schedulers = [rival("schedule", tmp_path, store_url, TICKS, home=tmp_path) for _ in range(3)]
    for process in schedulers:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in schedulers:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    for process in schedulers:
        outcome(process)

    firings = house.rows("select id, source, fire_at, state, run from firing")
    claimed = {id for id, _, _, state, _ in firings if state != "missed"}
    started = Counter(id for id, _, _ in witness.lines(tmp_path / "witness", "started"))
    carried_out = Counter(id for id, _, _ in witness.lines(tmp_path / "witness", "carried-out"))
    house.close()

    assert len(firings) == rivals.SCHEDULES * TICKS
    assert started == Counter(claimed)
    assert carried_out == Counter(claimed)
    assert all(run for _, _, _, state, run in firings if state == "started")


@pytest.mark.parametrize("beat_s", [1000, 0.01], ids=["its commit is refused", "its heartbeat notices"])
def test_a_driver_that_was_stopped_past_its_lease_is_fenced_when_it_wakes(
    tmp_path: Path, store_url: str, beat_s: float
) -> None:
    stopped = rival("drive", tmp_path, store_url, beat_s, tmp_path, home=tmp_path)
    turn = threading.Event()
    while not (tmp_path / "runs").exists():
        assert stopped.poll() is None, stopped.communicate()
        turn.wait(0.005)
    stopped.send_signal(signal.SIGSTOP)
    house = House(tmp_path, store_url)
    house.engine.clock = later
    (tmp_path / "leave").touch()
    ((run,),) = house.rows("select id from run where parent is null")

    taken_over = house.engine.resume(run, rivals.stoppable)
    rows = house.rows("select id, status, attempt, epoch from run order by id")
    stopped.send_signal(signal.SIGCONT)
    said = outcome(stopped)

    assert (taken_over.status, taken_over.value) == ("done", 42)
    assert said == "lost engine.lease_lost\n"
    assert house.rows("select id, status, attempt, epoch from run order by id") == rows
    statuses = [status for _, status, _, _ in rows]
    assert statuses == ["done", "interrupted", "done", "done"]
    house.close()


def later() -> datetime:
    """A minute from now: past every lease that was taken before."""
    return system_clock() + timedelta(minutes=1)
