"""How far the values of a column have moved from a reference: bins fixed by the reference, counts added batch by batch.

Numbers and times are binned by quantiles of the reference, other values by themselves (the fifty most frequent, and all
others together). What is null or NaN has a bin of its own, so that a column that goes empty is a move too.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import polars as pl

from treadle.ground.errors import InvalidInput
from treadle.ground.stats import EmptySample, binned_ks, chi_square, jensen_shannon, population_stability
from treadle.ground.stats.errors import UnfitSample
from treadle.systems.prepare.errors import RuleRefused
from treadle.systems.prepare.rules import DistributionRule

SAMPLE = 1_000_000
"""Edges are drawn from so many rows of the reference, evenly spread; counts are of all rows."""

MAX_VALUES = 50
BATCH = 1 << 17
_FIXED = 1_000_000
"""A fixed reference counts as so many rows: shares are known exactly."""


class Bins:
    """Where values fall: by edges, or by value."""

    def __init__(self, dtype: pl.DataType, *, edges: Sequence[float] | None, values: Sequence[Any] | None) -> None:
        self.edges = None if edges is None else np.asarray(edges, dtype=np.float64)
        self.values = None if values is None else [str(value) for value in values]
        self._is_time = dtype.is_temporal()
        self.size = (len(self.edges) + 1 if self.edges is not None else len(self.values or ()) + 1) + 1

    def counts(self, values: pl.Series) -> np.ndarray[Any, np.dtype[np.int64]]:
        """How many values fall in each bin; the last holds nulls and NaN, and of values the one before it all others."""
        if self.edges is not None:
            numbers = as_numbers(values)
            known = numbers[~np.isnan(numbers)]
            found = np.bincount(np.searchsorted(self.edges, known, side="left"), minlength=self.size - 1)
            return np.append(found, len(numbers) - len(known)).astype(np.int64)
        text = values.cast(pl.String)
        found = np.zeros(self.size, dtype=np.int64)
        places = {value: place for place, value in enumerate(self.values or ())}
        for value, count in text.value_counts().iter_rows():
            found[self.size - 1 if value is None else places.get(value, self.size - 2)] += count
        return found


class Spread:
    """The counts of one column against its reference's."""

    def __init__(self, rule: DistributionRule, bins: Bins, reference: np.ndarray[Any, Any]) -> None:
        self._rule, self._bins, self._reference = rule, bins, reference
        self._counts = np.zeros(bins.size, dtype=np.int64)

    def add(self, frame: pl.DataFrame) -> None:
        """Counts the values of a batch."""
        self._counts += self._bins.counts(frame[self._rule.column])

    def judged(self) -> tuple[float | None, bool]:
        """The distance (of chi2, the probability of as much by chance), and whether it is within the limit.

        Of no rows nothing can be said: None, and not within.
        """
        kind, limit = self._rule.distance, self._rule.limit
        try:
            if kind == "chi2":
                p_value = chi_square(self._reference, self._counts).p_value
                return p_value, p_value >= limit
            measure = {"psi": population_stability, "js": jensen_shannon, "ks": binned_ks}[kind]
            figure = float(measure(self._reference, self._counts))
        except UnfitSample:
            return 1.0, True  # one bin on both sides: nothing can have moved
        except (EmptySample, InvalidInput):
            return None, False
        return figure, figure <= limit


def reference_of(rule: DistributionRule, dtype: pl.DataType, earlier: pl.LazyFrame | None) -> Spread:
    """The spread to compare with: of an earlier snapshot's rows, or as the rule gives it. Raises RuleRefused."""
    by_value = not (dtype.is_numeric() or dtype.is_temporal()) or isinstance(rule.shares, Mapping)
    if earlier is None:
        return _fixed(rule, dtype)
    if rule.column not in earlier.collect_schema():
        raise RuleRefused(f"The snapshot {rule.against!r} has no column {rule.column!r}.", column=rule.column)
    column = earlier.select(rule.column)
    bins = _by_value(column, dtype) if by_value else _by_quantiles(rule, column, dtype)
    counts = np.zeros(bins.size, dtype=np.int64)
    for frame in column.collect_batches(chunk_size=BATCH):
        counts += bins.counts(frame[rule.column])
    return Spread(rule, bins, counts)


def as_numbers(values: pl.Series) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Numbers and times as float64, null as NaN."""
    whole = values.to_physical() if values.dtype.is_temporal() else values
    return whole.cast(pl.Float64).fill_null(float("nan")).to_numpy()


def _fixed(rule: DistributionRule, dtype: pl.DataType) -> Spread:
    shares = rule.shares
    try:
        if isinstance(shares, Mapping):
            bins = Bins(dtype, edges=None, values=list(shares))
            wanted = [*map(float, shares.values()), 0.0, 0.0]
        else:
            bins = Bins(dtype, edges=rule.edges or (), values=None)
            wanted = [*map(float, shares or ()), 0.0]
    except (TypeError, ValueError) as error:
        raise RuleRefused(f"{rule.column}: shares are numbers; {shares!r} are not.", column=rule.column) from error
    if min(wanted) < 0 or not 0.99 <= sum(wanted) <= 1.01:
        raise RuleRefused(f"{rule.column}: shares add up to 1, and these to {sum(wanted):g}.", column=rule.column)
    return Spread(rule, bins, np.round(np.asarray(wanted) * _FIXED))


def _by_quantiles(rule: DistributionRule, column: pl.LazyFrame, dtype: pl.DataType) -> Bins:
    height = column.select(pl.len()).collect(engine="streaming").item()
    step = max(1, -(-height // SAMPLE))
    sample = as_numbers(column.gather_every(step).collect(engine="streaming").to_series())
    known = sample[np.isfinite(sample)]
    if not len(known):
        return Bins(dtype, edges=(), values=None)
    edges = np.unique(np.quantile(known, np.linspace(0, 1, max(2, rule.bins) + 1)[1:-1]))
    return Bins(dtype, edges=edges.tolist(), values=None)


def _by_value(column: pl.LazyFrame, dtype: pl.DataType) -> Bins:
    name = column.collect_schema().names()[0]
    text = column.select(pl.col(name).cast(pl.String)).drop_nulls()
    counted = text.group_by(name).len().sort("len", name, descending=[True, False]).head(MAX_VALUES)
    return Bins(dtype, edges=None, values=counted.collect(engine="streaming")[name].to_list())
