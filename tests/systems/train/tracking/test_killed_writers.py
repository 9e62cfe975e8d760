"""Several processes write one run and are killed at any moment: what was acknowledged is there, and nothing twice."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.systems.train.tracking.conftest import ADA, Tracking, opened
from tests.systems.train.tracking.writer_process import point
from treadle.backends.postgres import open_postgres
from treadle.kernel.store import Store
from treadle.migrations import schema
from treadle.systems.train.tracking.metrics import MetricsOfRun
from treadle.testing import embedded_store
from treadle.testing.postgres import postgres_store_database

WRITERS = 4
CALLS = 60


@pytest.fixture(params=["sqlite", "postgresql"])
def placed(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[str, Store]]:
    """A store, and where other processes find it."""
    if request.param == "sqlite":
        store: Store = embedded_store(tmp_path)
        yield str(tmp_path / "treadle.db"), store
        store.close()
        return
    with postgres_store_database() as url:
        store = open_postgres(url, schema())
        yield url, store
        store.close()


def test_acknowledged_points_survive_kills_and_none_is_there_twice(placed: tuple[str, Store]) -> None:
    place, store = placed
    tracking = opened(store)
    run = tracking.run()
    command = [sys.executable, "-m", "tests.systems.train.tracking.writer_process", place, run]
    writers = [
        subprocess.Popen([*command, str(writer)], stdout=subprocess.PIPE, text=True) for writer in range(WRITERS)
    ]

    acknowledged = []
    for call in range(CALLS):  # a reader puts the run in order while they write
        counts = [int(process.stdout.readline()) for process in writers if process.stdout is not None]
        acknowledged = counts
        if call % 20 == 19:
            tracking.history(run)
    for writer, process in enumerate(writers):
        process.kill()
        rest = process.communicate()[0].split()
        acknowledged[writer] = max([acknowledged[writer], *map(int, rest)])

    _check(tracking, run, acknowledged)
    for writer, count in enumerate(acknowledged):  # whoever was not answered tries again
        tracking.log(run, *[point(writer, n) for n in range(count - 1, count + 20)])
    _check(tracking, run, [count + 20 for count in acknowledged])


def _check(tracking: Tracking, run: str, acknowledged: list[int]) -> None:
    found = {key: tracking.history(run, key) for key in ["loss", *(f"of-{writer}" for writer in range(WRITERS))]}
    for points in found.values():
        assert len(set(points)) == len(points)
    for writer, count in enumerate(acknowledged):
        expected = {point(writer, n)[1:] for n in range(count)}
        logged = {row for points in found.values() for row in points if row[2] // 1000 == writer}
        assert expected <= logged
    for summary in tracking.metrics.of_run(ADA, MetricsOfRun(run=run)):
        assert (summary.step, summary.at_ms, summary.value) == max((s, at, v) for v, s, at in found[summary.key])
        assert (summary.first_step, summary.last_step) == (min(p[1] for p in found[summary.key]), summary.step)
