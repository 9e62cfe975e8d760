"""The verbs of logged models: what a client logs as a model, before anybody registers it."""

from __future__ import annotations

import json
import random
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from treadle.ground.clock import Clock, to_micros
from treadle.ground.ids import NewId, mlflow_id
from treadle.kernel.events import EventLog
from treadle.kernel.governance import Caller, verb
from treadle.kernel.store import Reader, Row, Statements, Store, Transaction
from treadle.systems.train.tracking import rules
from treadle.systems.train.tracking.errors import LoggedModelNotFound, TagNotFound, TrackingInvalid
from treadle.systems.train.tracking.experiments import ACTIVE, DELETED, Experiments
from treadle.systems.train.tracking.names import random_name
from treadle.systems.train.tracking.records import LoggedModel, ModelPoint, Pair
from treadle.systems.train.tracking.repository import below

sql = Statements(__package__)

UNSPECIFIED, PENDING, READY, FAILED = 0, 1, 2, 3


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateLoggedModel:
    """A new model in an experiment; without a name it gets one."""

    experiment: str
    name: str | None = None
    model_type: str | None = None
    source_run: str | None = None
    params: list[Pair] = field(default_factory=list)
    tags: list[Pair] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class LoggedModelNamed:
    """A logged model by its id, `m-` and 32 hexadecimal digits."""

    model: str
    with_deleted: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class SettleLoggedModel:
    """status: 2 ready, 3 failed (1 pending)."""

    model: str
    status: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PairsOfLoggedModel:
    """Parameters or tags for a logged model."""

    model: str
    pairs: list[Pair]


@dataclass(frozen=True, slots=True, kw_only=True)
class UntagLoggedModel:
    model: str
    key: str


class LoggedModelRows:
    """Reads logged models."""

    def find(self, reader: Reader, project: str, model: str) -> LoggedModel | None:
        """The model with its parameters, tags and metrics, deleted or not."""
        row = reader.find(sql.find_logged_model, {"project": project, "model": model})
        return None if row is None else self._filled(reader, project, [row])[0]

    def load(self, reader: Reader, project: str, models: Sequence[str]) -> list[LoggedModel]:
        """The models of these ids, in their order, with everything in them: four statements, however many they are."""
        rows = {
            row[0]: row
            for row in reader.all(sql.logged_models, {"project": project, "models": json.dumps(list(models))})
        }
        return self._filled(reader, project, [rows[model] for model in models if model in rows])

    def _filled(self, reader: Reader, project: str, rows: Sequence[Row]) -> list[LoggedModel]:
        values = {"project": project, "models": json.dumps([row[0] for row in rows])}
        params, tags = _pairs(reader.all(sql.params_of_models, values)), _pairs(reader.all(sql.tags_of_models, values))
        points: dict[str, list[ModelPoint]] = defaultdict(list)
        for model, key, value, is_nan, at_ms, step, run, name, digest in reader.all(sql.metrics_of_models, values):
            shown = None if is_nan else value
            points[model].append(ModelPoint(key, shown, at_ms, step, model, run, name, digest))
        return [_model(row, params[row[0]], tags[row[0]], points[row[0]]) for row in rows]


class LoggedModels:
    """See the module. rng: what names models that were given no name."""

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
        self._clock, self._new_id, self._rows = clock, new_id, LoggedModelRows()
        self._rng = rng or random.Random()  # noqa: S311 -- names, not secrets

    @verb("logged_models.create", permission="logged_model.write")
    def create(self, caller: Caller, request: CreateLoggedModel) -> LoggedModel:
        """The new model, which is pending. Raises TrackingInvalid, ExperimentNotFound."""
        if request.name is not None:
            rules.check_model_name(request.name)
        self._experiments.begin(caller.project)
        experiment = rules.experiment_number(request.experiment)
        model, now_ms = f"m-{mlflow_id(self._new_id('m'))}", self._now_ms()
        name = request.name or random_name(self._rng)

        def work(tx: Transaction) -> LoggedModel:
            group = self._experiments.active_in(tx, caller.project, experiment)
            made = LoggedModel(
                model=model,
                experiment=experiment,
                name=name,
                artifact_location=below(group.artifact_location, "models", model, "artifacts"),
                created_ms=now_ms,
                updated_ms=now_ms,
                status=PENDING,
                lifecycle=ACTIVE,
                model_type=request.model_type,
                source_run=request.source_run,
                status_message=None,
                params=request.params,
                tags=request.tags,
            )
            self.insert(tx, caller.project, made)
            return made

        return self._store.write(work)

    def insert(self, tx: Transaction, project: str, made: LoggedModel) -> None:
        """Records a model with its parameters and tags; its metrics are not looked at."""
        columns = (
            "model", "experiment", "name", "artifact_location", "created_ms", "updated_ms", "status", "lifecycle",
            "model_type", "source_run", "status_message",
        )  # fmt: skip
        tx.put(sql.insert_logged_model, {"project": project, **{name: getattr(made, name) for name in columns}})
        self._add_params(tx, project, made, made.params)
        self._put_tags(tx, project, made, made.tags)

    @verb("logged_models.get", permission="logged_model.read")
    def get(self, caller: Caller, request: LoggedModelNamed) -> LoggedModel:
        """A model with its parameters, tags and metrics. Raises LoggedModelNotFound."""
        with self._store.read() as reader:
            found = self._rows.find(reader, caller.project, request.model)
        if found is None or (found.lifecycle == DELETED and not request.with_deleted):
            raise unknown_model(request.model)
        return found

    @verb("logged_models.settle", permission="logged_model.write")
    def settle(self, caller: Caller, request: SettleLoggedModel) -> LoggedModel:
        """The model, ready or failed from now on. Raises LoggedModelNotFound."""

        def work(tx: Transaction) -> LoggedModel:
            self._existing(tx, caller.project, request.model)
            values = {"project": caller.project, "model": request.model, "at_ms": self._now_ms()}
            tx.put(sql.settle_logged_model, {**values, "status": request.status})
            return self._existing(tx, caller.project, request.model)

        return self._store.write(work)

    @verb("logged_models.delete", permission="logged_model.delete", event="logged_model.deleted")
    def delete(self, caller: Caller, request: LoggedModelNamed) -> None:
        """Deletes a model. Raises LoggedModelNotFound."""

        def work(tx: Transaction) -> None:
            self._existing(tx, caller.project, request.model)
            values = {"project": caller.project, "model": request.model, "at_ms": self._now_ms()}
            tx.put(sql.delete_logged_model, values)
            subject = f"logged_model/{request.model}"
            kind = "logged_model.deleted"
            self._events.append(tx, project=caller.project, kind=kind, subject=subject, actor=caller.actor)

        self._store.write(work)

    @verb("logged_models.log_params", permission="logged_model.write")
    def log_params(self, caller: Caller, request: PairsOfLoggedModel) -> None:
        """Adds parameters. Raises LoggedModelNotFound, TrackingInvalid for one that is there already."""

        def work(tx: Transaction) -> None:
            found = self._existing(tx, caller.project, request.model)
            known = {param.key for param in found.params}
            for param in request.pairs:
                if param.key in known:
                    raise TrackingInvalid(f"The logged model {request.model} has the parameter '{param.key}' already.")
            self._add_params(tx, caller.project, found, request.pairs)

        self._store.write(work)

    @verb("logged_models.tag", permission="logged_model.write")
    def tag(self, caller: Caller, request: PairsOfLoggedModel) -> None:
        """Sets tags. Raises LoggedModelNotFound."""
        self._store.write(
            lambda tx: self._put_tags(
                tx, caller.project, self._existing(tx, caller.project, request.model), request.pairs
            )
        )

    @verb("logged_models.untag", permission="logged_model.write")
    def untag(self, caller: Caller, request: UntagLoggedModel) -> None:
        """Removes a tag. Raises LoggedModelNotFound, TagNotFound."""

        def work(tx: Transaction) -> None:
            self._existing(tx, caller.project, request.model)
            values = {"project": caller.project, "model": request.model, "key": request.key}
            if tx.execute(sql.delete_model_tag, values) == 0:
                raise TagNotFound(f"No tag with key {request.key!r} found for model with ID {request.model!r}.")

        self._store.write(work)

    def _existing(self, tx: Transaction, project: str, model: str) -> LoggedModel:
        found = self._rows.find(tx, project, model)
        if found is None:
            raise unknown_model(model)
        return found

    def _add_params(self, tx: Transaction, project: str, made: LoggedModel, params: Sequence[Pair]) -> None:
        if params:
            tx.put_many(sql.insert_model_param, [_entry(project, made, param) for param in params])

    def _put_tags(self, tx: Transaction, project: str, made: LoggedModel, tags: Sequence[Pair]) -> None:
        last = {tag.key: tag for tag in tags}
        if last:
            tx.put_many(sql.put_model_tag, [_entry(project, made, tag) for tag in last.values()])

    def _now_ms(self) -> int:
        return to_micros(self._clock()) // 1000


def _entry(project: str, made: LoggedModel, pair: Pair) -> Mapping[str, Any]:
    return {
        "project": project, "model": made.model, "key": pair.key, "value": pair.value, "experiment": made.experiment,
    }  # fmt: skip


def _model(row: Row, params: list[Pair], tags: list[Pair], metrics: list[ModelPoint]) -> LoggedModel:
    model, experiment, name, location, created_ms, updated_ms, status, lifecycle, model_type, source_run, message = row
    return LoggedModel(
        model=model,
        experiment=experiment,
        name=name,
        artifact_location=location,
        created_ms=created_ms,
        updated_ms=updated_ms,
        status=status,
        lifecycle=lifecycle,
        model_type=model_type,
        source_run=source_run,
        status_message=message,
        params=params,
        tags=tags,
        metrics=metrics,
    )


def _pairs(rows: Sequence[Row]) -> dict[str, list[Pair]]:
    found: dict[str, list[Pair]] = defaultdict(list)
    for model, key, value in rows:
        found[model].append(Pair(key, value))
    return found


def unknown_model(model: str) -> LoggedModelNotFound:
    """The error for a logged model that is not there."""
    return LoggedModelNotFound(f"Logged model with ID '{model}' not found.")
