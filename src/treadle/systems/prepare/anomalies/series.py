"""From landings to series of numbers that can be compared: one for the volume, some for each column.

Every series is on a scale on which its noise is even: counts as logarithms, shares as angles (arcsine of the root), the
quantiles of numbers in units of the column's usual width. Each value comes with the noise that sampling so many rows
alone would give it, so a landing of thirty rows is not held to what one of a million can promise.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from treadle.systems.prepare.anomalies.figures import FEW_ROWS, ColumnFigures, Figures

Floats = NDArray[np.float64]

Kind = Literal[
    "volume",
    "missing",
    "empty",
    "distinct",
    "ratio",
    "low",
    "centre",
    "high",
    "width",
    "share",
    "other",
    "length",
    "lag",
]

LEAST: dict[Kind, float] = {
    "volume": 0.05,
    "missing": 0.01,
    "empty": 0.01,
    "distinct": 0.03,
    "ratio": 0.03,
    "low": 0.03,
    "centre": 0.03,
    "high": 0.03,
    "width": 0.03,
    "share": 0.01,
    "other": 0.01,
    "length": 0.03,
    "lag": 0.15,
}
"""No series is taken to be steadier than this (one standard deviation): smaller moves are no news to anybody."""

ONE_SIDED: frozenset[Kind] = frozenset(("lag",))
CATEGORIES = 8
BASIS = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One series: what is looked at, in which column (None: the landing), and which value of it."""

    kind: Kind
    column: str | None = None
    value: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Basis:
    """What the series are: the checks, and the usual width of each number column and spread of each text's length."""

    checks: tuple[Check, ...]
    widths: dict[str, float]

    def of(self, figures: Figures) -> tuple[Floats, Floats]:
        """The values of a landing and their sampling noise, shape (checks,); NaN where a landing says nothing of it."""
        found = [self._value(check, figures) for check in self.checks]
        return np.array([value for value, _ in found]), np.array([noise for _, noise in found])

    def _value(self, check: Check, figures: Figures) -> tuple[float, float]:
        if check.column is None:
            return math.log1p(figures.rows), 0.0  # its noise is what was seen; that of an empty landing would hide it
        column = figures.columns.get(check.column)
        if column is None or figures.rows < FEW_ROWS:
            return math.nan, math.nan
        return _column_value(check, column, figures, self.widths.get(check.column, 1.0))


def basis_of(history: Sequence[Figures]) -> Basis:
    """The series that some landings have in common: columns that most of them have, values that most of them show."""
    history = [figures for figures in history[:BASIS] if figures.rows >= FEW_ROWS]
    most = max(1, len(history) // 2)
    seen = Counter(name for figures in history for name in figures.columns)
    checks: list[Check] = [Check(kind="volume")]
    widths: dict[str, float] = {}
    for name in [name for name, n in seen.items() if n >= most]:
        columns = [figures.columns[name] for figures in history if name in figures.columns]
        checks += _checks(name, columns, [f.rows for f in history if name in f.columns])
        widths[name] = _width(columns)
    return Basis(checks=tuple(checks), widths=widths)


def _checks(name: str, columns: Sequence[ColumnFigures], rows: Sequence[int]) -> list[Check]:
    kinds: list[Kind] = ["missing", "distinct", "ratio"]
    if any(column.empty for column in columns):
        kinds.append("empty")
    if any(column.quantiles for column in columns) and not _is_key(columns, rows):
        kinds += ["low", "centre", "high", "width"]
    if any(column.length is not None for column in columns):
        kinds += ["length", "empty"]
    if any(column.latest_at is not None for column in columns):
        kinds.append("lag")
    found = [Check(kind=kind, column=name) for kind in dict.fromkeys(kinds)]
    values = Counter(value for column in columns for value in column.values)
    total: Counter[str] = Counter()
    for column in columns:
        total.update(column.values)
    steady = [value for value, _ in total.most_common() if values[value] * 2 >= len(columns)][:CATEGORIES]
    if steady:
        found += [Check(kind="share", column=name, value=value) for value in steady]
        found.append(Check(kind="other", column=name, value="\n".join(steady)))
    return found


def _is_key(columns: Sequence[ColumnFigures], rows: Sequence[int]) -> bool:
    """Whether whole numbers hardly ever come twice: they count or name things, and how large they are says nothing."""
    unique = [c.distinct >= 0.98 * (n - c.missing) for c, n in zip(columns, rows, strict=True) if n > c.missing]
    return all("Int" in column.type for column in columns) and sum(unique) * 2 > len(unique)


def _width(columns: Sequence[ColumnFigures]) -> float:
    """The usual standard deviation, from the deciles; of texts, that of their lengths."""
    widths = [(c.quantiles[-1] - c.quantiles[0]) / 2.563 for c in columns if c.quantiles]
    if not widths:
        widths = [column.length_spread for column in columns if column.length is not None]
    usual = float(np.median(widths)) if widths else 0.0
    if usual > 0.0 and math.isfinite(usual):
        return usual
    sizes = [abs(c.quantiles[4]) for c in columns if c.quantiles] or [c.length or 0.0 for c in columns]
    size = float(np.median(sizes)) if sizes else 0.0
    return 0.1 * size if size > 0.0 and math.isfinite(size) else 1.0


def _column_value(check: Check, column: ColumnFigures, figures: Figures, width: float) -> tuple[float, float]:
    rows = figures.rows
    present = rows - column.missing
    noise = 1.0 / math.sqrt(max(1, present))
    kind = check.kind
    if kind == "missing":
        return _angle(column.missing, rows), 0.5 / math.sqrt(rows)
    if kind in ("share", "other") and present:
        known = (check.value or "").split("\n") if kind == "other" else [check.value or ""]
        count = sum(column.values.get(value, 0) for value in known)
        return _angle(present - count if kind == "other" else count, present), 0.5 * noise
    if kind == "empty" and present:
        return _angle(column.empty, present), 0.5 * noise
    if kind in ("distinct", "ratio") and present:
        error = 1.0 / math.sqrt(column.distinct + 1.0) if column.is_exact else 0.04
        value = math.log1p(column.distinct)
        return (value if kind == "distinct" else value - math.log1p(present)), min(error, noise + 0.1)
    if kind == "lag" and column.latest_at is not None:
        return math.log1p(max(0.0, figures.arrived_at - column.latest_at)), 0.0
    if kind == "length" and column.length is not None and present:
        return column.length / width, noise
    if column.quantiles and present:
        return _quantile_value(kind, column.quantiles, width), _QUANTILE_NOISE[kind] * noise
    return math.nan, math.nan


_QUANTILE_NOISE = {"low": 1.7, "centre": 1.06, "high": 1.7, "width": 0.85}
"""Standard error of each for normal numbers, in units of the width and of 1 / sqrt(rows)."""


def _quantile_value(kind: Kind, quantiles: Sequence[float], width: float) -> float:
    if kind == "low":
        value = quantiles[0] / width
    elif kind == "high":
        value = quantiles[-1] / width
    elif kind == "centre":
        value = sum(quantiles) / len(quantiles) / width
    else:
        value = math.log((quantiles[-1] - quantiles[0]) / 2.563 / width + 0.01)
    return value if math.isfinite(value) else math.nan


def _angle(count: int, of: int) -> float:
    """A share as an angle, on which its sampling noise is 0.5 / sqrt(of) whatever the share. Source: Anscombe, 1948."""
    return math.asin(math.sqrt(min(1.0, (max(0, count) + 0.375) / (of + 0.75))))


def share_of_angle(angle: float) -> float:
    """The share that an angle stands for."""
    return math.sin(min(max(angle, 0.0), math.pi / 2)) ** 2
