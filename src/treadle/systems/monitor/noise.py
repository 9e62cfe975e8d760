"""How much more a reference's figures move from one stretch of time to the next than independent rows would.

A rhythm of the week, a stormy month, a burst of one customer: all of them move every window, and none of them is drift.
They add a variance that does not shrink with the rows of a window. It is estimated for each figure from the reference's
own stretches, and steadied by its neighbours: where all figures of a family agree, they share one estimate that is as
good as known; where they differ, each has its own, and a heavier tail for having been estimated from few stretches.
Source: the moderated t of Smyth, Statistical Applications in Genetics and Molecular Biology 2004.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from treadle.ground.stats.tails import (
    MANY,
    digamma,
    inverse_trigamma,
    log_kolmogorov_tail,
    log_normal_tail,
    normal_of_f,
    normal_of_t,
    trigamma,
)
from treadle.systems.monitor.figures import Family, Floats, Standardised

FLOORS: Mapping[Family, float] = {
    "mean": 0.005, "spread": 0.007, "ranks": 0.002, "words": 0.005, "nulls": 0.001, "unseen": 0.002, "pairs": 0.005,
    "together": 0.005,
}  # fmt: skip
"""Moves that are no news however many rows show them: standard deviations of a mean, parts of a share."""

SQUARED_KS = math.pi**2 / 12.0
"""The mean of the squared Kolmogorov statistic."""

TWO_SIDED: frozenset[Family] = frozenset({"mean", "spread", "nulls", "pairs"})

UNTIMED: frozenset[Family] = frozenset({"unseen"})
"""Every word of the reference has been seen in it, so its stretches say nothing of the unseen."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Noise:
    """Of one family: for each figure the variance that stretches add, for each effective row, and its degrees."""

    extra: tuple[float, ...]
    degrees: float = MANY

    def z(self, family: Family, figures: Floats, rows: Floats, degrees: Floats | None) -> Floats:
        """The figures of windows as normal points, signed where they have a sign; shape (windows, size). Not for `ranks`.

        What stretches add is taken to move a column in one direction of its own, the worst case: a chi-square then has
        fewer degrees, by Satterthwaite.
        """
        added = self._added(family, rows)
        if degrees is None:
            return normal_of_t(figures / np.sqrt(1.0 + added), self.degrees)
        left = degrees * (1.0 + added) ** 2 / (1.0 + 2.0 * added + degrees * added**2)
        return normal_of_f(figures / (1.0 + added), left, self.degrees)

    def log_odds(self, family: Family, figures: Floats, rows: Floats, degrees: Floats | None) -> Floats:
        """ln P that a figure lies as far out without drift, on either side where it has two; shape (windows, size).

        A shift that stretches add has the tail of a normal; so has the largest gap then.
        """
        if family == "ranks":
            spread = np.sqrt(1.0 + 4.0 * SQUARED_KS * self._added(family, rows))
            return log_kolmogorov_tail(figures / spread, self.degrees)
        z = self.z(family, figures, rows, degrees)
        if family in TWO_SIDED:
            return np.asarray(math.log(2.0) + log_normal_tail(np.abs(z)), dtype=np.float64)
        return log_normal_tail(z)

    def _added(self, family: Family, rows: Floats) -> Floats:
        return np.asarray((np.asarray(self.extra) + FLOORS[family] ** 2) * rows, dtype=np.float64)


def squares(family: Family, figures: Floats) -> Floats:
    """Figures whose mean is 1 where rows are independent."""
    if family == "ranks":
        return np.asarray(np.square(figures) / SQUARED_KS, dtype=np.float64)
    return figures if family in ("words", "together") else np.square(figures)


def noise_of(stretches: Standardised, phases: int = 1) -> dict[Family, Noise]:
    """The noise of each family, from the figures of the reference's stretches, each beside those of its phase."""
    return {family: _noise(family, stretches, phases) for family in stretches.figures}


def no_noise(figures: Mapping[Family, int]) -> dict[Family, Noise]:
    """What is known of a reference without time: nothing beyond the independence of its rows."""
    return {family: Noise(extra=(0.0,) * size) for family, size in figures.items()}


def _noise(family: Family, found: Standardised, phases: int) -> Noise:
    figures, rows = found.figures[family], found.rows[family]
    n = figures.shape[0]
    if family in UNTIMED:
        return Noise(extra=(0.0,) * figures.shape[1])
    own = float(found.degrees[family].mean()) if family in found.degrees else 1.0
    moderated, degrees = moderate(squares(family, figures).mean(axis=0), max(n - phases, 2.0), own)
    typical = np.maximum(rows.mean(axis=0), 1.0)
    return Noise(extra=tuple((np.maximum(moderated - 1.0, 0.0) / typical).tolist()), degrees=degrees)


def moderate(variances: Floats, degrees: float, own: float = 1.0) -> tuple[Floats, float]:
    """Variances steadied by each other, and the degrees of freedom that they then have.

    Where they vary no more than estimates of one variance do, they become one, with all their degrees: as good as known.
    Fewer than three are left as they are, but known too where they lie as near to 1 as chi-squares of `own` degrees do.
    """
    if variances.size < 3:
        within = bool(np.all(variances < 1.0 + 3.0 * math.sqrt(2.0 / (own * degrees))))
        return variances, degrees * own if within else degrees
    logs = np.log(np.maximum(variances, 1e-6)) - digamma(degrees / 2.0) + math.log(degrees / 2.0)
    prior = 2.0 * inverse_trigamma(float(logs.var(ddof=1)) - trigamma(degrees / 2.0))
    if math.isinf(prior):
        return np.full(variances.size, float(variances.mean())), min(MANY, degrees * variances.size)
    common = math.exp(float(logs.mean()) + digamma(prior / 2.0) - math.log(prior / 2.0))
    return (prior * common + degrees * variances) / (prior + degrees), prior + degrees
