"""Profiles: what the columns of a snapshot hold, from one pass; and the first contract that follows from it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from treadle.kernel.vocabulary.datasets import ROW_COLUMNS
from treadle.wire.odcs import Contract, Description, Property, Quality, SchemaObject, TypeOptions

QUANTILES = (0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99)
SET_SIZE = 12
"""A text column of at most so many values is taken for a set."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnProfile:
    """One column: counts, and for numbers and times the least, the greatest and (numbers) quantiles."""

    name: str
    type: str
    nulls: int
    distinct: int
    low: Any = None
    high: Any = None
    mean: float | None = None
    quantiles: Mapping[str, float] | None = None
    values: Sequence[str] | None = None
    """All values of a text column that has few."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """The columns of some rows."""

    rows: int
    columns: Sequence[ColumnProfile]


def profile(frame: pl.LazyFrame) -> Profile:
    """The profile of the rows; the row columns are left out. `distinct` is exact; cost: about one sort a column."""
    schema = {name: dtype for name, dtype in frame.collect_schema().items() if name not in ROW_COLUMNS}
    wanted = [pl.len().alias(" rows")]
    for name, dtype in schema.items():
        wanted += _measures(name, dtype)
    found = frame.select(wanted).collect().row(0, named=True)
    columns = [_column(frame, name, dtype, found) for name, dtype in schema.items()]
    return Profile(rows=found[" rows"], columns=columns)


def _measures(name: str, dtype: pl.DataType) -> list[pl.Expr]:
    value = pl.col(name)
    found = [value.null_count().alias(f"{name} nulls"), value.n_unique().alias(f"{name} distinct")]
    if dtype.is_numeric() or dtype.is_temporal():
        found += [value.min().alias(f"{name} low"), value.max().alias(f"{name} high")]
    if dtype.is_numeric():
        found += [value.mean().alias(f"{name} mean")]
        found += [value.quantile(q).alias(f"{name} q{q}") for q in QUANTILES]
    return found


def _column(frame: pl.LazyFrame, name: str, dtype: pl.DataType, found: Mapping[str, Any]) -> ColumnProfile:
    nulls = found[f"{name} nulls"]
    distinct = found[f"{name} distinct"] - (1 if nulls else 0)
    values = None
    if dtype == pl.String and 0 < distinct <= SET_SIZE:
        values = frame.select(pl.col(name).drop_nulls().unique().sort()).collect().to_series().to_list()
    quantiles = {str(q): found[f"{name} q{q}"] for q in QUANTILES} if dtype.is_numeric() else None
    return ColumnProfile(
        name=name,
        type=str(dtype),
        nulls=nulls,
        distinct=distinct,
        low=found.get(f"{name} low"),
        high=found.get(f"{name} high"),
        mean=found.get(f"{name} mean"),
        quantiles=quantiles if quantiles and quantiles["0.5"] is not None else None,
        values=values,
    )


def first_contract(dataset: str, found: Profile, schema: pl.Schema) -> Contract:
    """A contract to begin with: what holds of these rows today, for a person to widen, tighten and explain."""
    properties = [_property(column, schema[column.name], found.rows) for column in found.columns]
    return Contract(
        id=dataset,
        name=dataset,
        version="0.1.0",
        status="draft",
        description=Description(
            purpose=f"What {dataset} is for.",
            usage=f"Drawn from {found.rows:,} rows. Read every rule: it says what was, not what should be.",
        ),
        schema=[
            SchemaObject(
                name=dataset,
                properties=properties,
                quality=[Quality(metric="rowCount", must_be_greater_than=0, severity="warning")],
            )
        ],
    )


def _property(column: ColumnProfile, dtype: pl.DataType, rows: int) -> Property:
    options, quality = None, None
    if dtype.is_numeric() and column.low is not None:
        options = TypeOptions(minimum=_plain(column.low), maximum=_plain(column.high))
    if column.values:
        quality = [Quality(metric="invalidValues", arguments={"validValues": list(column.values)}, must_be=0)]
    elif column.nulls:
        share = min(100.0, math.ceil(2000 * column.nulls / max(rows, 1)) / 10)  # twice what is there today
        quality = [Quality(metric="nullValues", unit="percent", must_be_less_or_equal_to=share, severity="warning")]
    return Property(
        name=column.name,
        logical_type=_logical(dtype),
        logical_type_options=options,
        required=column.nulls == 0,
        unique=column.distinct == rows > 1 and (dtype == pl.String or dtype.is_integer()),
        quality=quality,
    )


def _logical(dtype: pl.DataType) -> Any:
    if dtype.is_integer():
        return "integer"
    if dtype.is_numeric():
        return "number"
    by_type = {pl.String: "string", pl.Boolean: "boolean", pl.Date: "date"}
    if isinstance(dtype, pl.Datetime):
        return "timestamp"
    if isinstance(dtype, pl.List):
        return "array"
    return "object" if isinstance(dtype, pl.Struct) else by_type.get(dtype.base_type())


def _plain(value: Any) -> float | None:
    return None if value != value else int(value) if float(value).is_integer() else float(value)
