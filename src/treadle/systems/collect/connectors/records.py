"""The records of the verbs on sources."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from treadle.systems.collect.records import Landing


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedSource:
    """Asks about a source that `treadle.toml` declares."""

    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RunSource:
    """Asks for what is new in a declared source to be landed. limit: at most so many batches."""

    name: str
    limit: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckSource:
    """Asks whether a declared source can be read. rows: how many of its first rows to show."""

    name: str
    rows: int = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceSummary:
    """A declared source, and how it stands. `problem` says what is wrong with its declaration, in one sentence."""

    name: str
    kind: str
    dataset: str
    schedule: str
    options: Mapping[str, Any]
    batches: int
    rows: int
    cursor: str | None
    landed_at: datetime | None
    problem: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceSheet:
    """A declared source with its newest landings, the newest first."""

    source: SourceSummary
    landings: list[Landing]


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceColumn:
    """A column that a source has. `lands_as`: the column's type in the dataset, None where it is new there."""

    name: str
    type: str
    lands_as: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceCheck:
    """What was found when a source was looked at. `problems` are sentences; without them it can be run."""

    name: str
    is_ready: bool
    columns: list[SourceColumn]
    rows: list[dict[str, Any]]
    problems: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
