"""Searches over the protocol: runs, experiments and logged models."""

from __future__ import annotations

from typing import Any, cast

from treadle.faces.api.mlflow.exchange import Answer, Exchange, Route, answered
from treadle.systems.train.search.records import (
    CountRuns,
    ModelOrder,
    OnDataset,
    SearchExperiments,
    SearchLoggedModels,
    SearchRuns,
    View,
)
from treadle.wire.mlflow import search as wire
from treadle.wire.mlflow.errors import invalid, missing
from treadle.wire.mlflow.experiments import experiment
from treadle.wire.mlflow.logged_models import logged_model
from treadle.wire.mlflow.runs import run

_MOST = 50_000


def runs(exchange: Exchange) -> Answer:
    """POST runs/search"""
    asked = exchange.read(wire.SearchRunsAsked)
    if asked.max_results > _MOST:
        raise invalid(
            f"Invalid value {asked.max_results} for parameter 'max_results' supplied. It must be at most {_MOST}"
        )
    view = _view(asked.run_view_type)
    if asked.count_only:
        question = CountRuns(experiments=asked.experiment_ids, filter=asked.filter, view=view)
        return answered({"total": exchange.workspace.tracking.searches.count(exchange.caller, question).total})
    request = SearchRuns(
        experiments=asked.experiment_ids,
        filter=asked.filter,
        order_by=asked.order_by,
        view=view,
        limit=asked.max_results,
        token=asked.page_token or None,
        columns=asked.columns,
        with_total=asked.with_total,
    )
    page = exchange.workspace.tracking.searches.runs(exchange.caller, request)
    written = _page("runs", [run(one) for one in page.items], page.next)
    if page.total is not None:
        written["total"] = page.total
    return answered(written)


def experiments(exchange: Exchange) -> Answer:
    """POST and GET experiments/search"""
    asked = exchange.read(wire.SearchExperimentsAsked)
    request = SearchExperiments(
        filter=asked.filter,
        order_by=asked.order_by,
        view=_view(asked.view_type),
        limit=asked.max_results,
        token=asked.page_token or None,
    )
    page = exchange.workspace.tracking.searches.experiments(exchange.caller, request)
    project = exchange.caller.project
    return answered(_page("experiments", [experiment(one, project) for one in page.items], page.next))


def logged_models(exchange: Exchange) -> Answer:
    """POST logged-models/search"""
    asked = exchange.read(wire.SearchLoggedModelsAsked)
    if not asked.experiment_ids:
        raise missing("experiment_ids")
    if not all(one.dataset_name for one in asked.datasets):
        raise invalid("`dataset_name` in the `datasets` clause must be specified.")
    request = SearchLoggedModels(
        experiments=asked.experiment_ids,
        filter=asked.filter,
        datasets=[OnDataset(name=one.dataset_name, digest=one.dataset_digest or None) for one in asked.datasets],
        order_by=[
            ModelOrder(
                field=one.field_name,
                is_ascending=one.ascending,
                dataset=one.dataset_name or None,
                digest=one.dataset_digest or None,
            )
            for one in asked.order_by
        ],
        limit=asked.max_results or 100,
        token=asked.page_token or None,
    )
    page = exchange.workspace.tracking.searches.logged_models(exchange.caller, request)
    return answered(_page("models", [logged_model(one) for one in page.items], page.next))


def _view(sent: str | int) -> View:
    return cast("View", wire.VIEWS.get(int(sent) if isinstance(sent, str) and sent.isdecimal() else sent, "active"))


def _page(name: str, items: list[dict[str, Any]], token: str | None) -> dict[str, Any]:
    written: dict[str, Any] = {name: items} if items else {}
    if token is not None:
        written["next_page_token"] = token
    return written


ROUTES = [
    Route("POST", "2.0/mlflow/runs/search", runs, "slow"),
    Route("POST", "2.0/mlflow/experiments/search", experiments, "slow"),
    Route("GET", "2.0/mlflow/experiments/search", experiments, "slow"),
    Route("POST", "2.0/mlflow/logged-models/search", logged_models, "slow"),
]
