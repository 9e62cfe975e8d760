"""Columns: what an open table can hold, how a frame becomes that, and how a dataset's columns may grow.

Types are named as the Delta protocol names them (`long`, `string`, `timestamp`, …), nested ones as its JSON. A column may
be added; a value may be widened without loss (`integer` into `long`, whole doubles into `long`); what does not fit is
never bent. `void` is a column that has had no value yet: its type is decided by the first value that comes.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl

from treadle.kernel.vocabulary.datasets import LANDING, ROW, ROW_COLUMNS, Column
from treadle.systems.collect.errors import ColumnNameRefused, TypeNotStorable

VOID = "void"

ROW_TYPES = (Column(name=LANDING, type="string"), Column(name=ROW, type="long"))

_PRIMITIVE: dict[str, pl.DataType] = {
    "string": pl.String(),
    "byte": pl.Int8(),
    "short": pl.Int16(),
    "integer": pl.Int32(),
    "long": pl.Int64(),
    "float": pl.Float32(),
    "double": pl.Float64(),
    "boolean": pl.Boolean(),
    "binary": pl.Binary(),
    "date": pl.Date(),
    "timestamp": pl.Datetime("us", "UTC"),
    "timestamp_ntz": pl.Datetime("us"),
    VOID: pl.Null(),
}
_NAMES = {dtype: name for name, dtype in _PRIMITIVE.items()}
_DECIMAL = re.compile(r"^decimal\((\d+), ?(\d+)\)$")

_STORED_AS: dict[type[pl.DataType], pl.DataType] = {
    pl.UInt8: pl.Int16(),
    pl.UInt16: pl.Int32(),
    pl.UInt32: pl.Int64(),
    pl.UInt64: pl.Decimal(20, 0),
    pl.Int128: pl.Decimal(38, 0),
    pl.UInt128: pl.Decimal(38, 0),
    pl.Categorical: pl.String(),
    pl.Enum: pl.String(),
}
"""Types that an open table does not know, and the ones that hold their values: all of them, or all that come (`fit` looks)."""

_MAY_NOT_FIT = (pl.Int128, pl.UInt128)


def stored_type(name: str, dtype: pl.DataType) -> pl.DataType:
    """The type in which a column is stored: moments in microseconds, whole numbers in what an open table knows.

    Raises TypeNotStorable for a time of day, a duration, and what Polars alone knows.
    """
    if dtype.base_type() in _STORED_AS:
        return _STORED_AS[dtype.base_type()]
    if isinstance(dtype, pl.Datetime):
        return pl.Datetime("us", None if dtype.time_zone is None else "UTC")
    if isinstance(dtype, (pl.List, pl.Array)):
        return pl.List(stored_type(name, dtype.inner))  # type: ignore[arg-type]
    if isinstance(dtype, pl.Struct):
        return pl.Struct({field.name: stored_type(name, field.dtype) for field in dtype.fields})  # type: ignore[arg-type]
    if isinstance(dtype, pl.Decimal):
        return pl.Decimal(dtype.precision or 38, dtype.scale)
    if dtype in _NAMES:
        return dtype
    raise TypeNotStorable(
        f"The column {name!r} has the type {dtype}, which an open table cannot hold.",
        fix="Cast it in the source: a duration or a time of day to a whole number, an object to text.",
        column=name,
    )


def type_name(dtype: pl.DataType) -> str:
    """The protocol's name of a stored type."""
    value = _as_json(dtype)
    return value if isinstance(value, str) else json.dumps(value, separators=(",", ":"))


def type_of(name: str) -> pl.DataType:
    """The Polars type that a protocol's name stands for. Raises TypeNotStorable for one that is not read here."""
    return _of_json(json.loads(name) if name.startswith("{") else name)


def columns_of(frame: pl.DataFrame) -> tuple[Column, ...]:
    """The columns of a frame of stored types."""
    return tuple(Column(name=name, type=type_name(dtype)) for name, dtype in frame.schema.items())


def schema_of(columns: Sequence[Column]) -> dict[str, pl.DataType]:
    """The Polars schema of some columns."""
    return {column.name: type_of(column.type) for column in columns}


def delta_schema(columns: Sequence[Column]) -> str:
    """The columns as the Delta protocol's schema JSON; those without a value yet are left out."""
    fields: list[dict[str, Any]] = [
        {
            "name": c.name,
            "type": json.loads(c.type) if c.type.startswith("{") else c.type,
            "nullable": True,
            "metadata": {},
        }
        for c in columns
        if c.type != VOID
    ]
    return json.dumps({"type": "struct", "fields": fields})


def columns_of_delta(schema: str) -> tuple[Column, ...]:
    """The columns of the Delta protocol's schema JSON."""
    return tuple(
        Column(name=field["name"], type=field["type"] if isinstance(field["type"], str) else json.dumps(field["type"]))
        for field in json.loads(schema)["fields"]
    )


def merged(known: Sequence[Column], incoming: Sequence[Column]) -> tuple[Column, ...]:
    """The dataset's columns after a landing: the known ones, decided where they were void, then the new ones."""
    arriving = {column.name: column for column in incoming}
    kept = [arriving.get(column.name, column) if column.type == VOID else column for column in known]
    names = {column.name for column in known}
    return (*kept, *(column for column in incoming if column.name not in names))


def check_names(names: Sequence[str], known: Sequence[Column] = ()) -> None:
    """Raises ColumnNameRefused for names that an open table cannot hold side by side."""
    spelled = {column.name.lower(): column.name for column in known if column.name not in ROW_COLUMNS}
    for name in names:
        if not name.strip():
            raise ColumnNameRefused("A column has no name.", fix="Give every column of the source a name.")
        if name in ROW_COLUMNS:
            raise ColumnNameRefused(
                f"The source has a column {name!r}.",
                why=f"{LANDING} and {ROW} are how landed rows are identified.",
                fix="Rename the column in the source.",
                column=name,
            )
        other = spelled.setdefault(name.lower(), name)
        if other != name:
            raise ColumnNameRefused(
                f"The columns {other!r} and {name!r} differ in case alone.",
                why="Open tables compare column names without case.",
                fix="Rename one of them in the source.",
                column=name,
            )


def fit(frame: pl.DataFrame, target: Mapping[str, pl.DataType]) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The frame in the target's types, and which rows do not fit: (frame, booleans by column).

    A column of the frame that the target does not name keeps its own stored type. In the second frame a column is true
    where a value has no equal in the target's type; the first frame holds null there. Cost: one pass over the columns
    whose type differs.
    """
    casts, checks = [], []
    for name, dtype in frame.schema.items():
        wanted = target.get(name, stored_type(name, dtype))
        if isinstance(wanted, pl.Null):
            wanted = stored_type(name, dtype)
        if dtype == wanted:
            continue
        column = pl.col(name)
        cast = _cast(column, dtype, wanted)
        casts.append(cast.alias(name))
        if not _always_fits(dtype, wanted):
            lossless = _back_again(cast, dtype, wanted, column)
            checks.append((column.is_not_null() & ~lossless.fill_null(False)).alias(name))
    misfits = frame.select(checks) if checks else pl.DataFrame()
    misfits = misfits.select(column.name for column in misfits.iter_columns() if column.any())
    return (frame.with_columns(casts) if casts else frame), misfits


def _cast(column: pl.Expr, dtype: pl.DataType, wanted: pl.DataType) -> pl.Expr:
    if dtype == pl.String and wanted == pl.Boolean:
        text = column.str.to_lowercase()
        return pl.when(text == "true").then(True).when(text == "false").then(False).otherwise(None)
    if dtype == pl.String and isinstance(wanted, pl.Datetime):
        return column.str.to_datetime(time_unit="us", time_zone=wanted.time_zone, strict=False)
    if dtype == pl.String and wanted == pl.Date:
        return column.str.to_date("%Y-%m-%d", strict=False)
    if (
        isinstance(dtype, pl.Datetime)
        and isinstance(wanted, pl.Datetime)
        and bool(dtype.time_zone) != bool(wanted.time_zone)
    ):
        return pl.lit(None, wanted)  # a clock time without a zone is no moment, nor the other way round
    return column.cast(wanted, strict=False)


def _back_again(cast: pl.Expr, dtype: pl.DataType, wanted: pl.DataType, column: pl.Expr) -> pl.Expr:
    """Whether a cast value means what the original said."""
    if dtype == pl.String:
        return cast.is_not_null()
    if wanted == pl.String:
        return pl.lit(False)  # numbers that became text would never compare equal to text that a source wrote
    if dtype.is_float() and wanted.is_float():
        return (cast.cast(dtype) == column) | column.is_nan()
    return cast.cast(dtype, strict=False) == column


def _always_fits(dtype: pl.DataType, wanted: pl.DataType) -> bool:
    if isinstance(dtype, pl.Null) or (wanted == stored_type("", dtype) and not _may_not_fit(dtype)):
        return True
    order = [pl.Int8, pl.Int16, pl.Int32, pl.Int64]
    if dtype.base_type() in order and wanted.base_type() in order:
        return order.index(dtype.base_type()) <= order.index(wanted.base_type())  # type: ignore[arg-type]
    return dtype == pl.Float32 and wanted == pl.Float64


def _may_not_fit(dtype: pl.DataType) -> bool:
    """Whether values of a type can be more than its stored type holds: nanoseconds, the year 300,000, 39 digits."""
    if isinstance(dtype, (pl.List, pl.Array)):
        return _may_not_fit(dtype.inner)  # type: ignore[arg-type]
    if isinstance(dtype, pl.Struct):
        return any(_may_not_fit(field.dtype) for field in dtype.fields)  # type: ignore[arg-type]
    return dtype.base_type() in _MAY_NOT_FIT or (isinstance(dtype, pl.Datetime) and dtype.time_unit != "us")


def plainly(frame: pl.DataFrame) -> pl.DataFrame:
    """The frame with moments that Python's own cannot hold (nanoseconds, the year 300,000) as counts since 1970."""
    counted = []
    for name, dtype in frame.schema.items():
        if not _may_not_fit(dtype):
            continue
        if isinstance(dtype, pl.Datetime):
            counted.append(
                pl.format(f"{{}} {dtype.time_unit} since 1970-01-01", pl.col(name).cast(pl.Int64)).alias(name)
            )
        else:
            counted.append(pl.col(name).cast(_counted(dtype)))
    return frame.with_columns(counted) if counted else frame


def _counted(dtype: pl.DataType) -> pl.DataType:
    if isinstance(dtype, (pl.List, pl.Array)):
        return pl.List(_counted(dtype.inner))  # type: ignore[arg-type]
    if isinstance(dtype, pl.Struct):
        return pl.Struct({field.name: _counted(field.dtype) for field in dtype.fields})  # type: ignore[arg-type]
    return pl.Int64() if isinstance(dtype, pl.Datetime) and dtype.time_unit != "us" else dtype


def _as_json(dtype: pl.DataType) -> Any:
    if isinstance(dtype, pl.Decimal):
        return f"decimal({dtype.precision},{dtype.scale})"
    if isinstance(dtype, pl.List):
        return {"type": "array", "elementType": _as_json(dtype.inner), "containsNull": True}  # type: ignore[arg-type]
    if isinstance(dtype, pl.Struct):
        fields = [{"name": f.name, "type": _as_json(f.dtype), "nullable": True, "metadata": {}} for f in dtype.fields]  # type: ignore[arg-type]
        return {"type": "struct", "fields": fields}
    return _NAMES[dtype]


def _of_json(value: Any) -> pl.DataType:
    if isinstance(value, str) and value in _PRIMITIVE:
        return _PRIMITIVE[value]
    if isinstance(value, str) and (match := _DECIMAL.match(value)):
        return pl.Decimal(int(match[1]), int(match[2]))
    if isinstance(value, dict) and value.get("type") == "array":
        return pl.List(_of_json(value["elementType"]))
    if isinstance(value, dict) and value.get("type") == "struct":
        return pl.Struct({field["name"]: _of_json(field["type"]) for field in value["fields"]})
    raise TypeNotStorable(f"The type {json.dumps(value)} of the Delta protocol is not read here.")
