"""What features ask of the outside: snapshots and their rows."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Protocol

from treadle.kernel.vocabulary.datasets import Snapshot

if TYPE_CHECKING:
    import polars as pl


class SnapshotSource(Protocol):
    """Datasets as features read them."""

    def snapshot(self, project: str, dataset: str, at: str | None = None) -> Snapshot:
        """The snapshot at a version, tag, id or time; the newest without `at`."""

    def scan(self, project: str, snapshot: Snapshot) -> pl.LazyFrame:
        """The rows of a snapshot, with `_landing` and `_row`."""


class LandingTimes(Protocol):
    """When landings came to stand; asked only for live sources."""

    def landed_at(self, project: str, dataset: str) -> Mapping[str, datetime]:
        """Landing id -> the moment from which its rows could be read."""
