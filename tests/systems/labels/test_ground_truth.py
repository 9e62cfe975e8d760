"""Truth that comes late, twice, contradicts itself and is corrected: newest known wins, and nothing is lost."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from treadle.systems.labels.errors import InvalidTruth
from treadle.systems.labels.ground_truth import coverage, truth_as_of

START = datetime(2013, 4, 1, tzinfo=UTC)
MOMENT = pl.Datetime("us", "UTC")
hours = st.integers(0, 6)


def at(hour: float | None) -> datetime | None:
    return None if hour is None else START + timedelta(hours=hour)


def make_history(*rows: tuple[str, int | None, int | None, int]) -> pl.DataFrame:
    """Rows of (key, value, known hour, recorded hour)."""
    return pl.DataFrame(
        [(key, value, START, at(known), "radar", at(recorded)) for key, value, known, recorded in rows],
        schema={"id": pl.String, "value": pl.Int64, "event_at": MOMENT, "known_at": MOMENT, "source": pl.String, "recorded_at": MOMENT},
        orient="row",
    )  # fmt: skip


@given(
    st.lists(st.tuples(st.sampled_from("abc"), st.none() | st.integers(0, 2), st.none() | hours, hours), max_size=20),
    st.none() | hours,
)
@settings(max_examples=150, deadline=None)
def test_newest_known_wins_and_every_row_is_accounted_for(rows, moment):
    truth = truth_as_of(make_history(*rows), ["id"], at(moment))

    expected: dict[str, tuple] = {}
    counted: dict[str, int] = {}
    for place, (key, value, known, recorded) in enumerate(rows):
        if known is None or (moment is not None and known > moment):
            continue
        counted[key] = counted.get(key, 0) + 1
        expected[key] = max(expected.get(key, (-1,)), (known, recorded, place, (value,)), key=lambda row: row[:3])
    assert dict(truth.table.select("id", "value").iter_rows()) == {key: row[3][0] for key, row in expected.items()}
    assert dict(truth.table.select("id", "rows").iter_rows()) == counted
    assert truth.table["rows"].sum() + truth.unknown + truth.undated == len(rows)
    assert truth.table["rows"].sum() == len(truth.table) + truth.duplicated + truth.corrected


def test_late_value_is_unknown_until_it_is_known():
    history = make_history(("a", 1, 5, 5))

    assert truth_as_of(history, ["id"], at(4)).table.is_empty()
    assert truth_as_of(history, ["id"], at(5)).table["value"].to_list() == [1]


def test_correction_duplicate_and_contradiction_are_told_apart():
    truth = truth_as_of(
        make_history(("a", 1, 1, 1), ("a", 0, 2, 2), ("b", 1, 1, 1), ("b", 1, 2, 2), ("c", 1, 1, 1), ("c", 0, 1, 2)),
        ["id"],
    )

    assert dict(truth.table.select("id", "value").iter_rows()) == {"a": 0, "b": 1, "c": 0}
    assert (truth.corrected, truth.duplicated, truth.contradicted) == (2, 1, 1)
    assert dict(truth.table.select("id", "contradicted").iter_rows()) == {"a": False, "b": False, "c": True}


def test_value_may_be_withdrawn():
    history = make_history(("a", 1, 1, 1), ("a", None, 2, 2), ("a", 1, 3, 3))

    assert truth_as_of(history, ["id"], at(2)).table["value"].to_list() == [None]
    assert truth_as_of(history, ["id"]).table["value"].to_list() == [1]
    assert truth_as_of(history, ["id"]).corrected == 2


def test_coverage_counts_expected_and_known_by_period():
    expected = pl.DataFrame(
        {"id": ["a", "b", "c"], "event_at": [START, START, START + timedelta(days=7)]},
        schema_overrides={"event_at": MOMENT},
    )
    truth = truth_as_of(make_history(("a", 1, 3, 3), ("x", 1, 1, 1)), ["id"])

    report = coverage(expected, truth, ["id"], every="1w")

    assert (report.expected, report.known, report.surplus) == (3, 1, 1)
    assert report.table.select("expected", "known", "share", "delay_p50_s").rows() == [
        (2, 1, 0.5, 3 * 3600.0),
        (1, 0, 0.0, None),
    ]


def test_label_set_without_times_or_keys_is_refused():
    history = make_history(("a", 1, 1, 1))

    for broken in (
        history.drop("known_at"),
        history.with_columns(pl.col("known_at").dt.replace_time_zone(None)),
        history.with_columns(id=pl.lit(None, pl.String)),
    ):
        with pytest.raises(InvalidTruth):
            truth_as_of(broken, ["id"])


def test_key_that_is_expected_twice_is_refused():
    expected = pl.DataFrame({"id": ["a", "a"], "event_at": [START] * 2}, schema_overrides={"event_at": MOMENT})

    with pytest.raises(InvalidTruth):
        coverage(expected, truth_as_of(make_history(), ["id"]), ["id"])
