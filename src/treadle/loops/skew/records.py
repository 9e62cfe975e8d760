"""What a check for skew is asked, and what it finds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

Cause = Literal["materialization", "definition", "stale", "late"]
"""Why a served value is not the one of training, the first of these that explains it:

materialization   it is not even what its own version gives of its own snapshot and moment: a defect, or a damaged record
definition        the view has been defined otherwise since
stale             what had landed, or expired, by the time of serving was not online yet
late              rows came in afterwards that say they had been known by then
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckSkew:
    """Asks for served vectors of a service to be computed again from the snapshots, and compared.

    since: those served from then on (default: all that the log holds). sample: at most so many, the newest.
    tolerance: feature -> the difference that is no difference; without one, the bits must be the same.
    """

    service: str
    since: datetime | None = None
    sample: int = 1_000
    tolerance: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class SkewExample:
    """One value that differs."""

    entity: Mapping[str, Any]
    served_at: datetime
    served: Any
    trained: Any
    """What a training set of now says of that entity and moment."""
    cause: Cause


@dataclass(frozen=True, slots=True, kw_only=True)
class FeatureSkew:
    """One feature: how many values were compared, how many differ, and why."""

    view: str
    feature: str
    checked: int
    different: int
    causes: Mapping[str, int]
    largest: float | None
    """The largest difference of numbers."""
    examples: Sequence[SkewExample]


@dataclass(frozen=True, slots=True, kw_only=True)
class SkewReport:
    """What a check found. `unchecked` counts what could not be computed again, by the reason."""

    service: str
    vectors: int
    served_from: datetime | None
    served_to: datetime | None
    features: Sequence[FeatureSkew]
    unchecked: Mapping[str, int]
    incidents: Sequence[str]
    """Opened, or counted on, for what differs."""

    @property
    def is_clean(self) -> bool:
        """Whether every value was the one of training."""
        return all(one.different == 0 for one in self.features)
