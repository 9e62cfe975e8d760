"""How far people agree beyond chance: Cohen's kappa for two, Fleiss' for many, Krippendorff's alpha with gaps.

1 is full agreement, 0 what chance alone would give, below 0 worse than chance. Where every rating is the same one
value, chance explains everything and the figure is undefined; the answer is then NaN, not 1.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from treadle.ground.stats.arrays import Floats, counts
from treadle.ground.stats.errors import EmptySample, ShapeMismatch, UnfitSample

Weights = Literal["linear", "quadratic"]
Level = Literal["nominal", "ordinal", "interval"]


def cohen_kappa(first: Sequence[Hashable], second: Sequence[Hashable], *, weights: Weights | None = None) -> float:
    """The agreement of two annotators on the same items; with weights, a near miss counts less than a far one.

    Weights need categories that can be sorted; distance is counted in places of the sorted categories.
    Source: Cohen, Educational and Psychological Measurement 1960; weighted: Psychological Bulletin 1968.
    """
    if len(first) != len(second):
        raise ShapeMismatch(f"{len(first)} answers of one annotator, {len(second)} of the other.")
    if not first:
        raise EmptySample("Two annotators without a common item can neither agree nor disagree.")
    names = _categories([*first, *second], ordered=weights is not None)
    table = np.zeros((len(names), len(names)))
    for a, b in zip(first, second, strict=True):
        table[names[a], names[b]] += 1
    cost = _costs(len(names), weights)
    observed = float((cost * table).sum()) / len(first)
    expected = float((cost * np.outer(table.sum(axis=1), table.sum(axis=0))).sum()) / len(first) ** 2
    return 1.0 - observed / expected if expected else math.nan


def fleiss_kappa(table: ArrayLike) -> float:
    """The agreement of many annotators: table[i, j] is how many gave item i category j, each row summing alike.

    Raises UnfitSample when rows differ in their sum or fewer than two annotators answered.
    Source: Fleiss, Psychological Bulletin 1971.
    """
    array = counts(table, "table")
    if array.ndim != 2 or array.shape[0] == 0:
        raise EmptySample("Fleiss' kappa needs a table of items by categories.")
    raters = float(array[0].sum())
    if raters < 2 or not (array.sum(axis=1) == raters).all():
        raise UnfitSample(
            "Every item needs the same number of annotators, two at least.",
            fix="Use krippendorff_alpha where some answers are missing.",
        )
    by_chance = float(np.square(array.sum(axis=0) / array.sum()).sum())
    observed = float(((np.square(array).sum(axis=1) - raters) / (raters * (raters - 1))).mean())
    return (observed - by_chance) / (1.0 - by_chance) if by_chance < 1.0 else math.nan


def krippendorff_alpha(ratings: Sequence[Sequence[Hashable | None]], *, level: Level = "nominal") -> float:
    """The agreement of annotators who did not all answer all: ratings[annotator][item], None where there is none.

    Items with fewer than two answers say nothing and are left out. "interval" needs numbers, "ordinal" what sorts.
    Raises EmptySample when no item has two answers.
    Source: Krippendorff, "Computing Krippendorff's Alpha-Reliability", 2011.
    """
    if len({len(row) for row in ratings}) > 1:
        raise ShapeMismatch("The annotators' rows differ in length.", fix="Put None where an answer is missing.")
    units = [[v for v in unit if v is not None] for unit in zip(*ratings, strict=True)]
    units = [unit for unit in units if len(unit) > 1]
    if not units:
        raise EmptySample("No item has two answers.", why="Agreement is counted on items that two people answered.")
    names = _categories([value for unit in units for value in unit], ordered=level != "nominal")
    coincidences = np.zeros((len(names), len(names)))
    for unit in units:
        seen = np.bincount([names[value] for value in unit], minlength=len(names)).astype(np.float64)
        coincidences += (np.outer(seen, seen) - np.diag(seen)) / (len(unit) - 1)
    totals = coincidences.sum(axis=0)
    distance = _distances(list(names), totals, level)
    expected = float((distance * np.outer(totals, totals)).sum()) / (float(totals.sum()) - 1.0)
    return 1.0 - float((distance * coincidences).sum()) / expected if expected else math.nan


def _categories(values: Sequence[Hashable], *, ordered: bool) -> dict[Hashable, int]:
    found = list(dict.fromkeys(values))
    if ordered:
        found.sort(key=lambda value: value)  # type: ignore[arg-type, return-value]
    return {value: place for place, value in enumerate(found)}


def _costs(k: int, weights: Weights | None) -> Floats:
    apart = np.abs(np.subtract.outer(np.arange(k), np.arange(k))).astype(np.float64)
    if weights is None:
        return (apart > 0).astype(np.float64)
    return apart if weights == "linear" else np.square(apart)


def _distances(names: list[Hashable], totals: Floats, level: Level) -> Floats:
    k = len(names)
    if level == "nominal":
        return 1.0 - np.eye(k)
    if level == "interval":
        values = np.asarray(names, dtype=np.float64)
        return np.square(np.subtract.outer(values, values))
    middles = np.cumsum(totals) - totals / 2.0
    return np.square(np.subtract.outer(middles, middles))
