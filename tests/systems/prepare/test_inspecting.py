"""Rows of any number, judged in batches: the answers are those of a naive reading, row by row, however they are cut."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.systems.prepare import oracle
from tests.systems.prepare.contract_texts import contract_of
from treadle.systems.prepare import keys, python_rules
from treadle.systems.prepare.compiling import compile_rules
from treadle.systems.prepare.errors import NoSpaceToJudge, RuleRefused
from treadle.systems.prepare.failing_rows import FailingRows
from treadle.systems.prepare.inspecting import Inspection, Surroundings
from treadle.systems.prepare.python_rules import PythonCheck
from treadle.systems.prepare.records import RuleResult

NOW = datetime(2013, 1, 10, tzinfo=UTC)
SCHEMA = pl.Schema({"n": pl.Int64, "x": pl.Float64, "s": pl.String, "g": pl.String, "at": pl.Datetime("us", "UTC")})

dirty_floats = st.sampled_from([0.0, -0.0, 1.5, -3.25, 1e300, math.inf, -math.inf, math.nan, 2.0, 9.0])
dirty_texts = st.sampled_from(["", "a", "N123", "N12", "äöü", "😀", "  ", "n/a", "N123 ", "x" * 30, "\x00", "ﬁ"])
times = st.datetimes(datetime(2013, 1, 1), datetime(2013, 1, 9)).map(lambda found: found.replace(tzinfo=UTC))
dirty_rows = st.lists(
    st.fixed_dictionaries(
        {
            "n": st.none() | st.integers(-3, 12) | st.sampled_from([2**62, -(2**62)]),
            "x": st.none() | dirty_floats,
            "s": st.none() | dirty_texts,
            "g": st.none() | st.sampled_from(["", "a", "b"]),
            "at": st.none() | times,
        }
    ),
    max_size=40,
)
PLANES = [{"code": "N123", "num": 1}, {"code": "", "num": 2}, {"code": None, "num": 3}]

PROPERTIES: list[dict[str, Any]] = [
    {
        "name": "n",
        "logicalType": "integer",
        "logicalTypeOptions": {"minimum": 0, "maximum": 9, "multipleOf": 3},
        "unique": True,
        "quality": [
            {"name": "n.null", "metric": "nullValues", "mustBe": 0, "severity": "warning"},
            {"name": "n.up", "type": "custom", "engine": "treadle", "implementation": {"rule": "monotonic"}},
            {
                "name": "n.up_by_g",
                "type": "custom",
                "engine": "treadle",
                "implementation": {"rule": "monotonic", "per": "g", "strict": True},
            },
            {
                "name": "n.when",
                "type": "custom",
                "engine": "treadle",
                "implementation": {"rule": "range", "maximum": 5, "when": "g = 'a'"},
            },
        ],
    },
    {
        "name": "x",
        "logicalType": "number",
        "required": True,
        "logicalTypeOptions": {"minimum": -1, "maximum": 8.5},
        "quality": [
            {"name": "x.set", "metric": "invalidValues", "arguments": {"validValues": [0, 2, 1.5]}, "mustBe": 0},
            {"name": "x.again", "metric": "duplicateValues", "mustBe": 0},
            {
                "name": "x.low",
                "type": "custom",
                "engine": "treadle",
                "implementation": {"rule": "range", "minimum": 0},
            },
        ],
    },
    {
        "name": "s",
        "logicalType": "string",
        "logicalTypeOptions": {"minLength": 1, "maxLength": 6, "pattern": "^N[0-9]+$"},
        "relationships": [{"to": "planes.code"}],
        "quality": [
            {"name": "s.miss", "metric": "missingValues", "arguments": {"missingValues": ["", "n/a"]}, "mustBe": 0},
            {
                "name": "s.share",
                "metric": "invalidValues",
                "arguments": {"validValues": ["a", "", "😀"]},
                "mustBeLessOrEqualTo": 25,
                "unit": "percent",
            },
        ],
    },
    {"name": "g", "logicalType": "string"},
    {"name": "at", "logicalType": "timestamp", "logicalTypeOptions": {"minimum": "2013-01-03T00:00:00Z"}},
]
TABLE: list[dict[str, Any]] = [
    {"name": "s.g", "metric": "duplicateValues", "arguments": {"properties": ["s", "g"]}, "mustBe": 0},
    {
        "name": "both",
        "type": "custom",
        "engine": "treadle",
        "implementation": {"rule": "check", "sql": "x >= 0 or n > 3"},
    },
    {
        "name": "duck",
        "type": "custom",
        "engine": "treadle",
        "implementation": {"rule": "check", "sql": "length(s) <= 4", "when": "n > 2", "dialect": "duckdb"},
    },
    {"name": "even", "type": "custom", "engine": "python", "implementation": "is_even_or_unknown"},
]

ORACLES: dict[str, oracle.Judge] = {
    "n.range": oracle.outside("n", 0, 9),
    "n.multiple_of": oracle.no_multiple("n", 3),
    "n.unique": oracle.repeated("n"),
    "n.null": oracle.null("n"),
    "n.up": oracle.falls("n"),
    "n.up_by_g": oracle.falls("n", "g", strict=True),
    "n.when": oracle.each(lambda row: row["g"] == "a" and row["n"] is not None and row["n"] > 5),
    "x.required": oracle.null("x"),
    "x.range": oracle.outside("x", -1, 8.5),
    "x.set": oracle.not_among("x", [0, 2, 1.5]),
    "x.again": oracle.repeated("x"),
    "x.low": oracle.outside("x", 0, None),
    "s.length": oracle.wrong_length("s", 1, 6),
    "s.pattern": oracle.unlike("s", r"^N[0-9]+\Z"),
    "s.references": oracle.unknown(["s"], PLANES[:2], ["code"]),
    "s.miss": oracle.each(lambda row: row["s"] in (None, "", "n/a")),
    "s.share": oracle.not_among("s", ["a", "", "😀"]),
    "at.range": oracle.each(lambda row: row["at"] is not None and row["at"] < datetime(2013, 1, 3, tzinfo=UTC)),
    "s.g": oracle.repeated("s", "g"),
    "both": oracle.each(lambda row: row["x"] is not None and row["x"] < 0 and row["n"] is not None and row["n"] <= 3),
    "duck": oracle.each(
        lambda row: row["n"] is not None and row["n"] > 2 and row["s"] is not None and len(row["s"]) > 4
    ),
    "even": oracle.each(lambda row: row["n"] is not None and row["n"] % 2 == 1),
}


@pytest.fixture(autouse=True, scope="module")
def _functions() -> None:
    def is_even_or_unknown(frame: pl.DataFrame) -> pl.Expr:
        return pl.col("n") % 2 == 0

    python_rules.register(PythonCheck("is_even_or_unknown", is_even_or_unknown, "rows", ("n",)))


def planes(name: str) -> pl.LazyFrame | None:
    return pl.LazyFrame(PLANES) if name == "planes" else None


def inspected(
    frame: pl.DataFrame, properties: list[dict[str, Any]], quality: Sequence[dict[str, Any]] = (), **rest: Any
) -> tuple[dict[str, RuleResult], dict[str, set[int]]]:
    """The results by rule, and the failing rows of each."""
    around = rest.pop("around", Surroundings(now=NOW, lookup=planes))
    contract = contract_of(properties, quality=list(quality), **({"sla": rest.pop("sla")} if "sla" in rest else {}))
    rules = compile_rules(contract, "t", frame.schema)
    with FailingRows(in_memory=rest.pop("lines", 1_000_000)) as sink:
        results = Inspection(rules, around, **rest).run(frame.lazy(), sink)
        lines = sink.lazy().collect()
    failing: dict[str, set[int]] = {rule.id: set() for rule in rules}
    for rule, row, _ in lines.iter_rows():
        assert row not in failing[rule], f"row {row} comes twice for {rule}"
        failing[rule].add(row)
    return {result.rule: result for result in results}, failing


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(rows=dirty_rows, batch=st.integers(1, 45), memory=st.integers(1, 60))
def test_every_rule_finds_the_rows_that_a_naive_reading_finds(
    rows: list[dict[str, Any]], batch: int, memory: int
) -> None:
    """In batches of any size, with keys in memory or in files."""
    frame = pl.DataFrame(rows, schema=SCHEMA)

    results, failing = inspected(
        frame, PROPERTIES, TABLE, batch=batch, hashes_in_memory=memory, rows_in_memory=memory, lines=memory
    )

    for rule, judge in ORACLES.items():
        assert failing[rule] == judge(rows), rule
        assert results[rule].failed == len(failing[rule])
        assert results[rule].evaluated == len(rows)
    share = 100 * len(failing["s.share"]) / len(rows) if rows else 0.0
    assert (results["s.share"].observed, results["s.share"].passed) == (pytest.approx(share), share <= 25)
    assert all(found.passed == (found.failed == 0) for rule, found in results.items() if rule != "s.share")


def test_keys_that_share_a_hash_are_not_taken_for_one(monkeypatch: pytest.MonkeyPatch) -> None:
    def all_alike(frame: pl.DataFrame, *_: Any) -> pl.Series:
        return pl.repeat(7, frame.height, dtype=pl.UInt64, eager=True)

    monkeypatch.setattr(pl.DataFrame, "hash_rows", all_alike)

    _, failing = inspected(
        pl.DataFrame({"n": [1, 2, 3, 2, 4, 1]}), [{"name": "n", "logicalType": "integer", "unique": True}], batch=2
    )

    assert failing["n.unique"] == {3, 5}


def test_a_full_disk_is_said_to_be_full(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(
        keys.Files, "append", lambda self, hashes: (_ for _ in ()).throw(keys.no_space(OSError(28, "full")))
    )

    with pytest.raises(NoSpaceToJudge) as caught:
        inspected(
            pl.DataFrame({"n": [1, 2, 3]}),
            [{"name": "n", "logicalType": "integer", "unique": True}],
            batch=1,
            hashes_in_memory=1,
        )

    assert "TMPDIR" in caught.value.fix


def test_a_reference_to_a_dataset_that_is_not_here_is_not_asked() -> None:
    links = [{"name": "s", "logicalType": "string", "relationships": [{"to": "ships.code"}]}]

    results, failing = inspected(pl.DataFrame({"s": ["x"]}), links)

    assert (results["s.references"].passed, failing["s.references"]) == (True, set())
    assert "ships" in (results["s.references"].skipped or "")


def test_keys_of_another_type_are_compared_by_their_value() -> None:
    links = [{"name": "num", "logicalType": "integer", "relationships": [{"to": "planes.num"}]}]

    _, failing = inspected(pl.DataFrame({"num": [1, 9, None]}, schema={"num": pl.Int32}), links)

    assert failing["num.references"] == {1}


def test_a_python_rule_that_nobody_imported_is_reported_as_not_asked() -> None:
    quality = [{"name": "secret", "type": "custom", "engine": "python", "implementation": "nobody_knows_it"}]

    results, _ = inspected(pl.DataFrame({"n": [1]}), [], quality)

    assert results["secret"].passed
    assert "@td.rule" in (results["secret"].skipped or "")


def test_a_python_rule_of_the_table_gives_a_figure() -> None:
    python_rules.register(PythonCheck("sum_of_n", lambda rows: pl.col("n").sum(), "table", None))
    how = {"function": "sum_of_n", "maximum": 5}

    results, _ = inspected(
        pl.DataFrame({"n": [1, 2, 3]}),
        [],
        [{"name": "sum", "type": "custom", "engine": "python", "implementation": how}],
    )

    assert (results["sum"].observed, results["sum"].passed) == (6, False)


@pytest.mark.parametrize("answer", [None, 3, pl.Series([1, 2]), pl.Series([True])[:0], pl.col("nope")])
def test_a_python_rule_that_answers_something_else_is_refused(answer: Any) -> None:
    python_rules.register(PythonCheck("odd_answer", lambda frame: answer, "rows", None))

    with pytest.raises(RuleRefused, match="odd_answer"):
        inspected(
            pl.DataFrame({"n": [1, 2]}),
            [],
            [{"name": "r", "type": "custom", "engine": "python", "implementation": "odd_answer"}],
        )


@pytest.mark.parametrize(
    ("rows", "how", "passes"),
    [
        (100, {"last": 3, "within": 0.5}, True),
        (10, {"last": 3, "within": 0.5}, False),
        (200, {"last": 3, "within": 0.5}, False),
        (112, {"last": 2, "within": 0.5, "of": "added"}, True),
        (200, {"last": 2, "within": 0.5, "of": "added"}, False),
    ],
)
def test_a_volume_is_measured_against_the_snapshots_before(rows: int, how: dict[str, Any], passes: bool) -> None:
    quality = [{"name": "volume", "type": "custom", "engine": "treadle", "implementation": {"rule": "volume", **how}}]
    around = Surroundings(now=NOW, volumes=lambda count: [80, 90, 100][-count:])

    results, _ = inspected(pl.DataFrame({"n": range(rows)}), [], quality, around=around)
    alone, _ = inspected(pl.DataFrame({"n": range(rows)}), [], quality)

    assert results["volume"].passed is passes
    assert alone["volume"].skipped


@pytest.mark.parametrize("distance", ["psi", "js", "ks", "chi2"])
@pytest.mark.parametrize("column", ["x", "g", "at"])
def test_a_distribution_is_told_from_one_that_has_moved(distance: str, column: str) -> None:
    base = pl.DataFrame({"x": [i % 100 for i in range(2000)]}).with_columns(
        pl.col("x").cast(pl.Float64),
        g=pl.when(pl.col("x") < 50).then(pl.lit("a")).otherwise(pl.lit("b")),
        at=pl.datetime(2013, 1, 1) + pl.duration(hours="x"),
    )
    moved = base.with_columns(
        pl.when(pl.col("x") > 20).then(None).otherwise(pl.col(name)).alias(name) for name in ("x", "g", "at")
    )
    rule = {"type": "custom", "engine": "treadle", "implementation": {"rule": "distribution", "distance": distance}}
    properties = [
        {"name": column, "logicalType": {"x": "number", "g": "string", "at": "timestamp"}[column], "quality": [rule]}
    ]
    around = Surroundings(now=NOW, earlier=lambda at: base.lazy() if at == "previous" else None)

    same, _ = inspected(base, properties, around=around, batch=300)
    other, _ = inspected(moved, properties, around=around, batch=300)
    alone, _ = inspected(base, properties)

    name = f"{column}.distribution"
    assert (same[name].passed, other[name].passed) == (True, False)
    assert alone[name].skipped


def test_a_distribution_may_be_fixed_in_the_contract() -> None:
    how = {"rule": "distribution", "shares": {"a": 0.5, "b": 0.5}, "distance": "js", "limit": 0.1}
    rule = {"type": "custom", "engine": "treadle", "implementation": how}
    properties = [{"name": "g", "logicalType": "string", "quality": [rule]}]

    good, _ = inspected(pl.DataFrame({"g": ["a", "b"] * 50}), properties)
    bad, _ = inspected(pl.DataFrame({"g": ["a", "c"] * 50}), properties)

    assert (good["g.distribution"].passed, bad["g.distribution"].passed) == (True, False)


def test_members_and_items_are_judged_inside() -> None:
    frame = pl.DataFrame(
        {"o": [{"zip": "12345"}, {"zip": "x"}, None, {"zip": None}], "l": [["a"], ["a", "b"], [], [None]]}
    )
    properties = [
        {
            "name": "o",
            "logicalType": "object",
            "properties": [
                {
                    "name": "zip",
                    "logicalType": "string",
                    "required": True,
                    "logicalTypeOptions": {"pattern": "^[0-9]{5}$"},
                }
            ],
        },
        {
            "name": "l",
            "logicalType": "array",
            "items": {"logicalType": "string", "required": True, "enum": [{"value": "a"}]},
        },
    ]

    _, failing = inspected(frame, properties)

    assert failing == {
        "o.zip.required": {3},
        "o.zip.pattern": {1},
        "l.item.required": {3},
        "l.item.set": {1},
    }


@pytest.mark.parametrize(
    ("dtype", "low", "high", "bad"),
    [
        (pl.Int8, -1000, 100, [3]),
        (pl.Int8, 500, None, [0, 1, 2, 3]),
        (pl.UInt8, -5, 100.5, [3]),
        (pl.Int64, 0.5, 100, [0, 3]),
        (pl.Float32, 0.5, None, [0]),
    ],
)
def test_bounds_beyond_the_type_are_still_bounds(dtype: Any, low: Any, high: Any, bad: list[int]) -> None:
    options = {name: value for name, value in (("minimum", low), ("maximum", high)) if value is not None}
    kind = "number" if dtype == pl.Float32 else "integer"

    _, failing = inspected(
        pl.DataFrame({"n": pl.Series([0, 1, 100, 101], dtype=dtype)}),
        [{"name": "n", "logicalType": kind, "logicalTypeOptions": options}],
    )

    assert sorted(failing.get("n.range", ())) == bad


def test_large_whole_numbers_keep_their_last_digit() -> None:
    options = {"maximum": 2**60}

    _, failing = inspected(
        pl.DataFrame({"n": [2**60, 2**60 + 1]}),
        [{"name": "n", "logicalType": "integer", "logicalTypeOptions": options}],
    )

    assert failing["n.range"] == {1}


def test_examples_are_row_ids_and_the_columns_that_are_read_are_those_that_are_named() -> None:
    frame = pl.DataFrame({"_landing": ["land_a"] * 3, "_row": [0, 1, 2], "n": [1, None, 1], "unused": ["x"] * 3})
    read: list[list[str]] = []

    class Watched(Inspection):
        def _needed(self, rows: pl.LazyFrame) -> list[str]:
            read.append(super()._needed(rows))
            return read[-1]

    rules = compile_rules(
        contract_of([{"name": "n", "logicalType": "integer", "required": True, "unique": True}]), "t", frame.schema
    )
    results = {result.rule: result for result in Watched(rules, Surroundings(now=NOW)).run(frame.lazy())}

    assert results["n.required"].examples == ("land_a:1",)
    assert results["n.unique"].examples == ("land_a:2",)
    assert read == [["_landing", "_row", "n"]]
