"""What is known of a flight two hours before it is due to leave.

Every view says when its rows were known, and the join takes no row that came to be known later, so training sees what
prediction will see. The windows count *outcomes*: a flight that is still in the air two hours before ours leaves tells
nothing yet.
"""

from __future__ import annotations

from datetime import timedelta

import polars as pl

from late_arrival.sources import NEW_YORK
from treadle import features as f

HORIZON = timedelta(hours=2)
"""How long before the scheduled departure the question is asked."""

OWNER = "carol"
"""Who answers for the definitions; `treadle features list` names her, and a skew becomes an incident of hers."""

weather = f.FeatureView(
    name="weather",
    dataset="weather",
    keys=["origin"],
    event_time="observed_at",
    known_at=timedelta(minutes=20),
    ttl=timedelta(hours=6),
    features={name: name for name in ("temp", "humid", "wind_speed", "wind_gust", "precip", "pressure", "visib")},
    description="The newest hourly observation at the airport; published some minutes after its hour.",
    owner=OWNER,
    units={
        "temp": "°F", "humid": "%", "wind_speed": "mph", "wind_gust": "mph", "precip": "in", "pressure": "mbar",
        "visib": "mi",
    },
)  # fmt: skip

plane = f.FeatureView(
    name="plane",
    dataset="planes",
    keys=["tailnum"],
    event_time="listed_at",
    known_at="listed_at",
    features={"plane_year": "year", "seats": pl.when(pl.col("seats") >= 20).then(pl.col("seats"))},
    description="The registered plane; 15.6 % of the flights have none, and their features are missing, not guessed.",
    owner=OWNER,
    units={"plane_year": "year", "seats": "seats"},
)


def _delays(name: str, keys: list[str], whose: str) -> f.FeatureView:
    """Departure delays of the last three hours at these keys; `whose` says in words what they are the keys of."""
    delay = pl.col("dep_delay").clip(-15, 180)
    return f.FeatureView(
        name=f"{name}_departures",
        dataset="flights",
        keys=keys,
        event_time="left_at",
        known_at="left_at",
        features={f"{name}_delay_3h": f.total(delay, hours=3), f"{name}_left_3h": f.count(hours=3)},
        description=f"Departures {whose} in the last three hours, and their minutes of delay: each from -15 to 180.",
        owner=OWNER,
        units={f"{name}_delay_3h": "min", f"{name}_left_3h": "flights"},
    )


def _arrivals(name: str, keys: list[str], whose: str, **windows: dict[str, float]) -> f.FeatureView:
    """How many flights at these keys have arrived, and how many of them late; by the moment of their arrival."""
    features = {}
    for span, window in windows.items():
        features[f"{name}_late_{span}"] = f.total("late", **window)
        features[f"{name}_arrived_{span}"] = f.count(where=pl.col("late").is_not_null(), **window)
    return f.FeatureView(
        name=f"{name}_arrivals",
        dataset="flights",
        keys=keys,
        event_time="known_at",
        known_at="known_at",
        features=features,
        description=f"Outcomes {whose}: how many became known in the window, and how many of them were late.",
        owner=OWNER,
        units=dict.fromkeys(features, "flights"),
    )


schedule = f.FeatureView(
    name="schedule",
    dataset="flights",
    keys=["origin"],
    event_time="sched_dep_at",
    known_at="published_at",
    features={"origin_due_3h": f.count(hours=3)},
    description="How many flights should have left the airport in the last three hours.",
    owner=OWNER,
    units={"origin_due_3h": "flights"},
)

views = [
    weather,
    plane,
    schedule,
    _delays("origin", ["origin"], "from the airport"),
    _delays("carrier", ["carrier", "origin"], "of the carrier from the airport"),
    _arrivals("origin", ["origin"], "from the airport", **{"6h": {"hours": 6}}),
    _arrivals(
        "carrier", ["carrier", "origin"], "of the carrier from the airport", **{"6h": {"hours": 6}, "7d": {"days": 7}}
    ),
    _arrivals("dest", ["dest"], "to the destination", **{"6h": {"hours": 6}}),
    _arrivals("route", ["carrier", "origin", "dest"], "of the carrier on the route", **{"28d": {"days": 28}}),
    _arrivals("flight", ["carrier", "flight", "origin"], "of the flight's number", **{"28d": {"days": 28}}),
    _arrivals("tail", ["tailnum"], "of the plane", **{"24h": {"hours": 24}}),
]

TYPICAL = {"late": 0.22, "delay": 12.0}
"""What a history that is too short to tell is drawn towards: a fixed guess, and never a mean of the future."""

CATEGORIES = {
    "carrier": ["9E", "AA", "AS", "B6", "DL", "EV", "F9", "FL", "HA", "MQ", "OO", "UA", "US", "VX", "WN", "YV"],
    "origin": ["EWR", "JFK", "LGA"],
}
"""Fixed before training: a code never moves when a new carrier turns up; that one is missing, then."""

INPUTS = [
    "minute_of_day", "weekday", "block_min", "distance", "origin_hour_load", "carrier", "origin",
    "temp", "humid", "wind_speed", "wind_gust", "precip", "pressure", "visib", "plane_age", "seats",
    "origin_delay", "carrier_delay", "origin_backlog", "origin_late", "carrier_late", "dest_late",
    "carrier_late_week", "route_late", "flight_late", "tail_late",
]  # fmt: skip
"""The model's inputs, in order."""

_RATES = {  # input: (history, span, how many typical flights it is mixed with)
    "origin_late": ("origin", "6h", 5),
    "carrier_late": ("carrier", "6h", 5),
    "dest_late": ("dest", "6h", 5),
    "carrier_late_week": ("carrier", "7d", 20),
    "route_late": ("route", "28d", 20),
    "flight_late": ("flight", "28d", 5),
    "tail_late": ("tail", "24h", 1),
}


def _drawn(total: str, count: str, weight: float, kind: str) -> pl.Expr:
    """A mean that is drawn towards the typical value by as many typical flights as `weight` says."""
    return (pl.col(total).fill_null(0.0) + weight * TYPICAL[kind]) / (pl.col(count).fill_null(0) + weight)


histories = f.OnDemandView(
    name="histories",
    inputs=[],
    features={
        "plane_age": 2013.0 - pl.col("plane_year"),
        "origin_delay": _drawn("origin_delay_3h", "origin_left_3h", 5, "delay"),
        "carrier_delay": _drawn("carrier_delay_3h", "carrier_left_3h", 5, "delay"),
        "origin_backlog": (pl.col("origin_due_3h") - pl.col("origin_left_3h")).cast(pl.Float64),
        **{
            name: _drawn(f"{of}_late_{span}", f"{of}_arrived_{span}", weight, "late")
            for name, (of, span, weight) in _RATES.items()
        },
    },
    description="Totals and counts as rates and means; a short history is drawn towards that of a typical flight.",
    owner=OWNER,
    units={
        "plane_age": "years", "origin_delay": "min", "carrier_delay": "min", "origin_backlog": "flights",
        **dict.fromkeys(_RATES, "share"),
    },
)  # fmt: skip
"""Computed when they are asked for, from what the views answer: in training and online by this one definition."""

known_before_departure = f.FeatureService(
    name="known-before-departure",
    views=views,
    on_demand=[histories],
    features=[feature for view in views for feature in view.features] + histories.names,
    description="Everything that the late-arrival models are made of, as of two hours before the scheduled departure.",
)

_HOUR = pl.col("sched_dep_at").dt.truncate("1h")


def vectors(
    flights: pl.DataFrame, weather_rows: pl.DataFrame, plane_rows: pl.DataFrame, asked: pl.DataFrame
) -> pl.DataFrame:
    """The model's inputs for the flights that are asked about, with the moment of asking (`as_of`) and of knowing.

    asked: rows of `flights`. Every flight keeps its row; what was not known is missing.
    """
    frames = {"flights": flights, "weather": weather_rows, "planes": plane_rows}
    joined = f.join_features(entities(flights, asked), known_before_departure.definitions, frames, as_of="as_of")
    return with_inputs(pl.DataFrame(joined.table))


def entities(flights: pl.DataFrame, asked: pl.DataFrame) -> pl.DataFrame:
    """What the views are asked: the keys of each flight, and the moment of the question."""
    return asked.select(
        "flight_id", "carrier", "flight", "tailnum", "origin", "dest", "distance", "sched_dep_at", "sched_arr_at",
        as_of=pl.col("sched_dep_at") - HORIZON, hour=_HOUR,
    ).join(hour_loads(flights), on=["origin", "hour"], how="left", maintain_order="left")  # fmt: skip


def hour_loads(flights: pl.DataFrame) -> pl.DataFrame:
    """How many flights are due to leave each airport in each hour: the schedule, which is public for thirty days.

    It is counted over all flights and not over those that are asked about, so one flight has the load that a month gives it.
    """
    return flights.group_by("origin", hour=_HOUR).agg(origin_hour_load=pl.len().cast(pl.Float64))


def with_inputs(joined: pl.DataFrame) -> pl.DataFrame:
    """From what the views answer to what the model takes, row by row."""
    local = pl.col("sched_dep_at").dt.convert_time_zone(NEW_YORK)
    return joined.with_columns(
        minute_of_day=(local.dt.hour().cast(pl.Int32) * 60 + local.dt.minute()).cast(pl.Float64),
        weekday=local.dt.weekday().cast(pl.Float64),
        block_min=(pl.col("sched_arr_at") - pl.col("sched_dep_at")).dt.total_minutes().cast(pl.Float64),
        distance=pl.col("distance").cast(pl.Float64),
        seats=pl.col("seats").cast(pl.Float64),
    ).select(
        "flight_id", "as_of", "sched_dep_at", *INPUTS,
        weather_known_at="weather__known_at",
    )  # fmt: skip
