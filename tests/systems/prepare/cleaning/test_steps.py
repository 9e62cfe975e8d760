"""Each kind of step: what becomes of values, what is held, and which declarations are refused."""

from __future__ import annotations

import math
from datetime import UTC, date, datetime
from typing import Any

import polars as pl
import pytest

from tests.systems.prepare.cleaning.test_laws import declared
from treadle.systems.prepare.cleaning.declared import declared_steps, read_step
from treadle.systems.prepare.cleaning.program import cleaned
from treadle.systems.prepare.cleaning.units import UNITS, conversion
from treadle.systems.prepare.errors import CleaningRefused
from treadle.wire.odcs import decode


def one(values: list[Any], **step: Any) -> tuple[list[Any], int]:
    """What becomes of a column `x`, and how many rows are held."""
    kept, held, _ = cleaned([pl.DataFrame({"x": values})], declared({"columns": ["x"], **step}))
    return kept["x"].to_list(), held.height


def test_text_has_one_spelling() -> None:
    values = ["  Cafe\u0301\u00a0 Central ", "NA", "", None]

    assert one(values, clean="text", collapse=True, case="upper", nulls=["", "NA"]) == (
        ["CAFÉ CENTRAL", None, None, None],
        0,
    )


@pytest.mark.parametrize(
    ("values", "step", "kept"),
    [
        (["1.234,50 €", "7"], {"to": "number", "thousands": ".", "decimal": ",", "ignore": "€"}, [1234.5, 7.0]),
        (["1,234", "+12", "12.0", " 5"], {"to": "integer", "thousands": ","}, [1234, 12, 12, 5]),
        (["9007199254740993"], {"to": "integer"}, [9007199254740993]),
        (["1e3", ".5", "-2."], {"to": "number"}, [1000.0, 0.5, -2.0]),
        (["Yes", " n ", None], {"to": "boolean"}, [True, False, None]),
        ([1.0, 2.0], {"to": "integer"}, [1, 2]),
        ([1, 0], {"to": "boolean"}, [True, False]),
        ([1, 2], {"to": "string"}, ["1", "2"]),
    ],
)
def test_casts_read_numbers_as_people_write_them(values: list[Any], step: dict[str, Any], kept: list[Any]) -> None:
    assert one(values, clean="cast", **step) == (kept, 0)


@pytest.mark.parametrize(
    ("value", "step"),
    [
        ("1,23", {"to": "number", "thousands": ","}),
        ("inf", {"to": "number"}),
        ("nan", {"to": "number"}),
        ("1.5", {"to": "integer"}),
        (1.5, {"to": "integer"}),
        ("maybe", {"to": "boolean"}),
        ("12 km", {"to": "number"}),
        ("99999999999999999999", {"to": "integer"}),
    ],
)
def test_what_is_no_number_is_held_or_emptied_and_never_bent(value: Any, step: dict[str, Any]) -> None:
    assert one([value], clean="cast", **step) == ([], 1)
    assert one([value], clean="cast", otherwise="null", **step) == ([None], 0)


def test_units_are_converted_exactly_where_they_are_defined_so() -> None:
    assert one([212.0, 32.0, -40.0], clean="unit", **{"from": "°F", "to": "°C"})[0] == [100.0, 0.0, -40.0]
    assert one([1.0], clean="unit", **{"from": "mi", "to": "km"})[0] == [1.609344]
    assert one([36.0], clean="unit", **{"from": "km/h", "to": "m/s"})[0] == [10.0]
    assert one([1000], clean="unit", **{"from": "g", "to": "kg"})[0] == [1.0]


@pytest.mark.parametrize("unit", UNITS)
def test_every_unit_goes_into_its_base_and_back(unit: str) -> None:
    measured = UNITS[unit][0]
    base = next(name for name, (kind, scale, zero) in UNITS.items() if (kind, scale, zero) == (measured, 1, 0))

    there, back = conversion(unit, base), conversion(base, unit)

    value = (42.0 * there[0] + there[1]) / there[2]
    assert (value * back[0] + back[1]) / back[2] == pytest.approx(42.0, rel=1e-12)


def test_a_row_that_says_its_own_unit_is_converted_by_it_and_an_unknown_one_is_held() -> None:
    frame = pl.DataFrame({"x": [50.0, 10.0, 1.0], "u": ["degF", "degC", "furlong"]})

    kept, held, program = cleaned(
        [frame], declared({"clean": "unit", "columns": ["x"], "from_column": "u", "to": "degC"})
    )

    assert kept.rows() == [(10.0, "degC"), (10.0, "degC")]
    assert held["u"].to_list() == ["furlong"]
    assert program.changes.restored(kept).equals(frame)


@pytest.mark.parametrize(
    "step",
    [
        {"clean": "unit", "from": "degG", "to": "degC"},
        {"clean": "unit", "from": "m", "to": "kg"},
        {"clean": "clip"},
        {"clean": "empty"},
        {"clean": "category"},
        {"clean": "text"},
        {"clean": "fill", "value": "three"},
        {"clean": "drop", "where": "nope > 1"},
        {"clean": "drop", "where": "x > avg(x)"},
        {"clean": "fill", "fit": "previous", "time": "nope"},
    ],
)
def test_a_step_that_cannot_be_carried_out_is_refused(step: dict[str, Any]) -> None:
    with pytest.raises(CleaningRefused):
        one([1.0, None], **step)


@pytest.mark.parametrize(
    "step",
    [
        {"clean": "trim"},
        {"clean": "text", "colapse": True},
        {"clean": "text"},
        {"clean": "fill", "columns": ["x"]},
        {"clean": "fill", "columns": ["x"], "value": 1, "fit": "mean"},
        {"clean": "fill", "columns": ["x"], "fit": "previous"},
        {"clean": "unit", "columns": ["x"], "to": "m"},
        {"clean": "cast", "columns": ["x"], "to": "number", "otherwise": "keep"},
        {"clean": "cast", "columns": ["x"], "to": "money"},
    ],
)
def test_a_declaration_that_is_not_whole_is_refused_before_any_row(step: dict[str, Any]) -> None:
    with pytest.raises(CleaningRefused):
        read_step(step, None)


def test_categories_are_mapped_by_synonym_then_by_likeness_and_the_rest_is_held() -> None:
    step = {"clean": "category", "allowed": ["Newark", "Kennedy", "LaGuardia"], "synonyms": {"JFK": "Kennedy"}}

    assert one(["JFK", "Newark", "newrk", "Boston"], **step) == (["Kennedy", "Newark"], 2)
    assert one(["jfk", "NEWARK"], ignore_case=True, **step) == (["Kennedy", "Newark"], 0)
    assert one(["newrk", "La Guardia", "Boston"], fuzzy=0.8, **step) == (["Newark", "LaGuardia"], 1)
    assert one(["Boston"], otherwise="keep", **step) == (["Boston"], 0)


def test_a_value_as_near_to_two_categories_is_nobodys() -> None:
    assert one(["abx"], clean="category", allowed=["abc", "abd"], fuzzy=0.5) == ([], 1)


@pytest.mark.parametrize(
    ("values", "step", "kept", "held"),
    [
        ([0, 1_357_000_000, -1, None], {"unit": "s"}, ["1970-01-01T00:00:00", "2013-01-01T00:26:40", "1969-12-31T23:59:59", None], 0),
        ([1_357_000_000.25, math.nan, math.inf], {"unit": "s"}, ["2013-01-01T00:26:40.250000"], 2),
        ([1_357_000_000_123], {"unit": "ms"}, ["2013-01-01T00:26:40.123000"], 0),
        ([1_357_000_000_123_456_789, 2**63 - 1], {"unit": "ns"}, ["2013-01-01T00:26:40.123456", "2262-04-11T23:47:16.854775"], 0),
        ([2**62, -(2**62)], {"unit": "s"}, [], 2),
        ([1_357_000_000.0], {"unit": "s", "to": "date", "zone": "America/New_York"}, ["2012-12-31"], 0),
    ],
)  # fmt: skip
def test_numbers_are_moments_in_the_unit_that_they_count(
    values: list[Any], step: dict[str, Any], kept: list[str | None], held: int
) -> None:
    found, count = one(values, clean="time", **step)

    assert [None if each is None else each.isoformat().removesuffix("+00:00") for each in found] == kept
    assert count == held


def test_a_unit_is_converted_to_the_end_of_what_numbers_hold() -> None:
    kept, _ = one([1.7e308, -1.7e308, math.inf, 32.0], clean="unit", to="degC", **{"from": "degF"})

    assert kept[:3] == [pytest.approx(1.7e308 / 9 * 5), pytest.approx(-1.7e308 / 9 * 5), math.inf]
    assert kept[3] == 0.0


def test_a_condition_on_values_of_another_type_is_refused_before_any_row() -> None:
    with pytest.raises(CleaningRefused, match="cannot be carried out"):
        one(["a"], clean="quarantine", where="x > 100")


def test_numbers_without_a_unit_are_no_times() -> None:
    with pytest.raises(CleaningRefused) as refusal:
        one([1.5], clean="time")
    assert "unit: s" in refusal.value.fix


def test_times_are_read_in_their_formats_and_zone() -> None:
    values = ["05.01.2013 12:00", "2013-01-05T12:00:00+02:00", "5 January"]
    step = {"clean": "time", "formats": ["%d.%m.%Y %H:%M", "%Y-%m-%dT%H:%M:%S%z"], "zone": "America/New_York"}

    kept, held = one(values, **step)

    assert kept == [datetime(2013, 1, 5, 17, tzinfo=UTC), datetime(2013, 1, 5, 10, tzinfo=UTC)]
    assert held == 1
    assert one(["05.01.2013"], clean="time", formats=["%d.%m.%Y"], to="date") == ([date(2013, 1, 5)], 0)
    assert one(["2013-01-05 12:00:00"], clean="time") == ([], 1)  # nobody said whose clock it is
    assert one(["2013-01-05T12:00:00Z"], clean="time") == ([datetime(2013, 1, 5, 12, tzinfo=UTC)], 0)


def test_what_is_missing_is_filled_by_fits_that_are_recorded_and_marked() -> None:
    frame = pl.DataFrame({"x": [1.0, None, 5.0], "n": [2, None, 3]})
    steps = declared(
        {"clean": "fill", "columns": ["x"], "fit": "mean", "indicator": True},
        {"clean": "fill", "columns": ["n"], "fit": "median", "indicator": "guessed"},
    )

    kept, _, program = cleaned([frame], steps)

    assert kept.rows(named=True)[1] == {"x": 3.0, "n": 2, "x_was_missing": True, "guessed": True}
    assert program.report()[0].fitted == {"x": 3.0}
    assert program.changes.restored(kept).equals(frame)


def test_a_previous_value_is_of_the_same_key_and_not_too_old() -> None:
    frame = pl.DataFrame(
        {
            "k": ["a", "b", "a", "a", "a"],
            "t": [datetime(2013, 1, 1, hour) for hour in (1, 2, 3, 1, 9)],
            "x": [1.0, 9.0, None, None, None],
        }
    )
    step = {"clean": "fill", "columns": ["x"], "fit": "previous", "by": ["k"], "time": "t", "within_s": 7200}

    kept, _, _ = cleaned([frame], declared(step))

    assert kept["x"].to_list() == [1.0, 9.0, 1.0, None, None]  # nothing of the same moment, nothing six hours old


@pytest.mark.parametrize(
    ("keep", "survivor"),
    [("first", 0), ("last", 2), ("most_complete", 1), ({"greatest": "v"}, 1), ({"least": "v"}, 0)],
)
def test_which_of_equal_rows_survives_is_a_rule(keep: Any, survivor: int) -> None:
    frame = pl.DataFrame({"k": ["a", "a", "a", None, None], "v": [1, 3, 3, 7, 7], "w": [None, "x", None, None, None]})

    kept, _, program = cleaned([frame], declared({"clean": "duplicates", "by": ["k"], "keep": keep}))

    assert kept.height == 3
    assert kept.row(0) == frame.row(survivor)
    assert (program.report()[0].clusters, program.report()[0].dropped) == (1, 2)


def test_rows_that_are_alike_are_one_through_a_chain_of_likeness() -> None:
    frame = pl.DataFrame(
        {"city": ["x"] * 4 + ["y"], "name": ["Jon Smith", "John Smith", "John Smithe", "Ann Lee", "Jon Smith"]}
    )

    kept, _, program = cleaned([frame], declared({"clean": "similar", "by": {"name": 0.9}, "block": ["city"]}))

    assert kept["name"].to_list() == ["Jon Smith", "Ann Lee", "Jon Smith"]
    assert program.report()[0].clusters == 1
    assert program.changes.restored(kept).equals(frame)


def test_the_order_is_that_of_the_contract_unless_a_step_says_otherwise() -> None:
    contract = decode(
        """
apiVersion: v3.1.0
kind: DataContract
id: x
version: 1.0.0
status: active
schema:
  - name: x
    quality:
      - {type: custom, engine: treadle, id: whole, implementation: {clean: drop, where: a = 1}}
      - {type: custom, engine: treadle, id: early, implementation: {clean: duplicates, by: [a], order: -1}}
    properties:
      - name: b
        quality: [{type: custom, engine: treadle, implementation: {clean: text}}]
      - name: a
        quality:
          - {type: custom, engine: treadle, implementation: "{clean: cast, to: integer}"}
          - {type: custom, engine: treadle, implementation: {clean: clip, minimum: 0}}
"""
    )

    assert [step.id for step in declared_steps(contract, "x")] == ["early", "b.text", "a.cast", "a.clip", "whole"]
