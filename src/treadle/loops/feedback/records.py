"""The records of the feedback loop."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal


@dataclass(frozen=True, slots=True, kw_only=True)
class TruthRule:
    """Where the truth about an endpoint's predictions comes from: rows of a dataset, joined by entity.

    entity: the column that holds what the caller sent as `entity`. value: the outcome (0, 1, or a number; null says that
    there is none and never will be). known_at: the column that says when the answer could be known. by: whether `entity`
    holds that, or ids of predictions.

    holds: of several answers about one thing the one that was known `first`, or `last`; the last of the source that stands
    first in `priority` (others come behind all that are named; `said_by` is their column); or none where they contradict
    each other (`refuse`). All answers are kept, and what held at a time is worked out from those known by then.
    """

    endpoint: str
    dataset: str
    entity: str
    value: str
    known_at: str
    by: Literal["entity", "prediction"] = "entity"
    holds: Literal["first", "last", "priority", "refuse"] = "last"
    said_by: str | None = None
    priority: Sequence[str] = ()

    @property
    def source(self) -> str:
        return self.dataset


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelCounts:
    """What became of every label: `given` is the sum of the other four.

    joined: the one that holds, of each predicted thing. duplicates: they say the same as the one that holds.
    contradictory: they say something else, such as what was corrected later; where contradictions are refused, all answers
    about that thing. unknown: nothing was predicted about it, so far.
    """

    given: int
    joined: int
    duplicates: int
    contradictory: int
    unknown: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """What was taken for the truth from a moment on. is_settled: False while answers contradict each other."""

    since: datetime
    is_settled: bool
    value: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Cohort:
    """The predictions of a part of a window, by when they were made. median_delay_s: until their truth was known."""

    starts_at: datetime
    ends_at: datetime
    predictions: int
    known: int
    without: int
    median_delay_s: float | None

    @property
    def share(self) -> float:
        """The share of predictions whose outcome is settled, 1 when nothing was predicted."""
        return 1.0 if self.predictions == 0 else (self.known + self.without) / self.predictions


@dataclass(frozen=True, slots=True, kw_only=True)
class Coverage:
    """How much of what was predicted in a window has its truth. `without` have none and never will."""

    endpoint: str
    starts_at: datetime
    ends_at: datetime
    predictions: int
    known: int
    without: int
    cohorts: Sequence[Cohort] = ()

    @property
    def share(self) -> float:
        """The share of predictions whose outcome is settled, 1 when nothing was predicted."""
        return 1.0 if self.predictions == 0 else (self.known + self.without) / self.predictions
