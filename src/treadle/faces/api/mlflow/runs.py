"""Runs over the protocol: their life, and what clients log in them."""

from __future__ import annotations

import json

from treadle.faces.api.mlflow.exchange import Answer, Exchange, Route, answered
from treadle.systems.train.tracking import rules
from treadle.systems.train.tracking.records import ModelPoint, Pair
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
from treadle.wire.mlflow import runs as wire
from treadle.wire.mlflow.errors import invalid, missing
from treadle.wire.mlflow.experiments import TagSent
from treadle.wire.mlflow.metrics import PointSent

_MODEL_FIELDS = ("artifact_path", "flavors", "run_id", "utc_time_created")
_MODEL_TAGGED = ("run_id", "artifact_path", "utc_time_created", "model_uuid", "flavors", "model_id", "model_type")


def create(exchange: Exchange) -> Answer:
    """POST runs/create"""
    asked = exchange.read(wire.CreateRunAsked)
    request = CreateRun(
        experiment=asked.experiment_id,
        name=asked.run_name,
        user_id=asked.user_id,
        start_ms=asked.start_time,
        tags=_pairs(asked.tags),
    )
    made = wire.run(exchange.workspace.tracking.runs.create(exchange.caller, request))
    made.pop("outputs")
    return answered({"run": made})


def get(exchange: Exchange) -> Answer:
    """GET runs/get"""
    return answered({"run": wire.run(exchange.workspace.tracking.runs.get(exchange.caller, _named(exchange)))})


def update(exchange: Exchange) -> Answer:
    """POST runs/update"""
    asked = exchange.read(wire.UpdateRunAsked)
    request = UpdateRun(
        run=_run(asked),
        status=wire.status_of(asked.status),
        end_ms=asked.end_time,
        name=asked.run_name,
    )
    changed = exchange.workspace.tracking.runs.update(exchange.caller, request)
    return answered({"run_info": wire.run_info(changed)})


def delete(exchange: Exchange) -> Answer:
    """POST runs/delete"""
    exchange.workspace.tracking.runs.delete(exchange.caller, _named(exchange))
    return Answer()


def restore(exchange: Exchange) -> Answer:
    """POST runs/restore"""
    exchange.workspace.tracking.runs.restore(exchange.caller, _named(exchange))
    return Answer()


def log_parameter(exchange: Exchange) -> Answer:
    """POST runs/log-parameter"""
    asked = exchange.read(wire.LogPairAsked)
    request = LogParam(run=_run(asked), key=asked.key or _required("key"), value=asked.value)
    exchange.workspace.tracking.runs.log_param(exchange.caller, request)
    return Answer()


def set_tag(exchange: Exchange) -> Answer:
    """POST runs/set-tag"""
    asked = exchange.read(wire.LogPairAsked)
    request = SetTag(run=_run(asked), key=asked.key or _required("key"), value=asked.value)
    exchange.workspace.tracking.runs.set_tag(exchange.caller, request)
    return Answer()


def delete_tag(exchange: Exchange) -> Answer:
    """POST runs/delete-tag"""
    asked = exchange.read(wire.LogPairAsked)
    request = DeleteTag(run=_run(asked), key=asked.key or _required("key"))
    exchange.workspace.tracking.runs.delete_tag(exchange.caller, request)
    return Answer()


def log_batch(exchange: Exchange) -> Answer:
    """POST runs/log-batch"""
    asked = exchange.read(wire.LogBatchAsked)
    run = asked.run_id or _required("run_id")
    rules.check_run_id(run)
    points = asked.metrics
    keys = [point.key for point in points]
    _each_has_a_key("metrics", keys)
    _each_has_a_key("params", [one.key for one in asked.params])
    _each_has_a_key("tags", [one.key for one in asked.tags])
    request = LogBatch(
        run=run,
        keys=keys,
        values=[point.value for point in points],
        steps=[point.step for point in points],
        times_ms=[point.timestamp for point in points],
        params=_pairs(asked.params),
        tags=_pairs(asked.tags),
        model_points=[model_point(run, point) for point in points if point.model_id],
    )
    exchange.workspace.tracking.runs.log(exchange.caller, request)
    return Answer()


def log_model(exchange: Exchange) -> Answer:
    """POST runs/log-model, as clients before 3.0 call it."""
    asked = exchange.read(wire.LogModelAsked)
    run, text = asked.run_id or _required("run_id"), asked.model_json or _required("model_json")
    try:
        model = json.loads(text)
    except ValueError:
        raise invalid(f"Malformed model info. \n {text} \n is not a valid JSON.") from None
    absent = [name for name in _MODEL_FIELDS if not isinstance(model, dict) or name not in model]
    if absent:
        raise invalid(f"Model json is missing mandatory fields: {set(absent)}")
    description = {name: model[name] for name in _MODEL_TAGGED if name in model}
    exchange.workspace.tracking.runs.record_model(exchange.caller, RecordModel(run=run, description=description))
    return Answer()


def model_point(run: str, point: PointSent) -> ModelPoint:
    return ModelPoint(
        key=point.key,
        value=point.value,
        at_ms=point.timestamp,
        step=point.step,
        model=point.model_id,
        run=run,
        dataset_name=point.dataset_name or None,
        dataset_digest=point.dataset_digest or None,
    )


def _each_has_a_key(where: str, keys: list[str]) -> None:
    if "" in keys:
        raise missing(f"{where}[{keys.index('')}].key")


def _pairs(sent: list[TagSent]) -> list[Pair]:
    return [Pair(one.key, one.value) for one in sent]


def _named(exchange: Exchange) -> TrackedRunNamed:
    return TrackedRunNamed(run=_run(exchange.read(wire.RunAsked)))


def _run(asked: wire.RunAsked | wire.UpdateRunAsked | wire.LogPairAsked) -> str:
    return asked.run_id or asked.run_uuid or _required("run_id")


def _required(name: str) -> str:
    raise missing(name)


ROUTES = [
    Route("POST", "2.0/mlflow/runs/create", create),
    Route("GET", "2.0/mlflow/runs/get", get),
    Route("POST", "2.0/mlflow/runs/update", update),
    Route("POST", "2.0/mlflow/runs/delete", delete),
    Route("POST", "2.0/mlflow/runs/restore", restore),
    Route("POST", "2.0/mlflow/runs/log-parameter", log_parameter),
    Route("POST", "2.0/mlflow/runs/set-tag", set_tag),
    Route("POST", "2.0/mlflow/runs/delete-tag", delete_tag),
    Route("POST", "2.0/mlflow/runs/log-batch", log_batch),
    Route("POST", "2.0/mlflow/runs/log-model", log_model),
]
