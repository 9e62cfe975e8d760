"""The services of tracking over a store of each kind, and one run to write into."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path

import pytest

from treadle.ground.clock import system_clock
from treadle.ground.ids import new_id
from treadle.kernel.artifacts.local import LocalBlobs
from treadle.kernel.artifacts.service import Artifacts
from treadle.kernel.events import EventLog
from treadle.kernel.governance import Caller
from treadle.kernel.store import Store
from treadle.systems.train.tracking.experiments import Experiments
from treadle.systems.train.tracking.inputs import RunInputs
from treadle.systems.train.tracking.lineage import RunEdges
from treadle.systems.train.tracking.logged_models import LoggedModels
from treadle.systems.train.tracking.metrics import MetricHistory, Metrics
from treadle.systems.train.tracking.requests import CreateRun, LogBatch
from treadle.systems.train.tracking.runs import TrackedRuns

ADA = Caller(project="p", actor="ada")


@dataclass(slots=True)
class Tracking:
    """Everything over one store."""

    store: Store
    events: EventLog
    experiments: Experiments
    runs: TrackedRuns
    metrics: Metrics
    inputs: RunInputs
    models: LoggedModels

    def run(self, name: str = "r", **asked: object) -> str:
        """The id of a new run."""
        return self.runs.create(ADA, CreateRun(name=name, **asked)).run  # type: ignore[arg-type]

    def log(self, run: str, *points: tuple[str, float | None, int, int]) -> None:
        """Logs points given as (key, value, step, time)."""
        keys, values, steps, times = zip(*points, strict=True)
        batch = LogBatch(run=run, keys=list(keys), values=list(values), steps=list(steps), times_ms=list(times))
        self.runs.log(ADA, batch)

    def history(self, run: str, key: str = "loss") -> list[tuple[float | None, int, int]]:
        """The points of a metric as (value, step, time), by step and time."""
        found = self.metrics.history(ADA, MetricHistory(run=run, key=key))
        return list(zip(found.values, found.steps, found.times_ms, strict=True))


def opened(store: Store) -> Tracking:
    """The services over a store, as one process has them."""
    events = EventLog(store, system_clock, new_id)
    experiments = Experiments(store, events, system_clock)
    runs = TrackedRuns(store, experiments, events, system_clock, new_id)
    return Tracking(
        store=store,
        events=events,
        experiments=experiments,
        runs=runs,
        metrics=Metrics(store),
        inputs=RunInputs(
            store,
            runs,
            RunEdges(Artifacts(LocalBlobs(Path(tempfile.gettempdir(), "treadle-tracking"))), system_clock),
            new_id,
        ),
        models=LoggedModels(store, experiments, events, system_clock, new_id),
    )


@pytest.fixture
def tracking(any_store: Store) -> Tracking:
    return opened(any_store)
