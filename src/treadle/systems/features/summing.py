"""Aggregates that can be taken back: count, sum, mean, rate, deviation and distinct count, as running sums.

Along the moments of a key, an outcome is added when its life begins and taken off when it ends; sums are exact
(`exact.py`), so that what was added and taken off leaves no trace. The line is sorted once and read by one search, for
any number of aggregates over the same lives. Different values are counted the same way: the stretches during which one
value is held by at least one outcome are lives of their own.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from treadle.systems.features import exact
from treadle.systems.features.errors import InvalidFeatureView
from treadle.systems.features.exact import Floats, Ints
from treadle.systems.features.lives import FOREVER, Lives
from treadle.systems.features.timelines import Bools, Line, Ticks
from treadle.systems.features.windows import Window

LARGEST_SQUARED = 1e140
"""Sums of squares of any number of such values are finite."""


@dataclass(frozen=True, slots=True)
class Steps:
    """Births and deaths along the moments of each key."""

    line: Line
    place: Ints
    """Of each step the outcome."""
    sign: Ints
    """1 for a birth, -1 for a death."""
    start: Ints
    """Of each step the first step of its key."""

    @classmethod
    def of(cls, lifetimes: Lives, keys: Ints, n_keys: int) -> Steps:
        """keys: the outcomes' key numbers. Deaths that never come are no steps."""
        ends = np.flatnonzero(lifetimes.dies != FOREVER)
        place = np.r_[lifetimes.place, lifetimes.place[ends]]
        moment = np.r_[lifetimes.born, lifetimes.dies[ends]]
        sign = np.r_[np.ones(len(lifetimes.place), np.int64), np.full(len(ends), -1, np.int64)]
        line = Line.of(Ticks.of(n_keys, moment), keys[place], moment)
        place, sign = place[line.item], sign[line.item]
        key = keys[place]
        begins = np.r_[True, key[1:] != key[:-1]] if len(key) else np.zeros(0, np.bool_)
        start = np.maximum.accumulate(np.where(begins, np.arange(len(key)), 0)) if len(key) else key
        return cls(line, place, sign, start)

    def sums(self, amounts: Ints) -> Ints:
        """The running sums of the amounts, from 0 before the first step on."""
        sums = np.zeros(len(self.place) + 1, np.int64)
        np.cumsum(amounts[self.place] * self.sign, out=sums[1:])
        return sums

    def read(self, sums: Ints, at: Ints) -> Ints:
        """What is alive at some steps, of running sums; 0 before the first (-1)."""
        if not len(self.start):
            return np.zeros(len(at), np.int64)
        found: Ints = sums[at + 1] - sums[self.start[at]]
        found[at < 0] = 0
        return found


@dataclass(frozen=True, slots=True)
class Values:
    """What one window adds up of the outcomes: arrays as long as the outcomes."""

    counted: Ints
    """1 where the outcome has a value, else 0."""
    broken: Ints
    """1 where the value is NaN or infinite, else 0."""
    digits: exact.Digits
    """The values as exact digits; zero where there is none."""
    squares: exact.Digits
    """Their squares, where they are asked for."""


def values_of(series: pl.Series | None, window: Window, n: int) -> Values:
    """The values that a window sums. Raises InvalidFeatureView when they are no numbers, or no booleans for a rate."""
    nothing = exact.Digits((), ())
    if series is None:
        return Values(np.ones(n, np.int64), np.zeros(n, np.int64), nothing, nothing)
    check_type(series, window)
    present = series.is_not_null().to_numpy()
    floats = series.cast(pl.Float64).fill_null(0.0).to_numpy()
    broken = ~np.isfinite(floats)
    if window.aggregate == "std":
        broken |= np.abs(floats) > LARGEST_SQUARED
    floats = np.where(broken, 0.0, floats)
    squares = exact.split_squares(floats) if window.aggregate == "std" else nothing
    return Values(present.astype(np.int64), broken.astype(np.int64), exact.split(floats), squares)


def check_type(series: pl.Series, window: Window) -> None:
    """Nothing, or InvalidFeatureView when a window cannot aggregate values of this type."""
    numeric = series.dtype.is_numeric() or series.dtype == pl.Boolean
    if window.aggregate == "rate":
        wanted, fits = "a boolean", series.dtype == pl.Boolean
    elif window.aggregate in ("min", "max"):
        wanted, fits = "a number, a date or a time", series.dtype.is_numeric() or series.dtype.is_temporal()
    else:
        wanted, fits = "a number", numeric
    if not fits:
        raise InvalidFeatureView(
            f"A {window.aggregate} needs {wanted}, and {series.name!r} holds {series.dtype}.",
            fix="Give an expression instead of the column, such as pl.col('arr_delay') > 15 or pl.col('x').cast(float).",
        )


def summed(steps: Steps, values: Values) -> Values:
    """The running sums of all that a window adds up: made once, read by any number of pieces of questions."""
    return Values(
        steps.sums(values.counted),
        steps.sums(values.broken) if values.broken.any() else np.zeros(0, np.int64),
        exact.Digits(values.digits.positions, tuple(steps.sums(column) for column in values.digits.columns)),
        exact.Digits(values.squares.positions, tuple(steps.sums(column) for column in values.squares.columns)),
    )


def answer(steps: Steps, at: Ints, window: Window, sums_of: Values) -> pl.Series:
    """The values at some steps (see `Questions.last_on`). sums_of: what `summed` gave."""
    counts = steps.read(sums_of.counted, at)
    if window.aggregate == "count":
        return pl.Series(counts)
    broken = steps.read(sums_of.broken, at) > 0 if len(sums_of.broken) else np.zeros(len(at), np.bool_)
    totals = _read(steps, at, sums_of.digits)
    if window.aggregate == "std":
        return _deviation(counts, totals, _read(steps, at, sums_of.squares), broken)
    sums = np.where(broken, np.nan, exact.join(totals)) if totals.columns else np.zeros(len(at))
    if window.aggregate == "sum":
        return pl.Series(sums)
    return _where(counts > 0, np.divide(sums, counts, out=np.zeros(len(at)), where=counts > 0))


def _read(steps: Steps, at: Ints, sums: exact.Digits) -> exact.Digits:
    return exact.Digits(sums.positions, tuple(steps.read(column, at) for column in sums.columns))


def _deviation(counts: Ints, totals: exact.Digits, squares: exact.Digits, broken: Bools) -> pl.Series:
    """The deviation from exact sums: `sqrt((sum of squares - sum**2 / n) / (n - 1))`.

    Both terms are nearly alike where values lie far from zero, so they are kept to twice the precision of a float.
    """
    n = np.maximum(counts, 2).astype(np.float64)
    spread = exact.squares_about_mean(totals, squares, n) if squares.columns else np.zeros(len(counts))
    found: Floats = np.sqrt(np.maximum(spread, 0.0) / (n - 1))
    return _where(counts > 1, np.where(broken, np.nan, found))


def _where(present: Bools, found: Floats) -> pl.Series:
    series = pl.Series(found)
    return series if present.all() else series.set(pl.Series(~present), None)


def lives_of_values(lifetimes: Lives, keys: Ints, series: pl.Series) -> Lives:
    """The stretches during which at least one outcome holds a value, one life for each: their number is the number of
    different values. Null is no value. The place of a life is that of one outcome with that value.
    """
    numbers = series.rank("dense").cast(pl.Int64).fill_null(-1).to_numpy()
    frame = pl.DataFrame(
        {
            "key": keys[lifetimes.place],
            "value": numbers[lifetimes.place],
            "born": lifetimes.born,
            "dies": lifetimes.dies,
            "place": lifetimes.place,
        }
    ).filter(pl.col("value") >= 0)
    if not len(frame):
        return Lives.joined([])
    held = frame.sort("key", "value", "born").with_columns(
        until=pl.col("dies").cum_max().over("key", "value").shift(1),
        is_other=(pl.col("key") != pl.col("key").shift(1)) | (pl.col("value") != pl.col("value").shift(1)),
    )
    begins = held["is_other"].fill_null(True) | (held["born"] > held["until"]).fill_null(True)
    stretches = held.group_by(begins.cast(pl.Int64).cum_sum().alias("stretch"), maintain_order=True).agg(
        pl.col("place").first(), pl.col("born").first(), pl.col("dies").max()
    )
    return Lives(*(stretches[part].to_numpy() for part in ("place", "born", "dies")))
