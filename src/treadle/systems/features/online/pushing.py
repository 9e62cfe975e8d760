"""Live rows as JSON brings them, in the types of the dataset that they land in."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import polars as pl

from treadle.ground.errors import did_you_mean
from treadle.kernel.vocabulary.datasets import ROW_COLUMNS
from treadle.systems.features.errors import MissingColumn
from treadle.systems.features.online.errors import EntityRefused


def rows_of_json(rows: Sequence[Mapping[str, Any]], schema: pl.Schema) -> pl.DataFrame:
    """A frame of the rows; times are ISO 8601 with an offset, decimals and bytes (Base64) are text.

    schema: the columns of the dataset. Raises MissingColumn for a column that it does not have, EntityRefused for a value
    that is none of its type.
    """
    known = {name: dtype for name, dtype in schema.items() if name not in ROW_COLUMNS}
    named = list(dict.fromkeys(name for row in rows for name in row))
    for name in named:
        if name not in known:
            raise MissingColumn(
                f"The dataset has no column {name!r}.",
                why="A live row has the columns of the rows that landed before it.",
                fix=did_you_mean(name, known),
                column=name,
            )
    return pl.DataFrame([_column(name, [row.get(name) for row in rows], known[name]) for name in named])


def _column(name: str, values: list[Any], dtype: pl.DataType) -> pl.Series:
    read = next((read for kind, read in _READERS.items() if isinstance(dtype, kind)), None)
    try:
        if read is not None:
            values = [read(value) if isinstance(value, str) else value for value in values]
        return pl.Series(name, values, dtype=dtype, strict=True)
    except (TypeError, ValueError, ArithmeticError, OverflowError, pl.exceptions.PolarsError) as error:
        raise EntityRefused(
            f"Column {name!r} holds {dtype}, and a row brings something else.",
            why=str(error).splitlines()[0],
            name=name,
        ) from None


_READERS: dict[Any, Callable[[str], Any]] = {
    pl.Datetime: datetime.fromisoformat,
    pl.Date: date.fromisoformat,
    pl.Decimal: Decimal,
    pl.Binary: base64.b64decode,
}
