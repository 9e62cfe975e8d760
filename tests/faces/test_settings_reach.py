"""Every setting has an effect that somebody can see."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

import treadle as td
from treadle import assembly
from treadle.faces.cli import entry
from treadle.kernel.engine.pool.pool import ProcessPool
from treadle.kernel.store.sql import parse


class Odd:
    """What only a pickle can hold."""


@td.step
def odd(n: int) -> Odd:
    return Odd()


@td.step
def number(n: int) -> int:
    return n


@td.pipeline
def making_odd() -> Any:
    return odd(1)


@td.pipeline
def counting() -> int:
    return td.load(number(3))


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Any]:
    """Opens workspaces with settings; they are closed afterwards."""
    spaces: list[assembly.Workspace] = []

    def make(**flags: object) -> assembly.Workspace:
        spaces.append(assembly.open_workspace(tmp_path / f"home-{len(spaces)}", **flags))
        return spaces[-1]

    yield make
    for space in spaces:
        space.close()


def test_pickles_are_written_only_where_the_operator_allows_it(opened):
    refused = opened().engine.run(making_odd, {})
    allowed = opened(allow_pickle=True).engine.run(making_odd, {})

    assert (refused.status, allowed.status) == ("failed", "done")
    assert "Odd" in str(refused.error)


def test_a_pool_has_as_many_workers_as_were_asked_for(opened):
    pool = opened(workers=3).engine.executor("pool")

    assert isinstance(pool, ProcessPool)
    assert pool.capacity().cpus == 3


def test_steps_run_where_the_setting_says(opened):
    space = opened(executor="pool", workers=1)

    assert space.engine.run(counting, {}).value == 3
    assert isinstance(space.engine.executor("pool"), ProcessPool)
    assert len(space.engine.executor("pool").worker_pids()) == 1


def test_a_run_holds_its_lease_for_as_long_as_the_setting_says(opened):
    space = opened(lease_s=90.0, heartbeat_s=2.0)

    assert (space.engine.lease_s, space.engine._beat_s) == (90.0, 2.0)


def test_clean_up_keeps_what_is_younger_than_the_setting_says(opened, tmp_path, capsys, monkeypatch):
    space = opened(retention_days=30)
    space.engine.run(counting, {})
    age(space, days=10)
    space.close()

    home = ["--home", str(space.home), "--json"]
    monkeypatch.setenv("TREADLE_RETENTION_DAYS", "20")
    assert entry.main(["gc", "--dry-run", *home]) == 0
    kept = capsys.readouterr().out
    monkeypatch.setenv("TREADLE_RETENTION_DAYS", "5")
    assert entry.main(["gc", "--dry-run", *home]) == 0
    condemned = capsys.readouterr().out

    assert '"condemned": 0,' in kept
    assert '"condemned": 0,' not in condemned


def age(space: assembly.Workspace, *, days: int) -> None:
    """Moves all that was recorded into the past."""
    by = int(timedelta(days=days).total_seconds()) * 1_000_000

    def work(tx: Any) -> None:
        for table, columns in (("run", ("recorded_at", "started_at", "ended_at")), ("artifact", ("recorded_at",))):
            changes = ", ".join(f"{column} = {column} - :by" for column in columns)
            tx.execute(parse(f"-- name: age\nupdate {table} set {changes};")["age"], {"by": by})

    space.store.write(work)
