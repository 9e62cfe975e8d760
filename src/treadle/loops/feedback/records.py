"""The records of the feedback loop."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class TruthRule:
    """Where the truth about an endpoint's predictions comes from: rows of a dataset, joined by entity.

    entity: the column that holds what the caller sent as `entity`. value: the outcome (0, 1, or a number; null says that
    there is none and never will be). known_at: the column that says when the answer could be known.
    """

    endpoint: str
    dataset: str
    entity: str
    value: str
    known_at: str

    @property
    def source(self) -> str:
        return self.dataset


@dataclass(frozen=True, slots=True, kw_only=True)
class Coverage:
    """How much of what was predicted in a window has its truth. `without` have none and never will."""

    endpoint: str
    starts_at: datetime
    ends_at: datetime
    predictions: int
    known: int
    without: int

    @property
    def share(self) -> float:
        """The share of predictions whose outcome is settled, 1 when nothing was predicted."""
        return 1.0 if self.predictions == 0 else (self.known + self.without) / self.predictions
