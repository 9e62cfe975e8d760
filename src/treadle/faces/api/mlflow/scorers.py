"""Scorers: registered, listed and looked up; the server keeps them and runs none."""

from __future__ import annotations

import msgspec

from treadle.faces.api.mlflow.exchange import Answer, Exchange, Route, answered
from treadle.systems.train.traces.scorers import RegisterScorer, ScorerNamed, ScorersOf
from treadle.wire.mlflow.errors import invalid
from treadle.wire.mlflow.scorers import registered, scorer_of


class _Register(msgspec.Struct):
    experiment_id: str
    name: str
    serialized_scorer: str


class _List(msgspec.Struct):
    experiment_id: str = ""
    experiment_ids: list[str] | None = None


class _Named(msgspec.Struct):
    experiment_id: str
    name: str
    version: int | None = None


class _Ids(msgspec.Struct):
    scorer_ids: list[str]


def register(exchange: Exchange) -> Answer:
    asked = exchange.read(_Register)
    request = RegisterScorer(experiment=asked.experiment_id, name=asked.name, serialized=asked.serialized_scorer)
    return answered(registered(exchange.workspace.tracking.scorers.register(exchange.caller, request)))


def list_newest(exchange: Exchange) -> Answer:
    asked = exchange.read(_List)
    if asked.experiment_id and asked.experiment_ids is not None:
        raise invalid(
            "Cannot specify both 'experiment_id' and 'experiment_ids'. Use 'experiment_ids' to scope the query to "
            "multiple experiments, or 'experiment_id' to scope it to a single experiment."
        )
    experiments = [asked.experiment_id] if asked.experiment_id else asked.experiment_ids
    found = exchange.workspace.tracking.scorers.list(exchange.caller, ScorersOf(experiments=experiments))
    return answered({"scorers": [scorer_of(one) for one in found]} if found else {})


def list_versions(exchange: Exchange) -> Answer:
    found = exchange.workspace.tracking.scorers.versions(exchange.caller, _named(exchange))
    return answered({"scorers": [scorer_of(one) for one in found]})


def get(exchange: Exchange) -> Answer:
    return answered({"scorer": scorer_of(exchange.workspace.tracking.scorers.get(exchange.caller, _named(exchange)))})


def delete(exchange: Exchange) -> Answer:
    exchange.workspace.tracking.scorers.delete(exchange.caller, _named(exchange))
    return Answer()


def online_configs(exchange: Exchange) -> Answer:
    """Which scorers judge traces as they come: none, for the server runs no scorer."""
    exchange.read(_Ids)
    return answered({"configs": []})


def _named(exchange: Exchange) -> ScorerNamed:
    asked = exchange.read(_Named)
    return ScorerNamed(experiment=asked.experiment_id, name=asked.name, version=asked.version)


ROUTES = [
    Route("POST", "3.0/mlflow/scorers/register", register),
    Route("GET", "3.0/mlflow/scorers/list", list_newest, "slow"),
    Route("GET", "3.0/mlflow/scorers/versions", list_versions),
    Route("GET", "3.0/mlflow/scorers/get", get),
    Route("DELETE", "3.0/mlflow/scorers/delete", delete),
    Route("GET", "3.0/mlflow/scorers/online-configs", online_configs),
]
