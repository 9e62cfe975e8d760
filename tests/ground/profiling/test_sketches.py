"""The parts of a profile have laws: they merge in any order, and say no more than the error that they state."""

from __future__ import annotations

import math
from collections import Counter

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from treadle.ground.profiling import distincts, frequent, hashing, moments, points
from treadle.ground.profiling.columns import _bytes_of

FLOATS = st.floats(allow_nan=False, allow_infinity=False)
RNG = np.random.default_rng(5)

STREAMS = {
    "shuffled": [RNG.normal(size=500) for _ in range(1000)],
    "sorted": [np.arange(k * 500.0, (k + 1) * 500.0) for k in range(1000)],
    "falling": [np.arange(k * 500.0, (k + 1) * 500.0) for k in reversed(range(1000))],
    "heavy tailed": [RNG.standard_cauchy(size=500) ** 5 for _ in range(1000)],
    "drifting": [RNG.normal(loc=k / 50, size=500) for k in range(1000)],
    "growing": [RNG.exponential(size=1 + k) for k in range(1000)],
    "mostly zero": [np.where(RNG.random(500) < 0.8, 0.0, RNG.normal(size=500)) for _ in range(1000)],
}


def text_hashes(texts: list[str]) -> np.ndarray:
    return hashing.of_texts(*_bytes_of(pl.Series(texts, dtype=pl.String)))


def off_by(found: float, wanted: float, rows: np.ndarray) -> float:
    """How far the rank of a value is from the wanted one; a value that comes often covers a range of ranks."""
    low, high = np.searchsorted(rows, found, "left") / rows.size, np.searchsorted(rows, found, "right") / rows.size
    return max(0.0, low - wanted, wanted - high)


@settings(deadline=None)
@given(st.lists(st.text(max_size=40), max_size=50))
def test_equal_texts_hash_alike_and_different_ones_apart(texts):
    hashes = text_hashes(texts)

    assert len(set(hashes.tolist())) == len(set(texts))
    assert [text_hashes([text])[0] for text in texts] == hashes.tolist()


def test_hashes_are_those_of_every_release():
    """They are kept in sketches for years: another hash is another format."""
    numbers = hashing.of_numbers(np.array([0, 1, -1, 2**53 + 1])).tolist()

    assert numbers == [16294208416658607535, 9860564707913756141, 12238684544974067098, 1496374769210055515]
    assert text_hashes(["", "a", "treadle", "x" * 300]).tolist() == [
        16294208416658607535, 16062565988935505235, 4137310462764665981, 1533152188014638354,
    ]  # fmt: skip


@settings(deadline=None)
@given(st.lists(st.integers(1 - 2**53, 2**53 - 1), min_size=1))
def test_an_integer_and_the_same_float_hash_alike(numbers):
    whole = np.array(numbers, dtype=np.int64)

    assert (hashing.of_numbers(whole) == hashing.of_numbers(whole.astype(np.float64))).all()


@pytest.mark.parametrize("n", [10, 100, 1000, 3000, 10_000, 100_000, 3_000_000])
def test_distinct_values_are_counted_within_four_standard_errors(n):
    found = [
        distincts.estimate(distincts.registers_of(hashing.of_numbers(np.arange(k * n, (k + 1) * n)))) for k in range(3)
    ]

    assert max(abs(one - n) / n for one in found) < 4 * distincts.ERROR


@settings(deadline=None)
@given(st.lists(st.integers(0, 5000)), st.lists(st.integers(0, 5000)))
def test_a_sketch_of_both_is_the_larger_of_each_register(a, b):
    hashes = [hashing.of_numbers(np.array(part, dtype=np.int64)) for part in (a, b, a + b)]
    first, second, both = (distincts.registers_of(part) for part in hashes)

    assert (np.maximum(first, second) == both).all()
    assert (distincts.unpacked(distincts.packed(both)) == both).all()


@pytest.mark.parametrize("stream", STREAMS)
def test_quantiles_keep_their_rank_error_over_a_chain_of_a_thousand_merges(stream):
    parts = STREAMS[stream]
    rows = np.sort(np.concatenate(parts))
    shares = np.linspace(0.001, 0.999, 199).tolist()

    found = points.of_sorted(np.sort(parts[0]))
    for part in parts[1:]:
        found = points.merged([found, points.of_sorted(np.sort(part))])

    worst = max(off_by(v, q, rows) for v, q in zip(points.quantiles(found, shares).tolist(), shares, strict=True))
    assert worst < points.RANK_ERROR
    assert int(found.arrays()[1].sum()) == rows.size
    assert np.isin(found.arrays()[0], rows).all()


@settings(deadline=None)
@given(st.lists(FLOATS, min_size=1, max_size=400))
def test_quantiles_of_one_batch_are_within_a_hundredth(values):
    rows = np.sort(np.array(values) + 0.0)
    found = points.of_sorted(rows)

    shares = np.linspace(0.01, 0.99, 25).tolist()
    assert max(off_by(v, q, rows) for v, q in zip(points.quantiles(found, shares), shares, strict=True)) <= 0.01
    assert (np.diff(points.ranks(found, rows)) >= 0).all()


@settings(deadline=None)
@given(st.lists(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=30), min_size=1, max_size=6))
def test_moments_of_parts_are_those_of_the_whole(parts):
    whole = np.concatenate([np.array(part) for part in parts])
    found = moments.Moments(n=0, mean=0.0, std=0.0, skew=0.0)

    for part in parts:
        found = moments.merged(found, moments.of_values(np.array(part), min(part), max(part)))

    assert found.n == whole.size
    assert found.mean == pytest.approx(whole.mean(), rel=1e-9, abs=1e-6)
    assert found.std == pytest.approx(whole.std(), rel=1e-6, abs=1e-6)


@pytest.mark.parametrize("unit", [1e-300, 1.0, 1e300])
def test_moments_survive_the_ends_of_the_floats(unit):
    values = np.array([1.0, 2.0, 3.0, 10.0]) * unit

    found = moments.of_values(values, values[0], values[-1])
    twice = moments.merged(found, found)

    assert found.mean == pytest.approx(4.0 * unit)
    assert found.std == pytest.approx(math.sqrt(12.5) * unit)
    assert twice.std == pytest.approx(found.std)
    assert twice.skew == pytest.approx(found.skew)


def test_a_small_spread_far_from_zero_keeps_its_digits():
    values = 1e9 + np.tile([0.0, 1.0, 2.0], 100_000)

    found = moments.of_values(values, values.min(), values.max())

    assert found.std == pytest.approx(math.sqrt(2 / 3), rel=1e-6)


@settings(deadline=None)
@given(st.lists(st.lists(st.integers(0, 200), max_size=120), min_size=1, max_size=8))
def test_frequent_values_lack_at_most_their_slack_and_slack_is_a_33rd(parts):
    truth = Counter(value for part in parts for value in part)

    found = frequent.merged([frequent.of_pairs(Counter(part).items()) for part in parts])

    assert found.slack <= truth.total() / (frequent.FREQUENT + 1)
    assert all(count <= truth[value] <= count + found.slack for value, count in found.pairs())
    assert all(truth[value] <= found.slack for value in truth.keys() - set(found.values))
    if found.is_complete:
        assert dict(found.pairs()) == truth
