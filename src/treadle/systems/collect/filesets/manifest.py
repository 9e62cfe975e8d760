"""The manifest: one row a file. What of a folder is new, changed, gone or as it was, told by joining it with what lies there."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import polars as pl

from treadle.ground.digests import of_json
from treadle.ground.frames import frame_digest
from treadle.ground.ids import millis_of
from treadle.kernel.vocabulary.datasets import LANDING, ROW, Snapshot
from treadle.systems.collect.filesets.packing import Stored

_COLUMNS: dict[str, pl.DataType] = {
    "path": pl.String(),
    "digest": pl.String(),
    "size": pl.Int64(),
    "modified": pl.Datetime("us", "UTC"),
    "media_type": pl.String(),
    "width": pl.Int32(),
    "height": pl.Int32(),
    "blob": pl.String(),
    "offset": pl.Int64(),
}
SCHEMA = pl.Schema(_COLUMNS)
_SETTLED_MS = 1000
"""A file that was written less than this before it was read may be written again within the same tick of its clock."""


@dataclass(frozen=True, slots=True)
class Difference:
    """What lies in a folder against a manifest. `to_read` are paths that are new or may have changed."""

    to_read: frozenset[str]
    gone: frozenset[str]
    unchanged: int


def is_manifest(snapshot: Snapshot) -> bool:
    """Whether a snapshot's rows are files."""
    return set(SCHEMA.names()) <= {column.name for column in snapshot.columns}


def difference(found: pl.DataFrame, manifest: pl.DataFrame) -> Difference:
    """By path, size and time of change; a file that was very young when it was read is read again."""
    landings = manifest.select(pl.col(LANDING).unique())
    times = landings.with_columns(
        pl.Series("read_at", [millis_of(id) * 1000 for id in landings[LANDING]], dtype=pl.Int64).cast(
            pl.Datetime("us", "UTC")
        )
    )
    settled = manifest.join(times, on=LANDING).select(
        "path", "size", "modified", young=pl.col("modified") > pl.col("read_at") - pl.duration(milliseconds=_SETTLED_MS)
    )
    both = found.join(settled, on="path", how="left", suffix="_known")
    is_same = (
        (pl.col("size") == pl.col("size_known")) & (pl.col("modified") == pl.col("modified_known")) & ~pl.col("young")
    ).fill_null(False)
    to_read = both.filter(~is_same)["path"]
    gone = manifest.join(found, on="path", how="anti")["path"]
    return Difference(frozenset(to_read), frozenset(gone), both.height - to_read.len())


def rows_of(stored: Iterable[Stored], landing: str) -> pl.DataFrame:
    """The rows of files that were read, numbered as the landing's."""
    entries = list(stored)
    columns = {name: [getattr(entry, name) for entry in entries] for name in SCHEMA.names()}
    frame = pl.DataFrame(columns, schema_overrides={**SCHEMA, "modified": pl.Int64}).with_columns(
        pl.col("modified").cast(SCHEMA["modified"])
    )
    ids = [pl.lit(landing).alias(LANDING), pl.int_range(pl.len(), dtype=pl.Int64).alias(ROW)]
    return frame.with_columns(ids).select(LANDING, ROW, *SCHEMA.names())


def content_of(paths: Sequence[str], digests: Sequence[str]) -> str:
    """The content id of a set of files: which paths hold which bytes, whenever and in whatever order they landed."""
    frame = pl.DataFrame({"path": paths, "digest": digests}, schema={"path": pl.String, "digest": pl.String}).sort(
        "path"
    )
    return of_json({"content": "treadle.files.v1", "files": frame_digest(frame)})
