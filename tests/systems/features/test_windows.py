"""Windows over outcomes known by then, against their definition."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from treadle.systems.features import windows
from treadle.systems.features.errors import InvalidFeatureView
from treadle.systems.features.joining import join_features
from treadle.systems.features.views import FeatureView
from treadle.systems.features.windows import Window

START = datetime(2013, 1, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)
MOMENT = pl.Datetime("us", "UTC")

hours = st.integers(0, 10)
values = st.none() | st.sampled_from([0.1, -2.5, 1e15, 3.0, 1e-12, 7.25])
outcome_rows = st.lists(
    st.tuples(st.sampled_from("ab"), hours, hours, values, st.integers(0, 4), st.booleans()), max_size=20
)
entity_rows = st.lists(st.tuples(st.sampled_from("abc"), hours), min_size=1, max_size=8)


def at(hour: float) -> datetime:
    return START + hour * HOUR


def make_rows(rows: list[tuple[str, int, int, float | None, int, bool]]) -> pl.DataFrame:
    """Outcomes of (key, event hour, known hour, value, event number, flag)."""
    return pl.DataFrame(
        [
            (key, at(event), at(known), value, number, flag, "land_1", place)
            for place, (key, event, known, value, number, flag) in enumerate(rows)
        ],
        schema={
            "key": pl.String,
            "event_at": MOMENT,
            "known_at": MOMENT,
            "value": pl.Float64,
            "event": pl.Int64,
            "flag": pl.Boolean,
            "_landing": pl.String,
            "_row": pl.Int64,
        },
        orient="row",
    )


def make_entities(rows: list[tuple[str, float]]) -> pl.DataFrame:
    return pl.DataFrame(
        [(key, at(hour)) for key, hour in rows], schema={"key": pl.String, "as_of": MOMENT}, orient="row"
    )


def make_view(features: dict[str, Window], event_key: tuple[str, ...] = ()) -> FeatureView:
    return FeatureView(
        name="history",
        keys=["key"],
        dataset="outcomes",
        event_time="event_at",
        known_at="known_at",
        features=features,
        event_key=event_key,
    )


def answers(view: FeatureView, entities: pl.DataFrame, rows: pl.DataFrame, with_rows: bool = False) -> pl.DataFrame:
    joined = join_features(entities, [view], {"outcomes": rows}, as_of="as_of", with_rows=with_rows)
    table = pl.from_arrow(joined.table)
    assert isinstance(table, pl.DataFrame)
    return table


def in_window(rows: pl.DataFrame, key: str, as_of: datetime, window: Window, corrected: bool) -> list[dict]:
    """The definition: known by then, of each event the newest known version, then the window, oldest first."""
    known = [row for row in rows.iter_rows(named=True) if row["key"] == key and row["known_at"] <= as_of]
    if corrected:  # a version that speaks of another key still supersedes: events are numbered across keys
        everyone = [row for row in rows.iter_rows(named=True) if row["known_at"] <= as_of]
        newest = {}
        for row in sorted(everyone, key=lambda row: (row["known_at"], row["_row"])):
            newest[row["event"]] = row["_row"]
        known = [row for row in known if newest[row["event"]] == row["_row"]]
    known = [row for row in known if row["event_at"] <= as_of and (window.where is None or row["flag"])]
    known.sort(key=lambda row: (row["event_at"], row["_row"]))
    if window.last is not None:
        return known[-window.last :]
    return [row for row in known if row["event_at"] > as_of - window.span]


SHAPES = {
    "short": {"hours": 3},
    "long": {"hours": 100},
    "one": {"last": 1},
    "three": {"last": 3},
    "two_flagged": {"last": 2, "where": pl.col("flag")},
    "four_hours_flagged": {"hours": 4, "where": pl.col("flag")},
}
EVERY_WINDOW = {
    f"{what}_{name}": window
    for name, shape in SHAPES.items()
    for what, window in {
        "n": windows.count(**shape),
        "total": windows.total("value", **shape),
        "mean": windows.mean("value", **shape),
        "share": windows.rate("flag", **shape),
    }.items()
}
VIEWS = {corrected: make_view(EVERY_WINDOW, ("event",) if corrected else ()) for corrected in (False, True)}


@given(corrected=st.booleans(), entities=entity_rows, rows=outcome_rows)
@settings(max_examples=120, deadline=None)
def test_windows_answer_as_the_definition_does(corrected, entities, rows):
    asked, held = make_entities(entities), make_rows(rows)

    found = answers(VIEWS[corrected], asked, held)

    for entity, answer in zip(asked.iter_rows(named=True), found.iter_rows(named=True), strict=True):
        for name in SHAPES:
            window = EVERY_WINDOW[f"n_{name}"]
            expected = in_window(held, entity["key"], entity["as_of"], window, corrected)
            check(expected, *(answer[f"{what}_{name}"] for what in ("n", "total", "mean", "share")))


def check(expected: list[dict], n: int, total: float, mean: float | None, share: float | None) -> None:
    present = [row["value"] for row in expected if row["value"] is not None]
    assert n == len(expected)
    assert math.isclose(total, math.fsum(present), rel_tol=4e-16, abs_tol=0)
    assert (mean is None) == (not present)
    if present:
        assert math.isclose(mean, math.fsum(present) / len(present), rel_tol=8e-16, abs_tol=0)
    if expected:
        assert share == sum(row["flag"] for row in expected) / len(expected)


@given(corrected=st.booleans(), entities=entity_rows, rows=outcome_rows)
@settings(max_examples=30, deadline=None)
def test_raw_rows_are_those_of_the_windows(corrected, entities, rows):
    asked, held = make_entities(entities), make_rows(rows)
    window = windows.count(hours=4, where=pl.col("flag"))
    view = make_view({"n": window}, ("event",) if corrected else ())

    found = answers(view, asked, held, with_rows=True)

    for entity, answer in zip(asked.iter_rows(named=True), found.iter_rows(named=True), strict=True):
        expected = in_window(held, entity["key"], entity["as_of"], window, corrected)
        assert sorted(used["row"] for used in answer["history__rows"] or []) == sorted(r["_row"] for r in expected)


@given(entity_rows, outcome_rows, outcome_rows)
@settings(max_examples=30, deadline=None)
def test_outcomes_known_later_change_no_bit(entities, rows, more):
    asked, held = make_entities(entities), make_rows(rows)
    latest = max(hour for _, hour in entities)
    later = [(key, event, latest + 1 + known, value, number, flag) for key, event, known, value, number, flag in more]
    view = make_view({"m": windows.mean("value", hours=5), "l": windows.total("value", last=3)}, ("event",))

    before = answers(view, asked, held)
    after = answers(view, asked, make_rows([*rows, *later]))

    assert before.equals(after)


def test_outcome_leaves_when_its_span_is_over_and_enters_at_the_moment_it_is_known():
    rows = make_rows([("a", 2, 4, 1.0, 0, True)])
    view = make_view({"n": windows.count(hours=3)})

    found = answers(view, make_entities([("a", 3.9), ("a", 4), ("a", 4.9), ("a", 5)]), rows)

    assert found["n"].to_list() == [0, 1, 1, 0]


def test_outcome_known_after_its_window_never_counts():
    rows = make_rows([("a", 2, 6, 1.0, 0, True)])

    found = answers(make_view({"n": windows.count(hours=3)}), make_entities([("a", h) for h in range(10)]), rows)

    assert found["n"].sum() == 0


def test_nothing_known_counts_zero_and_has_no_mean():
    view = make_view({"n": windows.count(hours=3), "m": windows.mean("value", hours=3)})

    found = answers(view, make_entities([("never-seen", 1)]), make_rows([]))

    assert found.select("n", "m").row(0) == (0, None)


def test_a_value_that_is_no_number_spoils_its_windows_and_no_others():
    rows = make_rows([("a", 1, 1, math.inf, 0, True), ("a", 4, 4, 2.0, 0, True)])
    view = make_view({"m": windows.mean("value", hours=3)})

    found = answers(view, make_entities([("a", 3), ("a", 5)]), rows)

    assert math.isnan(found["m"][0])
    assert found["m"][1] == 2.0


def test_rate_of_a_number_and_sum_of_a_text_are_refused():
    for feature in (windows.rate("value", hours=1), windows.total("key", hours=1)):
        with pytest.raises(InvalidFeatureView):
            answers(make_view({"x": feature}), make_entities([("a", 1)]), make_rows([("a", 1, 1, 1.0, 0, True)]))


@pytest.mark.parametrize("shape", [{}, {"hours": -1}, {"last": 0}, {"last": 3, "days": 1}])
def test_window_without_a_sensible_length_is_refused(shape):
    with pytest.raises(InvalidFeatureView):
        windows.count(**shape)
