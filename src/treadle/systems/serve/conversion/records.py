"""What conversion finds out about a model: a row for each candidate, and which of them serves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from treadle.systems.serve.runtime.engines import EngineOptions

ComparisonVerdict = Literal["serves", "within tolerance", "outside", "failed"]
ORIGINAL = "original"
FASTEST = "fastest"


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A form of a model that a server could run. content: its file; None when it could not be made, and `reason` why."""

    name: str
    engine: str
    content: bytes | None
    options: EngineOptions = field(default_factory=EngineOptions)
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """A candidate beside the original, on the same rows.

    largest_difference, difference_quantiles: of |candidate - original| / max(1, |original|) over all scores; quantiles by
    name (`0.5`). label_flips: rows whose class would be another, None for a regression. call_us: what a call takes by its
    count of rows, in microseconds, the best of several; None where it was not worth waiting for.
    """

    name: str
    engine: str
    verdict: ComparisonVerdict
    reason: str = ""
    rows: int = 0
    largest_difference: float | None = None
    difference_quantiles: Mapping[str, float] = field(default_factory=dict)
    label_flips: int | None = None
    call_us: Mapping[str, float | None] = field(default_factory=dict)
    size_bytes: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """What was compared, and the name of the candidate that serves; None when none of them could."""

    serves: str | None
    tolerance: float
    comparisons: Sequence[Comparison]
    options: Mapping[str, Any] = field(default_factory=dict)
    """The engine's options of the candidate that serves."""
