"""Rows between two snapshots, by what they were landed as and by a key.

A data file never changes, so a file that both snapshots have holds no difference and is not opened. Where only one side has
files of its own (landings alone came between), counting them is enough.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from treadle.kernel.vocabulary.datasets import LANDING, ROW, ROW_COLUMNS, DataFile, Snapshot
from treadle.systems.collect.comparing.records import KeyDiff, RowDiff, Updated
from treadle.systems.collect.snapshots import scan, scan_files

_SAME = "_same"


@dataclass(frozen=True, slots=True)
class Placed:
    """A snapshot and the folder of its files."""

    folder: Path
    snapshot: Snapshot

    def only(self, other: Placed) -> list[DataFile]:
        """The files that the other one does not have."""
        if self.folder != other.folder:
            return list(self.snapshot.files)
        theirs = {file.path for file in other.snapshot.files}
        return [file for file in self.snapshot.files if file.path not in theirs]

    def rows_of(self, files: Sequence[DataFile]) -> pl.LazyFrame:
        """The rows of some of its files, in its columns."""
        return scan_files(self.folder, self.snapshot, files)

    @property
    def values(self) -> list[str]:
        """The names of the columns that the source brought."""
        return [column.name for column in self.snapshot.columns if column.name not in ROW_COLUMNS]


def by_identity(before: Placed, after: Placed) -> RowDiff:
    """How many rows came, went, changed and stayed. Cost: reads the files that one side alone has, if both have some."""
    left, right = before.only(after), after.only(before)
    shared = len(after.snapshot.files) - len(right)
    gone, came = sum(file.rows for file in left), sum(file.rows for file in right)
    changed = moved = 0
    if left and right:
        moved, changed = _common(before.rows_of(left), after.rows_of(right), _comparable(before, after))
    return RowDiff(
        added=came - moved,
        removed=gone - moved,
        changed=changed,
        same=after.snapshot.rows - (came - moved) - changed,
        files_shared=shared,
        files_read=len(left) + len(right) if left and right else 0,
    )


def by_key(before: Placed, after: Placed, key: Sequence[str], examples: int) -> KeyDiff:
    """How many keys came, went and have other values, with examples.

    Only keys that stand in a file which one side alone has can differ; those are looked up in both snapshots, so the key's
    columns of every file are read. Nulls are equal to each other.
    """
    left, right = before.only(after), after.only(before)
    names = _comparable(before, after)
    touched = (
        pl.concat([before.rows_of(left).select(key), after.rows_of(right).select(key)], how="vertical_relaxed")
        .unique()
        .collect()
    )
    old, old_count = _last_of(before, key, touched)
    new, new_count = _last_of(after, key, touched)
    inserted = new.join(old, on=key, how="anti", nulls_equal=True, maintain_order="left")
    deleted = old.join(new, on=key, how="anti", nulls_equal=True, maintain_order="left")
    others = [name for name in names if name not in key]
    pairs = old.join(new, on=key, how="inner", nulls_equal=True, suffix=":after", maintain_order="right")
    differs = pairs.select(pl.col(name).ne_missing(pl.col(f"{name}:after")).alias(name) for name in others)
    is_updated = differs.select(pl.any_horizontal(pl.all())).to_series() if others else pl.Series([], dtype=pl.Boolean)
    updated = pairs.filter(is_updated) if others else pairs.clear()
    counts = {name: int(differs[name].sum()) for name in others}
    return KeyDiff(
        key=list(key),
        inserted=inserted.height,
        deleted=deleted.height,
        updated=updated.height,
        repeated_before=old_count - old.height,
        repeated_after=new_count - new.height,
        columns={name: count for name, count in sorted(counts.items(), key=lambda pair: -pair[1]) if count},
        examples_updated=[_updated(row, key, others) for row in updated.head(examples).iter_rows(named=True)],
        examples_inserted=inserted.head(examples).drop(ROW_COLUMNS).to_dicts(),
        examples_deleted=deleted.head(examples).drop(ROW_COLUMNS).to_dicts(),
    )


def _common(left: pl.LazyFrame, right: pl.LazyFrame, names: Sequence[str]) -> tuple[int, int]:
    """How many rows stand in both by identity, and how many of them differ in a value."""
    fingerprint = pl.struct(names).hash() if names else pl.lit(0, pl.UInt64)
    ids = [pl.col(LANDING), pl.col(ROW), fingerprint.alias(_SAME)]
    both = left.select(ids).join(right.select(ids), on=[LANDING, ROW], how="inner")
    counts = both.select(pl.len(), (pl.col(_SAME) != pl.col(f"{_SAME}_right")).sum().alias("changed")).collect(
        engine="streaming"
    )
    return int(counts[0, 0]), int(counts[0, 1])


def _last_of(side: Placed, key: Sequence[str], touched: pl.DataFrame) -> tuple[pl.DataFrame, int]:
    """The last row of each of the keys, and how many rows they have together."""
    rows = (
        scan(side.folder, side.snapshot)
        .join(touched.lazy(), on=list(key), how="semi", nulls_equal=True, maintain_order="left")
        .collect()
    )
    return rows.unique(subset=list(key), keep="last", maintain_order=True), rows.height


def _comparable(before: Placed, after: Placed) -> list[str]:
    """The columns that both sides have in one type: others differ by schema, and are reported there."""
    types = {column.name: column.type for column in before.snapshot.columns}
    return [
        column.name
        for column in after.snapshot.columns
        if column.name not in ROW_COLUMNS and types.get(column.name) == column.type
    ]


def _updated(row: dict[str, Any], key: Sequence[str], names: Sequence[str]) -> Updated:
    moved = [name for name in names if not _equal(row[name], row[f"{name}:after"])]
    return Updated(
        key={name: row[name] for name in key},
        before={name: row[name] for name in moved},
        after={name: row[f"{name}:after"] for name in moved},
    )


def _equal(left: Any, right: Any) -> bool:
    """As `ne_missing` compares: NaN is itself."""
    return bool(left == right) or (left != left and right != right)
