"""Features that know the label too well: nearly always a leak, seldom a discovery.

The join itself cannot look ahead. But a row's content can: a column filled in after the fact, an aggregate that counts
the event itself, a known-at that is stated too early. What such leaks have in common is that one feature alone tells the
label all but perfectly, by its value or by being missing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl

SAMPLE = 100_000
"""Rows that are looked at, at most; spread over the whole."""

TOO_GOOD = 0.995
"""Share of pairs in the right order (two classes), or rank correlation (numbers), from which on a feature is suspect."""

FEWEST = 50
"""Rows with a label below which nothing is suspected: chance can do it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Suspicion:
    """A feature that tells the label too well. score: from 0.5 or 0 (nothing) to 1 (all), by the measure named."""

    feature: str
    measure: str
    score: float

    def __str__(self) -> str:
        return f"{self.feature} tells the label all but perfectly ({self.measure} {self.score:.4f})"


def suspicions(table: pl.DataFrame, features: Sequence[str], label: str) -> list[Suspicion]:
    """The features whose value, or whose absence, tells the label to `TOO_GOOD` or better, the most telling first.

    label: a boolean, a number, or text with two values; for others only absence could be judged, and nothing is said.
    Cost: a sort of at most `SAMPLE` rows for each feature.
    """
    known = table.filter(pl.col(label).is_not_null())
    known = known.gather_every(-(-len(known) // SAMPLE)) if len(known) > SAMPLE else known
    if len(known) < FEWEST:
        return []
    truth = _as_number(known[label])
    if truth is None or truth.n_unique() < 2:
        return []
    two = truth.n_unique() == 2
    found = []
    for feature in features:
        absent = known[feature].is_null()
        if two and 0 < absent.sum() < len(absent):
            found.append(
                Suspicion(feature=feature, measure="being null, AUC", score=_auc(absent.cast(pl.Int64), truth))
            )
        numbers = _as_number(known[feature])
        if numbers is None:
            continue
        present = numbers.is_not_null()
        some, of = numbers.filter(present), truth.filter(present)
        if len(some) < FEWEST or of.n_unique() < 2 or some.n_unique() < 2:
            continue
        score = _auc(some, of) if of.n_unique() == 2 else _rank_correlation(some, of)
        found.append(Suspicion(feature=feature, measure="AUC" if two else "rank correlation", score=score))
    return sorted((each for each in found if each.score >= TOO_GOOD), key=lambda each: -each.score)


def _as_number(series: pl.Series) -> pl.Series | None:
    if series.dtype == pl.Boolean:
        return series.cast(pl.Int64)
    if series.dtype.is_numeric():
        return series.fill_nan(None) if series.dtype.is_float() else series
    if series.dtype.is_temporal():
        return series.to_physical()
    return series.rank("dense") if series.dtype == pl.String and series.n_unique() == 2 else None


def _auc(scores: pl.Series, truth: pl.Series) -> float:
    """The share of pairs of the two classes that the scores put in order, either way round."""
    positive = truth == truth.max()
    n_positive = int(positive.sum())
    n_negative = len(truth) - n_positive
    ranks = float(scores.rank("average").filter(positive).sum())
    auc = (ranks - n_positive * (n_positive + 1) / 2) / (n_positive * n_negative)
    return max(auc, 1 - auc)


def _rank_correlation(one: pl.Series, other: pl.Series) -> float:
    found = pl.DataFrame({"one": one.rank(), "other": other.rank()}).select(pl.corr("one", "other")).item()
    return 0.0 if found is None or found != found else abs(float(found))
