"""Answers look the same everywhere, and no id is ever cut."""

from __future__ import annotations

import io
from datetime import UTC, datetime, timedelta, timezone

import pytest

from treadle.faces.cli.rendering import Branch, Paper, ago, bytes_text, cell, duration, moment, number, short_digest


def drawn(draw) -> str:
    stream = io.StringIO()
    draw(Paper(stream))
    return stream.getvalue()


def test_a_table_in_a_pipe_is_never_cut_and_has_no_colour():
    long = "sha256:" + "a" * 300

    text = drawn(lambda paper: paper.table(("id", "state"), [(long, "failed"), ("b", "ok")]))

    assert long in text
    assert "\x1b" not in text
    assert len(text.splitlines()) == 3


def test_numbers_stand_to_the_right():
    text = drawn(lambda paper: paper.table(("name", "rows", "note"), [("a", 5, "x"), ("b", 12345, "y")]))

    assert [line.split()[1] for line in text.splitlines()[1:]] == ["5", "12345"]
    assert text.splitlines()[1].index("5") == text.splitlines()[2].index("12345") + 4


def test_an_empty_table_says_so():
    assert drawn(lambda paper: paper.table(("a",), [], empty="No runs yet.")) == "No runs yet.\n"


def test_markup_of_a_value_is_shown_and_not_obeyed():
    assert "[red]x[/red]" in drawn(lambda paper: paper.table(("a",), [("[red]x[/red]",)]))
    assert "[bold]" in drawn(lambda paper: paper.line("[bold]"))


def test_a_sheet_leaves_out_what_is_not_known():
    text = drawn(lambda paper: paper.sheet({"id": "run_1", "ended": None, "ok": True}))

    assert [line.split() for line in text.splitlines()] == [["id", "run_1"], ["ok", "yes"]]


def test_a_tree_shows_what_hangs_below_what():
    root = Branch("pred_1", "0.83")
    root.add("model v3").add("run_7", "reused from run_2")
    root.add("features")

    lines = drawn(lambda paper: paper.tree(root)).splitlines()

    assert [line.strip("│├└─ ") for line in lines] == [
        "pred_1  0.83",
        "model v3",
        "run_7  reused from run_2",
        "features",
    ]


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (None, "–"),
        (0.0002, "0.2 ms"),
        (0.0034, "3 ms"),
        (0.0994, "99 ms"),
        (0.1, "0.1 s"),
        (4.24, "4.2 s"),
        (59.94, "59.9 s"),
        (59.99, "1 min"),
        (200, "3 min 20 s"),
        (3600, "1 h"),
        (7500, "2 h 5 min"),
        (273600, "3 d 4 h"),
    ],
)
def test_a_duration_has_two_units_at_most(seconds, text):
    assert duration(seconds) == text


@pytest.mark.parametrize(
    ("delta", "text"),
    [(3, "just now"), (300, "5 min ago"), (-7200, "in 2 h"), (90000, "1 d ago")],
)
def test_how_long_ago_has_one_unit(delta, text):
    now = datetime(2013, 4, 1, tzinfo=UTC)

    assert ago(now - timedelta(seconds=delta), now) == text


def test_times_are_shown_in_utc():
    assert moment(datetime(2013, 4, 1, 5, 0, tzinfo=timezone(timedelta(hours=2)))) == "2013-04-01 03:00:00Z"


@pytest.mark.parametrize(
    ("count", "text"), [(0, "0 B"), (999, "999 B"), (3400, "3.4 kB"), (2_500_000, "2.5 MB"), (10**13, "10.0 TB")]
)
def test_sizes_are_read_at_a_glance(count, text):
    assert bytes_text(count) == text


@pytest.mark.parametrize(
    ("value", "shown"),
    [(0.0123456, "0.01235"), (44.789, "44.79"), (1121.35, "1121.35"), (999_999.0, "999999"), (-12345678.9, "-12345679"),
     (2.0**60, "1.153e+18"), (float("nan"), "nan"), (float("-inf"), "-inf"), (0.0, "0")],
)  # fmt: skip
def test_a_number_keeps_the_digits_before_its_point(value, shown):
    assert number(value) == cell(value) == shown


def test_cells_are_short():
    assert [cell(value) for value in (None, True, 0.123456, [1, 2.5], {"a": 1})] == [
        "–",
        "yes",
        "0.1235",
        "1, 2.5",
        "a=1",
    ]
    assert short_digest("sha256:" + "0123456789abcdef" * 4) == "0123456789ab"
