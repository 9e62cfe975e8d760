"""Datasets, snapshots and rows: the nouns of tabular data that every system says.

collect makes snapshots; prepare, features, labels and train read them and refer to their rows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from treadle.ground.digests import Digest

LANDING = "_landing"
"""The column that says in which landing a row first came in."""

ROW = "_row"
"""The column that says which row of that landing it was, from 0."""

ROW_COLUMNS = (LANDING, ROW)


@dataclass(frozen=True, slots=True, order=True)
class RowId:
    """The identity of a landed row. It survives compaction, quarantine and release."""

    landing: str
    row: int

    def __str__(self) -> str:
        return f"{self.landing}:{self.row}"

    @classmethod
    def parse(cls, text: str) -> RowId:
        """The row that `land_…:17` names. Raises ValueError for another form."""
        landing, colon, row = text.rpartition(":")
        if not colon or not landing or not row.isdecimal():
            raise ValueError(f"{text!r} is no row id; one looks like land_01k9…:17")
        return cls(landing, int(row))


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One column of a dataset. `type` is a name of the Delta protocol (`long`, `string`, `timestamp`, …), or the
    protocol's JSON for a nested one."""

    name: str
    type: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DataFile:
    """One immutable Parquet file of a dataset, by its path below the dataset's folder."""

    path: str
    sha256: Digest
    size: int
    rows: int
    stats: Mapping[str, Sequence[Any]] = field(default_factory=dict)
    """Least and greatest value by column, in JSON's types: `{"_landing": ["land_…", "land_…"]}`."""
    place: str = ""
    """Where its rows stand among those of other files: files are read in this order, which compaction and restoring keep."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """An immutable state of a dataset. `files` is filled where the snapshot is read, and empty in lists."""

    id: str
    dataset: str
    version: int
    delta_version: int
    parent: str | None
    landing: str | None
    content_id: Digest
    """What the rows are. Compaction and restoring inherit it; step caches use it."""
    layout_digest: Digest
    """Which files hold the rows. For integrity."""
    columns: Sequence[Column]
    rows: int
    bytes: int
    run: str | None
    recorded_at: datetime
    event_from_at: datetime | None = None
    event_to_at: datetime | None = None
    origin: str | None = None
    """The snapshot that first held these very rows, by their ids: compaction and restoring inherit it. None for itself."""
    files: Sequence[DataFile] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Dataset:
    """A named table that grows by landings."""

    name: str
    id: str
    location: str
    description: str
    event_column: str | None
    recorded_at: datetime
    branch_of: str | None = None
    """The dataset that this is a branch of; its name is then `flights@fix`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TableCleanUp:
    """What becomes of one dataset's snapshots and files in a clean-up: collect finds it, infra tells it.

    kept: how many snapshots are held, by what holds them. expired: the versions that nothing holds and that cannot be read any
    more once the condemned files are deleted. condemned: files that wait for the end of the grace, deleted: those that go now.
    """

    dataset: str
    snapshots: int
    kept: Mapping[str, int]
    expired: Sequence[int]
    condemned: int
    condemned_bytes: int
    deleted: int
    deleted_bytes: int
