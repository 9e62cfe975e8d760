"""Landed predictions, listed."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

import treadle as td
from treadle.systems.serve.errors import UnfitTraffic
from treadle.systems.serve.records import ListPredictions, TrafficOf

START = datetime(2026, 3, 1, tzinfo=UTC)


@pytest.fixture
def home(tmp_path: Path) -> Iterator[td.Workspace]:
    """Two endpoints: six predictions of one, an hour apart about three entities, and one of the other."""
    with td.open_workspace(tmp_path) as space:
        land(space, "late", [(f"pred_{n}", START + timedelta(hours=n), f"f{n % 3}") for n in range(6)])
        land(space, "price", [("pred_9", START, "x")])
        yield space


def land(space: td.Workspace, endpoint: str, made: list[tuple[str, datetime, str]]) -> None:
    ids, times, entities = zip(*made, strict=True)
    frame = pl.DataFrame({"prediction_id": ids, "recorded_at": times, "event_at": times, "entity": entities})
    same = {"endpoint": endpoint, "model": "m", "model_version": "1"}
    frame = frame.with_columns(**{name: pl.lit(text) for name, text in same.items()}, revision=1, output=0.5)
    frame = frame.with_columns(call_id=pl.col("prediction_id"), row_in_call=pl.lit(0))
    space.archive.land(endpoint, frame.to_arrow(), f"first-{endpoint}")


def listed(home: td.Workspace, **wanted: object) -> list[str]:
    return [one.prediction_id for one in home.predictions.list(home.caller, ListPredictions(**wanted)).items]


def test_predictions_of_all_endpoints_come_the_newest_first(home):
    assert listed(home) == ["pred_9", "pred_5", "pred_4", "pred_3", "pred_2", "pred_1", "pred_0"]


def test_they_are_chosen_by_endpoint_entity_and_time(home):
    assert listed(home, endpoint="price") == ["pred_9"]
    assert listed(home, entity="f1") == ["pred_4", "pred_1"]
    window = {"since": START + timedelta(hours=2), "until": START + timedelta(hours=4)}
    assert listed(home, endpoint="late", **window) == ["pred_3", "pred_2"]
    assert listed(home, endpoint="unknown") == []


def test_pages_follow_each_other_without_a_gap(home):
    first = home.predictions.list(home.caller, ListPredictions(endpoint="late", limit=4))
    second = home.predictions.list(home.caller, ListPredictions(endpoint="late", limit=4, after=first.next))

    assert [one.prediction_id for one in (*first.items, *second.items)] == [f"pred_{n}" for n in (5, 4, 3, 2, 1, 0)]
    assert second.next is None


def test_traffic_counts_calls_and_says_how_long_they_took(home):
    times = [START + timedelta(minutes=15 + 30 * n) for n in range(4)]
    frame = pl.DataFrame(
        {
            "prediction_id": [f"p{n}" for n in range(4)],
            "call_id": ["c0", "c0", "c1", "c2"],
            "row_in_call": [0, 1, 0, 0],
            "recorded_at": [times[0], times[0], times[1], times[3]],
            "latency_us": [1000, 1000, 3000, 8000],
            "revision": [1, 1, 1, 2],
        }
    )
    home.archive.land("busy", frame.to_arrow(), "busy-1")
    failed = pl.DataFrame({"call_id": ["c9"], "row_in_call": [0], "recorded_at": [times[1]], "revision": [1]})
    home.archive.land("busy", failed.to_arrow(), "busy-2", "failures")

    found = home.predictions.traffic(
        home.caller, TrafficOf(endpoint="busy", until=START + timedelta(hours=2), hours=2, buckets=2)
    )

    first, second = found.buckets
    assert (first.calls, first.predictions, first.failures, first.revision) == (2, 3, 1, 1)
    assert 1.0 <= first.p50_ms <= first.p99_ms <= 3.0
    assert (second.calls, second.failures, second.revision, second.p50_ms) == (1, 0, 2, 8.0)
    assert second.starts_at == START + timedelta(hours=1)


def test_an_endpoint_that_nobody_asked_has_no_traffic(home):
    assert home.predictions.traffic(home.caller, TrafficOf(endpoint="silent")).buckets == []


@pytest.mark.parametrize("wanted", [{"hours": 0}, {"hours": 745}, {"buckets": 0}, {"buckets": 201}])
def test_a_window_of_traffic_that_is_none_is_refused(home, wanted):
    with pytest.raises(UnfitTraffic):
        home.predictions.traffic(home.caller, TrafficOf(endpoint="busy", **wanted))


def test_what_a_shadow_said_is_found_by_its_id(home):
    frame = pl.DataFrame({"prediction_id": ["pred_s"], "call_id": ["call_s"], "row_in_call": [0], "event_at": [START]})
    home.archive.land("late", frame.to_arrow(), "shadow-1", "shadows")

    found = home.archive.call_of("pred_s")

    assert found is not None
    assert found["call_id"].to_pylist() == ["call_s"]
