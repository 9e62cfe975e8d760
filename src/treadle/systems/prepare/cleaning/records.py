"""What is asked of cleanings, and what they answer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from treadle.systems.prepare.cleaning.program import StepReport


@dataclass(frozen=True, slots=True, kw_only=True)
class CleanDataset:
    """Asks for a snapshot of a dataset to be cleaned into another dataset.

    to: where the clean rows land; without it, the name without `.raw`, or with `.clean` after it. contract: the dataset
    whose contract says how; without it that of `to`, of `name`, or of the dataset that `name` is cleaned into by default. again: also where nothing has changed.
    """

    name: str
    to: str | None = None
    at: str | None = None
    contract: str | None = None
    run: str | None = None
    again: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Cleaning:
    """What came of a cleaning; of a preview, what would come of it: then there is no landing.

    rows_in is always rows_kept + rows_dropped + rows_quarantined (by a step) + rows_refused (by a rule) + rows_decided
    (that a person has decided about before, in the quarantine of what was cleaned: they stay as that person left them).
    """

    dataset: str
    source: str
    source_snapshot: str
    contract: str
    landing: str | None
    rows_in: int
    rows_kept: int
    rows_dropped: int
    rows_quarantined: int
    rows_refused: int
    rows_decided: int
    cells: int
    steps: list[StepReport]
    log: str | None
    recorded_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CleaningsOf:
    """Asks for the cleanings that made a dataset, the newest first."""

    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangesOf:
    """Asks what a cleaning has changed, a page at a time. `after` is what the page before has answered as `next`."""

    name: str
    at: str | None = None
    rule: str | None = None
    column: str | None = None
    row: str | None = None
    limit: int = 100
    after: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One cell that is not what it was, or one row that left.

    row: its id. outcome: `changed`; of a row `dropped`, `quarantined` or `refused`, and then there is no column. survivor:
    the row that stands for a dropped repetition.
    """

    row: str
    rule: str
    outcome: str
    column: str | None = None
    before: Any = None
    after: Any = None
    survivor: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangePage:
    """Changes in the order of the steps, then of the rows. `next` is None on the last page."""

    dataset: str
    landing: str
    total: int
    changes: Sequence[Change]
    next: int | None
