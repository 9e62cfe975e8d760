"""Sums of floats that do not depend on their order, or on what else was summed before.

A rolling mean by running sums (add what enters, subtract what leaves) is fast, but float rounding makes its last bits
depend on the whole history: a late row long ago would change today's feature, and training, serving and replay would
no longer agree to the last bit. Here each float64 becomes a few integers, digits in base 2^32 at fixed positions; the
running sums add and subtract these exactly, and only the final sum is rounded. The result is a function of the set of
values alone, within one unit in the last place of their true sum.

Source: the fixed-point superaccumulator (Kulisch; Neal, "Fast exact summation using small and large superaccumulators",
2015), kept here as columns, since NumPy adds columns fast.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

_BITS = 32
_MASK = np.uint64((1 << _BITS) - 1)


@dataclass(frozen=True, slots=True)
class Digits:
    """Numbers as columns of integers: number = sum of column[j] * 2 ** (32 * positions[j])."""

    positions: tuple[int, ...]
    columns: tuple[Ints, ...]


def split(values: Floats) -> Digits:
    """Finite float64 as exact digits; columns that hold only zeros are left out.

    Cost: 3 columns for numbers of similar size, one for integers below 2**53, at most 68 for the whole range.
    """
    if not len(values) or bool(np.all((values == np.rint(values)) & (np.abs(values) < 2.0**31))):
        return Digits((0,), (values.astype(np.int64),))
    mantissas, exponents = np.frexp(values)
    whole = np.abs(np.ldexp(mantissas, 53)).astype(np.uint64)
    places, shifts = np.divmod(exponents.astype(np.int64) - 53, _BITS)
    places[whole == 0] = 0
    signs = np.where(values < 0, -1, 1).astype(np.int64)
    up = shifts.astype(np.uint64)
    low = (whole & _MASK) << up
    high = ((whole >> np.uint64(_BITS)) << up) + (low >> np.uint64(_BITS))
    digits = (low & _MASK, high & _MASK, high >> np.uint64(_BITS))
    columns: dict[int, Ints] = {}
    for position in range(int(places.min()), int(places.max()) + 3):
        column = np.zeros(len(values), np.int64)
        for offset, digit in enumerate(digits):
            here = places + offset == position
            column[here] = digit[here].astype(np.int64) * signs[here]
        if column.any():
            columns[position] = column
    return Digits(tuple(columns), tuple(columns.values()))


def join(digits: Digits) -> Floats:
    """Digits, or sums of them, as float64: the same bits for the same true sum, whatever positions it came in.

    Columns may hold any sums below 2**62.
    """
    if not digits.columns:
        return np.zeros(0)
    first, last = min(digits.positions), max(digits.positions)
    held = dict(zip(digits.positions, digits.columns, strict=True))
    zero = np.zeros(len(digits.columns[0]), np.int64)
    sums = [held.get(position, zero) for position in range(first, last + 3)]  # two more take the carries
    signs = np.where(_carried(sums)[-1] < 0, -1, 1)
    result = np.zeros(len(zero))
    with np.errstate(over="ignore"):  # a sum beyond float64 is infinite
        for offset, digit in reversed(list(enumerate(_carried([column * signs for column in sums])))):
            result = result + np.ldexp(digit.astype(np.float64), (first + offset) * _BITS)
    return result * signs


def _carried(sums: list[Ints]) -> list[Ints]:
    """The same numbers with every digit in [0, 2**32) but the last, which keeps the sign: one form for one number."""
    digits, carry = [], np.zeros(len(sums[0]), np.int64)
    for column in sums[:-1]:
        total = column + carry
        carry = total >> _BITS
        digits.append(total & np.int64(_MASK))
    return [*digits, sums[-1] + carry]


def split_squares(values: Floats) -> Digits:
    """The squares of finite float64 below 1e140 as exact digits.

    A square has up to 106 bits: it is the float nearest to it and what that leaves, which is a float as well.
    Source: Dekker, "A floating-point technique for extending the available precision", 1971.
    """
    nearest = values * values
    shifted = values * np.float64((1 << 27) + 1)
    high = shifted - (shifted - values)
    low = values - high
    rest = ((high * high - nearest) + 2.0 * high * low) + low * low
    return _added(split(nearest), split(rest))


def squares_about_mean(totals: Digits, squares: Digits, n: Floats) -> Floats:
    """`sum of squares - sum**2 / n`, in twice the precision of a float.

    totals, squares: sums of n values, and of their squares. Both are split into the float nearest and the rest.
    """
    total, total_rest = _nearest_and_rest(totals)
    square, square_rest = _nearest_and_rest(squares)
    mean = total / n
    product, product_rest = _product(mean, n)
    mean_rest = ((total - product) - product_rest + total_rest) / n
    # sum**2 / n = total * (mean + mean_rest) + total_rest * mean
    taken, taken_rest = _product(total, mean)
    taken_rest = taken_rest + total * mean_rest + total_rest * mean
    difference = square - taken
    return difference + _rest_of_difference(square, taken, difference) + (square_rest - taken_rest)


def _rest_of_difference(a: Floats, b: Floats, difference: Floats) -> Floats:
    """What rounding took from `a - b` (Knuth)."""
    back = difference - a
    return (a - (difference - back)) - (b + back)


def _product(a: Floats, b: Floats) -> tuple[Floats, Floats]:
    """The float nearest to a product, and what that leaves (Dekker)."""
    factor = np.float64((1 << 27) + 1)
    with np.errstate(over="ignore", invalid="ignore"):
        nearest = a * b
        a_high = a * factor - (a * factor - a)
        b_high = b * factor - (b * factor - b)
        a_low, b_low = a - a_high, b - b_high
        rest = ((a_high * b_high - nearest) + a_high * b_low + a_low * b_high) + a_low * b_low
    return nearest, rest


def _nearest_and_rest(digits: Digits) -> tuple[Floats, Floats]:
    nearest = join(digits)
    return nearest, join(_added(digits, _negative(split(nearest))))


def _negative(digits: Digits) -> Digits:
    return Digits(digits.positions, tuple(-column for column in digits.columns))


def _added(one: Digits, other: Digits) -> Digits:
    """The sums of two columns of numbers."""
    columns = dict(zip(one.positions, one.columns, strict=True))
    for position, column in zip(other.positions, other.columns, strict=True):
        columns[position] = columns[position] + column if position in columns else column
    return Digits(tuple(columns), tuple(columns.values()))
