"""Logged models: from pending to ready, with the metrics that name them."""

from __future__ import annotations

import math

import pytest

from tests.systems.train.tracking.conftest import ADA, Tracking
from treadle.systems.train.tracking.errors import ExperimentNotFound, LoggedModelNotFound, TagNotFound, TrackingInvalid
from treadle.systems.train.tracking.logged_models import (
    READY,
    CreateLoggedModel,
    LoggedModelNamed,
    LoggedModelRows,
    PairsOfLoggedModel,
    SettleLoggedModel,
    UntagLoggedModel,
)
from treadle.systems.train.tracking.records import LoggedModel, ModelPoint, Pair
from treadle.systems.train.tracking.requests import LogBatch


def made(tracking: Tracking, **asked: object) -> LoggedModel:
    request = CreateLoggedModel(experiment="0", **asked)  # type: ignore[arg-type]
    return tracking.models.create(ADA, request)


def found(tracking: Tracking, model: str, *, with_deleted: bool = False) -> LoggedModel:
    return tracking.models.get(ADA, LoggedModelNamed(model=model, with_deleted=with_deleted))


def test_a_new_model_is_pending_and_knows_where_its_artifacts_go(tracking: Tracking) -> None:
    model = made(tracking, name="late", model_type="t", params=[Pair("a", "1")], tags=[Pair("b", "2")])

    assert model.artifact_location == f"mlflow-artifacts:/0/models/{model.model}/artifacts"
    assert (model.status, model.lifecycle) == (1, "active")
    assert found(tracking, model.model) == model
    assert made(tracking).name.count("-") == 2


def test_a_model_becomes_ready(tracking: Tracking) -> None:
    model = made(tracking).model

    assert tracking.models.settle(ADA, SettleLoggedModel(model=model, status=READY)).status == READY
    assert found(tracking, model).status == READY


def test_metrics_that_name_a_model_are_found_with_it(tracking: Tracking) -> None:
    model, run = made(tracking).model, tracking.run()
    points = [
        ModelPoint("acc", 0.5, 3, 2, model, run, "rows", "d1"),
        ModelPoint("acc", 0.5, 3, 2, model, run, "rows", "d1"),
        ModelPoint("acc", math.nan, 4, 2, model, run),
    ]
    tracking.runs.log(ADA, LogBatch(run=run, model_points=points))

    metrics = found(tracking, model).metrics
    assert metrics[0] == points[0]
    assert [point.value for point in metrics] == [0.5, None]


def test_tags_are_replaced_and_parameters_are_not(tracking: Tracking) -> None:
    model = made(tracking, params=[Pair("a", "1")], tags=[Pair("t", "1")]).model
    tracking.models.tag(ADA, PairsOfLoggedModel(model=model, pairs=[Pair("t", "2"), Pair("u", "1"), Pair("u", "3")]))
    tracking.models.log_params(ADA, PairsOfLoggedModel(model=model, pairs=[Pair("b", "2")]))
    tracking.models.untag(ADA, UntagLoggedModel(model=model, key="u"))

    assert found(tracking, model).tags == [Pair("t", "2")]
    assert found(tracking, model).params == [Pair("a", "1"), Pair("b", "2")]
    with pytest.raises(TrackingInvalid):
        tracking.models.log_params(ADA, PairsOfLoggedModel(model=model, pairs=[Pair("a", "2")]))
    with pytest.raises(TagNotFound):
        tracking.models.untag(ADA, UntagLoggedModel(model=model, key="u"))


def test_a_deleted_model_is_seen_only_by_who_asks_for_it(tracking: Tracking) -> None:
    model = made(tracking).model
    tracking.models.delete(ADA, LoggedModelNamed(model=model))

    assert found(tracking, model, with_deleted=True).lifecycle == "deleted"
    with pytest.raises(LoggedModelNotFound, match=f"Logged model with ID '{model}' not found."):
        found(tracking, model)


@pytest.mark.parametrize("name", ["", "a/b", "a:b", "a.b", "a%b", 'a"b', "a'b"])
def test_a_name_that_could_be_a_path_is_refused(tracking: Tracking, name: str) -> None:
    with pytest.raises(TrackingInvalid, match="Invalid model name"):
        made(tracking, name=name)


def test_a_model_needs_an_experiment(tracking: Tracking) -> None:
    with pytest.raises(ExperimentNotFound):
        tracking.models.create(ADA, CreateLoggedModel(experiment="7"))


def test_models_are_loaded_together_in_the_order_asked(tracking: Tracking) -> None:
    models = [made(tracking, name=name).model for name in "abc"]

    with tracking.store.read() as reader:
        loaded = LoggedModelRows().load(reader, "p", [models[2], "m-none", models[0]])

    assert [one.name for one in loaded] == ["c", "a"]
