"""What goes into the model was known two hours before the departure, and is the same for one flight as for a month."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import polars as pl
import pytest
from late_arrival import pipelines
from late_arrival.features import HORIZON, INPUTS, TYPICAL, entities, known_before_departure, vectors, with_inputs
from polars.testing import assert_frame_equal

import treadle as td
from treadle.ground.settings import load
from treadle.systems.features.training_sets import TrainingSetNamed
from treadle.systems.features.views import names_of

ASKED_AT_RANDOM = 40
HOUR = timedelta(hours=1)


@pytest.fixture(scope="module")
def january(flights: pl.DataFrame) -> pl.DataFrame:
    return flights.filter(pl.col("month") == 1)


@pytest.fixture(scope="module")
def asked(january: pl.DataFrame) -> pl.DataFrame:
    """Flights of the second half of January, drawn once for good."""
    return january.filter(pl.col("day") > 14).sample(ASKED_AT_RANDOM, seed=3).sort("sched_dep_at", "flight_id")


@pytest.fixture(scope="module")
def made(january: pl.DataFrame, weather: pl.DataFrame, planes: pl.DataFrame, asked: pl.DataFrame) -> pl.DataFrame:
    return vectors(january, weather, planes, asked)


def drawn(values: list[float], weight: float, kind: str) -> float:
    return (sum(values) + weight * TYPICAL[kind]) / (len(values) + weight)


def history(rows: list[dict], ours: dict, keys: list[str], moment: str, span: timedelta) -> list[dict]:
    """The flights with our flight's keys whose `moment` lies in the span before the question, found by looking at each."""
    as_of = ours["sched_dep_at"] - HORIZON
    return [
        row
        for row in rows
        if row[moment] is not None
        and as_of - span < row[moment] <= as_of
        and all(row[key] == ours[key] and row[key] is not None for key in keys)
    ]


def late_rate(keys: list[str], span: timedelta, weight: float) -> Callable[[list[dict], dict], float]:
    def rate(rows: list[dict], ours: dict) -> float:
        known = [row["late"] for row in history(rows, ours, keys, "known_at", span) if row["late"] is not None]
        return drawn(known, weight, "late")

    return rate


def delay(keys: list[str]) -> Callable[[list[dict], dict], float]:
    def mean(rows: list[dict], ours: dict) -> float:
        left = history(rows, ours, keys, "left_at", timedelta(hours=3))
        return drawn([min(max(row["dep_delay"], -15), 180) for row in left], 5, "delay")

    return mean


NAIVE: dict[str, Callable[[list[dict], dict], float]] = {
    "origin_late": late_rate(["origin"], timedelta(hours=6), 5),
    "carrier_late": late_rate(["carrier", "origin"], timedelta(hours=6), 5),
    "dest_late": late_rate(["dest"], timedelta(hours=6), 5),
    "carrier_late_week": late_rate(["carrier", "origin"], timedelta(days=7), 20),
    "route_late": late_rate(["carrier", "origin", "dest"], timedelta(days=28), 20),
    "flight_late": late_rate(["carrier", "flight", "origin"], timedelta(days=28), 5),
    "tail_late": late_rate(["tailnum"], timedelta(hours=24), 1),
    "origin_delay": delay(["origin"]),
    "carrier_delay": delay(["carrier", "origin"]),
    "origin_backlog": lambda rows, ours: float(
        len(history(rows, ours, ["origin"], "sched_dep_at", timedelta(hours=3)))
        - len(history(rows, ours, ["origin"], "left_at", timedelta(hours=3)))
    ),
}


def test_histories_are_what_looking_at_every_flight_gives(january, asked, made):
    rows = january.to_dicts()

    for ours in asked.head(12).to_dicts():
        hour = ours["sched_dep_at"].replace(minute=0)
        due = [row for row in rows if row["origin"] == ours["origin"] and hour <= row["sched_dep_at"] < hour + HOUR]
        got = made.row(by_predicate=pl.col("flight_id") == ours["flight_id"], named=True)
        for name, naive in NAIVE.items():
            assert got[name] == pytest.approx(naive(rows, ours), abs=1e-9), (ours["flight_id"], name)
        assert got["origin_hour_load"] == len(due)


def test_the_weather_is_the_newest_that_was_published_in_time(weather, asked, made):
    observations = weather.to_dicts()

    for ours in asked.to_dicts():
        as_of = ours["sched_dep_at"] - HORIZON
        known = [
            row
            for row in observations
            if row["origin"] == ours["origin"]
            and row["observed_at"] + timedelta(minutes=20) <= as_of <= row["observed_at"] + timedelta(hours=6)
        ]
        newest = max(known, key=lambda row: row["observed_at"])
        got = made.row(by_predicate=pl.col("flight_id") == ours["flight_id"], named=True)
        assert [got[name] for name in ("temp", "wind_speed", "visib")] == [
            newest[name] for name in ("temp", "wind_speed", "visib")
        ]


def test_nothing_that_comes_to_be_known_later_changes_a_vector(january, weather, planes, asked, made):
    """The future is made absurd: every outcome unknown at the question is turned round, every later wind is a hurricane."""
    first = asked["sched_dep_at"].min() - HORIZON
    turned = january.with_columns(
        late=pl.when(pl.col("known_at") > first).then(1 - pl.col("late")).otherwise("late"),
        dep_delay=pl.when(pl.col("left_at") > first).then(999).otherwise("dep_delay"),
    )
    stormy = weather.with_columns(
        wind_speed=pl.when(pl.col("observed_at") + pl.duration(minutes=20) > first).then(99.0).otherwise("wind_speed")
    )
    one = asked.head(1)

    assert_frame_equal(vectors(turned, stormy, planes, one), made.head(1))


def test_what_was_known_does_change_it(january, weather, planes, asked, made):
    """So that the test above could fail."""
    first = asked["sched_dep_at"].min() - HORIZON
    turned = january.with_columns(late=pl.when(pl.col("known_at") <= first).then(1 - pl.col("late")).otherwise("late"))

    assert vectors(turned, weather, planes, asked.head(1))["origin_late"][0] != made["origin_late"][0]


def test_a_flight_alone_has_the_vector_that_it_has_among_others(january, weather, planes, asked, made):
    alone = pl.concat([vectors(january, weather, planes, one) for one in asked.head(15).iter_slices(1)])

    assert_frame_equal(alone, made.head(15))


def test_the_models_learn_from_a_training_set_that_is_made_again_to_the_bit(workspace, flights, weather, planes):
    days = flights.filter(
        pl.col("sched_dep_at").is_between(datetime(2013, 1, 25, tzinfo=UTC), datetime(2013, 2, 8, tzinfo=UTC))
    )
    for name, rows in (("flights", days), ("weather", weather), ("planes", planes)):
        td.dataset(name).land(rows)

    made = td.load(pipelines.month(2).value)

    named = TrainingSetNamed(name="known-2013-02")
    record = workspace.training_sets.get(workspace.caller, named)
    table = workspace.training_sets.table(workspace.project, record.digest, pl.DataFrame)
    assert_frame_equal(with_inputs(table), made, check_exact=True)
    landed = td.dataset("flights").snapshot().treadle_load(pl.DataFrame)
    joined = vectors(landed, weather, planes, landed.filter(pl.col("month") == 2))
    assert_frame_equal(joined, made, check_exact=True)
    assert workspace.training_sets.rebuild(workspace.caller, named).is_same


def test_online_a_flight_has_the_features_that_it_is_trained_on(tmp_path, january, weather, planes, asked):
    one = entities(january, asked.tail(1))
    [asked_at] = one["as_of"]
    with td.Workspace(load({"home": tmp_path}), clock=lambda: asked_at) as workspace, td.use(workspace):
        workspace.features.register(workspace.caller, known_before_departure)
        for name, rows in (("flights", january), ("weather", weather), ("planes", planes)):
            td.dataset(name).land(rows)
        td.features.materialize("known-before-departure")

        served = td.features.online("known-before-departure", one.to_dicts())

        trained = td.training_set(one, known_before_departure).table()
        assert served.rows() == trained.select(served.features).to_dicts()
        assert served.rows()[0]["temp"] is not None


def test_every_feature_says_what_it_is_counted_in_and_every_view_who_answers_for_it():
    for view in known_before_departure.definitions:
        assert view.description
        assert view.owner
        assert set(view.units) == set(names_of(view)), view.name


def test_every_flight_keeps_its_row_whatever_is_unknown_about_it(january, weather, planes, asked):
    stranger = asked.head(1).with_columns(tailnum=pl.lit(None, pl.String), carrier=pl.lit("ZZ"), dest=pl.lit("XXX"))

    [row] = vectors(january, weather, planes, stranger).to_dicts()

    assert (row["plane_age"], row["seats"]) == (None, None)
    assert [row[name] for name in ("carrier_late", "route_late", "tail_late")] == pytest.approx([TYPICAL["late"]] * 3)


def test_that_a_tail_number_is_missing_is_no_input(january, weather, planes, asked):
    """Tail numbers are missing in cancelled flights alone: who sees that they are missing sees the outcome."""
    unknown = asked.with_columns(tailnum=pl.lit("N0000X"))
    missing = asked.with_columns(tailnum=pl.lit(None, pl.String))

    assert_frame_equal(vectors(january, weather, planes, missing), vectors(january, weather, planes, unknown))


def test_vectors_hold_the_inputs_that_the_specification_names(made):
    from late_arrival.season import PROJECT

    from treadle import design

    assert [given.name for given in design.load(PROJECT / "model.toml").inputs] == INPUTS
    assert set(INPUTS) <= set(made.columns)


def test_the_question_is_asked_two_hours_before_departure(made):
    assert (made["sched_dep_at"] - made["as_of"] == timedelta(hours=2)).all()
    assert made.filter(pl.col("weather_known_at") > pl.col("as_of")).is_empty()
    assert isinstance(made["as_of"][0], datetime)
