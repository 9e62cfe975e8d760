"""Columns as the joins need them: times as whole microseconds, rows in landing order.

Lives apart because the point-in-time join and the windows must agree on it to the last microsecond: a moment that is
rounded down in one and up in the other is a look into the future.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

import polars as pl

from treadle.ground.errors import did_you_mean
from treadle.kernel.vocabulary.datasets import LANDING, ROW
from treadle.systems.features.errors import MissingColumn, TimeWithoutZone

FARTHEST = 1 << 61
"""Microseconds from 1970 that a time or a span may reach (73,000 years): sums of two never overflow."""


def require(frame: pl.DataFrame, columns: Sequence[str], of: str) -> None:
    """Nothing, or MissingColumn that names the first absent column and its likely spelling."""
    for column in columns:
        if column not in frame.columns:
            raise MissingColumn(
                f"{of} has no column {column!r}.", fix=did_you_mean(column, frame.columns), column=column
            )


def moments(frame: pl.DataFrame, column: str, of: str, *, up: bool) -> pl.Series:
    """A time column as Int64 microseconds since 1970 UTC; nulls stay null.

    up: nanoseconds are rounded up (for what becomes known) or down (for the moment that asks), so that rounding can
    hide a value for less than a microsecond and never reveal one.
    Raises MissingColumn, TimeWithoutZone.
    """
    require(frame, [column], of)
    series = frame[column]
    dtype = series.dtype
    if not isinstance(dtype, pl.Datetime) or dtype.time_zone is None:
        raise TimeWithoutZone(
            f"Column {column!r} of {of} holds {dtype}, which is no moment in time.",
            why="Whether a value was known by then can only be decided between times with a zone.",
            fix=f'Make it one, for example: pl.col("{column}").cast(pl.Datetime("us")).dt.replace_time_zone("UTC")',
            column=column,
            dtype=str(dtype),
        )
    ticks = series.to_physical()
    if dtype.time_unit == "ns":
        ticks = -((-ticks) // 1000) if up else ticks // 1000
    elif dtype.time_unit == "ms":
        _in_range(ticks, FARTHEST // 1000, column, of)
        ticks = ticks * 1000
    _in_range(ticks, FARTHEST, column, of)
    return ticks.rename(column)


def _in_range(ticks: pl.Series, limit: int, column: str, of: str) -> None:
    beyond = int((ticks.abs() > limit).sum())
    if beyond:
        raise TimeWithoutZone(
            f"Column {column!r} of {of} holds {beyond} times more than 73,000 years from 1970.",
            why="They are mistakes of a unit, most likely: seconds read as something else.",
            fix="Mend or drop these rows before they reach a feature view; a contract's range rule finds them.",
            column=column,
        )


def micros(span: timedelta) -> int:
    """A span as whole microseconds."""
    return span // timedelta(microseconds=1)


def landing_order(rows: pl.DataFrame) -> pl.Series:
    """For each row, an Int64 that rises in the order of landing: by `_landing`, then `_row`; by position without them.

    A snapshot's files come in any order after a compaction, so position alone would make ties depend on storage.
    """
    if LANDING not in rows.columns or ROW not in rows.columns:
        return pl.int_range(len(rows), dtype=pl.Int64, eager=True)
    if _is_in_landing_order(rows[LANDING], rows[ROW]):
        return pl.int_range(len(rows), dtype=pl.Int64, eager=True)
    landings = rows[LANDING].unique().sort()
    ranks = pl.DataFrame({LANDING: landings}).with_row_index("rank")
    found = rows.select(LANDING).join(ranks, on=LANDING, how="left", maintain_order="left", nulls_equal=True)
    return found["rank"].cast(pl.Int64) * (1 << 40) + rows[ROW].cast(pl.Int64).fill_null(0)


def _is_in_landing_order(landing: pl.Series, row: pl.Series) -> bool:
    if landing.null_count() or row.null_count():
        return False
    earlier = landing.shift(1)
    return bool(((landing > earlier) | ((landing == earlier) & (row > row.shift(1))))[1:].all())
