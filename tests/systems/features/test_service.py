"""Definitions are registered once; training sets are pinned and can be computed again to the bit."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

import polars as pl
import pytest

from treadle.ground.clock import system_clock
from treadle.ground.errors import InvalidInput
from treadle.ground.ids import new_id
from treadle.kernel.artifacts import Artifacts, LocalBlobs
from treadle.kernel.catalog import Refs
from treadle.kernel.events import EventLog
from treadle.kernel.governance import Caller, PermissionDenied
from treadle.systems.collect import Datasets
from treadle.systems.features import FeatureNamed, Features, FeatureService, FeatureView, mean
from treadle.systems.features.errors import FeatureViewNotFound, MissingColumn
from treadle.testing import embedded_store

ADA = Caller(project="default", actor="ada")
START = datetime(2013, 1, 1, tzinfo=UTC)


class Home(NamedTuple):
    datasets: Datasets
    features: Features
    events: EventLog


class Landings:
    """Landing times as the assembly offers them: from the landings of the datasets."""

    def __init__(self, datasets: Datasets) -> None:
        self._datasets = datasets

    def landed_at(self, project: str, dataset: str) -> dict[str, datetime]:
        from treadle.systems.collect.service import NamedDataset

        landings = self._datasets.landings(ADA, NamedDataset(name=dataset))
        return {landing.id: landing.ended_at for landing in landings if landing.ended_at is not None}


@pytest.fixture
def home(tmp_path: Path) -> Home:
    store = embedded_store(tmp_path)
    events = EventLog(store, system_clock, new_id)
    refs = Refs(events, system_clock)
    datasets = Datasets(store, events, refs, tmp_path / "data", system_clock, new_id)
    artifacts = Artifacts(LocalBlobs(tmp_path / "blobs"))
    return Home(datasets, Features(store, refs, artifacts, system_clock, datasets, Landings(datasets)), events)


def land_weather(home: Home, *hours: int) -> None:
    home.datasets.land(
        ADA,
        "weather",
        pl.DataFrame(
            {
                "origin": ["EWR"] * len(hours),
                "observed_at": [START + timedelta(hours=hour) for hour in hours],
                "temp": [float(hour) / 3 for hour in hours],
            }
        ),
    )


def weather(**changes: object) -> FeatureView:
    parts: dict = {
        "name": "weather",
        "keys": ["origin"],
        "dataset": "weather",
        "event_time": "observed_at",
        "known_at": timedelta(hours=1),
        "features": {"temp": "temp", "mean_temp": mean("temp", hours=6)},
    }
    return FeatureView(**{**parts, **changes})


def flights(*hours: int) -> pl.DataFrame:
    return pl.DataFrame({"origin": "EWR", "as_of": [START + timedelta(hours=hour) for hour in hours]})


def test_training_set_is_computed_again_to_the_bit_from_its_snapshots_after_more_data_landed(home):
    land_weather(home, 1, 2, 3)
    first = home.features.training_set(ADA, flights(3, 5, 9), [weather()])
    land_weather(home, 4, 0)

    again = home.features.training_set(ADA, flights(3, 5, 9), [weather()], at=first.snapshots)
    newest = home.features.training_set(ADA, flights(3, 5, 9), [weather()])

    assert again.digest == first.digest
    assert again.table.equals(first.table)
    assert newest.digest != first.digest
    assert newest.snapshots != first.snapshots
    assert first.reports[0].n_found == 3


def test_vectors_are_rows_of_the_training_set(home):
    land_weather(home, 1, 2, 3)
    service = FeatureService(name="late", views=[weather()], features=["mean_temp", "temp"])

    whole = home.features.training_set(ADA, flights(3, 5), service)
    one = home.features.vectors(ADA, flights(5), service)

    assert one.features == ("mean_temp", "temp")
    assert one.table.equals(whole.table.slice(1))
    assert one.snapshots == whole.snapshots


def test_raw_rows_lead_back_to_the_landing(home):
    land_weather(home, 1, 2)
    [landing] = home.datasets.land(ADA, "weather", pl.DataFrame({"origin": ["EWR"], "observed_at": [START + timedelta(hours=4)], "temp": [7.0]}))  # fmt: skip

    table = home.features.training_set(ADA, flights(5), [weather()], with_rows=True).table

    rows = table["weather__rows"].to_pylist()[0]
    assert len(rows) == 3
    assert rows[-1] == {"landing": landing.id, "row": 0}


def test_live_view_knows_nothing_before_its_landing(home):
    land_weather(home, 1)
    view = weather(known_at="live", features={"temp": "temp"})
    now = pl.DataFrame({"origin": "EWR", "as_of": [START + timedelta(days=1), system_clock()]})

    answers = home.features.training_set(ADA, now, [view]).table

    assert answers["temp"].to_pylist() == [None, 1 / 3]


def test_registering_the_same_definition_again_leaves_no_second_move(home):
    first = home.features.register(ADA, weather())
    again = home.features.register(ADA, weather())
    changed = home.features.register(ADA, weather(ttl=timedelta(days=1)))

    assert first == again
    assert changed.digest != first.digest
    moves = [event for event in home.events.newest("default") if event.kind == "ref.moved"]
    assert [event.subject for event in moves] == ["feature_view/weather"] * 2
    assert home.features.get(ADA, FeatureNamed(name="weather")) == changed
    assert changed.description["ttl_s"] == 86400


def test_service_registers_its_views_and_both_are_listed(home):
    home.features.register(ADA, FeatureService(name="late", views=[weather()], features=["temp"]))

    assert [(found.kind, found.name) for found in home.features.list(ADA)] == [
        ("feature_view", "weather"),
        ("feature_service", "late"),
    ]


def test_unknown_view_is_named_with_a_hint(home):
    home.features.register(ADA, weather())

    with pytest.raises(FeatureViewNotFound) as refusal:
        home.features.get(ADA, FeatureNamed(name="wether"))

    assert "weather" in refusal.value.fix


def test_column_that_the_dataset_lacks_is_named_with_the_view(home):
    land_weather(home, 1)

    with pytest.raises(MissingColumn) as refusal:
        home.features.training_set(ADA, flights(2), [weather(features={"x": "tmep"})])

    assert "'weather'" in refusal.value.what
    assert "temp" in refusal.value.fix


def test_reader_may_not_register(home):
    reader = Caller(project="default", actor="eve", permissions=frozenset({"feature.read"}))

    with pytest.raises(PermissionDenied):
        home.features.register(reader, weather())


def test_a_dataset_fed_in_micro_batches_answers_as_one_that_landed_at_once(home, tmp_path):
    """A stream is a dataset like any other: how its rows came in, and in how many pieces, changes no bit."""
    hours = [3, 1, 2, 9, 4, 7, 7, 8]
    for hour in hours:
        land_weather(home, hour)
    bit_by_bit = home.features.training_set(ADA, flights(*range(12)), [weather()])
    store = embedded_store(tmp_path / "other")
    events = EventLog(store, system_clock, new_id)
    refs = Refs(events, system_clock)
    other = Datasets(store, events, refs, tmp_path / "other" / "data", system_clock, new_id)
    whole = Home(other, Features(store, refs, Artifacts(LocalBlobs(tmp_path / "b")), system_clock, other), events)
    land_weather(whole, *hours)

    at_once = whole.features.training_set(ADA, flights(*range(12)), [weather()])

    assert bit_by_bit.digest == at_once.digest


def test_an_engine_that_is_not_there_is_named_with_those_that_are(home):
    land_weather(home, 1)

    with pytest.raises(InvalidInput):
        home.features.training_set(ADA, flights(3), [weather()], on="rya")
