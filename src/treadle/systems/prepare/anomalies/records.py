"""What is said of a landing: whether it is unlike those before it, in what, and what was expected."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

AnomalyKind = Literal[
    "volume",
    "arrival",
    "freshness",
    "schema",
    "duplicate",
    "missing",
    "empty",
    "distinct",
    "distribution",
    "categories",
]
KINDS: tuple[AnomalyKind, ...] = (
    "volume", "arrival", "freshness", "schema", "duplicate", "missing", "empty", "distinct", "distribution", "categories",
)  # fmt: skip

WARM_UP = 14
FALSE_ALARMS = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Watch:
    """How a dataset is watched.

    false_alarms: at most so many of 100 landings without trouble may raise an alarm, over all checks together.
    warm_up: so many landings are only learned from. muted: kinds that raise no alarm; muted_columns: columns, and for
    each the kinds (none named: all).
    """

    is_on: bool = True
    false_alarms: float = FALSE_ALARMS
    warm_up: int = WARM_UP
    muted: frozenset[str] = frozenset()
    muted_columns: Mapping[str, frozenset[str]] = field(default_factory=dict)

    def is_muted(self, kind: str, column: str | None) -> bool:
        """Whether a kind raises no alarm, in a column or at all."""
        if kind in self.muted:
            return True
        kinds = None if column is None else self.muted_columns.get(column)
        return kinds is not None and (not kinds or kind in kinds)


@dataclass(frozen=True, slots=True, kw_only=True)
class Band:
    """What was expected of one figure and what was seen, in the figure's own unit."""

    seen: float | None
    expected: float
    low: float
    high: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Anomaly:
    """One way in which a landing is unlike those before it.

    surprise: standard deviations from what was expected, the threshold being `limit`; infinite ones (another schema, the
    same rows again) are 0 of 0. expected and seen are sentences' halves: "988 to 1,012 rows", "0 rows".
    """

    kind: AnomalyKind
    columns: tuple[str, ...] = ()
    expected: str = ""
    seen: str = ""
    surprise: float = 0.0
    limit: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What is said of one landing. warming: too few came before it to say anything."""

    warming: bool = False
    anomalies: tuple[Anomaly, ...] = ()
    volume: Band | None = None
    gap: Band | None = None
    """Seconds since the landing before."""
