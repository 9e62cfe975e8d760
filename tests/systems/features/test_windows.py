"""Windows over outcomes known by then, against their definition."""

from __future__ import annotations

import math
import statistics
from datetime import UTC, datetime, timedelta
from fractions import Fraction

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from treadle.systems.features import timelines, windows
from treadle.systems.features.errors import InvalidFeatureView
from treadle.systems.features.joining import Join, join_features
from treadle.systems.features.ranging import Ranges
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
@settings(max_examples=60, deadline=None)
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


def tile_end(moment: datetime, tile: timedelta) -> datetime:
    """The last edge at or before a moment."""
    return datetime.fromtimestamp(moment.timestamp() // tile.total_seconds() * tile.total_seconds(), UTC)


def of_session(rows: list[dict], as_of: datetime, gap: timedelta, lateness: timedelta) -> list[dict]:
    """Those of the newest session that is known to be over; rows are known, oldest first."""
    sessions: list[list[dict]] = []
    for row in rows:
        if not sessions or row["event_at"] - sessions[-1][-1]["event_at"] >= gap:
            sessions.append([])
        sessions[-1].append(row)
    over = [session for session in sessions if session[-1]["event_at"] + gap + lateness <= as_of]
    return over[-1] if over else []


AGGREGATES = {
    "n": lambda **shape: windows.count(**shape),
    "total": lambda **shape: windows.total("value", **shape),
    "low": lambda **shape: windows.least("value", **shape),
    "high": lambda **shape: windows.greatest("value", **shape),
    "spread": lambda **shape: windows.std("value", **shape),
    "kinds": lambda **shape: windows.distinct("value", **shape),
    "middle": lambda **shape: windows.quantile("value", 0.4, **shape),
}


def check_all(held: list[dict], answer: dict) -> None:
    """Every aggregate of `AGGREGATES` over the outcomes that a window holds."""
    present = [row["value"] for row in held if row["value"] is not None]
    assert answer["n"] == len(held)
    assert math.isclose(answer["total"], math.fsum(present), rel_tol=4e-16, abs_tol=0)
    assert answer["low"] == min(present, default=None)
    assert answer["high"] == max(present, default=None)
    assert answer["kinds"] == len(set(present))
    assert (answer["spread"] is None) == (len(present) < 2)
    if len(present) > 1:
        assert math.isclose(answer["spread"], statistics.stdev(map(Fraction, present)), rel_tol=1e-13, abs_tol=1e-15)
    assert (answer["middle"] is None) == (not present)
    if present:
        assert math.isclose(answer["middle"], np.quantile(present, 0.4), rel_tol=1e-12)


@given(corrected=st.booleans(), entities=entity_rows, rows=outcome_rows, last=st.booleans())
@settings(max_examples=60, deadline=None)
def test_every_aggregate_answers_as_its_definition_does(corrected, entities, rows, last):
    shape = {"last": 3} if last else {"hours": 4}
    view = make_view({name: make(**shape) for name, make in AGGREGATES.items()}, ("event",) if corrected else ())
    asked, held = make_entities(entities), make_rows(rows)

    found = answers(view, asked, held)

    for entity, answer in zip(asked.iter_rows(named=True), found.iter_rows(named=True), strict=True):
        check_all(in_window(held, entity["key"], entity["as_of"], view.window_features["n"], corrected), answer)


@given(corrected=st.booleans(), entities=entity_rows, rows=outcome_rows)
@settings(max_examples=40, deadline=None)
def test_closed_tiles_answer_as_rolling_windows_did_at_the_last_edge(corrected, entities, rows):
    tile = timedelta(hours=2)
    event_key = ("event",) if corrected else ()
    tiled = make_view({name: make(hours=4, tile=tile) for name, make in AGGREGATES.items()}, event_key)
    rolling = make_view({name: make(hours=4) for name, make in AGGREGATES.items()}, event_key)
    asked, held = make_entities(entities), make_rows(rows)
    at_edges = asked.with_columns(pl.Series("as_of", [tile_end(moment, tile) for moment in asked["as_of"]]))

    found, expected = answers(tiled, asked, held), answers(rolling, at_edges, held)

    assert found.select(*AGGREGATES).equals(expected.select(*AGGREGATES))


@given(entities=entity_rows, rows=outcome_rows)
@settings(max_examples=40, deadline=None)
def test_open_tiles_hold_the_newest_and_move_only_their_far_edge(entities, rows):
    tile = timedelta(hours=2)
    view = make_view({name: make(hours=4, tile=tile, edge="open") for name, make in AGGREGATES.items()})
    asked, held = make_entities(entities), make_rows(rows)

    found = answers(view, asked, held)

    everything = windows.count(days=1000)
    for entity, answer in zip(asked.iter_rows(named=True), found.iter_rows(named=True), strict=True):
        known = in_window(held, entity["key"], entity["as_of"], everything, corrected=False)
        far_edge = tile_end(entity["as_of"], tile) - timedelta(hours=4)
        check_all([row for row in known if row["event_at"] > far_edge], answer)


@given(corrected=st.booleans(), entities=entity_rows, rows=outcome_rows, lateness=st.integers(0, 4))
@settings(max_examples=50, deadline=None)
def test_sessions_are_seen_once_they_are_known_to_be_over(corrected, entities, rows, lateness):
    shape = {"session": timedelta(hours=2), "lateness": lateness * HOUR}
    features = {name: make(**shape) for name, make in AGGREGATES.items()} | {"took": windows.duration(**shape)}
    view = make_view(features, ("event",) if corrected else ())
    asked, held = make_entities(entities), make_rows(rows)

    found = answers(view, asked, held)

    everything = windows.count(days=1000)
    for entity, answer in zip(asked.iter_rows(named=True), found.iter_rows(named=True), strict=True):
        known = in_window(held, entity["key"], entity["as_of"], everything, corrected)
        session = of_session(known, entity["as_of"], shape["session"], shape["lateness"])
        check_all(session, answer)
        length = (session[-1]["event_at"] - session[0]["event_at"]).total_seconds() if session else None
        assert answer["took"] == length


@given(corrected=st.booleans(), entities=entity_rows, rows=outcome_rows)
@settings(max_examples=40, deadline=None)
def test_newest_values_are_listed_newest_first(corrected, entities, rows):
    window = windows.values("value", last=3)
    asked, held = make_entities(entities), make_rows(rows)

    found = answers(make_view({"recent": window}, ("event",) if corrected else ()), asked, held)

    for entity, answer in zip(asked.iter_rows(named=True), found.iter_rows(named=True), strict=True):
        expected = in_window(held, entity["key"], entity["as_of"], window, corrected)
        assert answer["recent"] == ([row["value"] for row in reversed(expected)] or None)


@given(st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=20), st.sampled_from([0.0, 1e9, -1e12]))
@settings(max_examples=60, deadline=None)
def test_deviation_stays_exact_far_from_zero(numbers, offset):
    held = [number + offset for number in numbers]
    rows = make_rows([("a", 1, 1, number, place, True) for place, number in enumerate(held)])

    found = answers(make_view({"spread": windows.std("value", hours=5)}), make_entities([("a", 2)]), rows)

    true = statistics.stdev(map(Fraction, held))
    size = max(map(abs, held))
    lost = (
        1e-30 * len(held) * (size / true) ** 2 if true else 0.0
    )  # twice the digits of a float, less those that cancel
    assert math.isclose(found["spread"][0], true, rel_tol=1e-12 + lost, abs_tol=max(1e-120, 1e-15 * size))


def test_extremes_keep_the_type_of_their_values():
    rows = make_rows([("a", 1, 1, 1.0, 7, True), ("a", 2, 2, 1.0, 9, True)])
    view = make_view({"first": windows.least("event_at", hours=5), "top": windows.greatest("event", hours=5)})

    found = answers(view, make_entities([("a", 3), ("b", 3)]), rows)

    assert found.select("first", "top").rows() == [(at(1), 9), (None, None)]
    assert found.schema["top"] == pl.Int64


def test_pairs_are_made_a_few_at_a_time_without_changing_an_answer(monkeypatch):
    rows = make_rows([("a", hour, hour, float(hour * 7 % 5), hour, True) for hour in range(10)])
    view = make_view({"q": windows.quantile("value", 0.5, hours=6), "v": windows.values("value", last=4)})
    asked = make_entities([("a", hour) for hour in range(10)])
    whole = answers(view, asked, rows)

    monkeypatch.setattr(Ranges.pairs, "__defaults__", (3,))
    few = answers(view, asked, rows)

    assert few.equals(whole)


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


@pytest.mark.parametrize(
    "shape",
    [
        {},
        {"hours": -1},
        {"last": 0},
        {"last": 3, "days": 1},
        {"hours": 3, "tile": timedelta(hours=2)},
        {"last": 3, "tile": timedelta(hours=1)},
        {"hours": 3, "edge": "open"},
        {"hours": 3, "session": HOUR},
        {"hours": 3, "lateness": HOUR},
        {"session": -HOUR},
    ],
)
def test_window_without_a_sensible_length_is_refused(shape):
    with pytest.raises(InvalidFeatureView):
        windows.count(**shape)


EVERYTHING = {f"{name}_{shape}": make(**options) for shape, options in {
    "rolling": {"hours": 5}, "closed": {"hours": 4, "tile": timedelta(hours=2)},
    "open": {"hours": 4, "tile": timedelta(hours=2), "edge": "open"}, "last": {"last": 3},
    "session": {"session": timedelta(hours=2), "lateness": HOUR},
}.items() for name, make in AGGREGATES.items()}  # fmt: skip


@given(data=st.data(), corrected=st.booleans(), entities=entity_rows, rows=outcome_rows)
@settings(max_examples=40, deadline=None)
def test_whatever_is_done_to_rows_not_known_yet_changes_no_bit(data, corrected, entities, rows):
    """No look-ahead: the content of rows that nobody can know yet may be anything at all, also what they correct."""
    asked = make_entities(entities)
    latest = max(hour for _, hour in entities)
    changed = [
        row
        if row[2] <= latest
        else (*data.draw(st.tuples(st.sampled_from("ab"), hours)), row[2], *data.draw(st.tuples(values, st.integers(0, 4), st.booleans())))
        for row in rows
    ]  # fmt: skip
    view = make_view(EVERYTHING | {"newest": pl.col("value")}, ("event",) if corrected else ())

    assert answers(view, asked, make_rows(changed)).equals(answers(view, asked, make_rows(rows)))


@given(data=st.data(), corrected=st.booleans(), entities=entity_rows, rows=outcome_rows)
@settings(max_examples=30, deadline=None)
def test_neither_the_order_of_storage_nor_pieces_of_entities_change_a_bit(data, corrected, entities, rows):
    asked, held = make_entities(entities), make_rows(rows)
    view = make_view(EVERYTHING, ("event",) if corrected else ())
    order = data.draw(st.permutations(range(len(held))))

    whole = answers(view, asked, held)
    shuffled = answers(view, asked, held[order])
    pieces = pl.concat(Join(asked, [view], {"outcomes": held}, as_of="as_of").pieces(size=2))

    assert shuffled.equals(whole)
    assert pieces.equals(whole)


@pytest.mark.parametrize("longest_line", [0, 1 << 26], ids=["ranks", "seconds"])
@given(entities=entity_rows, rows=outcome_rows)
@settings(max_examples=15, deadline=None)
def test_lines_that_do_not_fit_into_an_integer_give_the_same_bits(longest_line, entities, rows):
    asked, held = make_entities(entities), make_rows(rows)
    view = make_view(EVERYTHING | {"newest": pl.col("value")}, ("event",))
    expected = answers(view, asked, held)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(timelines, "LONGEST_LINE", longest_line)
        found = answers(view, asked, held)

    assert found.equals(expected)
