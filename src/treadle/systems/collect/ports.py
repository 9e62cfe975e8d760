"""What collect asks of the outside: sources that hand over rows, and a gate that judges them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import polars as pl

from treadle.kernel.store import Transaction
from treadle.kernel.vocabulary.datasets import Snapshot
from treadle.systems.collect.records import Batch


class Source(Protocol):
    """Rows from somewhere, in batches, with a cursor that says how far they have come."""

    @property
    def name(self) -> str:
        """The name under which the cursor is kept."""

    @property
    def types(self) -> Mapping[str, str]:
        """Declared types by column, as the Delta protocol names them; others are inferred."""

    def batches(
        self, cursor: str | None, seen: Callable[[str], bool], known: Callable[[], Mapping[str, str]]
    ) -> Iterator[Batch]:
        """What is new since the cursor.

        `seen` says whether a batch of that key has landed; `known` answers the types of the columns as they are now, for
        formats that cannot tell text from numbers.
        """


class Judged(Protocol):
    """Rows that may stay and rows that may not; the refused ones have the column `_rules` (list of text)."""

    @property
    def kept(self) -> pl.DataFrame: ...
    @property
    def refused(self) -> pl.DataFrame: ...


class GateSession(Protocol):
    """The judgement of one landing, batch by batch."""

    @property
    def types(self) -> Mapping[str, str]:
        """Types that the contract declares, by column."""

    def judge(self, frame: pl.DataFrame) -> Judged:
        """Divides rows (with `_landing` and `_row`); none is lost and none comes twice."""

    def verdict(self, refused_before: Mapping[str, int]) -> dict[str, Any]:
        """What was found, as JSON: it is kept with the landing's intent, so that a crash loses nothing of it.

        `refused_before` counts the rows that never reached the gate, by the rule that refused them.
        """


@dataclass(frozen=True, slots=True, kw_only=True)
class Settled:
    """A landing at the moment in which it comes to stand."""

    project: str
    landing: str
    kind: str
    dataset: str
    actor: str
    run: str | None
    snapshot: Snapshot | None
    quarantine: Snapshot | None
    rows_kept: int
    rows_refused: int
    refused_by: Mapping[str, int]


class Derived(Protocol):
    """Rows that were made of other snapshots' rows, and where they come from."""

    @property
    def kind(self) -> str: ...
    @property
    def source(self) -> str: ...
    @property
    def frames(self) -> Iterable[pl.DataFrame]:
        """Rows with `_landing` and `_row`; each frame is judged by the session as it comes."""

    @property
    def session(self) -> GateSession: ...
    @property
    def inputs(self) -> Sequence[tuple[str, str, str]]:
        """Role, content id and snapshot of each snapshot that the rows were made of."""

    @property
    def reason(self) -> str: ...
    @property
    def origin(self) -> Mapping[str, Any]: ...
    @property
    def event_column(self) -> str | None: ...
    @property
    def run(self) -> str | None: ...


class LandingGate(Protocol):
    """Whoever knows what clean is."""

    def open(self, project: str, dataset: str, landing: str) -> GateSession | None:
        """A session, or None when nothing is known of the dataset."""

    def record(self, tx: Transaction, settled: Settled, verdict: Mapping[str, Any]) -> None:
        """Writes what the verdict says (report, quarantine, incidents) in the landing's own transaction."""
