"""The same engine on PostgreSQL: cache, acts, fences, schedules."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tests.kernel.engine import sample_steps as sample
from tests.kernel.engine.engines import HeldClock, rows
from tests.kernel.engine.test_scheduler import Noted, nightly
from treadle.backends.postgres import open_postgres
from treadle.kernel.artifacts import LocalBlobs
from treadle.kernel.artifacts.service import Artifacts
from treadle.kernel.engine import Engine, load, pipeline, step
from treadle.kernel.engine.code import fingerprint
from treadle.kernel.engine.errors import LeaseLost
from treadle.kernel.engine.journal import sql
from treadle.kernel.engine.pool.pool import ProcessPool
from treadle.kernel.engine.publishing import publish
from treadle.kernel.engine.scheduler import Firing, Scheduler
from treadle.kernel.store.sql import parse
from treadle.migrations import schema
from treadle.testing.postgres import postgres_store_database


@pytest.fixture
def url() -> Iterator[str]:
    with postgres_store_database() as found:
        yield found


@pytest.fixture
def clock() -> HeldClock:
    return HeldClock(datetime(2026, 3, 1, 2, 30, tzinfo=UTC))


def make(url: str, folder: Path, **choices: Any) -> Engine:
    artifacts = Artifacts(LocalBlobs(folder / "artifacts"))
    pool = {"pool": lambda: ProcessPool(artifacts, workers=2)}
    return Engine(open_postgres(url, schema()), artifacts, fingerprint=fingerprint, executors=pool, **choices)


@pytest.fixture
def engine(url: str, tmp_path: Path) -> Iterator[Engine]:
    engine = make(url, tmp_path)
    yield engine
    engine.close()
    engine.store.close()


def test_runs_are_journalled_cached_and_resumed(engine: Engine, tmp_path: Path) -> None:
    @step
    def fragile(n: int) -> int:
        if not (tmp_path / "mended").exists():
            raise OSError("not yet")
        return n

    @pipeline
    def flow() -> int:
        return fragile(sample.increased(1))

    run = engine.run(flow, {})
    (tmp_path / "mended").touch()
    resumed = engine.resume(run.id, flow)
    pooled = engine.run(sample.fanned, {"n": 8}, executor="pool")

    assert load(resumed.value) == 2
    assert engine.run(flow, {}).counts["cached"] == 2
    assert load(pooled.value) == 36
    assert engine.plan(flow, {}).of("run") == []
    assert engine.events.verify("default").broken is None


def test_a_zombie_commits_nothing(engine: Engine) -> None:
    stolen = parse("-- name: steal\nupdate run set epoch = epoch + 1 where kind = 'pipeline'")["steal"]

    @step
    def slow(n: int) -> int:
        engine.store.write(lambda tx: tx.execute(stolen))
        return n

    @pipeline
    def flow() -> int:
        return slow(1)

    assert isinstance(engine.run(flow, {}).error, LeaseLost)
    assert rows(engine, "select status from run where name = 'slow'") == [("running",)]


class Starting(Noted):
    """Notes what it is handed, and makes it a run as a runner would."""

    def __init__(self, engine: Engine) -> None:
        super().__init__()
        self.engine = engine

    def start(self, firing: Firing) -> Any:
        values = {"project": "default", "id": firing.id, "run": f"run of {firing.id}"}
        self.engine.store.write(lambda tx: tx.execute(sql.start_firing, values))
        return super().start(firing)


def test_two_schedulers_never_start_a_firing_twice(url: str, tmp_path: Path, clock: HeldClock) -> None:
    engines = [make(url, tmp_path, clock=clock) for _ in range(2)]
    publish(engines[0], [nightly], tmp_path)
    noted = Starting(engines[0])
    schedulers = [Scheduler(each, noted) for each in engines]
    for _ in range(5):
        clock.move(days=1)
        threads = [threading.Thread(target=each.tick) for each in schedulers]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    started = [(firing.source, firing.fire_at) for firing in noted.started]
    claimed = rows(engines[0], "select source, fire_at from firing where state = 'started'")
    for engine in engines:
        engine.store.close()

    assert len(started) == len(set(started))
    assert sorted(started) == sorted(claimed)
    assert len(started) >= 5
