"""What lies between two contracts: whom each change breaks, and which version it asks for."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.systems.prepare.contract_texts import contract_of
from treadle.systems.prepare.comparing import Comparison, compare

BASE: dict[str, Any] = {"name": "v", "logicalType": "number"}


def between(before: dict[str, Any], after: dict[str, Any], version: str = "1.0.0", **rest: Any) -> Comparison:
    """Of two contracts with one column each."""
    other = contract_of([after], top={"version": version, **rest.pop("top", {})}, **rest)
    return compare(contract_of([before]), other)


def broken(before: dict[str, Any], after: dict[str, Any]) -> list[str]:
    return [change.breaks for change in between({**BASE, **before}, {**BASE, **after}).changes]


def rule(**more: Any) -> dict[str, Any]:
    return {"quality": [{"name": "r", "metric": "nullValues", "mustBe": 0, **more}]}


def among(*values: Any) -> dict[str, Any]:
    return {"quality": [{"metric": "invalidValues", "arguments": {"validValues": list(values)}, "mustBe": 0}]}


def options(**bounds: Any) -> dict[str, Any]:
    return {"logicalTypeOptions": bounds}


def unit(name: str) -> dict[str, Any]:
    return {"customProperties": [{"property": "unit", "value": name}]}


@pytest.mark.parametrize(
    ("before", "after", "breaks"),
    [
        ({}, {"description": "new words"}, ["nobody"]),
        ({}, unit("km"), ["nobody"]),
        (unit("km"), {}, ["readers"]),
        (unit("km"), unit("mi"), ["both"]),
        ({}, {"required": True}, ["writers"]),
        ({"required": True}, {}, ["readers"]),
        ({}, {"unique": True}, ["writers"]),
        ({"unique": True}, {}, ["readers"]),
        ({"logicalType": "integer"}, {}, ["readers"]),
        ({}, {"logicalType": "integer"}, ["writers"]),
        ({}, {"logicalType": "string"}, ["both"]),
        ({}, options(minimum=0), ["writers"]),
        (options(minimum=0), options(minimum=-1), ["readers"]),
        (options(minimum=0), options(minimum=1), ["writers"]),
        (options(minimum=0, maximum=5), options(minimum=1, maximum=6), ["both"]),
        (options(minimum=0), options(exclusiveMinimum=0), ["writers"]),
        (options(exclusiveMinimum=0), options(minimum=0), ["readers"]),
        (among("a", "b"), among("a"), ["writers"]),
        (among("a"), among("a", "b"), ["readers"]),
        (among("a"), among("b"), ["both"]),
        (among("a"), {"enum": [{"value": "a"}]}, []),
        ({}, among("a"), ["writers"]),
        (among("a"), {}, ["readers"]),
        ({}, rule(), ["writers"]),
        (rule(), {}, ["readers"]),
        ({}, rule(severity="warning"), ["nobody"]),
        (rule(severity="warning"), rule(), ["writers"]),
        (rule(), rule(severity="info"), ["readers"]),
        (rule(description="old"), rule(description="new"), ["nobody"]),
        (
            {"quality": [{"name": "r", "metric": "nullValues", "unit": "percent", "mustBeLessThan": 5}]},
            {"quality": [{"name": "r", "metric": "nullValues", "unit": "percent", "mustBeLessThan": 9}]},
            ["readers"],
        ),
        (
            {"customProperties": [{"property": "unit", "value": "km"}]},
            {"customProperties": [{"property": "unit", "value": "mi"}]},
            ["both"],
        ),
        ({}, {"deprecated": True}, ["nobody"]),
    ],
)
def test_a_change_breaks_whoever_relied_on_what_it_changes(
    before: dict[str, Any], after: dict[str, Any], breaks: list[str]
) -> None:
    assert broken(before, after) == breaks


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (options(minimum=0), options(minimum=3)),
        ({"required": True}, {}),
        (among("a", "b"), among("b")),
        (rule(), {}),
        ({"logicalType": "integer"}, {}),
    ],
)
def test_the_way_back_breaks_the_other_side(before: dict[str, Any], after: dict[str, Any]) -> None:
    mirrored = {"readers": "writers", "writers": "readers", "both": "both", "nobody": "nobody"}

    assert broken(after, before) == [mirrored[found] for found in broken(before, after)]


def test_a_column_of_another_name_is_guessed_to_be_the_same() -> None:
    found = between({"name": "customer_id", "logicalType": "string"}, {"name": "customerid", "logicalType": "string"})

    [change] = found.changes
    assert (change.place, change.breaks) == ("t.customer_id", "both")
    assert "customerid" in change.what


def test_columns_that_have_nothing_in_common_are_one_gone_and_one_new() -> None:
    found = between({"name": "price", "logicalType": "number"}, {"name": "zip", "logicalType": "string"})

    assert [(change.place, change.breaks) for change in found.changes] == [("t.price", "readers"), ("t.zip", "nobody")]


@pytest.mark.parametrize(
    ("after", "version", "bump", "wanted", "enough"),
    [
        ({"required": True}, "1.1.0", "major", "2.0.0", False),
        ({"required": True}, "2.0.0", "major", "2.0.0", True),
        ({"deprecated": True}, "1.0.1", "minor", "1.1.0", False),
        ({"description": "words"}, "1.0.1", "patch", "1.0.1", True),
        ({}, "1.0.0", "none", "1.0.0", True),
    ],
)
def test_the_version_that_a_change_asks_for(
    after: dict[str, Any], version: str, bump: str, wanted: str, enough: bool
) -> None:
    found = between(BASE, {**BASE, **after}, version)

    assert (found.bump, found.wanted_version, found.is_version_enough) == (bump, wanted, enough)


def test_before_the_first_version_a_minor_step_may_break() -> None:
    before = contract_of([BASE], top={"version": "0.3.1"})

    found = compare(before, contract_of([{**BASE, "required": True}], top={"version": "0.4.0"}))

    assert (found.bump, found.wanted_version, found.is_version_enough) == ("major", "0.4.0", True)


def test_promises_of_service_are_compared_by_what_they_mean() -> None:
    def levels(value: int, unit: str, years: int) -> dict[str, Any]:
        fresh = {"property": "freshness", "value": value, "unit": unit, "element": "t.v"}
        return {"slaProperties": [fresh, {"property": "retention", "value": years, "unit": "y"}]}

    before = contract_of([BASE], top=levels(1, "d", 3))
    better = contract_of([BASE], top=levels(6, "h", 5))

    assert {change.breaks for change in compare(before, better).changes} == {"nobody"}
    assert {change.breaks for change in compare(better, before).changes} == {"readers"}


columns = st.fixed_dictionaries(
    {"name": st.sampled_from("abc"), "logicalType": st.sampled_from(["number", "integer"]), "required": st.booleans()}
)


@given(columns=st.lists(columns, max_size=3, unique_by=lambda one: one["name"]))
def test_a_contract_does_not_differ_from_itself_in_any_order(columns: list[dict[str, Any]]) -> None:
    assert compare(contract_of(columns), contract_of(columns[::-1])).changes == []
