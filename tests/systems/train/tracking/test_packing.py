"""Points as bytes: nothing is lost, and equal points are one."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from treadle.systems.train.tracking.packing import Columns, in_order, joined, pack, pack_columns, unpack
from treadle.systems.train.tracking.sampling import by_step, evenly, with_extremes

whole = st.one_of(st.integers(-5, 300), st.integers(-(2**63), 2**63 - 1))
points = st.lists(
    st.tuples(st.integers(1, 2**40), whole, st.integers(0, 2**50), st.floats(allow_infinity=False)), min_size=1
)


def columns(rows: list[tuple[int, int, int, float]]) -> Columns:
    return unpack(pack(*zip(*rows, strict=True)))  # type: ignore[arg-type]


def rows_of(found: Columns) -> list[tuple[int, int, int, float]]:
    lists = (found.keys.tolist(), found.steps.tolist(), found.times.tolist(), found.values.tolist())
    return list(zip(*lists, strict=True))


def same(one: tuple[int, int, int, float], other: tuple[int, int, int, float]) -> bool:
    return one[:3] == other[:3] and (one[3] == other[3] or (math.isnan(one[3]) and math.isnan(other[3])))


@given(points)
def test_what_is_packed_is_unpacked(rows: list[tuple[int, int, int, float]]) -> None:
    found = rows_of(columns(rows))

    assert len(found) == len(rows)
    assert all(same(one, other) for one, other in zip(found, rows, strict=True))


@given(points)
def test_arrays_are_packed_as_lists_are(rows: list[tuple[int, int, int, float]]) -> None:
    assert pack_columns(columns(rows)) == pack(*zip(*rows, strict=True))  # type: ignore[arg-type]


@given(points, st.randoms())
def test_points_that_come_twice_in_any_order_are_one(rows: list[tuple[int, int, int, float]], rng) -> None:  # type: ignore[no-untyped-def]
    again = [*rows, *rows]
    rng.shuffle(again)

    once, twice = rows_of(in_order(columns(rows))), rows_of(in_order(joined([columns(again), columns(rows)])))

    assert len(once) == len(twice)
    assert all(same(one, other) for one, other in zip(once, twice, strict=True))


def test_points_are_ordered_by_key_time_step_and_value_with_nan_as_zero() -> None:
    rows = [(2, 0, 0, 1.0), (1, 0, 5, 1.0), (1, 1, 4, 3.0), (1, 0, 5, -1.0), (1, 0, 5, math.nan), (1, 0, 4, 9.0)]

    found = rows_of(in_order(columns(rows)))

    assert [(key, at, step) for key, step, at, _ in found] == [(1, 4, 0), (1, 4, 1), *[(1, 5, 0)] * 3, (2, 0, 0)]
    assert [value for *_, value in found[2:5] if value == value] == [-1.0, 1.0]
    assert math.isnan(found[3][3])


def test_bytes_of_another_version_are_refused() -> None:
    content = bytearray(pack([1], [2], [3], [4.0]))
    content[0] = 9

    with pytest.raises(ValueError, match="version 9"):
        unpack(bytes(content))


def test_a_point_of_one_call_takes_forty_bytes() -> None:
    assert len(pack([1], [2], [3], [4.0])) == 40


def series(values: list[float]) -> Columns:
    count = len(values)
    return columns([(1, step, step * 10, value) for step, value in zip(range(count), values, strict=True)])


@given(st.integers(1, 400), st.integers(1, 50))
def test_even_samples_are_as_many_as_asked_and_end_with_the_last_point(count: int, most: int) -> None:
    found = evenly(series([float(value) for value in range(count)]), most)

    assert len(found) == min(count, most)
    assert found.steps[-1] == count - 1
    assert count < 2 or most < 2 or found.steps[0] == 0


@given(st.lists(st.floats(-1e6, 1e6), min_size=5, max_size=300), st.integers(4, 40))
def test_a_drawing_keeps_the_ends_the_highest_and_the_lowest(values: list[float], most: int) -> None:
    found = with_extremes(series(values), most)

    assert len(found) <= max(most, 4) + 2
    assert found.steps[0] == 0
    assert found.steps[-1] == len(values) - 1
    assert (found.values.max(), found.values.min()) == (max(values), min(values))
    assert np.all(np.diff(found.steps) > 0)


def test_points_are_drawn_by_step_then_time() -> None:
    found = by_step(columns([(1, 2, 1, 0.0), (1, 1, 3, 0.0), (1, 1, 2, 0.0)]))

    assert list(zip(found.steps.tolist(), found.times.tolist(), strict=True)) == [(1, 2), (1, 3), (2, 1)]
