"""What a comparison asks for and answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from treadle.kernel.vocabulary.datasets import Column

Kind = Literal["number", "time", "category", "text", "other"]
Reading = Literal["alike", "moved", "far apart", "too few rows", "not measured"]


@dataclass(frozen=True, slots=True, kw_only=True)
class CompareSnapshots:
    """Asks what lies between two snapshots: `before` and `after` are places of the dataset, or `other@place`.

    key: columns that name a row from outside; then rows are compared by it as well. distributions: whether the values of
    each column are compared, from their profiles: files that have none yet are read. examples: at most so many rows of each sort are shown.
    """

    name: str
    before: str
    after: str | None = None
    key: list[str] = field(default_factory=list)
    distributions: bool = True
    examples: int = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """One of the two snapshots."""

    dataset: str
    version: int
    snapshot: str
    rows: int
    bytes: int
    recorded_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Retyped:
    """A column that has another type."""

    name: str
    before: str
    after: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SchemaDiff:
    """Columns that came, went, and have another type. One that gets its first values is retyped from `void`."""

    added: Sequence[Column]
    removed: Sequence[Column]
    retyped: Sequence[Retyped]


@dataclass(frozen=True, slots=True, kw_only=True)
class RowDiff:
    """Rows by what they were landed as (`_landing`, `_row`).

    changed: rows of one identity with other values, which only another engine can make. files_read: of the files that only
    one side has, those that had to be opened; files that both have never are.
    """

    added: int
    removed: int
    changed: int
    same: int
    files_shared: int
    files_read: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Updated:
    """A key whose row has other values: those columns alone, before and after."""

    key: Mapping[str, Any]
    before: Mapping[str, Any]
    after: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyDiff:
    """Rows by a key. Where a key stands more than once in a snapshot, its last row counts; `repeated_…` says how often.

    columns: by name, in how many updated rows the column differs.
    """

    key: Sequence[str]
    inserted: int
    deleted: int
    updated: int
    repeated_before: int
    repeated_after: int
    columns: Mapping[str, int]
    examples_updated: Sequence[Updated]
    examples_inserted: Sequence[Mapping[str, Any]]
    examples_deleted: Sequence[Mapping[str, Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Values:
    """What a column holds in one snapshot. quantiles: least, quarter, half, three quarters, greatest."""

    rows: int
    null_share: float
    mean: float | None = None
    quantiles: Sequence[Any] = ()
    distinct: int | None = None
    shares: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnDiff:
    """How far a column's values have moved.

    stability: the population stability index over the bins (tenths of the values before, or the most frequent categories) and
    the nulls. reading: what that means: below 0.1 alike, up to 0.25 moved, above far apart; too few rows where chance alone
    would give 0.1.
    """

    name: str
    kind: Kind
    before: Values
    after: Values
    stability: float | None
    reading: Reading


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """What lies between two snapshots. is_same: whether they hold the same rows by their content ids."""

    before: Side
    after: Side
    is_same: bool
    schema: SchemaDiff
    rows: RowDiff
    by_key: KeyDiff | None
    columns: Sequence[ColumnDiff]
