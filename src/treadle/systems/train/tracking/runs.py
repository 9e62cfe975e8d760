"""The verbs of tracked runs: their life, and what is logged in them."""

from __future__ import annotations

import json
import math
import random
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

from treadle.ground.clock import Clock, to_micros
from treadle.ground.ids import NewId, mlflow_id
from treadle.kernel.events import EventLog
from treadle.kernel.governance import Caller, verb
from treadle.kernel.store import Store, Transaction
from treadle.systems.train.tracking import rules
from treadle.systems.train.tracking.errors import TagNotFound, TrackedRunNotFound, TrackingInvalid
from treadle.systems.train.tracking.experiments import ACTIVE, DELETED, Experiments
from treadle.systems.train.tracking.graph import ENDED, KIND, PARENT_TAG, STATUSES, GraphRuns, moment
from treadle.systems.train.tracking.metric_rows import MetricRows, written
from treadle.systems.train.tracking.names import random_name
from treadle.systems.train.tracking.numbers import RunNumbers
from treadle.systems.train.tracking.records import ModelPoint, Pair, TrackedRun
from treadle.systems.train.tracking.repository import RunToWrite, TrackedRunRows, below, sql
from treadle.systems.train.tracking.requests import (
    CreateRun,
    DeleteTag,
    LogBatch,
    LogParam,
    RecordModel,
    SetTag,
    TrackedRunNamed,
    UpdateRun,
)
from treadle.systems.train.tracking.summaries import PointBatch, finite, summaries

NAME_TAG = "mlflow.runName"
MODELS_TAG = "mlflow.log-model.history"


class TrackedRuns:
    """See the module. rng: what names runs that were given no name."""

    def __init__(
        self,
        store: Store,
        experiments: Experiments,
        events: EventLog,
        clock: Clock,
        new_id: NewId,
        *,
        rng: random.Random | None = None,
    ) -> None:
        self._store, self._experiments, self._events = store, experiments, events
        self._clock, self._new_id = clock, new_id
        self._rng = rng or random.Random()  # noqa: S311 -- names, not secrets
        self._rows, self._metrics, self._graph = TrackedRunRows(), MetricRows(), GraphRuns()
        self._numbers = RunNumbers(store)

    @verb("tracking.create", permission="run.write")
    def create(self, caller: Caller, request: CreateRun) -> TrackedRun:
        """The new run, which is running. Raises ExperimentNotFound, TrackingInvalid."""
        experiment = rules.experiment_number(request.experiment)
        tags, name = self._named(request)
        run = mlflow_id(self._new_id("run"))
        self._experiments.begin(caller.project)
        number = self._numbers.take(caller.project)

        def work(tx: Transaction) -> TrackedRun:
            group = self._experiments.active_in(tx, caller.project, experiment)
            made = TrackedRun(
                number=number,
                run=run,
                experiment=experiment,
                name=name,
                status="RUNNING",
                user_id=request.user_id,
                start_ms=request.start_ms,
                end_ms=None,
                lifecycle=ACTIVE,
                artifact_uri=below(group.artifact_location, run, "artifacts"),
                tags=tags,
            )
            self.insert(tx, caller, made)
            return made

        return self._store.write(work)

    def insert(
        self,
        tx: Transaction,
        caller: Caller,
        made: TrackedRun,
        *,
        deleted_ms: int | None = None,
        kind: str = KIND,
    ) -> None:
        """Records a run with its tags, and its row on the graph; metrics and inputs are not looked at."""
        columns = (
            "number", "run", "experiment", "name", "status", "user_id", "start_ms", "end_ms", "artifact_uri",
        )  # fmt: skip
        values = {name: getattr(made, name) for name in columns}
        self._rows.insert(tx, {**values, "project": caller.project, "origin": "client"})
        to_write = RunToWrite(made.number, made.experiment, made.lifecycle, "client", made.status, made.name)
        self._rows.put_tags(tx, caller.project, to_write, made.tags)
        if made.lifecycle == DELETED:
            self._move(tx, caller.project, made.number, DELETED, deleted_ms)
        self._graph.add(
            tx,
            caller.project,
            made.run,
            name=made.name,
            status=made.status,
            parent=next((tag.value for tag in made.tags if tag.key == PARENT_TAG), None),
            actor=caller.actor,
            recorded_at=self._clock(),
            start_ms=made.start_ms,
            end_ms=made.end_ms,
            params={param.key: param.value for param in made.params},
            kind=kind,
        )

    def _named(self, request: CreateRun) -> tuple[list[Pair], str]:
        """The tags with the one that names the run, and the name."""
        tags = list(request.tags)
        if len({tag.key for tag in tags}) < len(tags):
            raise TrackingInvalid("A tag of the run is given more than once.")
        tagged = next((tag.value for tag in tags if tag.key == NAME_TAG), "")
        if request.name and tagged and request.name != tagged:
            raise TrackingInvalid(
                "Both 'run_name' argument and 'mlflow.runName' tag are specified, but with different values "
                f"(run_name='{request.name}', mlflow.runName='{tagged}')."
            )
        name = request.name or tagged or random_name(self._rng)
        if not tagged:
            tags = [tag for tag in tags if tag.key != NAME_TAG] + [Pair(NAME_TAG, name)]
        return tags, name

    @verb("tracking.get", permission="run.read")
    def get(self, caller: Caller, request: TrackedRunNamed) -> TrackedRun:
        """A run with its parameters, tags, latest metrics, inputs and outputs. Raises TrackedRunNotFound."""
        with self._store.read() as reader:
            found = self._rows.find(reader, caller.project, request.run)
        if found is None:
            raise unknown_run(request.run)
        return found

    @verb("tracking.update", permission="run.write")
    def update(self, caller: Caller, request: UpdateRun) -> TrackedRun:
        """The run without what was logged in it, after the change. Raises TrackedRunNotFound, TrackingInvalid."""
        if request.status is not None and request.status not in STATUSES:
            raise TrackingInvalid(
                f"There is no status {request.status!r} of a run. It is one of: {', '.join(sorted(STATUSES))}."
            )

        def work(tx: Transaction) -> TrackedRun:
            self.update_in(tx, caller.project, request, self.to_write(tx, caller.project, request.run))
            found = self._rows.find_info(tx, caller.project, request.run)
            if found is None:
                raise unknown_run(request.run)
            return found

        return self._store.write(work)

    def update_in(self, tx: Transaction, project: str, request: UpdateRun, run: RunToWrite) -> None:
        """As the verb, within a transaction that is already open."""
        name = request.name or None
        values = {"project": project, "number": run.number, "name": name}
        tx.put(sql.update_tracked_run, {**values, "status": request.status, "end_ms": request.end_ms})
        if name is not None:
            self._rows.put_tags(tx, project, run, [Pair(NAME_TAG, name)])
        if run.origin == "client":
            status = request.status or run.status
            self._graph.settle(
                tx,
                project,
                request.run,
                status=status,
                name=name or run.name,
                ended_at=(moment(request.end_ms) or self._clock()) if status in ENDED else None,
                params=self._rows.params(tx, project, run.number) if status in ENDED else {},
            )

    @verb("tracking.delete", permission="run.delete", event="run.deleted")
    def delete(self, caller: Caller, request: TrackedRunNamed) -> None:
        """Deletes a run until it is restored. Raises TrackedRunNotFound."""
        now_ms = to_micros(self._clock()) // 1000
        self._store.write(lambda tx: self._moved(tx, caller, request.run, DELETED, now_ms))

    @verb("tracking.restore", permission="run.delete", event="run.restored")
    def restore(self, caller: Caller, request: TrackedRunNamed) -> None:
        """Brings back a deleted run. Raises TrackedRunNotFound."""
        self._store.write(lambda tx: self._moved(tx, caller, request.run, ACTIVE, None))

    def _moved(self, tx: Transaction, caller: Caller, run: str, lifecycle: str, deleted_ms: int | None) -> None:
        found = self._rows.to_write(tx, caller.project, run)
        if found is None:
            raise unknown_run(run)
        self._move(tx, caller.project, found.number, lifecycle, deleted_ms)
        if found.lifecycle != lifecycle:
            kind = "run.deleted" if lifecycle == DELETED else "run.restored"
            self._events.append(tx, project=caller.project, kind=kind, subject=f"run/{run}", actor=caller.actor)

    def _move(self, tx: Transaction, project: str, number: int, lifecycle: str, deleted_ms: int | None) -> None:
        values = {"project": project, "number": number, "lifecycle": lifecycle, "deleted_ms": deleted_ms}
        tx.put(sql.move_tracked_run, values)

    @verb("tracking.log", permission="run.write")
    def log(self, caller: Caller, request: LogBatch) -> None:
        """Adds points, parameters and tags, all or none. The same point or parameter again changes nothing.

        Raises TrackingInvalid (another value for a parameter that is there among others), TrackedRunNotFound.
        """
        batch = self._checked_points(caller.project, request)
        params = [
            Pair(one.key, rules.checked_param(one.key, one.value, f"params[{place}]"))
            for place, one in enumerate(request.params)
        ]
        tags = [
            Pair(one.key, rules.checked_tag(one.key, one.value, f"tags[{place}]"))
            for place, one in enumerate(request.tags)
        ]
        rules.check_batch(len(request.keys), len(params), len(tags))
        rules.check_each_once([param.key for param in params])
        latest = summaries(batch) if len(batch) else {}

        def work(tx: Transaction) -> dict[str, int]:
            run = self.to_write(tx, caller.project, request.run)
            if params:
                self._add_params(tx, caller.project, request.run, run, params)
            learned: dict[str, int] = {}
            if latest:
                learned = self._metrics.write(tx, caller.project, run.number, run.experiment, batch, latest)
            if request.model_points:
                self._add_model_points(tx, caller.project, request.run, run, request.model_points)
            if tags:
                self._set_tags(tx, caller.project, request.run, run, tags)
            return learned

        self._metrics.keys.remember(caller.project, written(self._store, work))

    def _checked_points(self, project: str, request: LogBatch) -> PointBatch:
        if not len(request.keys) == len(request.values) == len(request.steps) == len(request.times_ms):
            raise TrackingInvalid("The columns keys, values, steps and times_ms must have one length.")
        known = self._metrics.keys.known(project)
        if any(key not in known for key in request.keys):
            for place, key in enumerate(request.keys):
                rules.check_metric_name(key, f"metrics[{place}]")
        values = [math.nan if value is None else value for value in request.values]
        if request.times_ms and min(request.times_ms) < 0:
            for place, at_ms in enumerate(request.times_ms):
                rules.check_time(at_ms, request.keys[place], values[place], f"metrics[{place}]")
        return PointBatch(keys=request.keys, values=finite(values), steps=request.steps, times=request.times_ms)

    @verb("tracking.log_param", permission="run.write")
    def log_param(self, caller: Caller, request: LogParam) -> None:
        """Adds a parameter; the same value again is fine. Raises TrackingInvalid, TrackedRunNotFound."""
        value = rules.checked_param(request.key, request.value)

        def work(tx: Transaction) -> None:
            run = self.to_write(tx, caller.project, request.run)
            values = {"project": caller.project, "number": run.number, "key": request.key}
            if tx.execute(sql.insert_param, {**values, "value": value, "experiment": run.experiment}) == 1:
                return
            row = tx.find(sql.find_param, values)
            if row is not None and row[0] != value:
                raise TrackingInvalid(
                    f"Changing param values is not allowed. Param with key='{request.key}' was already logged with "
                    f"value='{row[0]}' for run ID='{request.run}'. Attempted logging new value '{value}'."
                )

        self._store.write(work)

    def _add_params(self, tx: Transaction, project: str, name: str, run: RunToWrite, params: Sequence[Pair]) -> None:
        known = self._rows.params(tx, project, run.number)
        other = [
            {"key": param.key, "old_value": known[param.key], "new_value": param.value}
            for param in params
            if known.get(param.key, param.value) != param.value
        ]
        if other:
            raise TrackingInvalid(
                f"Changing param values is not allowed. Params were already logged='{other}' for run ID='{name}'."
            )
        self._rows.add_params(tx, project, run, [param for param in params if param.key not in known])

    @verb("tracking.set_tag", permission="run.write")
    def set_tag(self, caller: Caller, request: SetTag) -> None:
        """Sets a tag; the one that names the run renames it. Raises TrackingInvalid, TrackedRunNotFound."""
        tag = Pair(request.key, rules.checked_tag(request.key, request.value))

        def work(tx: Transaction) -> None:
            run = self.to_write(tx, caller.project, request.run)
            self._set_tags(tx, caller.project, request.run, run, [tag])

        self._store.write(work)

    def _set_tags(self, tx: Transaction, project: str, name: str, run: RunToWrite, tags: Sequence[Pair]) -> None:
        for tag in tags:
            if tag.key == NAME_TAG:
                self.update_in(tx, project, UpdateRun(run=name, name=tag.value), run)
        self._rows.put_tags(tx, project, run, [tag for tag in tags if tag.key != NAME_TAG])

    @verb("tracking.delete_tag", permission="run.write")
    def delete_tag(self, caller: Caller, request: DeleteTag) -> None:
        """Removes a tag. Raises TagNotFound, TrackedRunNotFound, TrackingInvalid."""

        def work(tx: Transaction) -> None:
            run = self.to_write(tx, caller.project, request.run)
            values = {"project": caller.project, "number": run.number, "key": request.key}
            if tx.execute(sql.delete_tag, values) == 0:
                raise TagNotFound(f"No tag with name: {request.key} in run with id {request.run}")

        self._store.write(work)

    @verb("tracking.record_model", permission="run.write")
    def record_model(self, caller: Caller, request: RecordModel) -> None:
        """Adds the description of a model to those in the run's tag. Raises TrackingInvalid, TrackedRunNotFound."""

        def work(tx: Transaction) -> None:
            run = self.to_write(tx, caller.project, request.run)
            values = {"project": caller.project, "number": run.number, "key": MODELS_TAG}
            row = tx.find(sql.find_tag, values)
            before = _descriptions(row[0]) if row else []
            # Whole, however long: cut, it could not be read again.
            tag = Pair(MODELS_TAG, json.dumps([*before, request.description]))
            self._rows.put_tags(tx, caller.project, run, [tag])

        self._store.write(work)

    def to_write(self, tx: Transaction, project: str, run: str) -> RunToWrite:
        """What a write has to know of a run. Raises TrackedRunNotFound, TrackingInvalid when it is deleted."""
        found = self._rows.to_write(tx, project, run)
        if found is None:
            raise unknown_run(run)
        if found.lifecycle != ACTIVE:
            raise TrackingInvalid(f"The run {run} must be in the 'active' state. Current state is {found.lifecycle}.")
        return found

    def _add_model_points(
        self, tx: Transaction, project: str, name: str, run: RunToWrite, points: Sequence[ModelPoint]
    ) -> None:
        tx.put_many(sql.insert_model_metric, [_model_row(project, name, run.experiment, point) for point in points])


def _descriptions(text: str) -> list[Any]:
    """What the tag of a run's models holds; whoever sets tags may have put anything there."""
    with suppress(ValueError):
        found = json.loads(text)
        if isinstance(found, list):
            return found
    raise TrackingInvalid(f"The tag {MODELS_TAG} of the run is no JSON array; delete it to record models again.")


def _model_row(project: str, run: str, experiment: int, point: ModelPoint) -> Mapping[str, Any]:
    is_nan = point.value is None or math.isnan(point.value)
    return {
        "project": project,
        "model": point.model,
        "name": point.key,
        "at_ms": point.at_ms,
        "step": point.step,
        "run": run,
        "value": 0.0 if point.value is None or is_nan else finite([point.value])[0],
        "is_nan": int(is_nan),
        "dataset": None,
        "dataset_name": point.dataset_name,
        "dataset_digest": point.dataset_digest,
        "experiment": experiment,
    }


def unknown_run(run: str) -> TrackedRunNotFound:
    """The error for a run that is not there."""
    return TrackedRunNotFound(f"Run with id={run} not found")
