"""Values of PostgreSQL from the text that its output functions write, typed by the column's number and modifier.

What does not parse (`infinity`, a date before Christ, NaN in a decimal) leaves its column text, and the landing says row by row
what fits the dataset: nothing becomes null on the way.
"""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from treadle.wire.pgoutput import ColumnType

_INTEGERS = {21: pl.Int16(), 23: pl.Int32(), 20: pl.Int64(), 26: pl.Int64()}
_BOOLEAN, _BYTES, _NUMERIC, _DATE, _TIMESTAMP, _TIMESTAMPTZ = 16, 17, 1700, 1082, 1114, 1184
_FLOATS = {700: pl.Float32(), 701: pl.Float64()}


def column_of(column: ColumnType, values: Sequence[str | None]) -> pl.Series:
    """The values of a column, typed where every one of them is of its type."""
    text = pl.Series(column.name, values, dtype=pl.String)
    typed = _typed(column, text)
    return text if typed is None or typed.null_count() != text.null_count() else typed.rename(column.name)


def _typed(column: ColumnType, text: pl.Series) -> pl.Series | None:
    kind = column.type
    if kind in _INTEGERS:
        return text.cast(_INTEGERS[kind], strict=False)
    if kind in _FLOATS:
        return text.str.replace("Infinity", "inf").cast(_FLOATS[kind], strict=False)
    if kind == _BOOLEAN:
        truth = pl.DataFrame({"text": text}).select(
            pl.when(pl.col("text").is_in(["t", "true"]))
            .then(True)
            .when(pl.col("text").is_in(["f", "false"]))
            .then(False)
        )
        return truth.to_series()
    if kind == _NUMERIC:
        return text.cast(_decimal(column.modifier), strict=False)
    if kind == _DATE:
        return text.str.to_date("%Y-%m-%d", strict=False)
    if kind == _TIMESTAMP:
        return text.str.to_datetime("%Y-%m-%d %H:%M:%S%.f", time_unit="us", strict=False)
    if kind == _TIMESTAMPTZ:  # the session is in UTC
        moments = text.str.strip_suffix("+00").str.to_datetime("%Y-%m-%d %H:%M:%S%.f", time_unit="us", strict=False)
        return moments.dt.replace_time_zone("UTC")
    if kind == _BYTES:
        return text.str.strip_prefix("\\x").str.decode("hex", strict=False)
    return None


def _decimal(modifier: int) -> pl.DataType:
    if modifier < 4:
        return pl.Float64()
    precision, scale = (modifier - 4) >> 16 & 0xFFFF, (modifier - 4) & 0x7FF
    return pl.Decimal(precision, scale) if precision <= 38 and scale <= precision else pl.Float64()
