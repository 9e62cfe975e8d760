"""Columns from rows of Python values, as the drivers that know no Arrow hand them over.

A column has one type when its values have one. Where they have not, it is text, and the landing decides row by row what fits:
nothing is bent to null on the way.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

import polars as pl
from polars.exceptions import PolarsError

_EXACT_FLOAT = 1 << 53
_KINDS: dict[type, pl.DataType] = {
    int: pl.Int64(),
    float: pl.Float64(),
    bool: pl.Boolean(),
    str: pl.String(),
    bytes: pl.Binary(),
    datetime: pl.Datetime("us"),
    date: pl.Date(),
}


def frame_of_rows(
    names: Sequence[str], rows: Sequence[Sequence[Any]], types: dict[str, pl.DataType] | None = None
) -> pl.DataFrame:
    """The rows as a frame. types: what columns are known to be; the values of others say it."""
    known = types or {}
    columns = zip(*rows, strict=True) if rows else ([] for _ in names)
    return pl.DataFrame([column_of(name, values, known.get(name)) for name, values in zip(names, columns, strict=True)])


def column_of(name: str, values: Sequence[Any], known: pl.DataType | None = None) -> pl.Series:
    """The values as a column of `known`, or of the one type that they have, or of text."""
    wanted = known or _type_of(values)
    if wanted is not None:
        try:
            return pl.Series(name, values, dtype=wanted, strict=True)
        except (PolarsError, TypeError, OverflowError, ValueError):
            pass
    return pl.Series(name, [None if value is None else _text(value) for value in values], dtype=pl.String)


def _type_of(values: Sequence[Any]) -> pl.DataType | None:
    kinds = set(map(type, values)) - {type(None)}
    if not kinds:
        return pl.Null()
    if kinds == {int, float}:
        whole = all(abs(value) <= _EXACT_FLOAT for value in values if type(value) is int)
        return pl.Float64() if whole else None
    if kinds == {Decimal}:
        scale = max(-int(value.as_tuple().exponent) for value in values if value is not None and value.is_finite())
        return pl.Decimal(38, max(scale, 0))
    return _KINDS.get(kinds.pop()) if len(kinds) == 1 else None


def _text(value: Any) -> str:
    if isinstance(value, bytes):
        return value.decode("utf-8", "backslashreplace")
    if isinstance(value, timedelta):
        seconds = value.total_seconds()
        sign, seconds = ("-", -seconds) if seconds < 0 else ("", seconds)
        return f"{sign}{int(seconds) // 3600:02}:{int(seconds) // 60 % 60:02}:{seconds % 60:09.6f}"
    return value.isoformat() if isinstance(value, datetime | date) else str(value)
