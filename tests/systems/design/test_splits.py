"""Splits by time: training never sees a label that was not known by then, and every row is accounted for."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from treadle.systems.design import Part, TimeSplit, split
from treadle.systems.design.errors import InvalidModelSpec, SplitWithoutRows

START = datetime(2013, 1, 1, tzinfo=UTC)
MOMENT = pl.Datetime("us", "UTC")


def day(n: int) -> datetime:
    return START + timedelta(days=n)


HOW = TimeSplit(parts={"train": Part(start=day(0), end=day(10)), "valid": Part(start=day(10), end=day(15)), "test": Part(start=day(15), end=day(20))})  # fmt: skip


def make_rows(rows: list[tuple[int, int | None, bool | None]]) -> pl.DataFrame:
    """Rows of (event day, known day, label)."""
    return pl.DataFrame(
        [(day(event), None if known is None else day(known), label) for event, known, label in rows],
        schema={"event_at": MOMENT, "known_at": MOMENT, "late": pl.Boolean},
        orient="row",
    )


ALWAYS = [(0, 0, True), (10, 10, False), (15, 15, True)]


@given(st.lists(st.tuples(st.integers(-2, 22), st.none() | st.integers(0, 30), st.none() | st.booleans()), max_size=30))
@settings(max_examples=100, deadline=None)
def test_every_row_is_accounted_for_and_none_is_used_before_it_is_known(rows):
    table = make_rows([*ALWAYS, *rows])

    splits = split(table, HOW, "late")

    assert sum(report.n_in for report in splits.reports) + splits.n_outside == len(table)
    for report in splits.reports:
        used = splits.parts[report.part]
        assert report.n_in == report.n_used + report.n_too_late + report.n_unlabelled
        assert len(used) == report.n_used
        assert used["late"].null_count() == 0
        assert used["event_at"].is_between(HOW.parts[report.part].start, HOW.parts[report.part].end, "left").all()
        if report.known_by is not None:
            assert (used["known_at"] <= report.known_by).all()


def test_label_that_comes_after_the_end_of_training_is_left_out_and_counted():
    splits = split(make_rows([*ALWAYS, (9, 11, True), (14, 16, True), (19, 40, True)]), HOW, "late")

    assert [report.n_too_late for report in splits.reports] == [1, 1, 0]
    assert len(splits.parts["test"]) == 2


def test_known_by_may_be_said():
    how = TimeSplit(parts={**HOW.parts, "train": Part(start=day(0), end=day(10), known_by=day(12))})

    assert len(split(make_rows([*ALWAYS, (9, 11, True)]), how, "late").parts["train"]) == 2


def test_part_without_rows_says_why():
    with pytest.raises(SplitWithoutRows) as refusal:
        split(make_rows([(0, 11, True), (1, None, None)]), HOW, "late")

    assert "1 have no label and 1 were labelled too late" in refusal.value.why


@pytest.mark.parametrize("column", ["event_at", "known_at", "late"])
def test_missing_column_is_named(column):
    with pytest.raises(InvalidModelSpec, match=column):
        split(make_rows(ALWAYS).drop(column), HOW, "late")


def test_a_split_moves_with_time_and_its_first_part_grows():
    how = HOW

    later = how.ending(day(50))

    assert list(later.parts) == list(how.parts)
    assert later.parts["train"].start == how.parts["train"].start
    assert later.parts["test"].end == day(50)
    for name, part in list(how.parts.items())[1:]:
        assert later.parts[name].end - later.parts[name].start == part.end - part.start
    assert later.parts["train"].end == later.parts["valid"].start
    assert how.ending(how.parts["test"].end) == how


def test_a_split_that_leaves_nothing_to_train_on_is_refused():
    with pytest.raises(InvalidModelSpec):
        HOW.ending(day(10))
