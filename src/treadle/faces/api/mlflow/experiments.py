"""Experiments over the protocol: made, found, renamed, tagged, deleted and brought back."""

from __future__ import annotations

from treadle.faces.api.mlflow.exchange import Answer, Exchange, Route, answered
from treadle.systems.train.tracking.errors import ExperimentNotActive
from treadle.systems.train.tracking.experiments import (
    CreateExperiment,
    ExperimentNamed,
    ExperimentNumbered,
    RenameExperiment,
    TagExperiment,
    UntagExperiment,
)
from treadle.systems.train.tracking.records import Experiment, Pair
from treadle.wire.mlflow import experiments as wire
from treadle.wire.mlflow.errors import ProtocolError, missing


def create(exchange: Exchange) -> Answer:
    """POST experiments/create"""
    asked = exchange.read(wire.CreateExperimentAsked)
    request = CreateExperiment(
        name=asked.name or _required("name"),
        artifact_location=asked.artifact_location,
        tags=[Pair(tag.key, tag.value) for tag in asked.tags],
    )
    made = exchange.workspace.tracking.experiments.create(exchange.caller, request)
    return answered({"experiment_id": str(made.number)})


def get(exchange: Exchange) -> Answer:
    """GET experiments/get"""
    return _answered(exchange, exchange.workspace.tracking.experiments.get(exchange.caller, _numbered(exchange)))


def get_by_name(exchange: Exchange) -> Answer:
    """GET experiments/get-by-name"""
    asked = exchange.read(wire.ExperimentNameAsked)
    request = ExperimentNamed(name=asked.experiment_name or _required("experiment_name"))
    return _answered(exchange, exchange.workspace.tracking.experiments.named(exchange.caller, request))


def update(exchange: Exchange) -> Answer:
    """POST experiments/update"""
    asked = exchange.read(wire.UpdateExperimentAsked)
    experiment = asked.experiment_id or _required("experiment_id")
    request = RenameExperiment(experiment=experiment, name=asked.new_name or _required("new_name"))
    try:
        exchange.workspace.tracking.experiments.rename(exchange.caller, request)
    except ExperimentNotActive as error:
        raise ProtocolError("INVALID_STATE", error.what) from error
    return Answer()


def delete(exchange: Exchange) -> Answer:
    """POST experiments/delete"""
    exchange.workspace.tracking.experiments.delete(exchange.caller, _numbered(exchange))
    return Answer()


def restore(exchange: Exchange) -> Answer:
    """POST experiments/restore"""
    exchange.workspace.tracking.experiments.restore(exchange.caller, _numbered(exchange))
    return Answer()


def set_tag(exchange: Exchange) -> Answer:
    """POST experiments/set-experiment-tag"""
    asked = exchange.read(wire.ExperimentTagAsked)
    experiment = asked.experiment_id or _required("experiment_id")
    request = TagExperiment(experiment=experiment, key=asked.key or _required("key"), value=asked.value)
    exchange.workspace.tracking.experiments.tag(exchange.caller, request)
    return Answer()


def delete_tag(exchange: Exchange) -> Answer:
    """POST experiments/delete-experiment-tag"""
    asked = exchange.read(wire.ExperimentTagAsked)
    experiment = asked.experiment_id or _required("experiment_id")
    request = UntagExperiment(experiment=experiment, key=asked.key or _required("key"))
    exchange.workspace.tracking.experiments.untag(exchange.caller, request)
    return Answer()


def _numbered(exchange: Exchange) -> ExperimentNumbered:
    asked = exchange.read(wire.ExperimentAsked)
    return ExperimentNumbered(experiment=asked.experiment_id or _required("experiment_id"))


def _answered(exchange: Exchange, found: Experiment) -> Answer:
    return answered({"experiment": wire.experiment(found, exchange.caller.project)})


def _required(name: str) -> str:
    raise missing(name)


ROUTES = [
    Route("POST", "2.0/mlflow/experiments/create", create),
    Route("GET", "2.0/mlflow/experiments/get", get),
    Route("GET", "2.0/mlflow/experiments/get-by-name", get_by_name),
    Route("POST", "2.0/mlflow/experiments/update", update),
    Route("POST", "2.0/mlflow/experiments/delete", delete, "slow"),
    Route("POST", "2.0/mlflow/experiments/restore", restore, "slow"),
    Route("POST", "2.0/mlflow/experiments/set-experiment-tag", set_tag),
    Route("POST", "2.0/mlflow/experiments/delete-experiment-tag", delete_tag),
]
