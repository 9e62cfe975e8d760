"""Reading snapshots: from our own file list, never from the table's log."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import polars as pl

from treadle.kernel.vocabulary.datasets import LANDING, ROW, DataFile, RowId, Snapshot
from treadle.systems.collect.columns import schema_of
from treadle.systems.collect.data_files import check_sizes, panics_as_errors
from treadle.systems.collect.errors import RowNotFound


def scan(folder: Path, snapshot: Snapshot) -> pl.LazyFrame:
    """The rows of a snapshot, with `_landing` and `_row`, in the order in which they came.

    Columns that a file lacks are null. Cost: one stat a file; reading is Polars' own, with its push-down of columns and
    filters. Raises DataFileCorrupt for a file that is missing or of another size.
    """
    return scan_files(folder, snapshot, snapshot.files)


def find_rows(folder: Path, snapshot: Snapshot, wanted: Sequence[RowId]) -> pl.DataFrame:
    """The rows of those ids, in their order. Cost: reads the files whose bounds hold one of the ids.

    Raises RowNotFound with the first id that the snapshot does not hold.
    """
    landings = {row.landing for row in wanted}
    files = [file for file in snapshot.files if _may_hold(file, landings)]
    ids = pl.DataFrame(
        {LANDING: [row.landing for row in wanted], ROW: [row.row for row in wanted]},
        schema={LANDING: pl.String, ROW: pl.Int64},
    ).with_row_index("_order")
    with panics_as_errors(f"A file of {snapshot.dataset} version {snapshot.version}"):
        rows = (
            scan_files(folder, snapshot, files)
            .filter(pl.col(LANDING).is_in(sorted(landings)))
            .join(ids.lazy(), on=[LANDING, ROW], how="inner")
            .sort("_order")
            .collect()
        )
    if rows.height < ids.height:
        missing = ids.join(rows.select("_order"), on="_order", how="anti").row(0, named=True)
        raise RowNotFound(
            f"The row {missing[LANDING]}:{missing[ROW]} is not in {snapshot.dataset} version {snapshot.version}.",
            why="It was refused into quarantine, came later, or is of another dataset.",
            fix=f"Look in the quarantine: treadle quarantine list {snapshot.dataset}",
            row=f"{missing[LANDING]}:{missing[ROW]}",
        )
    return rows.drop("_order")


def scan_files(folder: Path, snapshot: Snapshot, files: Sequence[DataFile]) -> pl.LazyFrame:
    """The rows of some of a snapshot's files, in its columns."""
    schema = schema_of(snapshot.columns)
    void = [name for name, dtype in schema.items() if isinstance(dtype, pl.Null)]
    stored = {name: dtype for name, dtype in schema.items() if name not in void}
    if not files:
        return pl.LazyFrame(schema=schema)
    check_sizes(folder, files)
    frame = pl.scan_parquet(
        [folder / file.path for file in files],
        schema=stored,
        missing_columns="insert",
        extra_columns="ignore",
        glob=False,
    )
    return frame.with_columns(pl.lit(None).alias(name) for name in void).select(list(schema)) if void else frame


def _may_hold(file: DataFile, landings: set[str]) -> bool:
    bounds = file.stats.get(LANDING)
    return bounds is None or any(bounds[0] <= landing <= bounds[1] for landing in landings)
