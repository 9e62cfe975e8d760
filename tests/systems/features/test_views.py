"""Definitions that cannot be right are refused; what is registered says what the definition computes."""

from __future__ import annotations

import json
from datetime import timedelta

import polars as pl
import pytest

from treadle.systems.features import views, windows
from treadle.systems.features.errors import DuplicateFeature, InvalidFeatureView, LooksAcrossRows, NeverKnown
from treadle.systems.features.views import FeatureService, FeatureView


def make_view(**changes: object) -> FeatureView:
    parts: dict = {
        "name": "weather",
        "keys": ["origin"],
        "dataset": "weather",
        "event_time": "observed_at",
        "known_at": timedelta(hours=1),
        "features": {"temp": "temp"},
    }
    return FeatureView(**{**parts, **changes})


def test_view_that_does_not_say_when_it_was_known_is_refused_with_the_three_ways_out():
    with pytest.raises(NeverKnown) as refusal:
        make_view(known_at=None)

    assert all(way in refusal.value.fix for way in ("column", "delay", '"live"'))


@pytest.mark.parametrize(
    "expression",
    [
        pl.col("temp").mean(),
        pl.col("temp").shift(1),
        pl.col("temp") - pl.col("temp").min(),
        pl.col("temp").rolling_mean(3),
        pl.col("temp").sum().over("origin"),
        pl.col("temp").rank(),
        pl.col("temp").fill_null(strategy="forward"),
        pl.col("temp").map_batches(lambda series: series),
        pl.len(),
    ],
)
def test_expression_that_looks_across_rows_is_refused(expression):
    with pytest.raises(LooksAcrossRows):
        make_view(features={"x": expression})
    with pytest.raises(LooksAcrossRows):
        make_view(features={"x": windows.mean(expression, days=1)})


@pytest.mark.parametrize(
    "changes",
    [
        {"name": "no spaces"},
        {"name": ""},
        {"keys": []},
        {"features": {}},
        {"features": {"_row": "x"}},
        {"features": {"a__b": "x"}},
        {"units": {"tmep": "°F"}},
        {"ttl": timedelta(0)},
        {"known_at": timedelta(hours=-1)},
        {"ttl": timedelta(days=1), "features": {"n": windows.count(days=1)}},
    ],
)
def test_definition_that_contradicts_itself_is_refused(changes):
    with pytest.raises(InvalidFeatureView):
        make_view(**changes)


def test_view_reads_only_the_columns_that_it_names():
    view = make_view(
        keys={"origin": "airport"},
        known_at="reported_at",
        features={
            "f": pl.col("temp") * 1.8 + 32,
            "r": windows.rate("late", days=1, where=pl.col("tail").is_not_null()),
        },
        event_key=["flight"],
    )

    assert view.columns == ["airport", "flight", "late", "observed_at", "reported_at", "tail", "temp"]


@pytest.mark.parametrize(
    "changes",
    [
        {"features": {"temp": pl.col("temp") * 1.8}},
        {"features": {"temp": pl.col("temp").cast(pl.Float32)}},
        {"features": {"temp": windows.mean("temp", days=1)}},
        {"features": {"temp": windows.mean("temp", days=2)}},
        {"features": {"temp": windows.mean("temp", days=1, where=pl.col("temp") > 0)}},
        {"known_at": timedelta(hours=2)},
        {"known_at": "observed_at"},
        {"known_at": "live"},
        {"ttl": timedelta(days=1)},
        {"keys": {"origin": "airport"}},
        {"event_key": ["x"]},
    ],
)
def test_digest_changes_with_what_is_computed(changes):
    changed = make_view(**changes)

    assert changed.digest != make_view().digest
    assert changed.digest == make_view(**changes).digest
    assert json.loads(json.dumps(changed.describe())) == changed.describe()


def test_digest_does_not_change_with_what_is_only_said():
    assert make_view(description="Hourly weather.", owner="ops", units={"temp": "°F"}).digest == make_view().digest


def test_service_names_features_of_its_views_in_order():
    other = make_view(name="carrier", features={"late_rate": windows.rate("late", days=7)})

    service = FeatureService(name="late-arrival", views=[make_view(), other], features=["late_rate", "temp"])

    assert service.describe()["features"] == ["late_rate", "temp"]
    with pytest.raises(InvalidFeatureView, match="humidity"):
        FeatureService(name="x", views=[other], features=["humidity"])
    with pytest.raises(DuplicateFeature):
        FeatureService(name="x", views=[make_view(), make_view(name="again")], features=["temp"])


@pytest.mark.parametrize(
    "changes",
    [
        {"features": {"temp": pl.when(pl.col("temp") >= -20).then(pl.col("temp")), "hour": pl.col("at").dt.hour()}},
        {"features": {"n": windows.count(where=pl.col("late").is_not_null(), days=7), "m": windows.mean("x", last=3)}},
        {"known_at": "published_at", "keys": {"origin": "airport"}, "ttl": timedelta(hours=6)},
        {
            "known_at": "live",
            "event_key": ("flight",),
            "description": "Hourly.",
            "owner": "ops",
            "units": {"temp": "°F"},
        },
    ],
)
def test_a_view_comes_back_from_what_is_registered_of_it(changes):
    view = make_view(**changes)

    found = views.view_from_description(json.loads(json.dumps(view.describe())))

    assert found.describe() == view.describe()
    assert found.digest == view.digest == views.digest_of_description(view.describe())


def test_a_service_comes_back_over_the_very_views_that_it_names():
    service = FeatureService(name="late-arrival", views=[make_view()], features=["temp"])

    assert views.service_from_description(service.describe(), [make_view()]).digest == service.digest
    with pytest.raises(InvalidFeatureView, match="another version"):
        views.service_from_description(service.describe(), [make_view(ttl=timedelta(hours=1))])


def test_an_expression_that_polars_cannot_read_is_an_error_of_ours():
    described = make_view().describe()
    described["features"] = {"temp": {"expression": {"NoSuchThing": 1}, "text": ""}}

    with pytest.raises(InvalidFeatureView, match="cannot be read"):
        views.view_from_description(described)
