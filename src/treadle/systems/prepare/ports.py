"""What prepare asks of the outside: snapshots to judge, and a way back into a dataset for released rows."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

import polars as pl

from treadle.kernel.governance import Caller
from treadle.kernel.store import Transaction
from treadle.kernel.vocabulary.datasets import RowId, Snapshot


class Admitted(Protocol):
    """What a landing of released rows answers."""

    @property
    def id(self) -> str: ...


class Tables(Protocol):
    """Datasets, as far as prepare needs them."""

    def snapshot(self, project: str, dataset: str, at: str | None = None) -> Snapshot:
        """The snapshot at a version, tag, id or time, with its files."""

    def find_snapshot(self, project: str, dataset: str) -> Snapshot | None:
        """The newest snapshot, or None."""

    def scan(self, project: str, snapshot: Snapshot) -> pl.LazyFrame:
        """The rows of a snapshot, with `_landing` and `_row`."""

    def find_rows(self, project: str, dataset: str, wanted: Sequence[RowId], at: str | None = None) -> pl.DataFrame:
        """Rows by their ids, in that order."""


class QuarantineExit(Protocol):
    """The way back into a dataset."""

    def admit(
        self,
        caller: Caller,
        dataset: str,
        frame: pl.DataFrame,
        *,
        claim: Callable[[Transaction, str], None],
        run: str | None = None,
    ) -> Admitted:
        """Lands rows under the ids that they had. `claim` runs in the transaction from which on the landing is certain."""


class SettledLanding(Protocol):
    """A landing at the moment in which it comes to stand, in the words of whoever lands."""

    @property
    def project(self) -> str: ...
    @property
    def landing(self) -> str: ...
    @property
    def dataset(self) -> str: ...
    @property
    def actor(self) -> str: ...
    @property
    def run(self) -> str | None: ...
    @property
    def snapshot(self) -> Snapshot | None: ...
    @property
    def quarantine(self) -> Snapshot | None: ...
    @property
    def rows_kept(self) -> int: ...
    @property
    def rows_refused(self) -> int: ...
    @property
    def refused_by(self) -> Mapping[str, int]: ...


JsonVerdict = Mapping[str, Any]
