"""Profiles as they are kept: of rows, and of each of their columns."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from treadle.ground.profiling import distincts
from treadle.ground.profiling.correlations import Correlations
from treadle.ground.profiling.frequent import Frequent
from treadle.ground.profiling.numbers import Numbers
from treadle.ground.profiling.personal import Certainty, Finding
from treadle.ground.profiling.texts import Texts
from treadle.ground.profiling.times import Rhythm

FORMAT = 1
"""Of what is kept; raised when an older reader would misread it."""

Kind = Literal["integer", "number", "boolean", "text", "binary", "date", "time", "duration", "list", "null", "mixed"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Bars:
    """A histogram: `edges` has one more than `counts`; the first and last bar hold what lies beyond, if anything."""

    edges: tuple[float, ...]
    counts: tuple[float, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnProfile:
    """One column.

    nulls: rows without a value, among them those of files that lack the column. nans, infinite: numbers that are none;
    they count as values, and enter neither range nor moments. distinct: different values, exact where `is_exact`.
    repeats: rows known to repeat an earlier value; `is_unique` is None where nobody can say.
    numbers: of number, time and duration columns (microseconds), and the lengths of lists. trues: of booleans.
    """

    name: str
    type: str
    kind: Kind
    nulls: int
    distinct: int = 0
    is_exact: bool = True
    is_unique: bool | None = None
    repeats: int = 0
    nans: int = 0
    infinite: int = 0
    trues: int = 0
    values: Frequent | None = None
    registers: bytes | None = None
    """HyperLogLog of the values, once they are too many to be all in `values`."""
    numbers: Numbers | None = None
    texts: Texts | None = None
    rhythm: Rhythm | None = None
    findings: tuple[Finding, ...] = ()

    @property
    def is_withheld(self) -> bool:
        """Whether values are kept nowhere, since they may be somebody's."""
        return bool(self.findings)

    @property
    def distinct_error(self) -> float:
        """Standard error of `distinct`, relative."""
        return 0.0 if self.is_exact else distincts.ERROR

    def bars(self, count: int = 20) -> Bars | None:
        """A histogram of equal bars between the 1st and the 99th per cent, or None without points.

        Its bars are good to the rank error of the points, and exact where all values are kept. Far values are in the
        outermost bars.
        """
        if self.numbers is None or not self.numbers.n:
            return None
        low, high = self._span()
        if low == high:
            return Bars(edges=(low, high), counts=(float(self.numbers.n),))
        edges = np.linspace(low, high, count + 1)
        if self.values is not None and self.values.is_complete:
            counts, _ = np.histogram(np.clip(self.values.values, low, high), edges, weights=self.values.counts)
            return Bars(edges=tuple(edges.tolist()), counts=tuple(counts.tolist()))
        shares = self._shares(edges)
        return Bars(edges=tuple(edges.tolist()), counts=tuple((np.diff(shares) * self.numbers.n).tolist()))

    def _span(self) -> tuple[float, float]:
        assert self.numbers is not None
        low, first, last, high = self.numbers.quantiles([0.0, 0.01, 0.99, 1.0])
        inner = last - first
        if not math.isfinite(high - low) or (inner > 0 and high - low > 3 * inner):
            return (first, last) if inner > 0 and math.isfinite(inner) else (low / 4, high / 4)
        return low, high

    def _shares(self, edges: NDArray[np.float64]) -> NDArray[np.float64]:
        assert self.numbers is not None
        shares = self.numbers.ranks(edges)
        shares[0], shares[-1] = 0.0, 1.0
        return np.maximum.accumulate(shares)

    def findings_with_shares(self, rows: int) -> list[tuple[Finding, float, Certainty]]:
        """The possible personal data of the column, with share and certainty, likeliest first."""
        present = rows - self.nulls
        order = ("high", "medium", "low")
        found = [(finding, finding.share(present), finding.certainty(present)) for finding in self.findings]
        return sorted(found, key=lambda one: (order.index(one[2]), -one[1]))


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """Some rows and their columns, in the order of the columns."""

    rows: int
    columns: tuple[ColumnProfile, ...]
    correlations: Correlations | None = None
    format: int = FORMAT

    def find(self, name: str) -> ColumnProfile | None:
        """The column of that name, or None."""
        return next((column for column in self.columns if column.name == name), None)

    def names(self) -> Sequence[str]:
        """The columns' names, in order."""
        return [column.name for column in self.columns]


EMPTY = Profile(rows=0, columns=())
"""The profile of no rows: merged with another it changes nothing."""
