"""What prepare asks of the outside: snapshots to judge, and a way back into a dataset for released rows."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
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

    def event_column(self, project: str, dataset: str) -> str | None:
        """The column that says when a row's event happened, if the dataset has one."""

    def scan(self, project: str, snapshot: Snapshot) -> pl.LazyFrame:
        """The rows of a snapshot, with `_landing` and `_row`."""

    def find_rows(self, project: str, dataset: str, wanted: Sequence[RowId], at: str | None = None) -> pl.DataFrame:
        """Rows by their ids, in that order."""


class Landed(Protocol):
    """A landing that stands. `version` is None where it brought no rows."""

    @property
    def id(self) -> str: ...
    @property
    def version(self) -> int | None: ...
    @property
    def rows_kept(self) -> int: ...
    @property
    def started_at(self) -> datetime: ...


class LandingHistory(Protocol):
    """What has landed, as far as prepare needs it."""

    def newest_appends(self, project: str, dataset: str, limit: int) -> Sequence[Landed]:
        """The newest landings of what sources and frames brought, also of no rows, oldest first."""


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


class LandingSession(Protocol):
    """What judges the rows of a landing, in the words of whoever lands."""

    @property
    def types(self) -> Mapping[str, str]: ...
    def judge(self, frame: pl.DataFrame) -> JudgedRows: ...
    def verdict(self, refused_before: Mapping[str, int]) -> dict[str, Any]: ...


class JudgedRows(Protocol):
    @property
    def kept(self) -> pl.DataFrame: ...
    @property
    def refused(self) -> pl.DataFrame: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class DerivedRows:
    """Rows that were made of a snapshot's rows, as they are handed over to be landed."""

    kind: str
    source: str
    frames: Iterable[pl.DataFrame]
    session: LandingSession
    inputs: Sequence[tuple[str, str, str]]
    """Role, content id and snapshot of each snapshot that the rows were made of."""
    reason: str
    origin: Mapping[str, Any]
    event_column: str | None
    run: str | None


class Deriving(Protocol):
    """The way of derived rows into a dataset."""

    def derive(
        self, caller: Caller, dataset: str, derived: DerivedRows, *, claim: Callable[[Transaction, str], None]
    ) -> Admitted:
        """Lands rows under their ids in the place of what was there. `claim` as in `admit`."""


class SettledLanding(Protocol):
    """A landing at the moment in which it comes to stand, in the words of whoever lands."""

    @property
    def project(self) -> str: ...
    @property
    def landing(self) -> str: ...
    @property
    def kind(self) -> str: ...
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
