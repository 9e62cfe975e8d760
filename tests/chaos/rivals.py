"""Processes that want the same thing: two schedulers on one store, and a driver that is stopped past its lease.

python -m tests.chaos.rivals schedule HOME URL TICKS
python -m tests.chaos.rivals drive HOME URL BEAT_S FOLDER
"""

from __future__ import annotations

import sys
import threading
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from tests.chaos import witness
from tests.chaos.house import House
from treadle.ground.clock import to_micros
from treadle.ground.errors import Conflict, TreadleError
from treadle.kernel.engine import load, pipeline, step
from treadle.kernel.engine import scheduler as scheduling
from treadle.kernel.engine.journal import sql
from treadle.kernel.engine.scheduler import Firing, Scheduler

EPOCH = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
SCHEDULES = 12


@step
def counted(n: int) -> int:
    return n


@pipeline
def fired(n: int = 1) -> int:
    return counted(n)


@step
def waiting_for_leave(folder: str) -> int:
    """Says that it runs, and goes on when it may."""
    Path(folder, "runs").touch()
    turn = threading.Event()
    while not Path(folder, "leave").exists():
        turn.wait(0.005)
    return 42


@pipeline
def stoppable(folder: str) -> int:
    return load(counted(load(waiting_for_leave(folder))))


@dataclass
class Recording:
    """A starter whose runners are this process: it tells the witness, and carries out what it is given."""

    house: House
    firings: list[str] = field(default_factory=list)

    def start(self, firing: Firing) -> Recording:
        witness.say("started", firing.id, firing.source, firing.fire_at)
        return self

    def resume(self, run: str, publication: str) -> Recording:
        return self

    def poll(self) -> int | None:
        return 0


def plant(house: House) -> None:
    """Many schedules, each due every minute from `EPOCH` on."""
    for n in range(SCHEDULES):
        values = {
            "project": "default",
            "pipeline": f"p{n:02}",
            "cron": "* * * * *",
            "timezone": "UTC",
            "publication": "pub",
            "params": "{}",
            "at": to_micros(EPOCH),
            "next_at": to_micros(EPOCH),
        }
        house.store.write(lambda tx, v=values: tx.execute(sql.put_schedule, v))  # type: ignore[misc]


def schedule(house: House, ticks: int) -> None:
    """Ticks once for each minute, then carries out every firing that there is: also those that the rival was given."""
    scheduling.STALE_CLAIM_S = 10**6  # minutes pass in moments here, and nobody is late
    scheduler = Scheduler(house.engine, Recording(house), max_runners=10**9)
    for minute in range(ticks):
        house.engine.clock = lambda minute=minute: EPOCH + timedelta(minutes=minute, seconds=1)  # type: ignore[misc]
        scheduler.tick()
    for (firing,) in house.rows("select id from firing where state <> 'missed' order by id"):
        try:
            run = house.engine.run(fired, {"n": 1}, firing=firing)
            witness.say("carried-out", firing, run.id, run.status)
        except Conflict:
            witness.say("refused", firing)


def drive(house: House, folder: str) -> None:
    """Runs the pipeline that waits for leave, and tells how it ended."""
    run = house.engine.run(stoppable, {"folder": folder})
    error = run.error.code if isinstance(run.error, TreadleError) else repr(run.error)
    print(run.status, error)


def main() -> None:
    what, home, url, *rest = sys.argv[1:]
    house = House(Path(home), url)
    if what == "schedule":
        print("ready", flush=True)
        sys.stdin.readline()
        schedule(house, int(rest[0]))
    else:
        house.engine._beat_s = float(rest[0])
        drive(house, rest[1])
    house.close()


if __name__ == "__main__":
    main()
