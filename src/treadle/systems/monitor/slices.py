"""Where in its data a model does worst: slices of one column, or of two, whose errors lie above all the others'.

A slice is a slot or a run of slots of the reference's bins, so that the same slice can be followed from window to window.
The weakest is found by looking at many, so the odds of each are multiplied by how many were looked at: what is named here
is worse by more than the luck of having looked.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from treadle.ground.stats import normal_tail, wilson
from treadle.systems.monitor.bins import ColumnBins, place_column
from treadle.systems.monitor.figures import Floats

if TYPE_CHECKING:
    import pyarrow as pa

LEAST_ROWS = 50
PARTS = 4
"""A number is looked at in quarters of its reference."""
MOST_WORDS = 12
DEEPENED = 5
"""Pairs are made of so many of the weakest single slices."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Slice:
    """Rows that have this in common, and what the model did on them beside all others.

    where: for each column what is meant, in words. loss: the mean of what was asked about (an error, a log loss).
    odds: how likely such a gap is by chance, for as many slices as were looked at.
    """

    where: dict[str, str]
    n: int
    loss: float
    others: float
    odds: float
    interval: tuple[float, float] | None = None


def weakest(
    bins: Sequence[ColumnBins], table: pa.Table, loss: Floats, *, most: int = 5, at_odds: float = 0.05
) -> list[Slice]:
    """The slices with the greatest surplus of loss, worst first, at most `most`; only those that chance does not explain.

    table: the rows, with the columns of the bins. loss: of each row, 0 or 1 for errors, NaN where it is not known.
    Cost: one pass a column, and one a pair of the five weakest.
    """
    known = np.isfinite(loss)
    if int(known.sum()) < 2 * LEAST_ROWS:
        return []
    values = loss[known]
    singles = [
        ({column.name: label}, rows[known])
        for column in bins
        for label, rows in _parts(column, place_column(column, table))
    ]
    looked = len(singles)
    judged = [one for one in (_judged(where, rows, values) for where, rows in singles) if one is not None]
    by_where = {tuple(where.items()): rows for where, rows in singles}
    worst = sorted(judged, key=lambda one: one.odds)[:DEEPENED]
    for left, right in itertools.combinations(worst, 2):
        where = {**left.where, **right.where}
        looked += 1
        if len(where) == 2:
            both = by_where[tuple(left.where.items())] & by_where[tuple(right.where.items())]
            found = _judged(where, both, values)
            if found is not None and found.loss > max(left.loss, right.loss):
                judged.append(found)
    corrected = [_with_odds(one, min(1.0, one.odds * looked), values) for one in judged]
    kept = [one for one in corrected if one.odds <= at_odds]
    return sorted(kept, key=lambda one: -(one.loss - one.others) * math.sqrt(one.n))[:most]


def by_group(groups: Sequence[str | None], loss: Floats) -> list[Slice]:
    """The same of every value of a declared group, worst first: what fairness is asked about. Groups below 50 rows stay out."""
    known = np.isfinite(loss)
    names = np.array(["" if one is None else one for one in groups], dtype=object)[known]
    values = loss[known]
    found = []
    for name in sorted(set(names.tolist())):
        one = _judged({"group": name or "(none)"}, names == name, values, surplus_only=False)
        if one is not None:
            found.append(_with_odds(one, one.odds, values))
    return sorted(found, key=lambda one: -one.loss)


def _parts(column: ColumnBins, placed: NDArray[np.int64]) -> list[tuple[str, NDArray[np.bool_]]]:
    null = placed == column.slots - 1
    parts = [("is null", null)]
    if column.kind == "categorical":
        parts += [(f"is {value}", placed == slot) for slot, value in enumerate(column.values[:MOST_WORDS])]
        return parts
    edges = column.edges
    if len(edges) < 2:
        return parts
    cuts = [round(len(edges) * part / PARTS) for part in range(PARTS + 1)]
    for a, b in itertools.pairwise(cuts):
        low, high = edges[max(a - 1, 0)], edges[min(b, len(edges)) - 1]
        label = f"up to {high:g}" if a == 0 else f"above {low:g}" if b == cuts[-1] else f"{low:g} to {high:g}"
        inside = (placed > a if a else placed >= 0) & (placed <= b if b < cuts[-1] else ~null)
        parts.append((label, inside & ~null))
    return parts


def _judged(where: dict[str, str], rows: NDArray[np.bool_], loss: Floats, *, surplus_only: bool = True) -> Slice | None:
    n, others = int(rows.sum()), int((~rows).sum())
    if n < LEAST_ROWS or others < LEAST_ROWS:
        return None
    here, there = loss[rows], loss[~rows]
    gap = float(here.mean() - there.mean())
    if gap <= 0.0 and surplus_only:
        return None
    spread = math.sqrt(max(here.var() / n + there.var() / others, 1e-12))
    return Slice(where=where, n=n, loss=float(here.mean()), others=float(there.mean()), odds=normal_tail(gap / spread))


def _with_odds(one: Slice, odds: float, loss: Floats) -> Slice:
    errors = bool(np.all((loss == 0.0) | (loss == 1.0)))
    return Slice(
        where=one.where,
        n=one.n,
        loss=one.loss,
        others=one.others,
        odds=odds,
        interval=wilson(round(one.loss * one.n), one.n) if errors else None,
    )
