"""What holds of every cleaning: it can be taken back to the bit, no row is lost, and batches do not matter."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some
from polars.testing import assert_frame_equal

from treadle.systems.prepare.cleaning.changes import DROPPED, as_value, from_value
from treadle.systems.prepare.cleaning.declared import Declared, read_step
from treadle.systems.prepare.cleaning.program import cleaned
from treadle.systems.prepare.errors import CleaningRefused

TEXTS = some.one_of(
    some.none(),
    some.sampled_from(
        ["  a b ", "a  b", "A", "é", "é", "", "NA", "12", " 012", "1,234", "1.5", "-0", "yes", "no", "abc"]
    ),
    some.text(max_size=4),
)
FLOATS = some.one_of(some.none(), some.floats(), some.sampled_from([0.0, -0.0, 212.0, -999.0, 1e300]))
WHOLES = some.one_of(some.none(), some.integers(-5, 5), some.integers(-(2**62), 2**62))
TIMES = some.one_of(some.none(), some.datetimes(datetime(2013, 1, 1), datetime(2014, 1, 1)))


@some.composite
def frames(draw: some.DrawFn) -> pl.DataFrame:
    size = draw(some.integers(0, 12))

    def column(values: some.SearchStrategy[Any]) -> list[Any]:
        return draw(some.lists(values, min_size=size, max_size=size))

    return pl.DataFrame(
        {"t": column(TEXTS), "u": column(TEXTS), "x": column(FLOATS), "n": column(WHOLES), "at": column(TIMES)},
        schema={"t": pl.String, "u": pl.String, "x": pl.Float64, "n": pl.Int64, "at": pl.Datetime("us")},
    )


OTHERWISE = some.sampled_from(["quarantine", "null"])
KEEP = some.sampled_from(["first", "last", "most_complete", {"greatest": "n"}, {"least": "x"}])
ZONES = {"zone": "America/New_York"}
STEPS = some.one_of(
    some.fixed_dictionaries(
        {"clean": some.just("text"), "columns": some.sampled_from([["t"], ["u"], ["t", "u"]])},
        optional={
            "collapse": some.booleans(),
            "case": some.sampled_from(["lower", "upper", "title"]),
            "unicode": some.sampled_from(["NFC", "NFKD"]),
            "nulls": some.just(["", "NA"]),
        },
    ),
    some.fixed_dictionaries(
        {"clean": some.just("cast"), "columns": some.sampled_from([["t"], ["u"], ["n"], ["x"]]),
         "to": some.sampled_from(["number", "integer", "boolean", "string"]), "otherwise": OTHERWISE},
        optional={"thousands": some.just(",")},
    ),
    some.fixed_dictionaries({"clean": some.just("unit"), "columns": some.just(["x"]), "from": some.just("degF"), "to": some.just("degC")}),
    some.fixed_dictionaries(
        {"clean": some.just("category"), "columns": some.just(["t"]), "allowed": some.just(["a", "abc"]),
         "otherwise": some.sampled_from(["quarantine", "null", "keep"])},
        optional={"ignore_case": some.booleans(), "fuzzy": some.just(0.6), "synonyms": some.just({"12": "a", "NA": None})},
    ),
    some.fixed_dictionaries(
        {"clean": some.just("time"), "columns": some.just(["at"]), "zone": some.just("America/New_York"),
         "ambiguous": some.sampled_from(["earliest", "latest", "null", "quarantine"]),
         "missing": some.sampled_from(["forward", "backward", "null", "quarantine"])},
    ),
    some.fixed_dictionaries({"clean": some.just("clip"), "columns": some.sampled_from([["x"], ["n"]]), "minimum": some.just(-2), "maximum": some.just(3)}),
    some.fixed_dictionaries({"clean": some.just("empty"), "columns": some.just(["x"]), "values": some.just([-999.0])}),
    some.fixed_dictionaries({"clean": some.just("empty"), "columns": some.just(["t", "x"]), "where": some.just("n > 0")}),
    some.fixed_dictionaries(
        {"clean": some.just("fill"), "columns": some.just(["x"]), "fit": some.sampled_from(["mean", "median", "mode"])},
    ),
    some.fixed_dictionaries({"clean": some.just("fill"), "columns": some.just(["n"]), "value": some.just(7)}),
    some.fixed_dictionaries(
        {"clean": some.just("fill"), "columns": some.just(["n"]), "fit": some.just("previous"), "time": some.just("at"), "by": some.sampled_from([[], ["u"]])},
    ),
    some.sampled_from([{"clean": "drop", "where": "n < 0"}, {"clean": "quarantine", "where": "x > 100"}]),
    some.fixed_dictionaries({"clean": some.just("duplicates"), "by": some.sampled_from([["u"], ["u", "n"]]), "keep": KEEP}),
    some.fixed_dictionaries(
        {"clean": some.just("similar"), "by": some.just({"u": 0.5}), "block": some.just(["n"]), "keep": KEEP}
    ),
)  # fmt: skip


def declared(*steps: dict[str, Any]) -> list[Declared]:
    return [Declared(id=f"{place}.{step['clean']}", step=read_step(step, None)) for place, step in enumerate(steps)]


def possible(frame: pl.DataFrame, steps: list[Declared], batches: int = 1) -> Any:
    """The cleaning, or None where a step does not go with the types that the steps before it have left."""
    size = max(1, -(-frame.height // batches))
    try:
        return cleaned(list(frame.iter_slices(size)) if batches > 1 else [frame], steps)
    except CleaningRefused:
        return None


@settings(max_examples=150, deadline=None)
@given(frames(), some.lists(STEPS, max_size=6))
def test_what_was_cleaned_can_be_taken_back_to_the_bit(frame: pl.DataFrame, steps: list[dict[str, Any]]) -> None:
    done = possible(frame, declared(*steps))
    if done is None:
        return
    kept, held, program = done

    log = from_value(as_value(program.changes))

    dropped = sum(one.rows.height for one in log.removed if one.to == DROPPED)
    assert frame.height == kept.height + held.height + dropped
    back = log.restored(kept)
    assert_frame_equal(back, frame, check_exact=True)
    assert [str(x) for x in back["x"]] == [str(x) for x in frame["x"]]  # the sign of zero, too


@settings(max_examples=60, deadline=None)
@given(frames(), some.lists(STEPS, max_size=5), some.integers(2, 5))
def test_it_does_not_matter_in_which_batches_the_rows_come(
    frame: pl.DataFrame, steps: list[dict[str, Any]], batches: int
) -> None:
    whole, parts = possible(frame, declared(*steps)), possible(frame, declared(*steps), batches)
    if whole is None or parts is None or frame.height == 0:
        return

    assert_frame_equal(whole[0], parts[0], check_exact=True)
    assert_frame_equal(whole[1], parts[1], check_exact=True)
    assert_frame_equal(parts[2].changes.restored(parts[0]), frame, check_exact=True)


@settings(max_examples=60, deadline=None)
@given(frames(), some.integers(0, 12))
def test_a_previous_value_never_comes_from_the_future(frame: pl.DataFrame, cut: int) -> None:
    """What comes later is cut away, and nothing that was filled in before it changes."""
    steps = declared({"clean": "fill", "columns": ["n"], "fit": "previous", "time": "at", "by": ["u"]})
    ordered = frame.sort("at", nulls_last=True)
    known = ordered.head(cut)
    if (
        cut >= ordered.height
        or known["at"].null_count()
        or known["at"][-1:].to_list() == ordered["at"][cut : cut + 1].to_list()
    ):
        return

    all_of_it, _, _ = cleaned([ordered], steps)
    until_then, _, _ = cleaned([known], steps)

    assert_frame_equal(all_of_it.head(cut), until_then)


@pytest.mark.parametrize("moment", [datetime(2013, 3, 10, 2, 30), datetime(2013, 11, 3, 1, 30)])
def test_hours_that_a_clock_shows_never_or_twice_are_answered_by_rule(moment: datetime) -> None:
    frame = pl.DataFrame({"at": [moment]})

    def read(**rules: str) -> Any:
        kept, _, _ = cleaned([frame], declared({"clean": "time", "columns": ["at"], **ZONES, **rules}))
        return kept["at"].to_list() if kept.height else "held"

    if moment.month == 3:
        assert read(missing="forward") == [datetime(2013, 3, 10, 7, 30, tzinfo=UTC)]  # 03:30 of summer
        assert read(missing="backward") == [datetime(2013, 3, 10, 6, 30, tzinfo=UTC)]  # 01:30 of winter
        assert (read(missing="null"), read()) == ([None], "held")
    else:
        assert read(ambiguous="earliest") == [datetime(2013, 11, 3, 5, 30, tzinfo=UTC)]
        assert read(ambiguous="latest") == [datetime(2013, 11, 3, 6, 30, tzinfo=UTC)]
        assert (read(ambiguous="null"), read()) == ([None], "held")
