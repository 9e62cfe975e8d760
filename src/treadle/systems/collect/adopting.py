"""Adopting a commit that another engine made on one of our tables: its files are hashed and become a snapshot."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pyarrow.parquet as pq

from treadle.ground.digests import Digest, of_json
from treadle.kernel.vocabulary.datasets import ROW_COLUMNS, Column, DataFile, Snapshot
from treadle.systems.collect.columns import ROW_TYPES, columns_of_delta
from treadle.systems.collect.data_files import hash_file
from treadle.systems.collect.delta_log import Commit
from treadle.systems.collect.delta_table import Table


@dataclass(frozen=True, slots=True, kw_only=True)
class Adoption:
    """A foreign commit as we will record it."""

    delta_version: int
    operation: str
    added: Sequence[DataFile]
    removed: Sequence[DataFile]
    columns: Sequence[Column]
    content: Digest | None
    """None when the commit says that no row changed (a compaction): the content id is inherited."""


def adoption_of(table: Table, commit: Commit, parent: Snapshot | None, files: Mapping[str, DataFile]) -> Adoption:
    """Reads what a foreign commit did. Cost: reads every byte that it added. Raises ForeignTable."""
    added = []
    for action in commit.added:
        path = table.path_of(action)
        full = table.folder / path
        added.append(
            DataFile(
                path=path,
                sha256=hash_file(full),
                size=full.stat().st_size,
                rows=pq.ParquetFile(full).metadata.num_rows,
                stats=_row_bounds(action.get("stats")),
            )
        )
    removed = [files[path] for path in commit.removed if path in files]
    columns = tuple(parent.columns) if parent else ROW_TYPES
    if commit.schema is not None:
        columns = columns_of_delta(commit.schema)
    content = None
    if commit.changes_data:
        content = of_json({"added": sorted(f.sha256 for f in added), "removed": sorted(f.sha256 for f in removed)})
    return Adoption(
        delta_version=commit.version,
        operation=commit.operation,
        added=added,
        removed=removed,
        columns=columns,
        content=content,
    )


def _row_bounds(stats: str | None) -> dict[str, list[object]]:
    """The bounds of the row columns, which a compaction by another engine keeps."""
    found = json.loads(stats) if stats else {}
    low, high = found.get("minValues", {}), found.get("maxValues", {})
    return {name: [low[name], high[name]] for name in ROW_COLUMNS if name in low and name in high}
