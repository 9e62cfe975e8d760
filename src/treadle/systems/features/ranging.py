"""Aggregates that cannot be taken back: least, greatest, quantile, and lists of values.

Questions are put in order of key and moment; then each life covers a range of them without gaps. A greatest value over
ranges needs no list of pairs: each range is the union of two whose length is a power of two, and these are handed down
from the longest to the shortest, O((q + m) log q) in all. Quantiles and lists do need the pairs of a question and an
outcome; they are made a bounded number at a time.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from treadle.systems.features.columns import FARTHEST
from treadle.systems.features.exact import Ints
from treadle.systems.features.lives import Lives
from treadle.systems.features.timelines import Line, Questions, Ticks

PAIRS_AT_ONCE = 4_000_000
"""Pairs of a question and an outcome that are held in memory at a time."""

Numbers = NDArray[np.int64] | NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Ranges:
    """Which questions each life covers: `[first, past)` of the order."""

    order: Ints
    """The questions in order of key and moment; those of unknown keys are left out."""
    place: Ints
    """Of each range the outcome."""
    first: Ints
    past: Ints

    @classmethod
    def of(cls, lifetimes: Lives, keys: Ints, questions: Questions, n_keys: int) -> Ranges:
        """keys: the outcomes' key numbers."""
        asking = np.flatnonzero(questions.key >= 0)
        moments = questions.as_of[asking]
        line = Line.of(Ticks.of(n_keys, moments), questions.key[asking], moments)
        key = keys[lifetimes.place]
        first, past = (_n_before(line, key, times) for times in (lifetimes.born, lifetimes.dies))
        covers = past > first
        return cls(asking[line.item], lifetimes.place[covers], first[covers], past[covers])

    def counts(self) -> Ints:
        """How many outcomes are alive at each question, in order."""
        n = len(self.order)
        steps = np.bincount(self.first, minlength=n + 1)[: n + 1] - np.bincount(self.past, minlength=n + 1)[: n + 1]
        alive: Ints = np.cumsum(steps)[:n]
        return alive

    def pairs(self, most: int = PAIRS_AT_ONCE) -> Iterator[tuple[Ints, Ints]]:
        """Pairs of a question (its number, not its place in the order) and an outcome, all of a question together."""
        totals = np.cumsum(self.counts())
        start = 0
        while start < len(self.order):
            done = int(totals[start - 1]) if start else 0
            stop = max(start + 1, int(np.searchsorted(totals, done + most, side="right")))
            some = (self.first < stop) & (self.past > start)
            first, past = np.maximum(self.first[some], start), np.minimum(self.past[some], stop)
            lengths = past - first
            offsets = np.arange(int(lengths.sum())) - np.repeat(np.cumsum(lengths) - lengths, lengths)
            yield self.order[np.repeat(first, lengths) + offsets], np.repeat(self.place[some], lengths)
            start = stop


def _n_before(line: Line, key: Ints, times: Ints) -> Ints:
    """How many questions stand before each key's moment, those of earlier keys included."""
    ticks = line.ticks.of_questions(np.minimum(times, FARTHEST) - 1)
    found: Ints = np.searchsorted(line.at, key * line.ticks.span + ticks, side="right")
    return found


def extremes(ranges: Ranges, values: Numbers, *, greatest: bool) -> Numbers:
    """The greatest or the least value that is alive at each question, in order; without one, the other end of the type.

    values: one for each outcome.
    """
    pick: np.ufunc = np.maximum if greatest else np.minimum
    lowest = _end_of(values.dtype, low=greatest)
    lengths = ranges.past - ranges.first
    levels = np.frexp(lengths.astype(np.float64))[1] - 1  # 2**level <= length
    found: NDArray[Any] = np.full(len(ranges.order), lowest, values.dtype)
    by_level = np.argsort(levels, kind="stable")
    starts = np.searchsorted(levels[by_level], np.arange(int(levels.max(initial=-1)) + 2))
    for level in range(len(starts) - 2, -1, -1):
        some = by_level[starts[level] : starts[level + 1]]
        amounts = values[ranges.place[some]]
        pick.at(found, ranges.first[some], amounts)
        pick.at(found, ranges.past[some] - (1 << level), amounts)
        if level:
            half = 1 << (level - 1)
            handed = found.copy()
            pick(handed[half:], found[:-half], out=handed[half:])
            found = handed
    return found


def _end_of(dtype: np.dtype[np.int64] | np.dtype[np.float64], *, low: bool) -> int | float:
    if dtype == np.float64:
        return -np.inf if low else np.inf
    return int(np.iinfo(np.int64).min if low else np.iinfo(np.int64).max)


def extreme_of(ranges: Ranges, series: pl.Series, n_questions: int, *, greatest: bool) -> pl.Series:
    """The least or greatest value as of each question, in the series' type; null over none, NaN where one is broken."""
    present = series.is_not_null().to_numpy()
    physical = series.to_physical()
    numbers: Numbers = (
        physical.cast(pl.Int64).fill_null(0).to_numpy()
        if physical.dtype.is_integer()
        else physical.cast(pl.Float64).fill_null(0.0).to_numpy()
    )
    held = present[ranges.place]
    some = Ranges(ranges.order, ranges.place[held], ranges.first[held], ranges.past[held])
    found = extremes(some, numbers, greatest=greatest)
    alive = some.counts() > 0
    if numbers.dtype == np.float64:
        broken = ~np.isfinite(numbers)[some.place]
        spoilt = Ranges(some.order, some.place[broken], some.first[broken], some.past[broken]).counts() > 0
        found = np.where(spoilt, np.nan, found)
    answers = np.zeros(n_questions, numbers.dtype)
    answers[some.order] = found
    is_null = np.ones(n_questions, np.bool_)
    is_null[some.order] = ~alive
    result = pl.Series(answers).set(pl.Series(is_null), None)
    return result.cast(physical.dtype).cast(series.dtype) if series.dtype != result.dtype else result


def quantile_of(ranges: Ranges, series: pl.Series, n_questions: int, q: float) -> pl.Series:
    """The q-quantile of the values that are alive at each question; null over none, NaN where one is broken."""
    values = series.cast(pl.Float64).to_numpy()
    present = series.is_not_null().to_numpy()
    answers = np.zeros(n_questions)
    has_none = np.ones(n_questions, np.bool_)
    for question, place in ranges.pairs():
        held = present[place]
        question, amounts = question[held], values[place[held]]
        amounts = np.where(np.isfinite(amounts), amounts, np.nan)  # NaN sorts last
        order = np.lexsort((amounts, question))
        question, amounts = question[order], amounts[order]
        first = np.flatnonzero(np.r_[True, question[1:] != question[:-1]]) if len(question) else np.zeros(0, np.int64)
        n = np.diff(np.r_[first, len(question)])
        rank = q * (n - 1)
        low = np.floor(rank).astype(np.int64)
        below, above = amounts[first + low], amounts[first + np.minimum(low + 1, n - 1)]
        found = below + (above - below) * (rank - low)
        found = np.where(np.isnan(amounts[first + n - 1]), np.nan, found)
        answers[question[first]] = found
        has_none[question[first]] = False
    return pl.Series(answers).set(pl.Series(has_none), None)


def lists_of(ranges: Ranges, series: pl.Series, n_questions: int, newest: Ints) -> pl.Series:
    """The values that are alive at each question as a list; an empty one is null. newest: the outcomes' rank in time, the
    newest the greatest; it gives the order within a list, newest first."""
    pieces = [pl.DataFrame(schema={"question": pl.Int64, "values": pl.List(series.dtype)})]
    for question, place in ranges.pairs():
        order = np.lexsort((-newest[place], question))
        frame = pl.DataFrame({"question": question[order], "values": series.gather(pl.Series(place[order]))})
        pieces.append(frame.group_by("question", maintain_order=True).agg("values"))
    listed = pl.concat(pieces)
    places = pl.DataFrame({"question": pl.int_range(n_questions, dtype=pl.Int64, eager=True)})
    return places.join(listed, on="question", how="left", maintain_order="left")["values"]
