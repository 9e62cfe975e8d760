"""What the features system says: training sets, and how well the views answered."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True, slots=True, kw_only=True)
class ViewReport:
    """How one view answered a set of entities. n_found + n_missed = n_entities, and the four reasons make n_missed."""

    view: str
    n_rows: int
    """Rows of the dataset that were looked at."""
    n_entities: int
    n_found: int
    n_missed: int
    """Entities for which no row was known by then, those with an expired row included."""
    n_no_row: int = 0
    """Missed: nothing had happened to the entity by then, or nobody has ever heard of it."""
    n_not_yet_known: int = 0
    """Missed: something had happened, and was not known yet."""
    n_expired: int
    """Missed: the newest known row was older than the time to live."""
    n_only_undated: int = 0
    """Missed: all rows of the entity lack a time."""
    n_undated: int
    """Rows without an event time or a known-at time, which can never be used."""

    @property
    def coverage(self) -> float:
        """The share of entities that found a row, 0 to 1; 1 of no entities."""
        return self.n_found / self.n_entities if self.n_entities else 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Joined:
    """Entities with their features, every entity row kept, in its place.

    table: the entities' columns, then the features, then `<view>__event_at` and `<view>__known_at` (the newest row
    known by then), and on request `<view>__rows` (list of `{landing, row}`: the raw rows that the features came from).
    """

    table: pa.Table
    features: tuple[str, ...]
    reports: tuple[ViewReport, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingSet:
    """Features joined as of each entity's moment, from pinned snapshots; can be computed again from what it names."""

    table: pa.Table
    features: tuple[str, ...]
    as_of: str
    """The entities' column of moments."""
    snapshots: Mapping[str, str]
    """Dataset -> id of the snapshot that was read."""
    views: Mapping[str, str]
    """View -> digest of its definition."""
    reports: tuple[ViewReport, ...]
    digest: str
    """Identity of the table's content."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Age:
    """How old the rows of a view were when they were used, in seconds; None where none was."""

    view: str
    median_s: float | None
    oldest_s: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredTrainingSet:
    """A training set that is kept: all that it takes to show it, and to make it again to the bit."""

    name: str
    digest: str
    """Of the artifact that holds the table: the same rows, the same digest."""
    entities: str
    """Digest of the artifact with the entities."""
    n_rows: int
    as_of: str
    label: str | None
    features: Sequence[str]
    snapshots: Mapping[str, str]
    views: Mapping[str, str]
    definitions: Sequence[Mapping[str, Any]]
    """The views as they were described: what makes them again without the project's code."""
    reports: Sequence[ViewReport]
    ages: Sequence[Age]
    warnings: Sequence[str]
    """Features that tell the label too well."""
    run: str | None
    """The run, or the act of a run, that made it."""
    recorded_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Rebuilt:
    """A stored training set made again from its entities, definitions and snapshots."""

    name: str
    expected: str
    found: str
    is_same: bool
    n_rows: int
    differing: Sequence[str]
    """The columns whose content came out otherwise."""
