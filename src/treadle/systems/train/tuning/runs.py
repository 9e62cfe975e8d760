"""Trials as runs: a study is a run in an experiment of its name, its trials are runs below it, in the same transactions.

A trial's parameters are its run's parameters, its final values the metrics `value` (or `value_0`, `value_1`, … where a
study has several directions), its intermediate values the metric `intermediate_value`, its user attributes tags
`user_<key>`. The names and the statuses are those that MLflow's own Optuna storage writes, so that what reads one reads the
other. What does not fit a parameter or a tag stays in the study alone; so does everything once a run has been purged.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from treadle.ground.clock import Clock, to_micros
from treadle.ground.ids import NewId, mlflow_id
from treadle.kernel.governance import Caller
from treadle.kernel.store import Store, Transaction
from treadle.systems.train.tracking import rules
from treadle.systems.train.tracking.errors import TrackingInvalid
from treadle.systems.train.tracking.experiments import ACTIVE, Experiments
from treadle.systems.train.tracking.graph import ENDED, PARENT_TAG
from treadle.systems.train.tracking.metric_rows import MetricRows
from treadle.systems.train.tracking.numbers import RunNumbers
from treadle.systems.train.tracking.records import Pair, TrackedRun
from treadle.systems.train.tracking.repository import RunToWrite, TrackedRunRows, below
from treadle.systems.train.tracking.requests import UpdateRun
from treadle.systems.train.tracking.runs import NAME_TAG, TrackedRuns
from treadle.systems.train.tracking.summaries import PointBatch, finite, summaries
from treadle.systems.train.tuning.records import AttributeKind, TrialState

VALUE, INTERMEDIATE = "value", "intermediate_value"
_STATUS: dict[TrialState, str] = {
    "waiting": "SCHEDULED",
    "running": "RUNNING",
    "complete": "FINISHED",
    "pruned": "KILLED",
    "failed": "FAILED",
}


class TrackedTrials:
    """The runs of studies and trials, on the tables of tracking; see the module."""

    def __init__(self, store: Store, experiments: Experiments, runs: TrackedRuns, clock: Clock, new_id: NewId) -> None:
        self._store, self._experiments, self._runs = store, experiments, runs
        self._clock, self._new_id = clock, new_id
        self._rows, self._metrics, self._numbers = TrackedRunRows(), MetricRows(), RunNumbers(store)

    def take_number(self, project: str) -> int:
        """The number of the next run; to be called before the transaction that will use it."""
        self._experiments.begin(project)
        keys = self._metrics.keys
        if VALUE not in keys.known(project):
            with self._store.read() as reader:
                found = {name: keys.find(reader, project, name) for name in (VALUE, INTERMEDIATE)}
            keys.remember(project, {name: number for name, number in found.items() if number is not None})
        return self._numbers.take(project)

    def begin_study(
        self, tx: Transaction, caller: Caller, run_number: int, number: int, name: str, directions: Sequence[str]
    ) -> str:
        """The run under which those of the study's trials will stand."""
        shown = name[: rules.MAX_KEY_LENGTH] or f"study {number}"
        experiment = self._experiments.ensure_in(tx, caller, shown)
        if experiment.lifecycle != ACTIVE:
            experiment = self._experiments.ensure_in(tx, caller, f"{shown} (study {number})")
        run = mlflow_id(self._new_id("run"))
        tags = [Pair("optuna.study", str(number)), Pair("optuna.directions", ",".join(directions))]
        location = below(experiment.artifact_location, run, "artifacts")
        made = self._made(caller, run_number, run, experiment.number, shown, "RUNNING", location, tags, {})
        self._runs.insert(tx, caller, made, kind="study")
        return run

    def end_study(self, tx: Transaction, caller: Caller, run: str) -> None:
        """The study was deleted; its runs stay."""
        self._settle(tx, caller, run, "FINISHED")

    def begin_trial(
        self,
        tx: Transaction,
        caller: Caller,
        run_number: int,
        study_run: str,
        number: int,
        state: TrialState,
        body: Mapping[str, Any],
    ) -> str | None:
        """The run of a new trial, with all that the trial was made with; None where the study's run is gone."""
        above = self._rows.find_info(tx, caller.project, study_run)
        if above is None:
            return None
        run = mlflow_id(self._new_id("run"))
        tags = [Pair(PARENT_TAG, study_run), Pair("optuna.trial", str(number))]
        location = above.artifact_uri.replace(study_run, run)
        name, status = f"{above.name}-{number}", _STATUS[state]
        made = self._made(caller, run_number, run, above.experiment, name, status, location, tags, body)
        self._runs.insert(tx, caller, made, kind="trial")
        to_write = RunToWrite(run_number, above.experiment, ACTIVE, "client", status, name)
        for kind, entries in (("param", "params"), ("report", "reports"), ("user", "user")):
            for key, value in body.get(entries, {}).items():
                self._write(tx, caller, to_write, kind, key, value)
        self._log_values(tx, caller, to_write, body.get("values") or ())
        return run

    def write(self, tx: Transaction, caller: Caller, run: str, kind: AttributeKind, key: str, value: Any) -> None:
        """A parameter, an intermediate value or an attribute of the user; those of the optimizer are left out."""
        found = None if kind == "system" else self._rows.to_write(tx, caller.project, run)
        if found is not None:
            self._write(tx, caller, found, kind, key, value)

    def move(self, tx: Transaction, caller: Caller, run: str, state: TrialState, values: Sequence[float]) -> None:
        """A trial's next state, and its final values."""
        found = self._rows.to_write(tx, caller.project, run)
        if found is not None:
            self._log_values(tx, caller, found, values)
            self._settle(tx, caller, run, _STATUS[state], found)

    def _made(
        self, caller: Caller, run_number: int, run: str, experiment: int, name: str, status: str, location: str,
        tags: list[Pair], body: Mapping[str, Any],
    ) -> TrackedRun:  # fmt: skip
        now_ms = self._now_ms()
        return TrackedRun(
            number=run_number,
            run=run,
            experiment=experiment,
            name=name,
            status=status,
            user_id=caller.actor,
            start_ms=_millis(body.get("started")) or now_ms,
            end_ms=(_millis(body.get("completed")) or now_ms) if status in ENDED else None,
            lifecycle=ACTIVE,
            artifact_uri=location,
            tags=[Pair(NAME_TAG, name), *tags],
        )

    def _write(self, tx: Transaction, caller: Caller, run: RunToWrite, kind: str, key: str, value: Any) -> None:
        if kind == "report":
            self._log(tx, caller, run, [INTERMEDIATE], [float(value)], int(key))
            return
        try:
            if kind == "param":
                pair = Pair(key, rules.checked_param(key, str(value[2])))
                self._rows.add_params(tx, caller.project, run, [pair])
            else:
                pair = Pair(f"user_{key}", rules.checked_tag(f"user_{key}", json.dumps(value)))
                self._rows.put_tags(tx, caller.project, run, [pair])
        except TrackingInvalid:
            return  # MLflow knows no such name; the study does

    def _log_values(self, tx: Transaction, caller: Caller, run: RunToWrite, values: Sequence[float]) -> None:
        if values:
            keys = [VALUE] if len(values) == 1 else [f"{VALUE}_{place}" for place in range(len(values))]
            self._log(tx, caller, run, keys, values, 0)

    def _log(
        self, tx: Transaction, caller: Caller, run: RunToWrite, keys: Sequence[str], values: Sequence[float], step: int
    ) -> None:
        count = len(values)
        batch = PointBatch(keys=keys, values=finite(list(values)), steps=[step] * count, times=[self._now_ms()] * count)
        self._metrics.write(tx, caller.project, run.number, run.experiment, batch, summaries(batch))

    def _settle(self, tx: Transaction, caller: Caller, run: str, status: str, found: RunToWrite | None = None) -> None:
        found = found or self._rows.to_write(tx, caller.project, run)
        if found is not None:
            end_ms = self._now_ms() if status in ENDED else None
            self._runs.update_in(tx, caller.project, UpdateRun(run=run, status=status, end_ms=end_ms), found)

    def _now_ms(self) -> int:
        return to_micros(self._clock()) // 1000


def _millis(time: str | None) -> int | None:
    return None if time is None else int(datetime.fromisoformat(time).timestamp() * 1000)
