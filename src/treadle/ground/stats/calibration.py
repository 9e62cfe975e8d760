"""Whether a score means what it says: log loss, Brier score, reliability bins and the calibration error."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from treadle.ground.stats.arrays import Bools, Floats, truth_and_scores
from treadle.ground.stats.errors import UnfitSample
from treadle.ground.stats.intervals import Interval, wilson

_CLIP = 1e-15


@dataclass(frozen=True, slots=True, kw_only=True)
class ReliabilityBin:
    """The rows whose score fell into one bin: what was promised, and what came."""

    lower: float
    upper: float
    n: int
    mean_score: float
    rate: float
    interval: Interval


def log_losses(truth: ArrayLike, score: ArrayLike) -> Floats:
    """The log loss of each row, float64 of shape (n,); scores are kept 1e-15 away from 0 and 1."""
    positive, values = _probabilities(truth, score)
    right = np.where(positive, values, 1.0 - values)
    return np.asarray(-np.log(np.clip(right, _CLIP, 1.0)), dtype=np.float64)


def log_loss(truth: ArrayLike, score: ArrayLike) -> float:
    """The mean negative log likelihood of the truth, in nats. Raises UnfitSample for scores outside 0..1."""
    return float(log_losses(truth, score).mean())


def brier(truth: ArrayLike, score: ArrayLike) -> float:
    """The mean squared distance between score and truth: 0 is perfect, 0.25 is what 0.5 everywhere gets."""
    positive, values = _probabilities(truth, score)
    return float(np.square(values - positive).mean())


def reliability(
    truth: ArrayLike, score: ArrayLike, *, bins: int = 10, by: Literal["width", "mass"] = "width"
) -> list[ReliabilityBin]:
    """Promised against observed, bin by bin, empty bins left out.

    by="width" cuts 0..1 into equal pieces, by="mass" at the scores' quantiles, so that bins hold about n / bins rows.
    A bin holds lower <= score < upper, the last one its upper end too.
    """
    positive, values = _probabilities(truth, score)
    inner = np.linspace(0, 1, bins + 1)[1:-1]
    edges = inner if by == "width" else np.unique(np.quantile(values, inner))
    place = np.searchsorted(edges, values, side="right")
    ends = [0.0, *edges.tolist(), 1.0]
    return [_bin(ends[i], ends[i + 1], positive[place == i], values[place == i]) for i in np.unique(place).tolist()]


def calibration_error(
    truth: ArrayLike, score: ArrayLike, *, bins: int = 10, by: Literal["width", "mass"] = "width"
) -> float:
    """The mean gap between promised and observed rate, weighted by rows: the expected calibration error.

    Biased upwards at small n, where chance alone opens gaps. Source: Naeini, Cooper and Hauskrecht, AAAI 2015.
    """
    rows = reliability(truth, score, bins=bins, by=by)
    return sum(row.n * abs(row.mean_score - row.rate) for row in rows) / sum(row.n for row in rows)


def _bin(lower: float, upper: float, positive: Bools, values: Floats) -> ReliabilityBin:
    hits = int(positive.sum())
    return ReliabilityBin(
        lower=lower,
        upper=upper,
        n=values.size,
        mean_score=float(values.mean()),
        rate=hits / values.size,
        interval=wilson(hits, values.size),
    )


def _probabilities(truth: ArrayLike, score: ArrayLike) -> tuple[Bools, Floats]:
    positive, (values,) = truth_and_scores(truth, score)
    if values.min() < 0.0 or values.max() > 1.0:
        raise UnfitSample(
            "A score lies outside 0..1.",
            why="Log loss, Brier score and calibration speak of probabilities.",
            fix="Turn raw scores into probabilities first.",
        )
    return positive, values
