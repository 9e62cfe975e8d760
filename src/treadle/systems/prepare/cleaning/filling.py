"""Filling in what is missing: constants, values fitted on rows, and the previous value of the same key.

What was fitted is a fact of the cleaning and is recorded, so that the same cleaning fills in the same values again.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import polars as pl
from polars.exceptions import PolarsError

from treadle.systems.prepare.cleaning.steps import Fill
from treadle.systems.prepare.errors import CleaningRefused


def fitted(step: Fill, rows: pl.LazyFrame) -> dict[str, Any]:
    """The value that each column of the step is filled with. `rows` are those it is fitted on; a constant needs none.

    Of several modes the least counts. A column without any value is filled with nothing. Raises CleaningRefused.
    """
    if step.fit is None:
        return dict.fromkeys(step.columns, step.value)
    try:
        wanted = [_statistic(step.fit, pl.col(name)).alias(name) for name in step.columns]
        return rows.select(wanted).collect().row(0, named=True)
    except PolarsError as error:
        raise CleaningRefused(
            f"A {step.fit} of {', '.join(step.columns)} cannot be had.", why=str(error).splitlines()[0]
        ) from error


def _statistic(fit: str, column: pl.Expr) -> pl.Expr:
    return {"mean": column.mean, "median": column.median, "mode": column.drop_nulls().mode().min}[fit]()


def filled(values: Mapping[str, Any], schema: pl.Schema) -> list[pl.Expr]:
    """The columns with their values filled in, in their own types: whole columns get whole numbers. Raises CleaningRefused."""
    found = []
    for name, value in values.items():
        dtype = schema[name]
        whole = round(value) if dtype.is_integer() and isinstance(value, float) else value
        try:
            literal = pl.Series([whole]).cast(dtype)[0]
        except (PolarsError, TypeError) as error:
            raise CleaningRefused(
                f"{name}: {value!r} is no value of a column of {dtype}.", fix="Give a value in the column's type."
            ) from error
        found.append(pl.col(name).fill_null(pl.lit(literal, dtype)))
    return found


def previous(step: Fill, rows: pl.DataFrame, at: str) -> pl.DataFrame:
    """Columns `at` and those of the step, where a value was missing and an earlier one of the same key is there.

    rows: with `at`, the position of each row. Earlier means a lesser `time`: of two rows at the same moment neither sees
    the other, and a row without a time or a key is not filled. Nothing later is ever looked at.
    """
    assert step.time is not None
    keys = step.by or [_ONE]
    known = rows.with_columns(pl.lit(0).alias(_ONE)).drop_nulls([*step.by, step.time]).sort(step.time)
    found = rows.select(at)
    for name in step.columns:
        sources = known.select(*keys, pl.col(step.time).alias(_SINCE), name).drop_nulls(name)
        asked = known.filter(pl.col(name).is_null()).select(at, *keys, step.time)
        answered = asked.join_asof(
            sources,
            left_on=step.time,
            right_on=_SINCE,
            by=keys,
            strategy="backward",
            allow_exact_matches=False,
            check_sortedness=False,
        )
        if step.within_s is not None:
            age = pl.col(step.time) - pl.col(_SINCE)
            near = (
                age <= timedelta(seconds=step.within_s)
                if rows.schema[step.time].is_temporal()
                else age <= step.within_s
            )
            answered = answered.filter(near)
        found = found.join(answered.drop_nulls(name).select(at, name), on=at, how="left", maintain_order="left")
    return found


_ONE, _SINCE = " one", " since"
