"""Exact sums: right to the last place, and the same bits from any order and any company."""

from __future__ import annotations

import math

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from treadle.systems.features import exact

finite = st.floats(-1e300, 1e300, allow_nan=False, allow_infinity=False)
tame = st.floats(-1e9, 1e9, allow_nan=False).map(lambda x: x if abs(x) > 1e-9 else 0.0)
numbers = st.lists(finite | tame | st.integers(-1000, 1000).map(float), min_size=1, max_size=30)


def summed(values: list[float]) -> float:
    digits = exact.split(np.array(values))
    sums = exact.Digits(digits.positions, tuple(np.array([column.sum()]) for column in digits.columns))
    return float(exact.join(sums)[0])


@given(numbers)
@settings(max_examples=400, deadline=None)
def test_sum_is_within_one_unit_in_the_last_place(values):
    true = math.fsum(values)

    assert abs(summed(values) - true) <= math.ulp(true)


@given(numbers, st.randoms())
@settings(max_examples=300, deadline=None)
def test_sum_has_the_same_bits_in_any_order_and_after_any_detour(values, random):
    shuffled = list(values)
    random.shuffle(shuffled)
    detour = [*shuffled, 1e-7, 3e22, -1e-7, -3e22]

    assert summed(values).hex() == summed(shuffled).hex() == summed(detour).hex()


@given(numbers)
@settings(max_examples=200, deadline=None)
def test_digits_join_to_the_number_that_was_split(values):
    array = np.array(values)

    assert exact.join(exact.split(array)).tolist() == array.tolist()


def test_nothing_sums_to_zero():
    assert exact.join(exact.Digits((), ())).tolist() == []
    assert exact.join(exact.split(np.zeros(3))).tolist() == [0.0] * 3
