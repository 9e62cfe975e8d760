from __future__ import annotations

import itertools

import msgspec
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from treadle.systems.monitor.bins import ColumnBins, WindowCounts, count, fix_bins, infer_kinds, place_column
from treadle.systems.monitor.drift import measure
from treadle.systems.monitor.errors import UnfitColumn, UnfitReference, UnfitWindow
from treadle.systems.monitor.profiles import Profile, profile

DAY = 86_400
RARE = 0.005


def stream(rng, rows, *, mean=0.0, nulls=0.02, words=(0.5, 0.3, 0.2), names=("a", "b", "c"), hour=None) -> pa.Table:
    hour = rng.integers(0, 24, rows) if hour is None else hour
    number = rng.normal(mean, 1, rows)
    return pa.table(
        {
            "number": pa.array(np.where(rng.random(rows) < nulls, np.nan, number), from_pandas=True),
            "zeros": np.where(rng.random(rows) < 0.9, 0.0, rng.exponential(size=rows)),
            "word": rng.choice(list(names), rows, p=words),
            "hour": hour,
        }
    )


def make_profile(seed=1, rows=20_000, window_s=DAY, **kind) -> Profile:
    rng = np.random.default_rng(seed)
    at = np.sort(rng.random(rows)) * 20 * DAY
    return profile(stream(rng, rows, **kind), at=at, window_s=window_s)


def judge(reference: Profile, table: pa.Table, **more):
    return measure(reference, count(reference.bins, table), false_alarms_per_window=RARE, **more)


# ------------------------------------------------------------------ bins


def test_numbers_fall_below_between_and_above_the_reference_and_nan_is_null():
    reference = pa.table({"x": [1.0, 2.0, 2.0, 5.0]})
    (bins,) = fix_bins(reference)

    found = count([bins], pa.table({"x": pa.array([0.5, 1.0, 1.5, 2.0, 5.0, 5.1, None, float("nan"), float("inf")])}))

    assert bins.edges == (1.0, 2.0, 5.0)
    assert found.columns["x"].tolist() == [1, 1, 2, 1, 2, 2]  # below, =1, ..2, ..5, above, null


def test_words_are_counted_as_frequent_other_unseen_and_null():
    words = [f"w{i:02d}" for i in range(40) for _ in range(50 - i)]
    (bins,) = fix_bins(pa.table({"word": words}))

    found = count([bins], pa.table({"word": ["w00", "w39", "new", None, "w00"]})).columns["word"]

    assert bins.values[0] == "w00"
    assert (found[0], *found[-3:].tolist()) == (2, 1, 1, 1)


def test_a_column_may_be_anything_that_can_be_ordered_or_named():
    from datetime import UTC, datetime
    from decimal import Decimal

    table = pa.table(
        {
            "whole": [1, 2],
            "truth": [True, None],
            "money": [Decimal("1.5"), None],
            "moment": [datetime(2013, 1, 1, tzinfo=UTC), None],
            "coded": pa.array(["a", "b"]).dictionary_encode(),
            "list": [[1], [2]],
        }
    )

    kinds = infer_kinds(table.schema)
    counted = count(fix_bins(table), table)

    assert kinds == {
        "whole": "numeric",
        "truth": "categorical",
        "money": "numeric",
        "moment": "numeric",
        "coded": "categorical",
    }
    assert {name: int(c.sum()) for name, c in counted.columns.items()} == dict.fromkeys(kinds, 2)
    assert counted.columns["truth"][-1] == 1


def test_a_column_that_was_all_null_has_two_slots_and_notices_a_value():
    (bins,) = fix_bins(pa.table({"x": pa.array([None, None], pa.float64())}))

    assert count([bins], pa.table({"x": [1.0, None]})).columns["x"].tolist() == [1, 1]


def test_a_missing_column_is_named_with_its_nearest():
    bins = fix_bins(pa.table({"wind_speed": [1.0]}))

    with pytest.raises(UnfitColumn, match="wind_speed") as caught:
        count(bins, pa.table({"wind_sped": [1.0]}))

    assert "wind_sped" in caught.value.fix


def test_what_cannot_be_read_as_told_is_refused():
    with pytest.raises(UnfitColumn, match="cannot be read as numbers"):
        fix_bins(pa.table({"x": ["one"]}), {"x": "numeric"})
    with pytest.raises(UnfitReference, match="no rows"):
        fix_bins(pa.table({"x": pa.array([], pa.float64())}))
    with pytest.raises(UnfitReference, match="no column"):
        fix_bins(pa.table({"x": [[1]]}))


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(0, 2999), max_size=4), st.integers(0, 2**31))
def test_windows_add_up_whatever_the_cuts(cuts, seed):
    table = stream(np.random.default_rng(seed), 3000)
    bins = fix_bins(stream(np.random.default_rng(0), 500))
    ends = [0, *sorted(cuts), 3000]

    parts = [count(bins, table.slice(a, b - a)) for a, b in itertools.pairwise(ends)]
    total = sum(reversed(parts), start=WindowCounts(rows=0))

    whole = count(bins, table)
    assert total.rows == whole.rows
    assert {n: c.tolist() for n, c in total.columns.items()} == {n: c.tolist() for n, c in whole.columns.items()}
    assert np.allclose(total.products, whole.products, rtol=1e-4, atol=0.1)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**31))
def test_placing_rows_and_counting_them_agree(seed):
    table = stream(np.random.default_rng(seed), 400, names=("a", "z", "y"))
    bins = fix_bins(stream(np.random.default_rng(0), 500))

    counted = count(bins, table)

    for column in bins:
        placed = np.bincount(place_column(column, table), minlength=column.slots)
        assert placed.tolist() == counted.columns[column.name].tolist()


def test_a_window_costs_about_a_kilobyte_a_column():
    reference = make_profile()
    window = count(reference.bins, stream(np.random.default_rng(5), 100_000))

    as_json = msgspec.json.encode(
        [{name: counts.tolist() for name, counts in window.columns.items()}, window.products.round(2).tolist()]
    )

    assert len(as_json) < 1000 * len(window.columns)


# ------------------------------------------------------------------ drift


def test_windows_like_the_reference_raise_no_alarm():
    reference = make_profile()
    rng = np.random.default_rng(2)

    alarms = [judge(reference, stream(rng, rows)).moved for rows in rng.integers(200, 3000, 300)]

    assert sum(bool(moved) for moved in alarms) <= 1


@pytest.mark.parametrize(
    ("change", "column", "figure"),
    [
        ({"mean": 0.25}, "number", "mean"),
        ({"nulls": 0.07}, "number", "nulls"),
        ({"words": (0.4, 0.4, 0.2)}, "word", "shift"),
        ({"names": ("a", "b", "c", "d"), "words": (0.5, 0.29, 0.2, 0.01)}, "word", "unseen"),
    ],
)
def test_drift_is_found_and_named(change, column, figure):
    reference = make_profile()

    found = judge(reference, stream(np.random.default_rng(3), 2000, **change))

    assert (found.moved[0].column, found.moved[0].figure) == (column, figure)
    assert [moved.column for moved in found.moved] == [column]
    assert found.score == found.columns[0].z > found.threshold


def rhythm(rng, days, rows=1000):
    """A harmless week: every day has its own mean and its own mixture of words."""
    tables = []
    for day in days:
        weekend = day % 7 >= 5
        words = (0.2, 0.3, 0.5) if weekend else (0.5, 0.3, 0.2)
        tables.append(stream(rng, rows, mean=0.3 * np.sin(day * 2 * np.pi / 7), words=words))
    return pa.concat_tables(tables), np.repeat(np.asarray(days) * float(DAY), rows) + np.tile(
        np.arange(rows), len(days)
    )


def test_a_weekly_rhythm_raises_no_alarm_and_drift_on_top_of_it_does():
    rng = np.random.default_rng(4)
    table, at = rhythm(rng, range(42))
    reference = profile(table, at=at, window_s=DAY)
    timeless = profile(table, at=None, window_s=DAY)

    clean = [(day, rhythm(rng, [day])[0]) for day in range(42, 112)]
    shifted = [stream(rng, 1000, mean=2.0) for _ in range(10)]

    assert sum(bool(judge(reference, window, phase=day).moved) for day, window in clean) <= 1
    assert sum(bool(judge(timeless, window).moved) for _, window in clean) > 35
    assert all(judge(reference, window, phase=day).moved for day, window in enumerate(shifted))


def test_weeks_that_swing_together_pass_no_more_often_than_the_budget_says():
    """Every column has a heavy-tailed offset a week, as weather has: the hardest harmless stream."""
    passed, windows = 0, 0
    for seed in range(4):
        rng = np.random.default_rng(seed)

        def week(rng=rng):
            offsets = 0.3 * rng.standard_t(6, size=8)
            return pa.table({f"x{i}": rng.normal(offset, 1, 500) for i, offset in enumerate(offsets)})

        table = pa.concat_tables([week() for _ in range(13)])
        at = np.repeat(np.arange(13.0), 500) * DAY + np.tile(np.linspace(0, DAY - 1, 500), 13)
        reference = profile(table, at=at, window_s=DAY)
        found = [measure(reference, count(reference.bins, week()), false_alarms_per_window=0.05) for _ in range(50)]
        passed, windows = passed + sum(bool(one.moved) for one in found), windows + 50

    assert passed / windows <= 0.05


def test_the_same_generator_gives_the_same_profile_and_it_survives_json():
    first, again = make_profile(seed=7), make_profile(seed=7)

    assert first == again
    assert msgspec.json.decode(msgspec.json.encode(first), type=Profile) == first


def test_a_smaller_budget_asks_for_more():
    reference = make_profile()

    assert reference.threshold(0.0001) > reference.threshold(0.001) > reference.threshold(0.05)


def test_the_last_stretch_counts_only_when_it_is_whole():
    rng = np.random.default_rng(1)

    def with_days(days):
        at = np.sort(rng.random(9000)) * days * DAY
        return profile(stream(rng, 9000), at=at, window_s=DAY)

    assert with_days(10).blocks == 10
    assert with_days(9.5).blocks == 9


def test_a_window_that_has_only_begun_is_measured_and_not_judged():
    reference = make_profile()
    drifted = stream(np.random.default_rng(1), 1000, mean=3.0)

    begun = judge(reference, drifted, span=0.4)
    whole = judge(reference, drifted, span=0.99)
    thin = judge(reference, drifted.slice(0, 50), span=0.99)

    assert begun.score == whole.score > begun.threshold
    assert (begun.moved, thin.moved) == ((), ())
    assert whole.moved


def test_a_column_far_out_is_far_from_normal_even_where_it_always_varied():
    rng = np.random.default_rng(9)
    table, at = rhythm(rng, range(28))
    wild = table.set_column(0, "number", pa.array(rng.normal(np.repeat(rng.normal(0, 1.5, 28), 1000), 0.5)))
    reference = profile(wild, at=at, window_s=DAY)

    near = judge(reference, stream(rng, 1000, mean=1.0, nulls=0))
    far = judge(reference, stream(rng, 1000, mean=12.0, nulls=0))

    assert "number" not in {moved.column for moved in near.moved}
    assert far.moved[0].column == "number"


def test_counts_over_other_bins_are_refused():
    reference = make_profile()
    other = ColumnBins(name="number", kind="numeric", edges=(0.0, 1.0))
    counted = count([other], pa.table({"number": [0.5]}))

    with pytest.raises(UnfitWindow):
        measure(reference, counted, false_alarms_per_window=RARE)
    with pytest.raises(UnfitWindow):
        _ = counted + count(reference.bins, stream(np.random.default_rng(1), 10))


def test_a_window_of_nulls_alone_is_judged_by_its_nulls():
    reference = make_profile()
    rows = stream(np.random.default_rng(1), 500).set_column(0, "number", pa.nulls(500, pa.float64()))

    found = judge(reference, rows)

    assert (found.moved[0].column, found.moved[0].figure) == ("number", "nulls")
    assert found.moved[0].shift == 0.0


def test_a_column_without_nulls_that_stays_so_does_not_move_however_long_one_looks():
    rng = np.random.default_rng(11)
    reference = reference_of(rng)
    sums = None
    for _ in range(50):
        found = measure(reference, count(reference.bins, pair(rng, 1000)), false_alarms_per_window=RARE, before=sums)
        sums = found.sums

    assert max(column.z_by_figure["nulls"] for column in found.columns) < 1.0
    assert sums.up["nulls"] == sums.down["nulls"] == (0.0, 0.0)


# ------------------------------------------------------------------ what no single column shows


def pair(rng, rows, *, correlation=0.0, means=(0.0, 0.0), n=2):
    """Columns of which the first two are correlated, and each has a mean of its own."""
    columns = rng.normal(size=(n, rows))
    columns[1] = correlation * columns[0] + np.sqrt(1 - correlation**2) * columns[1]
    return pa.table({f"x{i}": column + means[i % len(means)] for i, column in enumerate(columns)})


def reference_of(rng, windows=25, rows=1000, window=pair, **kind) -> Profile:
    at = np.arange(windows * rows) / rows * DAY
    return profile(pa.concat_tables([window(rng, rows, **kind) for _ in range(windows)]), at=at, window_s=DAY)


def test_a_correlation_that_is_lost_names_both_columns_and_what_it_was():
    rng = np.random.default_rng(1)
    reference = reference_of(rng, correlation=0.6, n=4)

    found = judge(reference, pair(rng, 1000, correlation=0.0, n=4))

    assert {moved.column for moved in found.moved} == {"x0", "x1"}
    assert {moved.figure for moved in found.moved} == {"correlation"}
    one = found.moved[0]
    assert (one.column, one.partner) in (("x0", "x1"), ("x1", "x0"))
    assert one.correlation == pytest.approx((0.6, 0.0), abs=0.08)


def test_many_columns_that_move_a_little_are_seen_together():
    rng = np.random.default_rng(2)
    reference = reference_of(rng, n=12)

    found = judge(reference, pair(rng, 1000, means=(0.05,), n=12))

    assert found.moved
    assert found.columns[0].figure == "together"
    assert max(z for column in found.columns for figure, z in column.z_by_figure.items() if figure == "mean") < (
        found.threshold
    )


def test_drift_too_slow_for_a_window_adds_up_over_windows():
    rng = np.random.default_rng(3)
    reference = reference_of(rng, windows=60)
    sums, moved, alone = None, [], []
    for _ in range(30):
        window = count(reference.bins, pair(rng, 1000, means=(0.07, 0.0)))
        found = measure(reference, window, false_alarms_per_window=RARE, before=sums)
        sums = found.sums
        moved.append(bool(found.moved))
        alone.append(bool(measure(reference, window, false_alarms_per_window=RARE).moved))

    assert sum(alone) < 15
    assert moved[-1]
    assert found.columns[0].figure == "slow"


def test_the_sums_of_slow_drift_sink_again_when_it_is_over():
    rng = np.random.default_rng(4)
    reference = reference_of(rng, windows=60)
    sums = None
    for _ in range(20):
        sums = measure(
            reference,
            count(reference.bins, pair(rng, 1000, means=(0.3, 0.0))),
            false_alarms_per_window=RARE,
            before=sums,
        ).sums

    quiet = []
    for _ in range(20):
        found = measure(reference, count(reference.bins, pair(rng, 1000)), false_alarms_per_window=RARE, before=sums)
        sums = found.sums
        quiet.append(not found.moved)

    assert not quiet[0]
    assert all(quiet[-5:])


def test_a_window_that_is_not_judged_adds_nothing_to_the_sums():
    rng = np.random.default_rng(5)
    reference = reference_of(rng)
    before = judge(reference, pair(rng, 1000, means=(0.5, 0.0))).sums

    thin = judge(reference, pair(rng, 50, means=(3.0, 0.0)), before=before)

    assert thin.sums == before


def weekly(rng, rows, *, day=0, mean=0.0):
    return pair(rng, rows, means=(0.5 * np.sin(day * 2 * np.pi / 7) + mean, 0.0))


def test_a_window_is_held_against_those_of_its_day_where_the_week_has_a_rhythm():
    rng = np.random.default_rng(6)
    at = np.arange(28 * 1000) / 1000 * DAY
    reference = profile(
        pa.concat_tables([weekly(rng, 1000, day=day) for day in range(28)]), at=at, window_s=DAY, anchor_s=0.0
    )

    clean = [judge(reference, weekly(rng, 1000, day=day), phase=day) for day in range(28, 98)]
    small = [judge(reference, weekly(rng, 1000, day=day, mean=0.25), phase=day) for day in range(28, 35)]
    misplaced = judge(reference, weekly(rng, 1000, day=1), phase=5)

    assert len(reference.phases) == 7
    assert sum(bool(found.moved) for found in clean) <= 2
    assert all(found.moved for found in small)
    assert misplaced.moved


def test_a_reference_without_a_rhythm_keeps_none():
    rng = np.random.default_rng(7)

    assert reference_of(rng, windows=28).phases == ()


def test_a_million_rows_make_no_news_of_a_thousandth():
    rng = np.random.default_rng(8)
    reference = reference_of(rng, windows=4, rows=250_000)

    found = judge(reference, pair(rng, 1_000_000, means=(0.003, 0.0)))

    assert found.moved == ()


def test_windows_of_rows_are_stretches_of_rows():
    rng = np.random.default_rng(9)

    found = profile(pair(rng, 10_500), at=None, window_rows=1000)

    assert (found.blocks, found.rows, found.cover) == (10, 10_500, 1.0)


def test_where_the_stretches_pass_more_often_than_promised_the_threshold_rises():
    rng = np.random.default_rng(1)

    def burst(rng, rows):  # seldom, one customer fills a part of a stretch with the same order again and again
        table = pair(rng, rows)
        if rng.random() < 0.1:
            first = table.column("x0").to_numpy().copy()
            first[: rows // 3] = 2.0
            table = table.set_column(0, "x0", pa.array(first))
        return table

    bursting, calm = reference_of(rng, window=burst), reference_of(rng)

    assert calm.tail is None
    assert bursting.threshold(RARE) > calm.threshold(RARE)
