"""A profile says what rows hold, and the profiles of parts say what all of them hold."""

from __future__ import annotations

import itertools
import math
from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from treadle.ground import profiling
from treadle.ground.profiling import ColumnProfile, Profile, merge, profile

CELLS = st.fixed_dictionaries(
    {
        "number": st.none() | st.floats(width=32) | st.sampled_from([0.0, -0.0, 1.5]),
        "integer": st.none() | st.integers(-(2**63), 2**63 - 1) | st.integers(0, 3),
        "text": st.none() | st.text(max_size=12) | st.sampled_from(["AA", "UA"]),
        "flag": st.none() | st.booleans(),
        "at": st.none() | st.datetimes(datetime(1900, 1, 1), datetime(2100, 1, 1)),
        "blob": st.none() | st.binary(max_size=9),
        "list": st.none() | st.lists(st.integers(0, 9), max_size=3),
        "void": st.none(),
    }
)
SCHEMA = {
    "number": pl.Float64, "integer": pl.Int64, "text": pl.String, "flag": pl.Boolean, "at": pl.Datetime("us"),
    "blob": pl.Binary, "list": pl.List(pl.Int64), "void": pl.Null,
}  # fmt: skip
ROWS = st.lists(CELLS, max_size=90)


def frame_of(rows: list[dict[str, object]]) -> pl.DataFrame:
    return pl.DataFrame(rows, schema=SCHEMA, orient="row")


def column(values: object, dtype: object = None, name: str = "c") -> ColumnProfile:
    return profile(pl.DataFrame({name: pl.Series(values, dtype=dtype)})).columns[0]  # type: ignore[arg-type]


def exact_parts(found: Profile) -> list[object]:
    """What does not depend on the order or the grouping of parts."""
    return [
        (
            c.name, c.kind, c.nulls, c.nans, c.infinite, c.trues, c.rhythm, c.registers,
            None if c.numbers is None else (c.numbers.low, c.numbers.high, c.numbers.n),
            None if c.texts is None else (c.texts.empty, c.texts.lengths.low, c.texts.lengths.high, c.texts.seen),
            sorted(map(str, c.values.pairs())) if c.values is not None and c.values.is_complete else None,
        )
        for c in sorted(found.columns, key=lambda c: c.name)
    ]  # fmt: skip


@settings(deadline=None)
@given(st.lists(ROWS, min_size=1, max_size=4))
def test_the_profile_of_parts_merged_is_that_of_all_rows(parts):
    whole = profile(frame_of([row for part in parts for row in part]))

    found = merge([profile(frame_of(part)) for part in parts])

    assert found.rows == whole.rows
    if whole.rows:
        assert exact_parts(found) == exact_parts(whole)
    for mine, theirs in zip(found.columns, whole.columns, strict=True):
        assert theirs.distinct == 0 or abs(mine.distinct - theirs.distinct) <= max(1, 0.2 * theirs.distinct)
        assert mine.is_unique in (theirs.is_unique, None)
        assert mine.repeats <= theirs.repeats
        if theirs.numbers is not None and mine.numbers is not None:
            # numbers that cancel out leave a mean far below them, which can be no nearer than their own last digits
            size = max(abs(float(theirs.numbers.low)), abs(float(theirs.numbers.high)))
            assert mine.numbers.moments.mean == pytest.approx(
                theirs.numbers.moments.mean, rel=1e-6, abs=1e-6 + 1e-12 * size
            )
            assert mine.numbers.moments.std == pytest.approx(
                theirs.numbers.moments.std, rel=1e-6, abs=1e-3 + 1e-12 * size
            )


def test_an_infinity_in_each_of_two_parts_is_no_key():
    part = profile(pl.DataFrame({"a": [float("inf")], "b": [1.0]}))

    (a, b) = merge([part, profile(pl.DataFrame({"a": [float("inf")], "b": [2.0]}))]).columns

    assert (a.is_unique, b.is_unique) == (False, True)


@settings(deadline=None)
@given(st.lists(ROWS, min_size=3, max_size=3))
def test_parts_merge_in_any_order_and_any_grouping(parts):
    a, b, c = (profile(frame_of(part)) for part in parts)

    answers = [merge([a, b, c]), merge([merge([a, b]), c]), merge([a, merge([b, c])]), merge([c, b, a])]

    assert all(exact_parts(answer) == exact_parts(answers[0]) for answer in answers)


@settings(deadline=None)
@given(ROWS)
def test_a_profile_comes_back_from_its_bytes_and_gives_the_same_ones(rows):
    found = profile(frame_of(rows))

    data = profiling.encode(found)

    assert profiling.decode(data) == found
    assert profiling.encode(profiling.decode(data) or profiling.EMPTY) == data


def test_bytes_of_another_format_are_no_profile():
    data = profiling.encode(profile(pl.DataFrame({"a": [1]})))

    assert profiling.decode(data.replace(b'"format":1', b'"format":99')) is None
    assert profiling.decode(b"\xff\x00") is None
    assert profiling.decode(b"[]") is None


def test_a_column_says_what_it_holds():
    found = column([1.0, 2.0, 2.0, None, math.nan, math.inf, -math.inf, 5.0])

    assert (found.kind, found.nulls, found.nans, found.infinite) == ("number", 1, 1, 2)
    assert (found.distinct, found.is_exact, found.is_unique, found.repeats) == (3, True, False, 1)
    assert found.values.pairs() == [(2.0, 2), (1.0, 1), (5.0, 1)]
    assert (found.numbers.low, found.numbers.high, found.numbers.n) == (1.0, 5.0, 4)
    assert found.numbers.moments.mean == 2.5


@pytest.mark.parametrize(
    ("values", "dtype", "kind"),
    [
        ([], pl.Float64, "number"),
        ([None, None], pl.String, "text"),
        ([None], pl.Null, "null"),
        ([math.nan], pl.Float32, "number"),
        ([1, None], pl.UInt8, "integer"),
        ([2**64 - 1, 1], pl.UInt64, "integer"),
        ([2**100], pl.Int128, "integer"),
        (["1.25"], pl.Decimal(10, 2), "number"),
        ([timedelta(days=1)], pl.Duration("ns"), "duration"),
        ([datetime(2020, 1, 1, tzinfo=UTC)], pl.Datetime("ns", "UTC"), "time"),
        (["a", "b"], pl.Categorical, "text"),
        (["a", "b"], pl.Enum(["a", "b"]), "text"),
        ([[1, 2], None], pl.List(pl.Int8), "list"),
        ([[1, 2]], pl.Array(pl.Int8, 2), "list"),
        ([b"", b"\x00"], pl.Binary, "binary"),
        ([1e308, -1e308, 1e-308], pl.Float64, "number"),
        ([object()], pl.Object, "mixed"),
    ],
)
def test_every_type_has_a_profile_that_can_be_kept(values, dtype, kind):
    found = profile(pl.DataFrame({"c": pl.Series(values, dtype=dtype)}))

    assert found.columns[0].kind == kind
    assert profiling.decode(profiling.encode(found)) == found
    assert profiling.decode(profiling.encode(merge([found, found]))) == merge([found, found])
    found.columns[0].bars()


def test_fields_of_structs_are_columns_of_their_own():
    frame = pl.DataFrame({"who": [{"age": 3, "home": {"town": "Ulm"}}, None], "n": [1, 2]})

    assert profile(frame).names() == ["who.age", "who.home.town", "n"]
    assert profile(frame).find("who.age").nulls == 1


def test_a_column_that_a_part_lacks_is_null_in_its_rows():
    old, new = profile(pl.DataFrame({"a": [1, 2]})), profile(pl.DataFrame({"a": [3], "b": ["x"]}))

    found = merge([old, new])

    assert [(c.name, c.nulls, c.distinct) for c in found.columns] == [("a", 0, 3), ("b", 2, 1)]


def test_integers_that_become_floats_go_on_and_other_changes_of_type_are_told():
    whole, floats, words = (profile(pl.DataFrame({"a": values})) for values in ([1, 2], [2.0, 3.5], ["x", "y"]))

    wider, mixed = merge([whole, floats]).columns[0], merge([whole, words]).columns[0]

    assert (wider.kind, wider.distinct, wider.numbers.high) == ("number", 3, 3.5)
    assert (mixed.kind, mixed.type, mixed.values) == ("mixed", "Int64 | String", None)


def test_keys_in_parts_that_lie_apart_are_known_to_be_unique():
    parts = [profile(pl.DataFrame({"id": range(k * 1000, (k + 1) * 1000)})) for k in range(5)]

    assert merge(parts).columns[0].is_unique is True
    assert merge(parts).columns[0].distinct == 5000
    assert merge([*parts, parts[0]]).columns[0].is_unique is None


def test_most_frequent_texts_are_found_among_many():
    words = [f"word {k}" for k in range(20_000)] + ["often"] * 3000 + ["rather often"] * 1000

    found = column(words)

    assert found.values.values[:2] == ("often", "rather often")
    assert found.values.counts[0] <= 3000 <= found.values.counts[0] + found.values.slack
    assert found.distinct == 20_002


def test_long_texts_are_counted_and_not_kept():
    found = profile(pl.DataFrame({"c": ["x" * 10_000_000, "y" * 10_000_000, "short"]}))

    assert found.columns[0].distinct == 3
    assert found.columns[0].texts.lengths.high == 10_000_000
    assert found.columns[0].values.values == ("short",)
    assert len(profiling.encode(found)) < 4000


def test_patterns_tell_letters_and_digits_apart():
    found = column([f"N{k:05d}" for k in range(3000)] + ["Ünal-x 7"])

    assert found.texts.patterns.pairs()[0] == ("A99999", 3000)
    assert ("Aaaa-a 9", 1) in found.texts.patterns.pairs()


def test_times_have_a_rhythm():
    monday = datetime(2024, 1, 1, 9, tzinfo=UTC)
    many = column([monday + timedelta(hours=k % 2) for k in range(5000)])
    few = column([monday, monday + timedelta(days=400, minutes=30)])

    assert many.rhythm.weekdays == (5000, 0, 0, 0, 0, 0, 0)
    assert many.rhythm.hours[9:11] == (2500, 2500)
    assert many.rhythm.step_us == 3_600_000_000
    assert few.rhythm.step_us == 60_000_000


def test_correlations_are_those_of_numpy_and_of_the_rows_where_both_are_there():
    rng = np.random.default_rng(3)
    a = rng.normal(size=4000)
    frame = pl.DataFrame({"a": a, "b": 2 * a + rng.normal(size=4000), "c": rng.normal(size=4000), "d": 1.0})
    holes = frame.with_columns(b=pl.when(pl.int_range(pl.len()) % 3 == 0).then(None).otherwise("b"))

    whole = {pair[:2]: pair[2] for pair in profile(frame).correlations.pairs()}
    parts = merge([profile(part) for part in holes.iter_slices(700)]).correlations.pairs()

    assert whole[("a", "b")] == pytest.approx(np.corrcoef(frame["a"], frame["b"])[0, 1])
    assert ("a", "d") not in whole  # `d` does not vary
    there = holes.drop_nulls()
    assert {pair[:2]: pair[2] for pair in parts}[("a", "b")] == pytest.approx(np.corrcoef(there["a"], there["b"])[0, 1])


def test_bars_add_up_and_keep_far_values_in_the_last_one():
    rng = np.random.default_rng(4)
    found = column(np.append(rng.normal(size=10_000), [1e9]))

    bars = found.bars(20)

    assert sum(bars.counts) == pytest.approx(10_001)
    assert bars.edges[-1] < 10
    assert max(bars.counts) > 800


def test_ten_thousand_columns_are_profiled_and_kept_small():
    names = [f"c{k}" for k in range(10_000)]
    frame = pl.DataFrame([pl.Series(name, [float(k), k + 1.5, None]) for k, name in enumerate(names)])

    found = profile(frame)

    assert len(found.columns) == 10_000
    assert len(profiling.encode(found)) < 10_000 * 1000


def test_a_column_takes_at_most_four_kilobytes():
    rng = np.random.default_rng(6)
    frame = pl.DataFrame(
        {
            "f": rng.normal(size=200_000),
            "t": np.char.add("id of something ", rng.integers(0, 10**12, 200_000).astype(str)),
            "at": pl.Series(rng.integers(0, 10**15, 200_000)).cast(pl.Datetime("us")),
        }
    )

    found = merge([profile(part) for part in frame.iter_slices(50_000)])

    assert all(len(profiling.encode(Profile(rows=0, columns=(c,)))) < 4096 for c in found.columns)


def test_slices_of_a_large_frame_are_merged():
    frame = pl.DataFrame({"a": np.arange(2_500_000)})

    found = profile(frame).columns[0]

    assert (found.distinct, found.is_unique, found.numbers.low, found.numbers.high) == (2_500_000, True, 0, 2_499_999)


def test_columns_can_be_left_out():
    assert profile(pl.DataFrame({"a": [1], "_row": [0]}), leave_out=["_row", "_landing"]).names() == ["a"]


def test_merging_nothing_is_empty():
    assert merge([]) == profiling.EMPTY
    assert merge([profiling.EMPTY, profiling.EMPTY]) == profiling.EMPTY
    one = profile(pl.DataFrame({"a": [1]}))
    assert all(merge(list(order)) == one for order in itertools.permutations([one, profiling.EMPTY]))
