"""What refused rows become before they are judged again: read anew from their text, and mended.

A row that did not fit its columns is known by its text alone. What of it fits is read; what does not, and is not mended,
keeps the row held.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl
from polars.exceptions import PolarsError

from treadle.kernel.vocabulary.datasets import LANDING, ROW, ROW_COLUMNS, RowId
from treadle.systems.prepare.cleaning.declared import Declared
from treadle.systems.prepare.cleaning.program import cleaned
from treadle.systems.prepare.cleaning.steps import Drop, Duplicates, Fill, Similar
from treadle.systems.prepare.errors import MendRefused
from treadle.systems.prepare.row_sql import expression
from treadle.systems.prepare.selecting import RAW

Types = Mapping[str, pl.DataType]


@dataclass(frozen=True, slots=True, kw_only=True)
class Mended:
    """Rows in the types of their dataset. unfit: which of them still say something that does not fit."""

    rows: pl.DataFrame
    unfit: pl.Series


class Mending:
    """The mending of some refused rows. Each method answers the next state, so the order of mends is theirs."""

    def __init__(self, dataset: str, refused: pl.DataFrame, types: Types) -> None:
        self._dataset, self._types = dataset, dict(types)
        texts = [_said(raw) for raw in refused[RAW]]
        self._rows = refused.select(
            pl.col(name).cast(dtype) if name in refused.columns else pl.lit(None, dtype).alias(name)
            for name, dtype in self._types.items()
        )
        self._unread = {name: pl.repeat(False, refused.height, dtype=pl.Boolean, eager=True) for name in self._types}
        self._lines = pl.Series([said is None for said in texts], dtype=pl.Boolean)
        self._touched = pl.repeat(False, refused.height, dtype=pl.Boolean, eager=True)
        self._texts: dict[str, pl.Series] = {}
        for name, dtype in self._types.items():
            if name not in ROW_COLUMNS and any(said and name in said for said in texts):
                self._read(name, dtype, texts)

    def done(self) -> Mended:
        """What came of it."""
        lost = self._lines & ~self._touched
        unfit = pl.DataFrame({"lines": lost, **self._unread}).select(pl.any_horizontal(pl.all())).to_series()
        return Mended(rows=self._rows, unfit=unfit)

    def by_row(self, mends: Mapping[str, Mapping[str, Any]]) -> None:
        """New values by row id and column. Raises MendRefused for a column that is not there, or a value that does not fit."""
        by_column: dict[str, list[tuple[str, int, Any]]] = {}
        for row, values in mends.items():
            id = RowId.parse(row)
            for name, value in values.items():
                by_column.setdefault(name, []).append((id.landing, id.row, value))
        for name, cells in by_column.items():
            self._check(name)
            ids = {LANDING: [cell[0] for cell in cells], ROW: [cell[1] for cell in cells]}
            new = pl.DataFrame(ids, schema={LANDING: pl.String, ROW: pl.Int64})
            typed = self._typed(name, [cell[2] for cell in cells])
            new = new.with_columns(typed.alias(" new"), pl.lit(True).alias(" hit"))
            met = self._rows.select(ROW_COLUMNS).join(new, on=ROW_COLUMNS, how="left", maintain_order="left")
            self._put(name, met[" new"], met[" hit"].fill_null(False))

    def everywhere(self, values: Mapping[str, Any]) -> None:
        """The same new values in all rows. Raises MendRefused."""
        for name, value in values.items():
            self._check(name)
            whole = pl.repeat(True, self._rows.height, dtype=pl.Boolean, eager=True)
            self._put(name, self._typed(name, [value]).new_from_index(0, self._rows.height), whole)

    def by_expression(self, sets: Mapping[str, str]) -> None:
        """New values computed from each row's own, in SQL: `{"cups": "abs(cups)"}`. Raises MendRefused, CleaningRefused."""
        schema = pl.Schema({name: dtype for name, dtype in self._types.items() if name not in ROW_COLUMNS})
        whole = pl.repeat(True, self._rows.height, dtype=pl.Boolean, eager=True)
        for name, text in sets.items():
            self._check(name)
            try:
                value = self._rows.with_columns(expression(text, schema).cast(self._types[name]).alias(name))[name]
            except PolarsError as error:
                raise self._misfit(name, str(error).splitlines()[0]) from error
            self._put(name, value, whole)

    def by_cleaning(self, steps: Sequence[Declared]) -> None:
        """The values that a contract's steps make of each row by itself; a step that looks at other rows is left out.

        What could not be read is given to the steps as the text that it is.
        """
        alone = [one for one in steps if _is_by_row(one)]
        frame = self._rows.drop(ROW_COLUMNS).with_columns(
            text.alias(name) for name, text in self._texts.items() if self._unread[name].any()
        )
        rows = frame.with_row_index(" place")
        kept, held, _ = cleaned([rows], alone)
        back = pl.concat([kept, held.select(kept.columns)]).sort(" place")
        for name in dict.fromkeys(name for one in alone for name in one.step.columns if name in self._types):
            try:
                value = back[name].cast(self._types[name])
            except PolarsError as error:
                raise self._misfit(name, str(error).splitlines()[0]) from error
            self._put(name, value, value.is_not_null() | ~self._unread[name])

    # Inside

    def _read(self, name: str, dtype: pl.DataType, texts: Sequence[Mapping[str, Any] | None]) -> None:
        said = [None if not one else one.get(name) for one in texts]
        given = pl.Series([name in (one or {}) for one in texts], dtype=pl.Boolean)
        text = pl.Series([_as_text(value) for value in said], dtype=pl.String)
        value = _read_text(text, dtype)
        self._texts[name] = pl.select(pl.when(given).then(text).otherwise(_texts_of(self._rows[name]))).to_series()
        self._rows = self._rows.with_columns(
            pl.select(pl.when(given).then(value).otherwise(self._rows[name])).to_series().alias(name)
        )
        self._unread[name] = text.is_not_null() & value.is_null()

    def _put(self, name: str, value: pl.Series, where: pl.Series) -> None:
        self._rows = self._rows.with_columns(
            pl.select(pl.when(where).then(value).otherwise(self._rows[name])).to_series().alias(name)
        )
        self._unread[name] = self._unread[name] & ~where
        self._touched = self._touched | where

    def _check(self, name: str) -> None:
        if name not in self._types or name in ROW_COLUMNS:
            raise MendRefused(
                f"The dataset {self._dataset!r} has no column {name!r} to mend.", columns=sorted(self._types)
            )

    def _typed(self, name: str, values: Sequence[Any]) -> pl.Series:
        try:
            return pl.Series(name, values).cast(self._types[name])
        except (PolarsError, TypeError) as error:
            raise self._misfit(name, str(error).splitlines()[0]) from error

    def _misfit(self, name: str, why: str) -> MendRefused:
        return MendRefused(
            f"A value does not fit its column {name!r} in {self._dataset!r}.",
            why=why,
            fix="Give the value in the column's type.",
            column=name,
        )


def _is_by_row(one: Declared) -> bool:
    step = one.step
    if isinstance(step, Drop | Duplicates | Similar):
        return False
    return not (isinstance(step, Fill) and step.fit is not None)


def _said(raw: str | None) -> dict[str, Any] | None:
    """The values of a row that did not fit its columns; None for a line that never was a row."""
    if raw is None:
        return {}
    if not raw.startswith("{"):
        return None
    value = json.loads(raw)
    return value if isinstance(value, dict) else None


def _as_text(value: Any) -> str | None:
    return value if value is None or isinstance(value, str) else json.dumps(value)


def _texts_of(values: pl.Series) -> pl.Series:
    try:
        return values.cast(pl.String)
    except PolarsError:
        return pl.Series([_as_text(value) for value in values], dtype=pl.String)


def _read_text(text: pl.Series, dtype: pl.DataType) -> pl.Series:
    """Text in the type of a column; null where it says nothing of that type."""
    column = pl.col(text.name)
    if dtype == pl.String:
        value = column
    elif dtype == pl.Boolean:
        lower = column.str.to_lowercase()
        value = pl.when(lower == "true").then(True).when(lower == "false").then(False)
    elif isinstance(dtype, pl.Datetime):
        value = column.str.to_datetime(time_unit="us", time_zone=dtype.time_zone, strict=False)
    elif dtype == pl.Date:
        value = column.str.to_date("%Y-%m-%d", strict=False)
    elif dtype.is_numeric():
        value = column.cast(dtype, strict=False)
    else:
        value = pl.lit(None, dtype)
    return text.to_frame().with_columns(value.alias(text.name)).to_series()
