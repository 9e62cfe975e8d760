"""What is remembered of a landing to compare later ones with: some figures a column, taken from its profile."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from treadle.ground.digests import of_json
from treadle.ground.profiling import ColumnProfile, Profile

SHARES = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
FEW_ROWS = 20
"""Below so many rows the columns of a landing say nothing that could be compared."""

_DIGITS = 9


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnFigures:
    """One column of one landing.

    missing: rows without a value, NaN among them. quantiles: nine deciles of numbers. values: how often each frequent
    value came, of columns with few values. length: mean length of texts. latest_at: the greatest time, in seconds.
    """

    type: str
    missing: int
    distinct: int
    is_exact: bool = True
    empty: int = 0
    quantiles: tuple[float, ...] = ()
    values: Mapping[str, int] = field(default_factory=dict)
    length: float | None = None
    length_spread: float = 0.0
    latest_at: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """One landing. `arrived_at` in seconds since 1970. fingerprint: equal for the same rows in any order."""

    rows: int
    arrived_at: float
    columns: Mapping[str, ColumnFigures]
    fingerprint: str = ""


def figures_of(profile: Profile, *, arrived_at: float) -> Figures:
    """The figures of a landing's profile. A landing of no rows has no columns."""
    return Figures(
        rows=profile.rows,
        arrived_at=arrived_at,
        columns={column.name: _column(column) for column in profile.columns} if profile.rows else {},
        fingerprint=fingerprint_of(profile),
    )


def fingerprint_of(profile: Profile) -> str:
    """A digest that the same rows have in any order: counts, distinct values, ranges, means to nine digits."""
    return of_json([profile.rows, sorted(_marks(column) for column in profile.columns)])


def _marks(column: ColumnProfile) -> list[str]:
    found = [column.name, column.type, str(column.nulls), str(column.distinct), str(column.trues)]
    if column.numbers is not None:
        numbers = column.numbers
        found += [
            str(numbers.low),
            str(numbers.high),
            f"{numbers.moments.mean:.{_DIGITS}g}",
            f"{numbers.moments.std:.6g}",
        ]
    if column.texts is not None:
        found += [f"{column.texts.lengths.moments.mean:.{_DIGITS}g}"]
    if column.values is not None and column.values.is_complete:
        found += sorted(f"{value}={count}" for value, count in column.values.pairs())
    return found


def _column(column: ColumnProfile) -> ColumnFigures:
    is_number = column.kind in ("integer", "number", "duration") and column.numbers is not None
    is_time = column.kind in ("date", "time") and column.numbers is not None
    lengths = column.texts.lengths.moments if column.texts is not None else None
    return ColumnFigures(
        type=column.type,
        missing=column.nulls + column.nans,
        distinct=column.distinct,
        is_exact=column.is_exact,
        empty=column.texts.empty if column.texts is not None else 0,
        quantiles=tuple(column.numbers.quantiles(SHARES)) if is_number and column.numbers is not None else (),
        values=_values(column),
        length=lengths.mean if lengths is not None else None,
        length_spread=lengths.std if lengths is not None else 0.0,
        latest_at=float(column.numbers.high) / 1e6 if is_time and column.numbers is not None else None,
    )


def _values(column: ColumnProfile) -> dict[str, int]:
    if column.kind not in ("text", "boolean") or column.values is None:
        return {}
    return {str(value): count for value, count in column.values.pairs()[:32]}
