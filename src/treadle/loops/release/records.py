"""The records of a gate: what it takes, what was found, what was decided."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class GatePolicy:
    """What it takes to become champion.

    min_rows: labelled rows below which no decision is made, and the champion stays.
    min_gain: by how much the challenger's AUC must exceed the champion's to be worth the change. certainty: the level of
    the interval of the difference. must_be_certain: the whole interval has to lie above zero as well, so that luck is no
    reason. max_log_loss_increase: by how much the challenger's mean log loss may exceed the champion's: ranking better is
    no gain when the probabilities are worse; None looks at the ranking alone.
    max_calibration_error: the mean gap between forecast and frequency that is still allowed. max_bytes: of the model.

    slices: columns of the evaluation by whose values no slice may be served worse: by more than
    `max_slice_log_loss_increase`, for certain, where it has `min_slice_rows` rows. groups: columns whose groups must be
    served alike: of their positives, the shares that are found at `threshold` may be `max_group_gap` apart.
    """

    min_rows: int = 500
    min_gain: float = 0.0
    certainty: float = 0.95
    must_be_certain: bool = True
    max_log_loss_increase: float | None = 0.0
    max_calibration_error: float = 0.1
    max_bytes: int = 200_000_000
    slices: Sequence[str] = ()
    max_slice_log_loss_increase: float = 0.0
    min_slice_rows: int = 100
    groups: Sequence[str] = ()
    max_group_gap: float = 0.1
    threshold: float = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that the gate looked at."""

    name: str
    passed: bool
    found: str
    wanted: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What the gate says. `figures` holds the numbers behind the sentence `reason`."""

    promoted: bool
    reason: str
    findings: Sequence[Finding]
    figures: dict[str, Any]

    def as_evidence(self) -> dict[str, Any]:
        """The decision as JSON-able facts."""
        return {
            "promoted": self.promoted,
            "reason": self.reason,
            "findings": [asdict(finding) for finding in self.findings],
            "figures": self.figures,
        }
