"""Each rule on dirty rows: it finds exactly the rows that break it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl
import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from treadle.systems.prepare import queries
from treadle.systems.prepare.checking import Session
from treadle.systems.prepare.compiling import compile_rules
from treadle.systems.prepare.errors import RuleRefused
from treadle.systems.prepare.inspecting import Inspection, Surroundings
from treadle.systems.prepare.records import RuleResult
from treadle.wire.odcs import Contract, decode

NOW = datetime(2013, 1, 10, tzinfo=UTC)


def session_of(frame: pl.DataFrame, properties: list[dict[str, Any]], refusing: bool = True, **rest: Any) -> Session:
    lookup, existing = rest.pop("lookup", lambda name: None), rest.pop("existing", None)
    contract = contract_with(properties, **rest)
    return Session(compile_rules(contract, "t", frame.schema), lookup=lookup, existing=existing, refusing=refusing)


def contract_with(properties: list[dict[str, Any]], **rest: Any) -> Contract:
    top = {"slaProperties": rest.pop("sla")} if "sla" in rest else {}
    table = {"name": "t", "properties": properties, **rest}
    head = {"apiVersion": "v3.1.0", "kind": "DataContract", "id": "t", "version": "1.0.0", "status": "active"}
    return decode(yaml.safe_dump({**head, "schema": [table], **top}))


def refused(frame: pl.DataFrame, properties: list[dict[str, Any]], **rest: Any) -> dict[int, list[str]]:
    """The rules that refused each row, by its number."""
    session = session_of(frame, properties, **rest)
    kept, bad = session.judge(frame.with_row_index("i"))
    assert kept.height + bad.height == frame.height
    return {row["i"]: row["_rules"] for row in bad.to_dicts()}


def measured(frame: pl.DataFrame, properties: list[dict[str, Any]], **rest: Any) -> dict[str, RuleResult]:
    session = session_of(frame, properties, **rest)
    session.judge(frame)
    session.measure(frame, now=NOW, query=lambda text: queries.answer(text, frame))
    return {result.rule: result for result in session.results()}


def column(*values: Any, name: str = "v", dtype: Any = None) -> pl.DataFrame:
    return pl.DataFrame({name: pl.Series(values, dtype=dtype)})


@pytest.mark.parametrize(
    ("values", "rule", "bad"),
    [
        ([1, None, 3], {"required": True}, [1]),
        ([1, 2, 1, None, None, 2], {"unique": True}, [2, 5]),
        ([0, 5, 10, None, 11], {"logicalTypeOptions": {"minimum": 1, "maximum": 10}}, [0, 4]),
        ([0, 1, 9, 10], {"logicalTypeOptions": {"exclusiveMinimum": 0, "exclusiveMaximum": 10}}, [0, 3]),
        ([1.0, float("nan"), 9.5], {"logicalTypeOptions": {"maximum": 9}}, [1, 2]),
        ([5, 10, 12], {"logicalTypeOptions": {"multipleOf": 5}}, [2]),
        (["a", "abc", None, "äöü"], {"logicalTypeOptions": {"maxLength": 2}}, [1, 3]),
        (["N1", "1N", None], {"logicalTypeOptions": {"pattern": "^N"}}, [1]),
        (["a@b.de", "nobody"], {"logicalTypeOptions": {"format": "email"}}, [1]),
        ([["a"], [], ["a", "a"]], {"logicalTypeOptions": {"minItems": 1, "uniqueItems": True}}, [1, 2]),
        (
            ["x", "y", None],
            {"quality": [{"metric": "invalidValues", "arguments": {"validValues": ["x"]}, "mustBe": 0}]},
            [1],
        ),
        (
            ["x", "", "n/a", None],
            {"quality": [{"metric": "missingValues", "arguments": {"missingValues": ["", "n/a"]}, "mustBe": 0}]},
            [1, 2, 3],
        ),
        ([1, None], {"quality": [{"metric": "nullValues", "mustBe": 0}]}, [1]),
        ([7, 7, 8], {"quality": [{"metric": "duplicateValues", "mustBe": 0}]}, [1]),
        (
            [1, 99],
            {"quality": [{"type": "custom", "engine": "treadle", "implementation": {"rule": "range", "maximum": 9}}]},
            [1],
        ),
    ],
)
def test_a_rule_finds_the_rows_that_break_it_and_no_others(
    values: list[Any], rule: dict[str, Any], bad: list[int]
) -> None:
    assert sorted(refused(column(*values), [{"name": "v", **rule}])) == bad


def test_a_row_names_every_rule_that_refused_it() -> None:
    rules = {"required": True, "logicalTypeOptions": {"maximum": 200}}

    found = refused(column(1048.0, 5.0, None), [{"name": "v", **rules}, {"name": "w", "required": True}])

    assert found == {0: ["v.range", "w.required"], 1: ["w.required"], 2: ["v.required", "w.required"]}


def test_warnings_refuse_nothing_and_are_counted() -> None:
    rule = {"metric": "nullValues", "mustBe": 0, "severity": "warning"}
    frame = column(1, None).with_columns(_landing=pl.lit("land_x"), _row=pl.int_range(2))
    session = session_of(frame, [{"name": "v", "quality": [rule]}])

    kept, bad = session.judge(frame)

    [result] = session.results()
    assert (kept.height, bad.height) == (2, 0)
    assert (result.failed, result.passed, result.examples) == (1, False, ("land_x:1",))


def test_times_have_bounds_too() -> None:
    frame = pl.DataFrame({"v": [datetime(2012, 12, 31, tzinfo=UTC), datetime(2013, 6, 1, tzinfo=UTC)]})

    assert list(refused(frame, [{"name": "v", "logicalTypeOptions": {"minimum": "2013-01-01"}}])) == [0]


def test_a_key_of_several_columns_identifies_a_row() -> None:
    frame = pl.DataFrame({"a": [1, 1, 1], "b": ["x", "y", "x"]})

    found = refused(frame, [{"name": "a", "primaryKey": True}, {"name": "b", "primaryKey": True}])

    assert found == {2: ["primary_key"]}


def test_a_refused_row_does_not_make_a_good_one_a_repetition() -> None:
    frame = pl.DataFrame({"id": [1, 1, 1], "v": [999, 5, 6]})

    found = refused(frame, [{"name": "id", "unique": True}, {"name": "v", "logicalTypeOptions": {"maximum": 10}}])

    assert found == {0: ["v.range"], 2: ["id.unique"]}


def test_keys_are_unique_across_batches_and_what_is_there_already() -> None:
    session = session_of(column(1), [{"name": "v", "unique": True}], existing=column(1, 2).lazy())

    first, _ = session.judge(column(2, 3))
    second, _ = session.judge(column(3, 4))

    assert (first["v"].to_list(), second["v"].to_list()) == ([3], [4])


def test_a_key_that_shares_its_hash_with_one_that_is_there_is_no_repetition(monkeypatch: pytest.MonkeyPatch) -> None:
    def all_alike(frame: pl.DataFrame, *_: Any) -> pl.Series:
        return pl.repeat(7, frame.height, dtype=pl.UInt64, eager=True)

    monkeypatch.setattr(pl.DataFrame, "hash_rows", all_alike)
    session = session_of(column(1), [{"name": "v", "unique": True}], existing=column(1, 2, None).lazy())

    kept, _ = session.judge(column(2, 3, None))

    assert kept["v"].to_list() == [3, None]


def test_keys_that_are_there_in_another_type_are_still_there() -> None:
    there = pl.LazyFrame({"v": pl.Series([1, 2], dtype=pl.Int32)})
    session = session_of(column(1), [{"name": "v", "unique": True}], existing=there)

    kept, _ = session.judge(column(2, 3))

    assert kept["v"].to_list() == [3]


def test_references_are_looked_up_in_the_other_dataset() -> None:
    planes = column("N1", "N2", name="tailnum")
    rule = {"name": "v", "relationships": [{"to": "planes.tailnum"}]}
    frame = column("N1", None, "N9").with_columns(_landing=pl.lit("l"), _row=pl.int_range(3))

    session = session_of(frame, [rule], lookup=lambda name: planes.lazy() if name == "planes" else None)
    session.judge(frame)

    [result] = session.results()
    assert (result.rule, result.failed, result.examples) == ("v.references", 1, ("l:2",))


def test_keys_and_references_are_asked_of_the_rows_that_a_condition_holds_for() -> None:
    """In a landing batch by batch, beside what is there, and of a whole snapshot alike."""
    frame = pl.DataFrame({"v": ["a", "a", "a", "b", "b"], "state": ["open", "done", "open", "done", "open"]})
    unique = {"metric": "duplicateValues", "mustBe": 0, "name": "one_open", "arguments": {"when": "state = 'open'"}}
    open_ones = {"property": "when", "value": "state = 'open'"}
    link = {"to": "known.v", "id": "is_known", "customProperties": [open_ones]}
    properties = [{"name": "v", "quality": [unique], "relationships": [link]}, {"name": "state"}]
    known = pl.LazyFrame({"v": ["b"]})
    there = pl.DataFrame({"v": ["b", "c"], "state": ["open", "done"]})

    session = session_of(frame, properties, existing=there.lazy(), lookup=lambda _: known)
    bad = pl.concat([session.judge(one)[1] for one in frame.iter_slices(2)])
    inspected = Inspection(
        compile_rules(contract_with(properties), "t", frame.schema), Surroundings(now=NOW, lookup=lambda _: known)
    ).run(frame.lazy())

    assert bad.select("v", "state").rows() == [("a", "open"), ("b", "open")]
    assert {one.rule: one.failed for one in session.results()} == {"one_open": 2, "is_known": 2}
    assert {one.rule: one.failed for one in inspected} == {"one_open": 1, "is_known": 2}


def test_conditions_across_columns_are_sql_and_unknown_is_no_failure() -> None:
    frame = pl.DataFrame({"dep": [1, 5, None], "arr": [3, 2, 2]})
    rule = {
        "name": "in_order",
        "type": "custom",
        "engine": "treadle",
        "implementation": {"rule": "check", "sql": "arr >= dep"},
    }

    assert refused(frame, [], quality=[rule]) == {1: ["in_order"]}


def test_a_share_that_is_tolerated_is_measured_and_refuses_nothing() -> None:
    rules = [
        {"metric": "nullValues", "unit": "percent", "mustBeLessThan": share, "name": f"under_{share}"}
        for share in (20, 30)
    ]
    frame = column(1, None, 3, 4)

    found = measured(frame, [{"name": "v", "quality": rules}])

    assert refused(frame, [{"name": "v", "quality": rules}]) == {}
    assert (found["under_20"].passed, found["under_30"].passed, found["under_20"].observed) == (False, True, 25.0)


def test_rules_about_the_table_measure_it() -> None:
    frame = pl.DataFrame({"v": [1, 2], "at": [NOW - timedelta(days=3), NOW - timedelta(hours=30)]})
    quality = [
        {"metric": "rowCount", "mustBeGreaterThan": 2},
        {"name": "sum", "type": "sql", "query": "select sum(v) from ${table}", "mustBe": 3},
    ]

    found = measured(
        frame, [], quality=quality, sla=[{"property": "freshness", "value": 1, "unit": "d", "element": "t.at"}]
    )

    assert (found["table.row_count"].observed, found["table.row_count"].passed) == (2, False)
    assert (found["sum"].observed, found["sum"].passed) == (3, True)
    assert (found["at.freshness"].observed, found["at.freshness"].passed) == (30 * 3600, False)


def test_a_column_of_another_type_fails_as_a_whole() -> None:
    found = measured(column("x"), [{"name": "v", "logicalType": "integer"}])

    assert (found["v.type"].passed, found["v.type"].observed) == (False, "String")


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("select count(*) from read_csv('/etc/passwd')", "disabled"),
        ("select * from ${table}", "rows"),
        ("selekt 1", "carried out"),
        ("set threads = 1", "locked"),
        ("copy (select 1) to '/tmp/x.csv'", "disabled"),
    ],
)
def test_a_query_reaches_nothing_but_its_rows(query: str, said: str) -> None:
    with pytest.raises(RuleRefused) as caught:
        queries.answer(query, column(1, 2))

    assert said in " ".join(caught.value.sentences())


@pytest.mark.parametrize(
    "rule",
    [
        {"logicalTypeOptions": {"minimum": "soon"}},
        {"logicalTypeOptions": {"pattern": "(?=x)"}},
        {"quality": [{"metric": "nullValues", "mustBe": 0, "severity": "terrible"}]},
        {"quality": [{"metric": "invalidValues", "arguments": {"validValues": [[1]]}, "mustBe": 0}]},
        {"quality": [{"type": "custom", "engine": "treadle", "implementation": {"rule": "rnge"}}]},
        {"quality": [{"type": "custom", "engine": "treadle", "implementation": {"clean": "trim"}}]},
        {"quality": [{"type": "custom", "engine": "treadle", "implementation": {"rule": "check", "sql": "nope > 1"}}]},
        {"quality": [{"type": "custom", "engine": "treadle", "implementation": {"rule": "range"}}]},
        {
            "quality": [
                {"type": "custom", "engine": "treadle", "implementation": {"rule": "check", "sql": "v < max(v)"}}
            ]
        },
        {
            "quality": [
                {
                    "type": "custom",
                    "engine": "treadle",
                    "implementation": {"rule": "check", "sql": "v > (select 1)", "dialect": "duckdb"},
                }
            ]
        },
        {"quality": [{"metric": "nullValues", "mustBe": 0, "arguments": {"when": "v > avg(v)"}}]},
        {"quality": [{"metric": "duplicateValues", "mustBe": 0, "arguments": {"when": "nope"}}]},
        {"relationships": [{"to": "u.v", "customProperties": [{"property": "when", "value": "nope"}]}]},
    ],
)
def test_a_rule_that_cannot_be_carried_out_is_refused_before_any_row(rule: dict[str, Any]) -> None:
    frame = column("a", "b") if "pattern" in str(rule) else column(1, 2)

    with pytest.raises(RuleRefused):
        session_of(frame, [{"name": "v", **rule}])


rows = st.lists(
    st.fixed_dictionaries(
        {
            "id": st.none() | st.integers(0, 4),
            "v": st.none() | st.integers(-3, 3),
            "s": st.none() | st.sampled_from("ab"),
        }
    ),
    max_size=12,
)


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(batches=st.lists(rows, min_size=1, max_size=3))
def test_every_row_is_kept_or_refused_and_what_is_kept_keeps_every_rule(batches: list[list[dict[str, Any]]]) -> None:
    schema = {"id": pl.Int64, "v": pl.Int64, "s": pl.String}
    properties = [
        {"name": "id", "primaryKey": True},
        {"name": "v", "logicalTypeOptions": {"minimum": 0}},
        {"name": "s", "quality": [{"metric": "invalidValues", "arguments": {"validValues": ["a"]}, "mustBe": 0}]},
    ]
    session = session_of(pl.DataFrame(schema=schema), properties)

    divided = [session.judge(pl.DataFrame(batch, schema=schema)) for batch in batches]

    kept, bad = (pl.concat([pair[side] for pair in divided], how="diagonal_relaxed") for side in (0, 1))
    assert kept.height + bad.height == sum(map(len, batches)) == session.rows
    assert session.refused == bad.height
    assert kept["id"].is_not_null().all()
    assert kept["id"].n_unique() == kept.height
    assert (kept["v"].drop_nulls() >= 0).all()
    assert set(kept["s"].drop_nulls()) <= {"a"}
    assert all(rules for rules in bad["_rules"].to_list())
