"""First contracts: what is guessed from rows, and what is asked of the person who reads them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from treadle.systems.prepare.drafting import Keyed, first_contract
from treadle.systems.prepare.inspecting import Surroundings
from treadle.systems.prepare.linting import lint, worth_failing
from treadle.systems.prepare.reporting import report_of
from treadle.wire.odcs import Contract, Property, decode

NOW = datetime(2013, 1, 10, tzinfo=UTC)


def drawn(rows: dict[str, Any]) -> Contract:
    return decode(first_contract("t", pl.LazyFrame(rows), now=NOW, owner="ada").text())


def column(contract: Contract, name: str) -> Property:
    return next(one for one in contract.schema[0].properties if one.name == name)


def many(*values: Any) -> list[Any]:
    return [values[place % len(values)] for place in range(400)]


def test_a_column_that_is_called_a_key_and_is_one_is_taken_for_it() -> None:
    found = drawn({"row": range(400), "order_id": [f"A{place:04}" for place in range(400)]})

    assert [one.name for one in found.schema[0].properties if one.primary_key] == ["order_id"]
    assert column(found, "order_id").logical_type_options.pattern == "^[A-Z][0-9]{4}$"  # type: ignore[union-attr]


def test_two_columns_may_be_a_key_together() -> None:
    found = drawn({"station": many("a", "b"), "day": [f"day {place // 2}" for place in range(400)]})

    assert sorted(one.name for one in found.schema[0].properties if one.primary_key) == ["day", "station"]


def test_few_values_that_come_often_are_a_set() -> None:
    found = drawn({"state": many("open", "paid", None), "name": [f"n{place} x" for place in range(400)]})

    [missing, rule] = column(found, "state").quality or []
    assert (rule.arguments, rule.must_be) == ({"validValues": ["open", "paid"]}, 0)
    assert missing.must_be_less_or_equal_to == pytest.approx(66.5, abs=0.3)
    assert column(found, "name").quality is None


def test_a_format_is_known_by_its_looks() -> None:
    found = drawn({"mail": [f"n{place}@x.org" for place in range(400)]})

    assert column(found, "mail").logical_type_options.format == "email"  # type: ignore[union-attr]


def test_a_range_has_slack_and_never_goes_below_zero_for_what_never_did() -> None:
    found = drawn({"distance_km": [float(place) for place in range(400)], "t": [place - 200 for place in range(400)]})

    near, signed = (column(found, name).logical_type_options for name in ("distance_km", "t"))
    assert near is not None
    assert signed is not None
    assert (near.minimum, near.maximum) == (0, 440)
    assert (signed.minimum, signed.maximum) == (-240, 240)
    assert column(found, "distance_km").custom_properties[0].value == "km"  # type: ignore[index]


@pytest.mark.parametrize(("age", "promised"), [(timedelta(hours=2), True), (timedelta(days=300), False)])
def test_freshness_follows_the_rhythm_and_is_left_out_of_rows_at_rest(age: timedelta, promised: bool) -> None:
    times = [NOW - age - timedelta(hours=place) for place in range(400)]

    levels = drawn({"seen_at": times}).sla_properties

    assert (levels is not None) is promised
    if levels:
        assert (levels[0].value, levels[0].unit, levels[0].element) == (3, "h", "t.seen_at")


def test_every_guess_says_what_is_to_be_decided() -> None:
    text = first_contract("t", pl.LazyFrame({"v": many(1, 5), "s": many("a", None)}), now=NOW).text()

    lines = text.splitlines()
    assert "# Seen: 1 to 5. Which values are impossible?" in lines[lines.index("      - name: v") - 1]
    assert "What identifies one?" in text
    assert worth_failing(lint(decode(text)))


values = st.none() | st.floats() | st.sampled_from([1.0, 2.0])
texts = st.none() | st.text(st.characters(exclude_categories=["Cs"]), max_size=5)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    rows=st.lists(
        st.fixed_dictionaries({"x": values, "s": texts, "n": st.none() | st.integers(-5, 5), "b": st.booleans()}),
        max_size=30,
    )
)
def test_a_draft_of_any_rows_is_valid_and_holds_for_all_but_nan(rows: list[dict[str, Any]]) -> None:
    frame = pl.DataFrame(rows, schema={"x": pl.Float64, "s": pl.String, "n": pl.Int64, "b": pl.Boolean})

    contract = decode(first_contract("t", frame.lazy(), now=NOW).text())

    finite = frame.filter(pl.col("x").is_null() | pl.col("x").is_finite()).lazy()
    report = report_of(contract, "t", finite, Surroundings(now=NOW))
    failed = [result.rule for result in report.results if not result.passed]
    assert [rule for rule in failed if not rule.endswith("_is_there") and rule != "is_not_empty"] == []


@pytest.mark.parametrize(
    ("name", "values", "key", "refers"),
    [
        ("tailnum", [f"N{n}" for n in range(40)], "tailnum", True),
        ("plane", [f"N{n}" for n in range(40)], "tailnum", True),
        ("first_plane_id", [f"N{n}" for n in range(40)], "id", True),
        (
            "tailnum",
            [f"N{n}" for n in range(39)] + ["N999"],
            "tailnum",
            False,
        ),  # one is not known: asked, and not guessed
        ("id", [f"N{n}" for n in range(40)], "id", False),  # every table has an id
        ("carrier", [f"N{n}" for n in range(40)], "tailnum", False),
        ("tailnum", ["N1", "N2"], "tailnum", False),  # two values tell nothing
        ("tailnum", list(range(40)), "tailnum", False),
    ],
)
def test_a_column_refers_to_the_key_it_is_named_after_and_whose_values_it_has(
    name: str, values: list[Any], key: str, refers: bool
) -> None:
    planes = Keyed(dataset="planes", key=key, rows=pl.LazyFrame({key: [f"N{n}" for n in range(100)]}))
    rows = pl.LazyFrame({name: many(*values), "row": [f"row {n}" for n in range(400)]})

    text = first_contract("t", rows, now=NOW, others=[planes]).text()

    links = column(decode(text), name).relationships
    assert [link.to for link in links or []] == ([f"planes.{key}"] if refers else [])
    assert ("A reference with mistakes?" in text) == ("N999" in values)


def test_what_a_landing_does_not_ask_is_said_and_what_starts_nothing_is_hinted_at() -> None:
    text = """
apiVersion: v3.1.0
kind: DataContract
id: t
version: 1.0.0
status: active
slaProperties: [{property: freshness, value: 1, unit: d, element: t.at}]
schema:
  - name: t
    properties: [{name: at, logicalType: timestamp, primaryKey: true}, {name: v, logicalType: integer}]
    quality:
      - {id: usual, type: custom, engine: treadle, implementation: {rule: volume}}
      - {id: spread, type: custom, engine: python, implementation: {function: spread, maximum: 3}}
      - {id: no_gap, type: sql, query: "select max(v) from ${table}", mustBe: 0, schedule: "0 6 * * *", scheduler: cron}
      - {id: good, type: custom, engine: treadle, implementation: {rule: check, sql: v > 0}}
"""

    hints = lint(decode(text))

    said = {(one.place, one.is_note): one.said for one in hints if one.code == "when_asked"}
    assert set(said) == {("slaProperties.freshness", True), ("t", True)}
    assert said["t", True].startswith("usual, spread, no_gap: asked of whole snapshots")
    assert [one.place for one in hints if one.code == "schedule"] == ["t.quality[2]"]
