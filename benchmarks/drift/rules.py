"""The rules by which other tools call a window drifted, written anew from their sources, on one window at a time.

`drift_rules.py` holds each of them against the library itself. A rule is prepared on the reference once; everything that
does not depend on the window is reckoned there, so that 200 seeds can be asked.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import numpy as np

from benchmarks.drift.streams import Columns
from treadle.ground.stats import chi_square_tail

Judge = Callable[[Columns], bool]

EVIDENTLY_THRESHOLD = 0.1
EVIDENTLY_SHARE = 0.5


class Rules:
    """All rules over one reference; windows that differ in a few columns are asked about these columns alone."""

    def __init__(self, reference: list[Columns], words: Mapping[str, int]) -> None:
        self.words = words
        whole = {name: np.concatenate([window[name] for window in reference]) for name in reference[0]}
        self.names = list(whole)
        self.columns = {name: _Column(values, words.get(name)) for name, values in whole.items()}
        chunks = {name: np.array([self.columns[name].nannyml(w[name]) for w in reference]) for name in whole}
        self.limits = {name: values.mean() + 3.0 * values.std() for name, values in chunks.items()}

    def figures(
        self, window: Columns, known: Mapping[str, tuple[float, float, float, float]] | None = None
    ) -> dict[str, tuple[float, float, float, float]]:
        """By column: p-value, Evidently's distance, NannyML's, PSI. known: columns that need not be reckoned again."""
        found = dict(known or {})
        for name, values in window.items():
            if name not in found:
                column = self.columns[name]
                found[name] = (
                    column.p_value(values),
                    column.evidently(values),
                    column.nannyml(values),
                    column.psi(values),
                )
        return found

    def alarms(self, figures: Mapping[str, tuple[float, float, float, float]]) -> dict[str, bool]:
        """Which rules call a window drifted."""
        names = self.names
        p, distance, jensen, psi = (np.array([figures[name][k] for name in names]) for k in range(4))
        over = distance >= EVIDENTLY_THRESHOLD
        limits = np.array([self.limits[name] for name in names])
        return {
            "KS and chi-square, Bonferroni (alibi-detect)": bool((p < 0.05 / len(names)).any()),
            "Evidently preset, half of the columns": bool(over.mean() >= EVIDENTLY_SHARE),
            "Evidently preset, any column": bool(over.any()),
            "NannyML univariate, 3 sd": bool((jensen > limits).any()),
            "PSI above 0.1, any column": bool((psi > 0.1).any()),
            "PSI above 0.2, any column": bool((psi > 0.2).any()),
        }


class _Column:
    """One column of the reference, prepared for every rule."""

    def __init__(self, values: np.ndarray, words: int | None) -> None:
        self.words = words
        if words is not None:
            present = values[values >= 0]
            self.n = present.size
            self.counts = np.bincount(present, minlength=words + 1)
            return
        self.sorted = np.sort(values[~np.isnan(values)])
        self.n = self.sorted.size
        self.deviation = max(float(self.sorted.std()), 0.001)
        self.is_few = np.unique(self.sorted[: self.n]).size <= 5
        self.doane = np.histogram_bin_edges(self.sorted, bins="doane")
        self.doane_counts = np.histogram(self.sorted, self.doane)[0]
        self.deciles = np.unique(np.quantile(self.sorted, np.linspace(0, 1, 11)))[1:-1]
        self.decile_counts = np.bincount(np.searchsorted(self.deciles, self.sorted), minlength=self.deciles.size + 1)

    def p_value(self, window: np.ndarray) -> float:
        """Two-sample Kolmogorov-Smirnov for numbers, chi-square for words.

        Source: alibi-detect's TabularDrift, whose default correction over columns is Bonferroni's. The p-value of the
        distance is the asymptotic one, which SciPy uses for samples of this size too.
        """
        if self.words is not None:
            return self._chi_square(window)
        here = np.sort(window[~np.isnan(window)])
        below = np.searchsorted(self.sorted, here, side="right") / self.n
        under = np.searchsorted(self.sorted, here, side="left") / self.n
        steps = np.arange(1, here.size + 1) / here.size
        gap = max(float((steps - below).max()), float((under - (steps - 1.0 / here.size)).max()), 0.0)
        return _kolmogorov(gap * math.sqrt(here.size * self.n / (here.size + self.n)))

    def evidently(self, window: np.ndarray) -> float:
        """Above 1,000 rows of reference: Wasserstein's distance in standard deviations for numbers, Jensen-Shannon's for
        words. Source: `evidently/legacy/calculations/stattests/registry.py`, version 0.7.
        """
        if self.words is not None or self.is_few:
            return self._jensen_of_values(window)
        here = np.sort(window[~np.isnan(window)])
        right = here[((np.arange(self.n) + 0.5) * here.size / self.n).astype(int)]
        return float(np.abs(self.sorted - right).mean()) / self.deviation

    def nannyml(self, window: np.ndarray) -> float:
        """Jensen-Shannon's distance: over Doane's bins of the reference for numbers, over the words for words.

        Source: `nannyml/drift/univariate/methods.py`, version 0.13; a column alarms beyond three standard deviations of
        the reference's chunks, any column for the window.
        """
        if self.words is not None:
            return self._jensen_of_values(window)
        counts = np.histogram(window[~np.isnan(window)], self.doane)[0]
        left, right = self.doane_counts / self.n, counts / max(np.count_nonzero(~np.isnan(window)), 1)
        left, right = (np.append(one, max(1.0 - one.sum(), 0.0)) for one in (left, right))
        return _jensen(left, right, 2.0)

    def psi(self, window: np.ndarray) -> float:
        """The population stability index over deciles, or over the words; empty bins count as a ten-thousandth."""
        if self.words is not None:
            left, right = self.counts / self.n, _counted(window, self.words) / max((window >= 0).sum(), 1)
        else:
            here = window[~np.isnan(window)]
            right = np.bincount(np.searchsorted(self.deciles, here), minlength=self.deciles.size + 1) / here.size
            left = self.decile_counts / self.n
        left, right = np.maximum(left, 1e-4), np.maximum(right, 1e-4)
        return float(((left - right) * np.log(left / right)).sum())

    def _jensen_of_values(self, window: np.ndarray) -> float:
        if self.words is not None:
            here = _counted(window, self.words)
            return _jensen(self.counts / self.n, here / here.sum(), 2.0)
        values = np.unique(self.sorted)
        here = window[~np.isnan(window)]
        left, right = (np.array([(one == value).mean() for value in values]) for one in (self.sorted, here))
        return _jensen(left, right, 2.0)

    def _chi_square(self, window: np.ndarray) -> float:
        here, there = _counted(window, self.words or 0), self.counts
        kept = here + there > 0
        here, there = here[kept], there[kept]
        total, n, m = here + there, here.sum(), there.sum()
        left, right = total * n / (n + m), total * m / (n + m)
        statistic = float((np.square(here - left) / left + np.square(there - right) / right).sum())
        return chi_square_tail(statistic, float(kept.sum() - 1))


def _counted(window: np.ndarray, words: int) -> np.ndarray:
    return np.bincount(window[window >= 0], minlength=words + 1)


def _jensen(left: np.ndarray, right: np.ndarray, base: float) -> float:
    middle = (left + right) / 2.0
    with np.errstate(divide="ignore", invalid="ignore"):
        one = np.where(left > 0, left * np.log(left / middle), 0.0).sum()
        two = np.where(right > 0, right * np.log(right / middle), 0.0).sum()
    return math.sqrt(max((one + two) / 2.0 / math.log(base), 0.0))


def _kolmogorov(x: float) -> float:
    if x < 0.2:
        return 1.0
    return min(1.0, max(0.0, 2.0 * sum((-1) ** (k - 1) * math.exp(-2.0 * k * k * x * x) for k in range(1, 30))))
