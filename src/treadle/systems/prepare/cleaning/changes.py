"""The log of a cleaning: every cell and row that each step has touched, enough to take all of it back.

Rows are known by their position in what was cleaned; `ids` says which row ids stood there, in runs. A cell is in the log
where its old value is not simply the new one in the old type, so a cast of `12` to 12 costs nothing and one of ` 012`
keeps the text. Rows that a step removed are kept whole, as they stood before it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import polars as pl

from treadle.kernel.vocabulary.datasets import LANDING, ROW, RowId

AT = " at"
RULES = " rules"
DROPPED, QUARANTINED, REFUSED = "dropped", "quarantined", "refused"


@dataclass(frozen=True, slots=True)
class Cells:
    """What one step made of one column: `rows` has ` at`, `before` and `after`, each in its own type."""

    step: int
    column: str
    rows: pl.DataFrame


@dataclass(frozen=True, slots=True)
class Removed:
    """Rows that left: dropped by a step, or, at the end, quarantined by a step or refused by a rule."""

    step: int
    to: str
    rows: pl.DataFrame


@dataclass(slots=True)
class Changes:
    """A log, as it is written and when it is read. `steps` are their names; `added` the columns that steps have added."""

    steps: list[str]
    columns: list[str] = field(default_factory=list)
    rows: int = 0
    cells: list[Cells] = field(default_factory=list)
    removed: list[Removed] = field(default_factory=list)
    added: dict[int, list[str]] = field(default_factory=dict)
    ids: list[pl.DataFrame] = field(default_factory=list)
    fitted: dict[str, dict[str, Any]] = field(default_factory=dict)

    # Writing

    def begin(self, frame: pl.DataFrame) -> pl.DataFrame:
        """Takes the next rows of what is cleaned, and numbers them."""
        self.columns = self.columns or frame.columns
        if LANDING in frame.columns and ROW in frame.columns:
            self.ids.append(_runs(frame, self.rows))
        at = pl.int_range(self.rows, self.rows + frame.height, dtype=pl.Int64, eager=True).alias(AT)
        self.rows += frame.height
        return frame.with_columns(at)

    def changed(self, step: int, name: str, at: pl.Series, before: pl.Series, after: pl.Series) -> None:
        """Notes the cells of a column that are not what they were."""
        where = different(before, after)
        rows = pl.DataFrame([at.alias(AT), before.alias("before"), after.alias("after")]).filter(where)
        self.cells.append(Cells(step, name, rows))

    def removes(self, step: int, to: str, rows: pl.DataFrame) -> None:
        """Notes rows that leave."""
        if rows.height:
            self.removed.append(Removed(step, to, rows))

    def end(self) -> None:
        """Draws together what the batches have left."""
        grouped: dict[tuple[int, str], list[pl.DataFrame]] = {}
        for cells in self.cells:
            grouped.setdefault((cells.step, cells.column), []).append(cells.rows)
        self.cells = [Cells(step, name, pl.concat(parts)) for (step, name), parts in sorted(grouped.items())]
        gone: dict[tuple[int, str], list[pl.DataFrame]] = {}
        for removed in self.removed:
            gone.setdefault((removed.step, removed.to), []).append(removed.rows)
        self.removed = [Removed(step, to, pl.concat(parts)) for (step, to), parts in gone.items()]
        self.ids = [pl.concat(self.ids)] if self.ids else []

    # Reading

    def restored(self, cleaned: pl.DataFrame) -> pl.DataFrame:
        """What was cleaned, out of what came of it: the same rows, columns, types and order.

        cleaned: the rows that were kept, in their order, whether or not further rows were added below them.
        """
        gone = pl.concat([removed.rows.select(AT) for removed in self.removed]) if self.removed else _NOWHERE
        kept = pl.DataFrame({AT: pl.int_range(self.rows, dtype=pl.Int64, eager=True)}).join(gone, on=AT, how="anti")
        frame = cleaned.head(kept.height).with_columns(kept[AT]) if self.columns else cleaned
        for step in range(len(self.steps), -1, -1):
            frame = self._before(step, frame)
        return frame.sort(AT).select(self.columns)

    def _before(self, step: int, frame: pl.DataFrame) -> pl.DataFrame:
        frame = frame.drop(self.added.get(step, ()), strict=False)
        for cells in self.cells:
            if cells.step == step:
                frame = _put_back(frame, cells)
        back = [removed.rows.select(frame.columns) for removed in self.removed if removed.step == step]
        return pl.concat([frame, *(rows.cast(frame.schema) for rows in back)]) if back else frame

    def at(self, row: RowId) -> int | None:
        """The position of a row, or None when it was not among those that were cleaned."""
        for runs in self.ids:
            inside = (pl.col(ROW) <= row.row) & (row.row < pl.col(ROW) + pl.col("count"))
            found = runs.filter((pl.col(LANDING) == row.landing) & inside)
            if found.height:
                run = found.row(0, named=True)
                return int(run[AT] + row.row - run[ROW])
        return None

    def named(self, rows: pl.DataFrame, at: str = AT, into: str = "row") -> pl.DataFrame:
        """The rows with the id of each (its position, where rows have no ids) as text in the column `into`."""
        if not self.ids:
            return rows.with_columns(pl.col(at).cast(pl.String).alias(into))
        runs = self.ids[0].select(pl.col(AT).alias(" from"), pl.col(LANDING).alias(" l"), pl.col(ROW).alias(" r"))
        found = (
            rows.with_row_index(" place").sort(at).join_asof(runs, left_on=at, right_on=" from", strategy="backward")
        )
        number = (pl.col(" r") + pl.col(at) - pl.col(" from")).cast(pl.String)
        text = pl.concat_str(" l", pl.lit(":"), number)
        return found.rechunk().with_columns(text.alias(into)).sort(" place").drop(" place", " from", " l", " r")


def different(before: pl.Series, after: pl.Series) -> pl.Series:
    """Where `before` is not `after` read in the type of `before`: another value, another zero, or no value."""
    back = _back(after, before.dtype)
    apart = before.ne_missing(back)
    if before.dtype.is_float():
        zero = ((before == 0) & (back == 0)).fill_null(False)
        apart = apart | (zero & ((1 / before) != (1 / back)).fill_null(False))
    return apart


def _back(series: pl.Series, dtype: pl.DataType) -> pl.Series:
    if series.dtype == dtype:
        return series
    if series.dtype.is_float() and dtype == pl.String:
        return _as_people_write(series)
    try:
        return series.cast(dtype, strict=False)
    except pl.exceptions.PolarsError:  # types without a way back: every value is in the log
        return pl.Series(series.name, [None] * series.len(), dtype=dtype)


def _as_people_write(series: pl.Series) -> pl.Series:
    """Numbers as text, whole ones without a point: what a column of numbers in a file mostly says."""
    number = pl.col(series.name)
    whole = (number.abs() < _MOST_WHOLE) & (number == number.round())
    text = pl.when(whole).then(number.cast(pl.Int64, strict=False).cast(pl.String)).otherwise(number.cast(pl.String))
    return series.to_frame().select(text).to_series()


def _put_back(frame: pl.DataFrame, cells: Cells) -> pl.DataFrame:
    dtype = cells.rows.schema["before"]
    column = _back(frame[cells.column], dtype)
    if cells.rows.height == 0:
        return frame.with_columns(column.alias(cells.column))
    known = cells.rows.select(AT, pl.col("before").alias(" before"), pl.lit(True).alias(" known"))
    joined = frame.select(AT).with_columns(column.alias(" now")).join(known, on=AT, how="left", maintain_order="left")
    value = joined.select(pl.when(pl.col(" known")).then(pl.col(" before")).otherwise(pl.col(" now"))).to_series()
    return frame.with_columns(value.alias(cells.column))


def _runs(frame: pl.DataFrame, first: int) -> pl.DataFrame:
    """The row ids of a frame in runs: ` at`, `_landing`, `_row` of the first, and how many follow one another."""
    numbered = frame.select(pl.int_range(first, first + pl.len(), dtype=pl.Int64).alias(AT), LANDING, ROW)
    breaks = (pl.col(LANDING) != pl.col(LANDING).shift()) | (pl.col(ROW) != pl.col(ROW).shift() + 1)
    starts = numbered.filter(breaks.fill_null(True))
    following = pl.col(AT).shift(-1).fill_null(first + frame.height)
    return starts.with_columns((following - pl.col(AT)).alias("count"))


_MOST_WHOLE = 2.0**53
_NOWHERE = pl.DataFrame(schema={AT: pl.Int64})


def as_value(changes: Changes) -> dict[str, Any]:
    """The log as a value that artifacts can keep."""
    return {
        "log": "treadle.cleaning.v1",
        "steps": list(changes.steps),
        "columns": list(changes.columns),
        "rows": changes.rows,
        "cells": [{"step": one.step, "column": one.column, "rows": one.rows} for one in changes.cells],
        "removed": [{"step": one.step, "to": one.to, "rows": one.rows} for one in changes.removed],
        "added": [{"step": step, "columns": list(names)} for step, names in sorted(changes.added.items())],
        "ids": list(changes.ids),
        "fitted": changes.fitted,
    }


def from_value(value: Mapping[str, Any]) -> Changes:
    """The log that a value holds."""
    return Changes(
        steps=list(value["steps"]),
        columns=list(value["columns"]),
        rows=value["rows"],
        cells=[Cells(one["step"], one["column"], one["rows"]) for one in value["cells"]],
        removed=[Removed(one["step"], one["to"], one["rows"]) for one in value["removed"]],
        added={one["step"]: list(one["columns"]) for one in value["added"]},
        ids=list(value["ids"]),
        fitted=value["fitted"],
    )
