"""What is said of a snapshot's columns, in words and numbers that a person or a program reads without our sketches."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal


@dataclass(frozen=True, slots=True, kw_only=True)
class ProfileOf:
    """Asks for the profile of a dataset's snapshot. `bars` is how many bars a histogram has."""

    dataset: str
    at: str | None = None
    bars: int = 24


@dataclass(frozen=True, slots=True, kw_only=True)
class Histogram:
    """`edges` has one more than `counts`. Numbers are as they are, times are seconds since 1970."""

    edges: Sequence[float]
    counts: Sequence[float]


@dataclass(frozen=True, slots=True, kw_only=True)
class FrequentValue:
    """A value that comes often: at least `count` times, at most `at_most`."""

    value: str | int | float
    count: int
    at_most: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PossiblyPersonal:
    """Possible personal data: what it looks like, in what share of the values, how certain that is."""

    kind: str
    share: float
    certainty: Literal["low", "medium", "high"]
    by_name: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Hint:
    """Something to look at before the data is used. `column` None is about the rows as a whole."""

    column: str | None
    kind: str
    says: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnFacts:
    """One column. Shares are of the rows; `distinct_error` is the standard error of `distinct`, relative.

    low, high, quantiles: numbers, or times in ISO 8601. Of text columns, those of the lengths. Where values are
    withheld since they may be somebody's, there are none of these.
    """

    name: str
    type: str
    kind: str
    nulls: int
    null_share: float
    distinct: int
    distinct_error: float
    is_unique: bool | None
    is_withheld: bool
    nans: int = 0
    infinite: int = 0
    trues: int | None = None
    low: Any = None
    high: Any = None
    mean: Any = None
    std: float | None = None
    skew: float | None = None
    quantiles: dict[str, Any] = field(default_factory=dict)
    histogram: Histogram | None = None
    frequent: Sequence[FrequentValue] = ()
    frequent_is_all: bool = False
    empty: int = 0
    patterns: Sequence[FrequentValue] = ()
    weekdays: Sequence[int] = ()
    hours: Sequence[int] = ()
    step: str | None = None
    personal: Sequence[PossiblyPersonal] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Correlated:
    """Two columns and Pearson's r of the rows where both are there."""

    first: str
    second: str
    r: float


@dataclass(frozen=True, slots=True, kw_only=True)
class SnapshotProfile:
    """What the rows of one snapshot hold."""

    dataset: str
    version: int
    snapshot: str
    recorded_at: datetime
    rows: int
    bytes: int
    columns: Sequence[ColumnFacts]
    correlations: Sequence[Correlated]
    hints: Sequence[Hint]
    rank_error: float
    """A quantile's rank is at most so far from the one it is called by."""
