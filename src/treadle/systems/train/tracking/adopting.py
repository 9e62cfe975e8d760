"""Steps of the engine as tracked runs: a client that logs inside a step logs in the step's own run.

The row on the graph is the engine's, who began the run and will end it; tracking adds a row of its own beside it and
leaves that one alone.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from treadle.ground.clock import Clock, to_micros
from treadle.ground.ids import mlflow_id
from treadle.kernel.catalog import RunRows
from treadle.kernel.governance import Caller
from treadle.kernel.store import Store, Transaction
from treadle.systems.train.tracking import rules
from treadle.systems.train.tracking.experiments import ACTIVE, Experiments
from treadle.systems.train.tracking.numbers import RunNumbers
from treadle.systems.train.tracking.records import Pair, TrackedRun
from treadle.systems.train.tracking.repository import RunToWrite, TrackedRunRows, below
from treadle.systems.train.tracking.runs import NAME_TAG

STEP = "step"


@dataclass(frozen=True, slots=True, kw_only=True)
class AdoptRun:
    """A run of the engine (`run_…`) that a client wants to log in, and what it says of it."""

    run: str
    experiment: str = ""
    name: str
    user_id: str = ""
    start_ms: int | None = None
    tags: list[Pair] = field(default_factory=list)


class AdoptedRuns:
    """Gives runs of the engine their place among the tracked ones."""

    def __init__(self, store: Store, experiments: Experiments, clock: Clock) -> None:
        self._store, self._experiments, self._clock = store, experiments, clock
        self._rows, self._runs, self._numbers = TrackedRunRows(), RunRows(), RunNumbers(store)

    def adopt(self, caller: Caller, request: AdoptRun) -> TrackedRun | None:
        """The tracked run; None when it has ended already, or when the project has no such run.

        Asked again while it is running, it answers the same. Raises ExperimentNotFound.
        """
        caller.require("run.write")
        run = mlflow_id(request.run)
        with self._store.read() as reader:
            known = self._rows.find(reader, caller.project, run)
            is_ours = self._runs.find(reader, caller.project, request.run) is not None
        if known is not None:
            return known if known.status == "RUNNING" and known.lifecycle == ACTIVE else None
        if not is_ours:
            return None
        self._experiments.begin(caller.project)
        number = self._numbers.take(caller.project)
        self._store.write(lambda tx: self._insert(tx, caller.project, number, run, request))
        with self._store.read() as reader:
            return self._rows.find(reader, caller.project, run)

    def _insert(self, tx: Transaction, project: str, number: int, run: str, request: AdoptRun) -> None:
        experiment = rules.experiment_number(request.experiment)
        group = self._experiments.active_in(tx, project, experiment)
        values = {
            "project": project,
            "number": number,
            "run": run,
            "experiment": experiment,
            "name": request.name,
            "status": "RUNNING",
            "user_id": request.user_id,
            "origin": STEP,
            "start_ms": request.start_ms or to_micros(self._clock()) // 1000,
            "end_ms": None,
            "artifact_uri": below(group.artifact_location, run, "artifacts"),
        }
        self._rows.insert(tx, values)
        tags = [tag for tag in request.tags if tag.key != NAME_TAG] + [Pair(NAME_TAG, request.name)]
        self._rows.put_tags(tx, project, RunToWrite(number, experiment, ACTIVE, STEP, "RUNNING", request.name), tags)
