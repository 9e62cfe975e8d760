"""The records that only collect says: landings, and what is asked for them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

import polars as pl

LandingState = Literal["intent", "committed", "abandoned"]

MAIN = "main"
"""The branch that landings move."""

QUARANTINE = ".quarantine"
"""What is added to a dataset's name for the sibling that holds its refused rows."""

RULES = "_rules"
"""Column of a quarantine: the ids of the rules that refused the row."""

RAW = "_raw"
"""Column of a quarantine: the text of a row that does not fit the dataset's columns."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Landing:
    """What came of one landing. `rows_in` is always `rows_kept` + `rows_refused`."""

    id: str
    dataset: str
    state: LandingState
    kind: str
    snapshot: str | None
    version: int | None
    rows_in: int
    rows_kept: int
    rows_refused: int
    bytes: int
    refused_by: Mapping[str, int]
    source: Mapping[str, Any]
    cursor: str | None
    run: str | None
    actor: str
    owner: str
    started_at: datetime
    ended_at: datetime | None
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Malformed:
    """A line of a source that is no row: where it was, what it said, why it was left out."""

    row: int
    text: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """What a source hands over at once: it lands as a whole or not at all.

    key: names the batch for good; one that has landed before is not landed again.
    cursor: where the source stands after this batch.
    origin: facts about where the rows come from (path, size, digest).
    follows: whether it goes on from the cursor before it; where another process has taken that step meanwhile, the source
    has moved on and has to be asked again.
    replaces: whether its rows take the place of all that the dataset holds.
    """

    frames: Iterable[pl.DataFrame]
    key: str | None = None
    cursor: str | None = None
    follows: bool = False
    replaces: bool = False
    malformed: Iterable[Malformed] = ()
    origin: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateDataset:
    """Asks for a dataset. `event_column` names the column that says when a row's event happened."""

    name: str
    description: str = ""
    event_column: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LandFiles:
    """Asks for files of the inbox to be landed, one landing each, those that have not landed yet."""

    dataset: str
    pattern: str
    format: str | None = None
    encoding: str = "utf-8"
    null_values: list[str] = field(default_factory=lambda: ["", "NA"])
    malformed: Literal["refuse", "quarantine"] = "refuse"
    mismatch: Literal["refuse", "quarantine"] = "refuse"
    new_columns: Literal["add", "refuse"] = "add"
    limit: int | None = None
    run: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedDataset:
    """Asks about one dataset. `at` is a version (`12`), a tag or branch (`main`), a snapshot's id, or a time."""

    name: str
    at: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TagSnapshot:
    """Asks for a name for a snapshot."""

    name: str
    tag: str
    at: str | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class UntagSnapshot:
    """Asks for a tag to be taken away."""

    name: str
    tag: str
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RestoreSnapshot:
    """Asks for the rows of an earlier snapshot to be the newest ones again."""

    name: str
    at: str
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class WantedRows:
    """Asks for rows by their ids (`land_…:17`)."""

    name: str
    rows: list[str]
    at: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Rows:
    """Rows as JSON-able mappings, in the order in which they were asked for."""

    columns: list[str]
    rows: list[dict[str, Any]]
