"""The records of rollouts: a canary with its policy, and the signals on which it is judged."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

State = Literal["running", "waiting", "promoted", "rolled back", "superseded"]
Standing = Literal["worse", "within", "open", "none"]


@dataclass(frozen=True, slots=True, kw_only=True)
class CanaryPolicy:
    """How a canary comes into traffic, and what sends it back.

    steps: the shares that it gets one after the other, rising, each above 0 and below 1; behind the last one it serves
    alone. At each it answers at least `min_calls` calls, for at least `step_s` seconds. After `max_s` seconds in all
    without a decision `when_undecided` is done.

    It is rolled back as soon as one signal is certainly worse than its tolerance, and promoted only where errors and
    slow calls are certainly within theirs, and with `min_labelled` above 0 its loss as well, on so many labelled calls.
    false_alarm: the probability that a canary which is within every tolerance is rolled back all the same, over all
    signals and for as long as it runs.

    max_error_increase, max_slow_increase: how much more of its calls may fail, or be slower than `slow_ms` (None: 1.5
    times what 95 % of the endpoint's calls took before it began, at least 5 ms). max_loss_increase: how much greater
    its squared error (of probabilities; of numbers, divided by `loss_scale`, and at most 1) may be once the truth is
    known. max_estimated_loss_increase: the same, as its own probabilities make one expect; None leaves it out.
    """

    steps: Sequence[float] = (0.05, 0.25, 0.5)
    min_calls: int = 100
    step_s: float = 600.0
    max_s: float = 7 * 86_400.0
    false_alarm: float = 0.01
    max_error_increase: float = 0.02
    max_slow_increase: float = 0.1
    slow_ms: float | None = None
    max_loss_increase: float = 0.02
    max_estimated_loss_increase: float | None = 0.05
    loss_scale: float | None = None
    min_labelled: int = 0
    when_undecided: Literal["roll back", "promote"] = "roll back"


@dataclass(frozen=True, slots=True, kw_only=True)
class Signal:
    """One thing in which canary and baseline are compared: the difference of their means, positive where it is worse.

    lower, upper: the ends of its interval, valid at every moment at once. standing: `worse` than the tolerance for
    certain, `within` it for certain, `open` still, or `none` where there is nothing to see.
    """

    name: str
    standing: Standing
    canary: float
    baseline: float
    difference: float
    lower: float
    upper: float
    tolerance: float
    canary_calls: int
    baseline_calls: int
    blocks: int
    """Pairs of what was seen side by side: what the test rests on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Canary:
    """One rollout of a revision. `step`: which share it has, counted from 0. promote: the alias that it gets at the end."""

    id: str
    endpoint: str
    revision: int
    model: str
    model_version: str
    state: State
    step: int
    policy: CanaryPolicy
    promote: str | None
    baseline: dict[str, float]
    """What served before, by revision: what a rollback goes back to."""
    slow_us: int
    reason: str
    evidence: str | None
    actor: str
    started_at: datetime
    step_at: datetime
    ended_at: datetime | None

    @property
    def share(self) -> float:
        """The share that it gets at its step."""
        return self.policy.steps[self.step]

    @property
    def is_over(self) -> bool:
        return self.ended_at is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class CanarySheet:
    """A canary with what is seen of it now."""

    canary: Canary
    calls_at_step: int
    signals: Sequence[Signal]
