"""The newest forecast for a moment that was known by another, against its definition."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from treadle.systems.features.errors import InvalidFeatureView, NeverKnown
from treadle.systems.features.joining import join_features
from treadle.systems.features.views import FeatureView
from treadle.systems.features.windows import count

START = datetime(2013, 1, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)
MOMENT = pl.Datetime("us", "UTC")

hours = st.integers(0, 10)
forecasts = st.lists(st.tuples(st.sampled_from(["a", "b", None]), st.none() | hours, st.none() | hours), max_size=25)
questions = st.lists(st.tuples(st.sampled_from(["a", "b", "c"]), hours, hours), max_size=12)


def at(hour: float | None) -> datetime | None:
    return None if hour is None else START + hour * HOUR


def make_forecasts(rows: list[tuple[str | None, int | None, int | None]]) -> pl.DataFrame:
    """Forecasts of (place, hour they are about, hour they were made)."""
    return pl.DataFrame(
        [(key, at(about), at(made), float(place), "land_1", place) for place, (key, about, made) in enumerate(rows)],
        schema={"place": pl.String, "about": MOMENT, "made": MOMENT, "temp": pl.Float64, "_landing": pl.String, "_row": pl.Int64},
        orient="row",
    )  # fmt: skip


def make_questions(rows: list[tuple[str, int, int]]) -> pl.DataFrame:
    """Entities of (place, hour that asks, hour asked about)."""
    return pl.DataFrame(
        [(key, at(asks), at(about)) for key, asks, about in rows],
        schema={"place": pl.String, "as_of": MOMENT, "departs_at": MOMENT},
        orient="row",
    )


def make_view(**changes: object) -> FeatureView:
    parts: dict = {
        "name": "forecast", "keys": ["place"], "dataset": "weather", "event_time": "about", "known_at": "made",
        "target_time": "departs_at", "features": {"temp": "temp"},
    }  # fmt: skip
    return FeatureView(**{**parts, **changes})


def answers(view: FeatureView, asked: pl.DataFrame, rows: pl.DataFrame) -> list[float | None]:
    table = join_features(asked, [view], {"weather": rows}, as_of="as_of").table
    return table["temp"].to_pylist()


@given(questions, forecasts, st.none() | st.integers(0, 4))
@settings(max_examples=80, deadline=None)
def test_forecast_is_the_newest_for_its_moment_known_by_then(asked, rows, ttl):
    view = make_view(ttl=None if ttl is None else ttl * HOUR)

    found = answers(view, make_questions(asked), make_forecasts(rows))

    for (key, asks, about), answer in zip(asked, found, strict=True):
        known = [
            (event, made, place)
            for place, (held, event, made) in enumerate(rows)
            if held == key and event is not None and made is not None and event <= about and made <= asks
        ]
        newest = max(known, default=None)
        expected = None if newest is None or (ttl is not None and about - newest[0] > ttl) else float(newest[2])
        assert answer == expected


def test_forecast_about_the_future_answers_before_its_moment_comes():
    rows = make_forecasts([("a", 10, 2), ("a", 10, 4), ("a", 10, 7), ("a", 11, 1)])

    assert answers(make_view(), make_questions([("a", 5, 10), ("a", 1, 10)]), rows) == [1.0, None]


def test_misses_say_whether_a_forecast_was_not_made_yet():
    rows = make_forecasts([("a", 5, 4)])

    joined = join_features(
        make_questions([("a", 2, 6), ("a", 4, 4), ("x", 9, 9)]), [make_view()], {"weather": rows}, as_of="as_of"
    )

    [report] = joined.reports
    assert (report.n_missed, report.n_not_yet_known, report.n_no_row) == (3, 1, 2)


def test_forecasts_with_windows_or_with_a_delay_are_refused():
    with pytest.raises(InvalidFeatureView):
        make_view(features={"n": count(days=1)})
    with pytest.raises(NeverKnown):
        make_view(known_at=HOUR)
