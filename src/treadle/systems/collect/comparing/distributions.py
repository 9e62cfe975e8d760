"""How far the values of each column have moved between two snapshots, told from their profiles.

Numbers and times are counted in tenths of the values before, categories by name, nulls in a bin of their own; over those
counts stands the population stability index, whose readings (0.1, 0.25) are the ones that practice knows. A profile keeps a
few hundred points of a column (`ground/profiling`), so counts are good to a thousandth of the rows or so, and exact where a column
has few values. What a profile withholds, since it may be somebody's, is not shown here either.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np

from treadle.ground.profiling import ColumnProfile, Profile
from treadle.ground.stats import population_stability
from treadle.kernel.vocabulary.datasets import Snapshot
from treadle.systems.collect.comparing.records import ColumnDiff, Kind, Reading, Values

_TENTHS = [n / 10 for n in range(1, 10)]
_QUARTERS = (0.0, 0.25, 0.5, 0.75, 1.0)
_CATEGORIES = 20
_MOSTLY = 0.5
"""Where more than this share of the values are distinct, they name rows and are no categories."""
_KINDS: dict[str, Kind] = {
    "integer": "number", "number": "number", "duration": "number", "date": "time", "time": "time", "boolean": "category",
}  # fmt: skip
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def compared(before: Snapshot, after: Snapshot, old: Profile, new: Profile) -> list[ColumnDiff]:
    """Every column that both sides have in one type, in the order of the second."""
    types = {column.name: column.type for column in before.columns}
    names = {column.name for column in after.columns if types.get(column.name) == column.type}
    was = {column.name: column for column in old.columns}
    return [
        _column(was[column.name], column, old.rows, new.rows)
        for column in new.columns
        if column.name in was and column.name.partition(".")[0] in names
    ]


def _column(old: ColumnProfile, new: ColumnProfile, rows_before: int, rows_after: int) -> ColumnDiff:
    kind = _kind(old, new, rows_before, rows_after)
    stability, bins = _stability(kind, old, new, rows_before, rows_after)
    return ColumnDiff(
        name=new.name,
        kind=kind,
        before=_values(kind, old, rows_before),
        after=_values(kind, new, rows_after),
        stability=stability,
        reading=_reading(stability, bins, rows_before, rows_after),
    )


def _kind(old: ColumnProfile, new: ColumnProfile, rows_before: int, rows_after: int) -> Kind:
    known = old if old.kind != "null" else new
    if known.kind == "text":
        is_text = _names_rows(old, rows_before) or _names_rows(new, rows_after)
        return "text" if is_text else "category"
    return _KINDS.get(known.kind, "other")


def _names_rows(column: ColumnProfile, rows: int) -> bool:
    present = rows - column.nulls
    return column.is_withheld or (column.distinct > _CATEGORIES and column.distinct > _MOSTLY * present)


def _values(kind: Kind, column: ColumnProfile, rows: int) -> Values:
    share = column.nulls / rows if rows else 0.0
    if kind in ("number", "time") and column.numbers is not None:
        mean = _said(column, column.numbers.moments.mean) if kind == "number" else None
        quantiles = [_said(column, value) for value in column.numbers.quantiles(_QUARTERS)]
        return Values(rows=rows, null_share=share, mean=None if mean is None else float(mean), quantiles=quantiles)
    if kind in ("category", "text") and column.nulls < rows:
        counts = list(_counts(column, rows).items()) if kind == "category" else []
        shares = {name: count / rows for name, count in counts[:_CATEGORIES]}
        return Values(rows=rows, null_share=share, distinct=column.distinct, shares=shares)
    return Values(rows=rows, null_share=share)


def _stability(
    kind: Kind, old: ColumnProfile, new: ColumnProfile, rows_before: int, rows_after: int
) -> tuple[float | None, int]:
    """The index and the number of its bins; None where there is nothing to count."""
    if not rows_before or not rows_after:
        return None, 0
    if kind in ("number", "time"):
        edges = np.unique(old.numbers.quantiles(_TENTHS)) if old.numbers is not None else np.empty(0)
        left, right = _in_tenths(old, edges, rows_before), _in_tenths(new, edges, rows_after)
    elif kind == "category":
        left, right = _in_categories(_counts(old, rows_before), _counts(new, rows_after), rows_before, rows_after)
    else:
        left, right = [float(rows_before - old.nulls)], [float(rows_after - new.nulls)]
    counts = np.array([[*left, old.nulls], [*right, new.nulls]], dtype=np.float64)
    counts = counts[:, counts.sum(axis=0) > 0]
    return round(float(population_stability(counts[0], counts[1])), 6), counts.shape[1]


def _in_tenths(column: ColumnProfile, edges: np.ndarray[Any, np.dtype[np.float64]], rows: int) -> list[float]:
    """Finite values up to each edge and beyond the last, then those that are no finite number."""
    if column.numbers is None:
        return [0.0] * (len(edges) + 1) + [float(rows - column.nulls)]
    n = column.numbers.n
    reached = column.numbers.ranks(edges) * n if len(edges) else np.empty(0)
    return [*np.diff(np.array([0.0, *reached, n])).clip(0).tolist(), float(rows - column.nulls - n)]


def _counts(column: ColumnProfile, rows: int) -> dict[str, int]:
    """How often each known value occurs, the most frequent first."""
    if column.kind == "boolean":
        found = {"true": column.trues, "false": rows - column.nulls - column.trues}
        return {name: count for name, count in found.items() if count}
    return {} if column.values is None else {str(value): count for value, count in column.values.pairs()}


def _in_categories(
    left: dict[str, int], right: dict[str, int], rows_before: int, rows_after: int
) -> tuple[list[float], list[float]]:
    together = {name: left.get(name, 0) / rows_before + right.get(name, 0) / rows_after for name in {**left, **right}}
    names = sorted(together, key=lambda name: (-together[name], name))[:_CATEGORIES]
    return tuple([*(float(side.get(n, 0)) for n in names), float(sum(side.values()) - sum(side.get(n, 0) for n in names))] for side in (left, right))  # type: ignore[return-value]  # fmt: skip


def _reading(stability: float | None, bins: int, before: int, after: int) -> Reading:
    if stability is None:
        return "not measured"
    if (bins - 1) * (1 / before + 1 / after) > 0.1:
        return "too few rows"
    return "alike" if stability < 0.1 else "moved" if stability <= 0.25 else "far apart"


def _said(column: ColumnProfile, value: float) -> Any:
    """A value as people write it: a time for microseconds, a whole number of an integer."""
    if column.kind == "date":
        return (_EPOCH + timedelta(microseconds=value)).date().isoformat()
    if column.kind == "time":
        return (_EPOCH + timedelta(microseconds=value)).isoformat()
    if column.kind == "duration":
        return value / 1e6
    return int(value) if column.kind == "integer" and float(value).is_integer() else value
