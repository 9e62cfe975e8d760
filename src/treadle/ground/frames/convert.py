"""The same table as Arrow, Polars, pandas or NumPy.

Arrow is the currency. Numbers are handed over without a copy where the two libraries lay them out alike. No library is
imported to ask what a value is: its type says which library made it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from treadle.ground.frames.errors import ColumnNotSupported, IndexNotNamed, NotAFrame

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    import polars as pl
    import pyarrow as pa

_FRAMES = {
    ("pyarrow", "Table"),
    ("pyarrow", "RecordBatch"),
    ("pyarrow", "RecordBatchReader"),
    ("polars", "DataFrame"),
    ("polars", "LazyFrame"),
    ("pandas", "DataFrame"),
}
_COLUMNS = {("polars", "Series"), ("pandas", "Series"), ("pyarrow", "ChunkedArray")}


def maker(value: Any) -> tuple[str, str]:
    """Which library made the value, and what it calls it, e.g. ("polars", "DataFrame"); ("", "") for other things."""
    for kind in type(value).__mro__:
        root = kind.__module__.partition(".")[0]
        if root in ("pyarrow", "polars", "pandas"):
            name = "Array" if root == "pyarrow" and kind.__name__ == "Array" else kind.__name__
            if (root, name) in _FRAMES or (root, name) in _COLUMNS or (root, name) == ("pyarrow", "Array"):
                return root, name
    return "", ""


def is_frame(value: Any) -> bool:
    """Whether the value is a table of columns: Arrow, Polars, pandas, or whatever exports an Arrow stream of records."""
    made = maker(value)
    return made in _FRAMES or (made == ("", "") and hasattr(type(value), "__arrow_c_stream__"))


def is_column(value: Any) -> bool:
    """Whether the value is one column: a Polars or pandas Series, an Arrow array."""
    made = maker(value)
    return made in _COLUMNS or made == ("pyarrow", "Array")


def to_arrow(value: Any) -> pa.Table:
    """The table as Arrow. A named pandas index becomes columns, at the front.

    value: an Arrow table, batch or reader, a Polars DataFrame or LazyFrame (which is collected), a pandas DataFrame, a Series of
    either, an Arrow array (its column is named ""), a NumPy array (columns column_0, column_1, …, or the fields of a structured
    one), or whatever exports an Arrow stream, such as a DuckDB relation.
    Raises NotAFrame, ColumnNotSupported, IndexNotNamed.
    """
    import pyarrow as pa

    library, name = maker(value)
    if library == "pyarrow":
        return _from_arrow(value, name)
    if library == "polars":
        return _from_polars(value, name)
    if library == "pandas":
        return _from_pandas(value if name == "DataFrame" else _series_frame(value))
    if type(value).__module__.partition(".")[0] == "numpy" and hasattr(value, "dtype"):
        return _from_numpy(value)
    if hasattr(type(value), "__arrow_c_stream__"):
        return pa.table(value)
    raise NotAFrame(
        f"A {type(value).__qualname__} is no frame.",
        fix="Give an Arrow table, a Polars or pandas DataFrame, or a NumPy array of one or two dimensions.",
    )


def to_polars(value: Any) -> pl.DataFrame:
    """The table as a Polars DataFrame."""
    import polars as pl

    library, name = maker(value)
    if library == "polars" and name == "DataFrame":
        return value  # type: ignore[no-any-return]
    table = to_arrow(value)
    if any(_is_wide_decimal(kind) for kind in table.schema.types):
        raise _not_for_polars(table, "Its decimals have at most 38 digits.")  # it would panic, and print that
    try:
        frame = pl.from_arrow(table, rechunk=False)
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException, NotImplementedError) as problem:
        raise _not_for_polars(table, f"Polars says: {problem}") from problem
    assert isinstance(frame, pl.DataFrame)
    return frame


def _not_for_polars(table: pa.Table, why: str) -> ColumnNotSupported:
    schema = ", ".join(f"{field.name}: {field.type}" for field in table.schema)
    return ColumnNotSupported(
        "Polars cannot hold this table.", why=why, fix=f"Ask for an Arrow table. Its schema: {schema}."
    )


def _is_wide_decimal(kind: Any) -> bool:
    from pyarrow import types

    return types.is_decimal256(kind) or any(
        _is_wide_decimal(kind.field(place).type) for place in range(kind.num_fields)
    )


def to_pandas(value: Any) -> pd.DataFrame:
    """The table as a pandas DataFrame with the default index; null becomes what pandas uses for missing."""
    return to_arrow(value).to_pandas()


def to_numpy(value: Any) -> np.ndarray[Any, Any]:
    """The table as one array of shape (rows, columns), of the smallest type that holds all columns; null becomes NaN."""
    return to_polars(value).to_numpy()


def _from_arrow(value: Any, name: str) -> pa.Table:
    import pyarrow as pa

    if name == "Table":
        return value
    if name == "RecordBatch":
        return pa.Table.from_batches([value])
    if name == "RecordBatchReader":
        return value.read_all()
    return pa.table({"": value})


def _from_polars(value: Any, name: str) -> pa.Table:
    import polars as pl

    if name == "LazyFrame":
        value = value.collect()
    frame = value.to_frame() if name == "Series" else value
    for column, dtype in frame.schema.items():
        if _holds(dtype, (pl.Object, pl.Int128, pl.UInt128)):
            wide = dtype != pl.Object
            raise ColumnNotSupported(
                f"Column {column!r} has the type {dtype}, which Arrow does not know.",
                why="It holds integers of 128 bits." if wide else "It holds Python objects.",
                fix="Cast it to Decimal or Int64." if wide else "Make it numbers, text, a list or a struct.",
                column=column,
            )
    return frame.to_arrow()


def _holds(dtype: Any, wanted: tuple[Any, ...]) -> bool:
    if dtype in wanted:
        return True
    inner = getattr(dtype, "inner", None)
    fields = getattr(dtype, "fields", None) or ()
    return (inner is not None and _holds(inner, wanted)) or any(_holds(field.dtype, wanted) for field in fields)


def _from_pandas(frame: Any) -> pa.Table:
    import pyarrow as pa

    frame = _with_index(frame)
    odd = [label for label in frame.columns if not isinstance(label, str)]
    if odd:
        raise IndexNotNamed(
            f"The column {odd[0]!r} of the DataFrame has a name that is no text.",
            why="A frame's columns are named; Arrow would turn the label into text and a pandas user would not find it again.",
            fix="Name the columns: frame.columns = [str(label) for label in frame.columns]",
        )
    try:
        return pa.Table.from_pandas(frame, preserve_index=False)
    except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError, OverflowError) as problem:
        raise ColumnNotSupported(
            "The DataFrame has a column that Arrow has no type for.",
            why=f"Arrow says: {'; '.join(str(part) for part in problem.args)}",
            fix="Give the column one type: frame['column'] = frame['column'].astype(...)",
        ) from problem


def _with_index(frame: Any) -> Any:
    """The frame with its index as columns; refuses an index that has no name and says something."""
    index = frame.index
    names = list(index.names)
    if names == [None] and _is_default(index, len(frame)):
        return frame
    unnamed = [name for name in names if not isinstance(name, str)]
    taken = [name for name in names if name in frame.columns]
    if unnamed or taken:
        what = "has no name" if unnamed else f"is named like the column {taken[0]!r}"
        raise IndexNotNamed(
            f"The index of the DataFrame {what}.",
            why="A frame's identity is its columns and rows; an index without a name of its own would be lost.",
            fix="Drop it with frame.reset_index(drop=True), or keep it as a column: frame.rename_axis('id').",
        )
    return frame.reset_index()


def _is_default(index: Any, rows: int) -> bool:
    start, step = getattr(index, "start", None), getattr(index, "step", None)
    return (start == 0 and step == 1) or rows == 0


def _series_frame(series: Any) -> Any:
    return series.to_frame(name=series.name if series.name is not None else "")


def _from_numpy(array: Any) -> pa.Table:
    import pyarrow as pa

    try:
        if array.dtype.names:
            return pa.table({name: pa.array(array[name]) for name in array.dtype.names})
        if array.ndim == 1:
            return pa.table({"column_0": pa.array(array)})
        if array.ndim == 2:
            return pa.table({f"column_{place}": pa.array(array[:, place]) for place in range(array.shape[1])})
    except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError) as problem:
        raise ColumnNotSupported(f"Arrow has no type for an array of {array.dtype}.", why=str(problem)) from problem
    raise NotAFrame(
        f"An array of {array.ndim} dimensions is no frame.",
        fix="A frame has rows and columns: give an array of one or two dimensions.",
    )
