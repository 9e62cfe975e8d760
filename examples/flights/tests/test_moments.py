"""Every moment is UTC, and the moment of knowing is that of the outcome, not of the row."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import polars as pl
import pytest
from late_arrival.sources import CANCELLED_KNOWN_AFTER, DIVERTED_KNOWN_AFTER


def one(flights: pl.DataFrame, flight_id: str) -> dict:
    return flights.row(by_predicate=pl.col("flight_id") == flight_id, named=True)


def test_departures_are_at_the_hour_that_the_source_gives_in_utc(flights):
    """The source has the UTC hour of every departure in `time_hour`: a reckoning that is not ours."""
    hour = pl.col("time_hour").str.to_datetime("%Y-%m-%dT%H:%M:%SZ", time_zone="UTC", time_unit="us")

    assert flights.filter(pl.col("sched_dep_at").dt.truncate("1h") != hour).is_empty()


@pytest.mark.parametrize(
    ("flight_id", "leaves", "arrives"),
    [
        ("2013-01-09/HA/51/JFK", datetime(2013, 1, 9, 14, 0), datetime(2013, 1, 10, 1, 30)),  # Honolulu, UTC-10
        (
            "2013-03-18/DL/2363/JFK",
            datetime(2013, 3, 19, 1, 0),
            datetime(2013, 3, 19, 7, 32),
        ),  # past midnight in Los Angeles
        (
            "2013-11-03/DL/2042/EWR",
            datetime(2013, 11, 3, 21, 45),
            datetime(2013, 11, 4, 0, 13),
        ),  # winter time since the night
    ],
)
def test_a_scheduled_arrival_is_the_first_such_local_time_at_the_destination(flights, flight_id, leaves, arrives):
    found = one(flights, flight_id)

    assert found["sched_dep_at"] == leaves.replace(tzinfo=UTC)
    assert found["sched_arr_at"] == arrives.replace(tzinfo=UTC)


def test_in_the_night_that_has_25_hours_no_flight_is_shorter_than_it_flies(flights):
    """Adding a day in UTC instead of in local time makes seven flights of that night impossible."""
    night = flights.filter(
        pl.col("sched_dep_at").is_between(datetime(2013, 11, 2, 22, tzinfo=UTC), datetime(2013, 11, 3, 12, tzinfo=UTC))
    )
    block = (night["sched_arr_at"] - night["sched_dep_at"]).dt.total_minutes()

    assert night.height > 100
    assert (block >= night["distance"] / 600 * 60).all()  # nobody plans with more than 600 mph
    assert (block < 13 * 60).all()


def test_no_flight_arrives_before_it_leaves(flights):
    elapsed = (
        (pl.col("sched_arr_at") - pl.col("sched_dep_at")).dt.total_minutes() + pl.col("arr_delay") - pl.col("dep_delay")
    )

    assert flights.filter(elapsed <= 0).is_empty()
    assert flights.filter((elapsed < pl.col("air_time")) & pl.col("air_time").is_not_null()).is_empty()


def test_the_outcome_of_a_landed_flight_is_known_when_it_has_landed(flights):
    landed = flights.filter(pl.col("state") == "landed")
    arrived = pl.col("sched_arr_at") + pl.duration(minutes="arr_delay")

    assert landed.filter(pl.col("known_at") != arrived).is_empty()
    assert landed.filter((pl.col("late") == 1.0) != (pl.col("arr_delay") > 15)).is_empty()


def test_a_diverted_flight_did_not_come_in_time(flights):
    diverted = flights.filter(pl.col("state") == "diverted")

    assert diverted.height == 1_175
    assert (diverted["late"] == 1.0).all()
    assert (diverted["known_at"] == diverted["sched_arr_at"] + DIVERTED_KNOWN_AFTER).all()


def test_a_cancelled_flight_has_no_answer_and_that_is_known(flights):
    cancelled = flights.filter(pl.col("state") == "cancelled")

    assert cancelled.height == 8_255
    assert cancelled["late"].null_count() == cancelled.height
    assert (cancelled["known_at"] == cancelled["sched_dep_at"] + CANCELLED_KNOWN_AFTER).all()


def test_no_outcome_is_known_when_the_question_is_asked(flights):
    assert (flights["known_at"] > flights["sched_dep_at"] - timedelta(hours=2)).all()


def test_a_flight_is_known_by_its_id(flights):
    assert flights["flight_id"].is_unique().all()
    assert flights.height == 336_776
