"""A store as large as a team's after a year or two: the demo's year, and on top of it runs, snapshots and predictions.

`python -m benchmarks.pages.seeding HOME` makes one to look at: `treadle up --home HOME --project flights`.
"""

from __future__ import annotations

import math
import random
import subprocess
import sys
from pathlib import Path

import polars as pl

from treadle.assembly import Workspace
from treadle.ground.settings import load
from treadle.loops.feedback.archive import dataset_of
from treadle.systems.train.tracking.experiments import CreateExperiment
from treadle.systems.train.tracking.records import Pair
from treadle.systems.train.tracking.requests import CreateRun, LogBatch, UpdateRun

PROJECT, ENDPOINT = "flights", "late-arrival"
RUNS, SNAPSHOTS, PREDICTIONS = 10_000, 1_000, 1_000_000
LONG_RUNS, POINTS = 50, 100_000
_METRICS = [f"m{place}" for place in range(5)]
_AT_ONCE = 1000
_AFTER_TIME = 15
"""`pred_`, then ten letters of time: what follows may be changed, and the order of time stays."""


def seed(home: Path) -> None:
    """Fills a new folder. Takes some minutes."""
    demo = [sys.executable, "-m", "treadle.faces.cli.entry", "demo", "--home", str(home)]
    subprocess.run(demo, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    with Workspace(load({"home": home, "project": PROJECT}, environ={}, folder=home), actor="bench") as workspace:
        fill_up(workspace)


def fill_up(workspace: Workspace) -> None:
    """What comes on top of the demo's year."""
    _long_runs(workspace)
    _runs(workspace)
    _snapshots(workspace)
    _predictions(workspace)


def _runs(workspace: Workspace) -> None:
    """Runs as a client logs them, each with five metrics and five parameters."""
    rng = random.Random(1)
    runs, caller = workspace.tracking.runs, workspace.caller
    workspace.tracking.experiments.begin(PROJECT)
    for number in range(RUNS):
        start = 1_700_000_000_000 + number * 60_000
        made = runs.create(
            caller, CreateRun(experiment="0", name=f"run-{number}", user_id=rng.choice("ab"), start_ms=start)
        )
        batch = LogBatch(
            run=made.run,
            keys=_METRICS,
            values=[rng.random() for _ in _METRICS],
            steps=[0] * len(_METRICS),
            times_ms=[start] * len(_METRICS),
            params=[Pair(key=f"p{place}", value=f"v{rng.randrange(10)}") for place in range(5)],
        )
        runs.log(caller, batch)
        runs.update(caller, UpdateRun(run=made.run, status="FINISHED", end_ms=start + 30_000))


def _long_runs(workspace: Workspace) -> None:
    """Loss curves of many steps, in an experiment of their own."""
    rng = random.Random(3)
    tracking, caller = workspace.tracking, workspace.caller
    experiment = tracking.experiments.create(caller, CreateExperiment(name="curves"))
    for number in range(LONG_RUNS):
        run = tracking.runs.create(caller, CreateRun(experiment=str(experiment.number), name=f"curve-{number}"))
        speed = rng.uniform(2e3, 2e4)
        for first in range(0, POINTS, _AT_ONCE):
            steps = list(range(first, first + _AT_ONCE))
            values: list[float | None] = [math.exp(-step / speed) + rng.gauss(0, 0.02) for step in steps]
            times = [step * 10 for step in steps]
            batch = LogBatch(run=run.run, keys=["loss"] * _AT_ONCE, values=values, steps=steps, times_ms=times)
            tracking.runs.log(caller, batch)


def _snapshots(workspace: Workspace) -> None:
    rng = random.Random(2)
    for number in range(SNAPSHOTS):
        rows = pl.DataFrame(
            {"order": range(number * 20, number * 20 + 20), "amount": [rng.gauss(50, 9) for _ in range(20)]}
        )
        workspace.datasets.land(workspace.caller, "orders", rows.to_arrow(), key=f"orders-{number}")


def _predictions(workspace: Workspace) -> None:
    name = dataset_of(ENDPOINT)
    snapshot = workspace.datasets.snapshot(PROJECT, name)
    rows = workspace.datasets.scan(PROJECT, snapshot).drop("_landing", "_row").collect()
    for copy in range(1, math.ceil(PREDICTIONS / rows.height)):
        letter = "0123456789abcdefghjkmnpqrstvwxyz"[copy]
        renamed = rows.with_columns(
            pl.col(column).str.slice(0, _AFTER_TIME) + letter + pl.col(column).str.slice(_AFTER_TIME + 1)
            for column in ("prediction_id", "call_id")
        )
        workspace.datasets.land(workspace.caller, name, renamed.to_arrow(), key=f"copy-{copy}", event_column="event_at")


if __name__ == "__main__":
    seed(Path(sys.argv[1]))
