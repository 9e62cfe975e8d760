"""The point-in-time join against its definition, under random times."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from treadle.systems.features import timelines
from treadle.systems.features.errors import EntityWithoutTime, KeyMismatch, MissingColumn, TimeWithoutZone
from treadle.systems.features.point_in_time import newest_known

START = datetime(2013, 1, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)
MOMENT = pl.Datetime("us", "UTC")

hours = st.integers(0, 12)
feature_rows = st.lists(
    st.tuples(st.sampled_from(["a", "b", None]), st.none() | hours, st.none() | hours, st.integers(0, 2)), max_size=25
)
entity_rows = st.lists(st.tuples(st.sampled_from(["a", "b", "c", None]), hours), max_size=12)


def at(hour: float | None) -> datetime | None:
    return None if hour is None else START + hour * HOUR


def make_rows(rows: list[tuple[str | None, int | None, int | None, int]]) -> pl.DataFrame:
    """Rows of (key, event hour, known hour, landing), numbered within their landing."""
    return pl.DataFrame(
        [(key, at(event), at(known), landing, place) for place, (key, event, known, landing) in enumerate(rows)],
        schema={"key": pl.String, "event_at": MOMENT, "known_at": MOMENT, "_landing": pl.Int64, "_row": pl.Int64},
        orient="row",
    )


def make_entities(rows: list[tuple[str | None, float]]) -> pl.DataFrame:
    return pl.DataFrame(
        [(key, at(hour)) for key, hour in rows], schema={"key": pl.String, "as_of": MOMENT}, orient="row"
    )


def by_definition(
    entities: pl.DataFrame, rows: pl.DataFrame, ttl: timedelta | None, delay: timedelta | None = None
) -> list[int | None]:
    """The two lines of the definition, row by row."""
    answers: list[int | None] = []
    for key, as_of in entities.select("key", "as_of").iter_rows():
        usable = []
        for place, (held, event, known, landing, row) in enumerate(rows.iter_rows()):
            known = event + delay if delay is not None and event is not None else known
            if held is None or held != key or event is None or known is None or event > as_of or known > as_of:
                continue
            usable.append((event, known, landing, row, place))
        newest = max(usable, default=None)
        expired = newest is not None and ttl is not None and as_of - newest[0] > ttl
        answers.append(None if newest is None or expired else newest[-1])
    return answers


def join(entities: pl.DataFrame, rows: pl.DataFrame, **options: object) -> list[int | None]:
    known_at = options.pop("known_at", "known_at")
    match = newest_known(
        entities, rows, keys={"key": "key"}, as_of="as_of", event_at="event_at", known_at=known_at, **options
    )
    return [None if row < 0 else row for row in match.row.tolist()]


@pytest.fixture(params=[1 << 62, 1 << 26, 0], ids=["packed", "packed_seconds", "by_group"], scope="module")
def longest_line(request):
    """The three ways through the join: microseconds in one integer, seconds in one integer, and by group."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(timelines, "LONGEST_LINE", request.param)
        yield request.param


@given(entity_rows, feature_rows, st.none() | st.integers(1, 6))
@settings(max_examples=100, deadline=None)
def test_join_answers_as_the_definition_does_for_any_times(longest_line, entities, rows, ttl):
    asked, held = make_entities(entities), make_rows(rows)
    span = None if ttl is None else ttl * HOUR

    assert join(asked, held, ttl=span) == by_definition(asked, held, span)


@given(entity_rows, feature_rows, st.integers(0, 5))
@settings(max_examples=60, deadline=None)
def test_join_answers_as_the_definition_does_for_a_fixed_delay(longest_line, entities, rows, delay):
    asked, held = make_entities(entities), make_rows(rows)

    assert join(asked, held, known_at=delay * HOUR) == by_definition(asked, held, None, delay * HOUR)


@given(entity_rows, feature_rows, feature_rows)
@settings(max_examples=60, deadline=None)
def test_what_becomes_known_later_changes_no_answer(entities, rows, more):
    """The law itself: rows known after every entity's moment can be added without anyone noticing."""
    asked, held = make_entities(entities), make_rows(rows)
    latest = max((hour for _, hour in entities), default=0)
    later = make_rows([(key, event, latest + 1 + (known or 0), 3) for key, event, known, _ in more])

    assert join(asked, pl.concat([held, later])) == join(asked, held)


@given(st.data(), entity_rows, feature_rows)
@settings(max_examples=40, deadline=None)
def test_order_of_storage_does_not_matter(data, entities, rows):
    asked, held = make_entities(entities), make_rows(rows)
    order = data.draw(st.permutations(range(len(held))))

    answers = join(asked, held[order])

    assert [None if a is None else order[a] for a in answers] == join(asked, held)


def test_late_older_row_does_not_shadow_a_newer_event():
    rows = make_rows([("a", 5, 6, 0), ("a", 3, 8, 0)])

    assert join(make_entities([("a", 9)]), rows) == [0]


def test_correction_answers_only_once_it_is_known():
    rows = make_rows([("a", 5, 6, 0), ("a", 5, 8, 1)])

    assert join(make_entities([("a", 7), ("a", 8)]), rows) == [0, 1]


def test_forecast_waits_for_its_event_time_and_the_newest_forecast_wins():
    rows = make_rows([("a", 10, 2, 0), ("a", 10, 4, 0), ("a", 3, 3, 0)])

    assert join(make_entities([("a", 5), ("a", 10)]), rows) == [2, 1]


def test_last_landed_row_wins_among_equal_times():
    rows = make_rows([("a", 5, 5, 2), ("a", 5, 5, 1)])

    assert join(make_entities([("a", 5)]), rows) == [0]


def test_misses_expired_and_undated_rows_are_counted():
    rows = make_rows([("a", 1, 1, 0), ("b", None, 2, 0), ("b", 2, None, 0)])
    entities = make_entities([("a", 1.5), ("a", 9), ("b", 9), (None, 9)])

    match = newest_known(
        entities, rows, keys={"key": "key"}, as_of="as_of", event_at="event_at", known_at="known_at", ttl=2 * HOUR
    )

    assert match.row.tolist() == [0, -1, -1, -1]
    assert match.n_expired == 1


def test_composite_keys_with_other_names_match_across_integer_widths_and_categories():
    rows = pl.DataFrame(
        {
            "airport": pl.Series(["EWR", "JFK"], dtype=pl.Categorical),
            "gate": pl.Series([1, 2], dtype=pl.Int16),
            "event_at": pl.Series([START, START], dtype=MOMENT),
        }
    )
    entities = pl.DataFrame({"origin": ["JFK", "EWR", "EWR"], "g": [2, 2, 1], "as_of": [START] * 3}).with_columns(
        pl.col("as_of").cast(MOMENT)
    )

    match = newest_known(
        entities,
        rows,
        keys={"origin": "airport", "g": "gate"},
        as_of="as_of",
        event_at="event_at",
        known_at=timedelta(0),
    )

    assert match.row.tolist() == [1, -1, 0]


def test_nanoseconds_are_rounded_away_from_the_future():
    nanos = pl.Datetime("ns", "UTC")
    rows = pl.DataFrame({"key": ["a"], "event_at": pl.Series([1_500]).cast(nanos)})
    entities = pl.DataFrame({"key": ["a"] * 3, "as_of": pl.Series([1_400, 1_500, 2_000]).cast(nanos)})

    match = newest_known(entities, rows, keys={"key": "key"}, as_of="as_of", event_at="event_at", known_at=timedelta(0))

    assert match.row.tolist() == [-1, -1, 0]


def test_seconds_and_milliseconds_meet_microseconds():
    rows = pl.DataFrame({"key": ["a"], "event_at": pl.Series([START]).cast(pl.Datetime("ms", "Europe/Berlin"))})

    match = newest_known(
        make_entities([("a", 0), ("a", -1)]),
        rows,
        keys={"key": "key"},
        as_of="as_of",
        event_at="event_at",
        known_at=timedelta(0),
    )

    assert match.row.tolist() == [0, -1]


@pytest.mark.parametrize("dtype", [pl.Datetime("us"), pl.Date, pl.String, pl.Int64])
def test_a_time_that_is_no_moment_is_refused_with_the_remedy(dtype):
    rows = make_rows([("a", 1, 1, 0)]).with_columns(pl.col("event_at").dt.replace_time_zone(None).cast(dtype))

    with pytest.raises(TimeWithoutZone) as refusal:
        join(make_entities([("a", 1)]), rows)

    assert "replace_time_zone" in refusal.value.fix


@given(st.lists(st.tuples(st.integers(-(2**62), 2**62), st.text(max_size=2), hours), max_size=12), st.booleans())
@settings(max_examples=60, deadline=None)
def test_wide_numbers_and_texts_are_keys(keys, as_text):
    """Keys too far apart to be numbered by place are numbered by a join, with the same answers."""
    parts = {"n": [n for n, _, _ in keys], "s": [s for _, s, _ in keys]}
    rows = pl.DataFrame({**parts, "event_at": [at(h) for *_, h in keys]}, schema_overrides={"event_at": MOMENT})
    entities = rows.rename({"event_at": "as_of"}).unique(["n", "s", "as_of"], maintain_order=True)

    match = newest_known(
        entities, rows, keys={"s": "s"} if as_text else {"s": "s", "n": "n"}, as_of="as_of", event_at="event_at",
        known_at=timedelta(0),
    )  # fmt: skip

    for place, (n, s, hour) in enumerate(entities.iter_rows()):
        usable = [
            (h, i) for i, (n2, s2, h) in enumerate(rows.iter_rows()) if s2 == s and (as_text or n2 == n) and h <= hour
        ]
        assert match.row[place] == max(usable)[1]


def test_absurd_time_is_refused_rather_than_wrapped_round():
    absurd = pl.Series([2**62]).cast(pl.Datetime("ms", "UTC"))
    rows = pl.DataFrame({"key": ["a"], "event_at": absurd, "known_at": absurd})

    with pytest.raises(TimeWithoutZone):
        join(make_entities([("a", 1)]), rows)


def test_entity_without_a_moment_is_refused():
    entities = pl.DataFrame({"key": ["a"], "as_of": pl.Series([None], dtype=MOMENT)})

    with pytest.raises(EntityWithoutTime):
        join(entities, make_rows([]))


def test_keys_that_can_never_be_equal_are_refused():
    entities = pl.DataFrame({"key": [1], "as_of": pl.Series([START], dtype=MOMENT)})

    with pytest.raises(KeyMismatch):
        join(entities, make_rows([("a", 1, 1, 0)]))


def test_missing_column_is_named_with_its_likely_spelling():
    with pytest.raises(MissingColumn) as refusal:
        join(make_entities([("a", 1)]), make_rows([]), known_at="knwon_at")

    assert "known_at" in refusal.value.fix
