"""Logged models over the protocol."""

from __future__ import annotations

from treadle.faces.api.mlflow.exchange import Answer, Exchange, Route, answered
from treadle.systems.train.tracking.logged_models import (
    CreateLoggedModel,
    LoggedModelNamed,
    PairsOfLoggedModel,
    SettleLoggedModel,
    UntagLoggedModel,
)
from treadle.systems.train.tracking.records import LoggedModel, Pair
from treadle.wire.mlflow import logged_models as wire
from treadle.wire.mlflow.errors import missing
from treadle.wire.mlflow.experiments import TagSent


def create(exchange: Exchange) -> Answer:
    """POST logged-models"""
    asked = exchange.read(wire.CreateLoggedModelAsked)
    if not asked.experiment_id:
        raise missing("experiment_id")
    request = CreateLoggedModel(
        experiment=asked.experiment_id,
        name=asked.name or None,
        model_type=asked.model_type,
        source_run=asked.source_run_id,
        params=_pairs(asked.params),
        tags=_pairs(asked.tags),
    )
    return _answered(exchange.workspace.tracking.logged_models.create(exchange.caller, request))


def get(exchange: Exchange) -> Answer:
    """GET logged-models/{model_id}"""
    with_deleted = exchange.query.get("allow_deleted", ["false"])[0].lower() == "true"
    request = LoggedModelNamed(model=exchange.parameters["model_id"], with_deleted=with_deleted)
    return _answered(exchange.workspace.tracking.logged_models.get(exchange.caller, request))


def settle(exchange: Exchange) -> Answer:
    """PATCH logged-models/{model_id}"""
    asked = exchange.read(wire.SettleLoggedModelAsked)
    status = wire.status_of(asked.status)
    if status is None:
        raise missing("status")
    request = SettleLoggedModel(model=exchange.parameters["model_id"], status=status)
    return _answered(exchange.workspace.tracking.logged_models.settle(exchange.caller, request))


def delete(exchange: Exchange) -> Answer:
    """DELETE logged-models/{model_id}"""
    exchange.workspace.tracking.logged_models.delete(
        exchange.caller, LoggedModelNamed(model=exchange.parameters["model_id"])
    )
    return Answer()


def log_params(exchange: Exchange) -> Answer:
    """POST logged-models/{model_id}/params"""
    asked = exchange.read(wire.PairsAsked)
    request = PairsOfLoggedModel(model=exchange.parameters["model_id"], pairs=_pairs(asked.params))
    exchange.workspace.tracking.logged_models.log_params(exchange.caller, request)
    return Answer()


def set_tags(exchange: Exchange) -> Answer:
    """PATCH logged-models/{model_id}/tags"""
    asked = exchange.read(wire.PairsAsked)
    request = PairsOfLoggedModel(model=exchange.parameters["model_id"], pairs=_pairs(asked.tags))
    exchange.workspace.tracking.logged_models.tag(exchange.caller, request)
    return Answer()


def delete_tag(exchange: Exchange) -> Answer:
    """DELETE logged-models/{model_id}/tags/{key}"""
    request = UntagLoggedModel(model=exchange.parameters["model_id"], key=exchange.parameters["key"])
    exchange.workspace.tracking.logged_models.untag(exchange.caller, request)
    return Answer()


def _pairs(sent: list[TagSent]) -> list[Pair]:
    return [Pair(one.key, one.value) for one in sent]


def _answered(found: LoggedModel) -> Answer:
    return answered({"model": wire.logged_model(found)})


ROUTES = [
    Route("POST", "2.0/mlflow/logged-models", create),
    Route("GET", "2.0/mlflow/logged-models/{model_id}", get),
    Route("PATCH", "2.0/mlflow/logged-models/{model_id}", settle),
    Route("DELETE", "2.0/mlflow/logged-models/{model_id}", delete),
    Route("POST", "2.0/mlflow/logged-models/{model_id}/params", log_params),
    Route("PATCH", "2.0/mlflow/logged-models/{model_id}/tags", set_tags),
    Route("DELETE", "2.0/mlflow/logged-models/{model_id}/tags/{key}", delete_tag),
]
