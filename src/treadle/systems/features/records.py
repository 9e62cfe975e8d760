"""What the features system says: training sets, and how well the views answered."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True, slots=True, kw_only=True)
class ViewReport:
    """How one view answered a set of entities. n_found + n_missed = n_entities."""

    view: str
    n_rows: int
    """Rows of the dataset that were looked at."""
    n_entities: int
    n_found: int
    n_missed: int
    """Entities for which no row was known by then, those with an expired row included."""
    n_expired: int
    """Entities whose newest known row was older than the time to live."""
    n_undated: int
    """Rows without an event time or a known-at time, which can never be used."""


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
