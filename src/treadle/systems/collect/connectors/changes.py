"""Changes of a table as rows, and the table that they add up to.

Each change is a row with `_op` (`read` for the rows of the first copy, `insert`, `update`, `delete`, `truncate`), the position
of its transaction's commit and its place in it, and the time of the commit. `_unchanged` names the columns that an update left
alone and the server did not send; they are null in the row, and `current` takes them from the row before.
"""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from treadle.kernel.vocabulary.datasets import ROW_COLUMNS

OP, LSN, POSITION, COMMITTED_AT, UNCHANGED = "_op", "_lsn", "_position", "_committed_at", "_unchanged"
CHANGE_COLUMNS = (OP, LSN, POSITION, COMMITTED_AT, UNCHANGED)


def current(changes: pl.LazyFrame | pl.DataFrame, key: str | Sequence[str]) -> pl.LazyFrame:
    """The newest row of each key, without the keys that are deleted; ordered by key.

    Rows before the last truncation are gone. The columns of the change itself and `_landing`, `_row` are kept, so that a row
    is still known by the landing that brought it.
    """
    keys = [key] if isinstance(key, str) else list(key)
    rows = changes.lazy()
    rows = rows.sort(LSN, POSITION).with_row_index("_place")
    is_truncation = pl.col(OP) == "truncate"
    cut = pl.when(is_truncation).then(pl.col("_place")).max()
    rows = rows.filter(~is_truncation & (cut.is_null() | (pl.col("_place") > cut))).drop("_place")
    apart = {*keys, *CHANGE_COLUMNS, *ROW_COLUMNS}
    names = [name for name in rows.collect_schema().names() if name not in apart]
    kept = [
        pl.when(pl.col(UNCHANGED).list.contains(name).fill_null(False))
        .then(None)
        .otherwise(pl.struct(name))
        .forward_fill()
        .over(keys)
        .struct.field(name)
        for name in names
    ]
    newest = rows.with_columns(kept).group_by(keys, maintain_order=True).last()
    return newest.filter(pl.col(OP) != "delete").sort(keys)
