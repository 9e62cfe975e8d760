"""What labels ask of the outside: rows to make tasks of, and a place where labels land."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from treadle.kernel.governance import Caller
from treadle.kernel.vocabulary.datasets import Snapshot

if TYPE_CHECKING:
    import polars as pl


class TaskRows(Protocol):
    """Datasets, quarantines among them, as label tasks are made of them."""

    def snapshot(self, project: str, dataset: str, at: str | None = None) -> Snapshot:
        """The snapshot at a version, tag, id or time; the newest without `at`."""

    def scan(self, project: str, snapshot: Snapshot) -> pl.LazyFrame:
        """The rows of a snapshot, with `_landing` and `_row`."""


class LabelSink(Protocol):
    """Where an export goes."""

    def land_labels(self, caller: Caller, dataset: str, frame: pl.DataFrame, key: str) -> str:
        """Lands a frame, once for each key, and answers the snapshot that holds it."""
