"""Definitions that cannot be right are refused; what is registered says what the definition computes."""

from __future__ import annotations

import json
from datetime import timedelta

import polars as pl
import pytest

from treadle.systems.features import windows
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
    ids=str,
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
    ids=str,
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
    ids=str,
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
