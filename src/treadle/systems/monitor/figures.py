"""How far windows lie from a reference: seven kinds of figures, each standardised as if rows were independent.

Counts in, numbers out, many windows at once: the noise of a reference and the drift of a window are made of the same
figures. `mean` and `spread` are those of a number's normal scores, `shift` the binned Kolmogorov-Smirnov distance for
numbers, which have an order, and Pearson's chi-square for words, which have none; `nulls` and `unseen` are shares;
`pairs` are correlations of two numbers, and `together` is Hotelling's T-square of all means at once, which many columns
move that have each moved by little.

Under independence the signed figures (`mean`, `spread`, `nulls`, `unseen`, `pairs`) are standard normal, `ranks` is a
Kolmogorov-Smirnov distance times the root of its rows, and `words` and `together` are chi-squares over their degrees.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from treadle.systems.monitor.bins import ColumnBins, Counts, WindowCounts, paired

Floats = NDArray[np.float64]
Family = Literal["mean", "spread", "ranks", "words", "nulls", "unseen", "pairs", "together"]
Figure = Literal["mean", "spread", "shift", "nulls", "unseen", "correlation", "together", "slow"]

LEAST_EXPECTED = 5.0
"""Words of which a window is expected to hold fewer are pooled: below it, chi-square is none. Cochran, 1954."""

LEAST_EIGENVALUE = 0.05
"""Directions in which the reference hardly varies say nothing of a common move: columns that repeat each other."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stack:
    """Windows on top of each other: rows of shape (windows,), counts (windows, slots), products (windows, pairs, pairs)."""

    rows: Floats
    columns: Mapping[str, Floats]
    products: Floats

    def without(self, others: Stack) -> Stack:
        """This one, less each of the others: the reference as it is without each of its own stretches."""
        return Stack(
            rows=self.rows - others.rows,
            columns={name: counts - others.columns[name] for name, counts in self.columns.items()},
            products=self.products - others.products,
        )


def stack(windows: Sequence[WindowCounts]) -> Stack:
    """The windows on top of each other. There must be one."""
    return Stack(
        rows=np.array([float(window.rows) for window in windows]),
        columns={
            name: np.stack([window.columns[name] for window in windows]).astype(np.float64)
            for name in windows[0].columns
        },
        products=np.stack([window.products for window in windows]),
    )


@dataclass(frozen=True)
class Layout:
    """Which figure of a family belongs to which column."""

    bins: tuple[ColumnBins, ...]

    @cached_property
    def numbers(self) -> tuple[ColumnBins, ...]:
        return tuple(column for column in self.bins if column.kind == "numeric")

    @cached_property
    def words(self) -> tuple[ColumnBins, ...]:
        return tuple(column for column in self.bins if column.kind == "categorical")

    @cached_property
    def paired(self) -> tuple[ColumnBins, ...]:
        return tuple(paired(self.bins))

    @cached_property
    def pairs(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """The two places of each pair, among `paired`."""
        left, right = np.triu_indices(len(self.paired), k=1)
        return left, right

    def columns_of(self, family: Family) -> list[str]:
        """The column of each figure of a family; for pairs the first of the two, nothing for `together`."""
        if family in ("mean", "spread", "ranks"):
            return [column.name for column in self.numbers]
        if family in ("words", "unseen"):
            return [column.name for column in self.words]
        if family == "nulls":
            return [column.name for column in self.bins]
        return [self.paired[i].name for i in self.pairs[0]] if family == "pairs" else []

    def size(self, family: Family) -> int:
        """How many figures a family has."""
        if family == "together":
            return int(len(self.paired) > 1)
        return len(self.columns_of(family))


@dataclass(frozen=True, slots=True, kw_only=True)
class Standardised:
    """Figures of windows by family, shape (windows, size), with the effective rows of each and, for the chi-squares,
    their degrees."""

    figures: Mapping[Family, Floats]
    rows: Mapping[Family, Floats]
    degrees: Mapping[Family, Floats]


def standardise(layout: Layout, reference: Stack, windows: Stack) -> Standardised:
    """The figures of windows beside a reference of one window, or of as many. Cost: about 10 us a column and window."""
    figures: dict[Family, Floats] = {}
    rows: dict[Family, Floats] = {}
    degrees: dict[Family, Floats] = {}
    both = effective(windows.rows, reference.rows)
    numbers = [
        _of_numbers(column, reference.columns[column.name], windows.columns[column.name]) for column in layout.numbers
    ]
    if numbers:
        figures["mean"], figures["spread"], figures["ranks"], shared = (
            np.stack(part, axis=1) for part in zip(*numbers, strict=True)
        )
        rows["mean"] = rows["spread"] = rows["ranks"] = shared
    words = [_of_words(column, reference.columns[column.name], windows.columns[column.name]) for column in layout.words]
    if words:
        figures["words"], degrees["words"], figures["unseen"], shared = (
            np.stack(part, axis=1) for part in zip(*words, strict=True)
        )
        rows["words"] = rows["unseen"] = shared
    figures["nulls"] = np.stack(
        [_nulls(reference.columns[column.name], windows.columns[column.name]) for column in layout.bins], axis=1
    )
    rows["nulls"] = np.broadcast_to(both[:, None], figures["nulls"].shape)
    if layout.size("together"):
        left, right = layout.pairs
        there, here = correlations(layout, reference), correlations(layout, windows)
        moved = np.arctanh(here[:, left, right]) - np.arctanh(there[:, left, right])
        figures["pairs"] = moved * np.sqrt(np.maximum(both - 3.0, 0.0))[:, None]
        rows["pairs"] = np.broadcast_to(both[:, None], moved.shape)
        places = [layout.numbers.index(column) for column in layout.paired]
        square, rank = _hotelling(figures["mean"][:, places], there[0])
        figures["together"], degrees["together"] = square[:, None] / rank, np.full((square.size, 1), float(rank))
        rows["together"] = both[:, None]
    return Standardised(figures=figures, rows=rows, degrees=degrees)


def effective(window: Floats, reference: Floats) -> Floats:
    """The rows that one sample would need to be as noisy as these two are together."""
    return np.asarray(window * reference / np.maximum(window + reference, 1.0), dtype=np.float64)


def correlations(layout: Layout, windows: Stack) -> Floats:
    """The correlation of every pair of scores, shape (windows, paired, paired), kept within 0.999."""
    rows = np.maximum(windows.rows, 1.0)
    means = np.stack([windows.columns[c.name] @ np.asarray(c.scores) for c in layout.paired], axis=1) / rows[:, None]
    spread = windows.products / rows[:, None, None] - means[:, :, None] * means[:, None, :]
    deviation = np.sqrt(np.maximum(np.diagonal(spread, axis1=1, axis2=2), 1e-12))
    return np.asarray(
        np.clip(spread / (deviation[:, :, None] * deviation[:, None, :]), -0.999, 0.999), dtype=np.float64
    )


def distance(column: ColumnBins, reference: Counts, window: Counts) -> float:
    """How far the values of a window are from the reference's, in 0..1: the largest gap of the cumulated shares for
    numbers, the total variation for words. Nulls are left out; 0 where a side has nothing else."""
    left, right = reference[:-1] / max(reference[:-1].sum(), 1), window[:-1] / max(window[:-1].sum(), 1)
    if not left.any() or not right.any():
        return 0.0
    if column.kind == "numeric":
        return float(np.abs(np.cumsum(left) - np.cumsum(right)).max())
    return float(np.abs(left - right).sum() / 2.0)


def _of_numbers(column: ColumnBins, reference: Floats, windows: Floats) -> tuple[Floats, Floats, Floats, Floats]:
    """Mean, spread and shift of each window, and the effective rows that are not null.

    The spread is the logarithm of the scores' variance around the window's own mean: a mere move leaves it alone.
    """
    there, here = reference[:, :-1], windows[:, :-1]
    n_there, n_here = there.sum(axis=1), here.sum(axis=1)
    rows = effective(n_here, n_there)
    left, right = there / np.maximum(n_there, 1.0)[:, None], here / np.maximum(n_here, 1.0)[:, None]
    score = np.asarray(column.scores[:-1])
    before, after = left @ score, right @ score
    centred = score[None, :] - before[:, None]
    variance, fourth = (left * centred**2).sum(axis=1), (left * centred**4).sum(axis=1)
    now = np.maximum(right @ score**2 - after**2, 1e-6)
    root = np.sqrt(np.where(n_here > 0, rows, 0.0))
    gap = np.abs(np.cumsum(right - left, axis=1)).max(axis=1)
    mean = _over((after - before) * root, variance)
    widened = np.log(now / np.maximum(variance, 1e-6)) * root
    spread = _over(widened, fourth / np.maximum(variance, 1e-6) ** 2 - 1.0)
    return mean, np.where(variance > 1e-6, spread, 0.0), gap * root, rows


def _over(figure: Floats, variance: Floats) -> Floats:
    return np.where(variance > 1e-9, figure / np.sqrt(np.maximum(variance, 1e-9)), 0.0)


def _of_words(column: ColumnBins, reference: Floats, windows: Floats) -> tuple[Floats, Floats, Floats, Floats]:
    """Chi-square over its degrees, the degrees, the unseen, and the effective rows that are neither null nor unseen."""
    there, here = np.broadcast_arrays(reference[:, :-2], windows[:, :-2])
    n_there, n_here = there.sum(axis=1), here.sum(axis=1)
    rows = effective(n_here, n_there)
    shares = there / np.maximum(n_there, 1.0)[:, None]
    expected = shares * n_here[:, None]
    rare = expected < LEAST_EXPECTED
    kept = np.where(rare, 0.0, np.square(here - expected) / np.maximum(expected, 1e-9)).sum(axis=1)
    pooled = (expected * rare).sum(axis=1)
    surplus = np.square((here * rare).sum(axis=1) - pooled) / np.maximum(pooled, LEAST_EXPECTED)
    cells = (~rare).sum(axis=1) + (pooled > 0)
    degrees = np.maximum(cells - 1.0, 1.0)
    weight = np.divide(n_there, n_there + n_here, out=np.zeros_like(n_here), where=n_there + n_here > 0)
    square = np.where(cells > 1, (kept + surplus) * weight / degrees, 0.0)
    return square, degrees, _unseen(column, reference, windows), rows


def _unseen(column: ColumnBins, reference: Floats, windows: Floats) -> Floats:
    """How many words nobody had seen, beside Good and Turing's bound: the reference's words that were seen once."""
    n_there = np.maximum(reference[:, :-1].sum(axis=1), 1.0)
    n_here = windows[:, :-1].sum(axis=1)
    once = (reference[:, : len(column.values)] == 1).sum(axis=1) + len(column.others) + 0.5
    return _deviate(windows[:, -2], np.minimum(once / n_there, 1.0) * n_here)


def _nulls(reference: Floats, windows: Floats) -> Floats:
    """The move of the null share; where most are null, of the others, with the sign turned.

    A reference without any is given half a row, so that one null in a later window is no miracle.
    """
    n_there, n_here = np.maximum(reference.sum(axis=1), 1.0), windows.sum(axis=1)
    mostly = reference[:, -1] * 2 > n_there
    there = np.where(mostly, n_there - reference[:, -1], reference[:, -1])
    here = np.where(mostly, n_here - windows[:, -1], windows[:, -1])
    share = np.maximum(there, 0.5) / n_there
    figure = _deviate(here, share * n_here) / np.sqrt((1.0 - np.minimum(share, 0.5)) * (1.0 + n_here / n_there))
    return np.asarray(np.where(mostly, -figure, figure), dtype=np.float64)


def _deviate(counts: Floats, expected: Floats) -> Floats:
    """Poisson counts as standard normal deviates, near 0 where both are. Freeman and Tukey, 1950."""
    deviate: Floats = np.sqrt(counts) + np.sqrt(counts + 1.0) - np.sqrt(4.0 * expected + 1.0)
    return deviate


def _hotelling(means: Floats, correlation: Floats) -> tuple[Floats, int]:
    """T-square of each window and its degrees: the directions in which the reference varies at all."""
    values, vectors = np.linalg.eigh(correlation)
    kept = values > LEAST_EIGENVALUE
    along = means @ vectors[:, kept] / np.sqrt(values[kept])
    return np.square(along).sum(axis=1), max(int(kept.sum()), 1)
