"""Whether a canary goes on, goes back or waits: pure functions on calls that were seen side by side.

A call is one observation, since its rows share a request and often a cause. The two arms are compared block by block
(`ground.stats.block_differences`), so whatever changes with the hour touches both, and by betting, so that looking every
few seconds costs nothing. Loss counts each entity once, the first time: an entity that is asked about every day would
otherwise be one opinion with many voices.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import polars as pl

from treadle.ground.stats import block_differences, evidence_above, evidence_below, running_mean
from treadle.loops.rollout.records import Canary, CanaryPolicy, Signal

SIGNALS = 4
"""Errors, slow calls, estimated loss, loss: the false-alarm budget is divided among them."""
Act = Literal["wait", "advance", "promote", "roll back"]


@dataclass(frozen=True, slots=True)
class Opinion:
    """What is to be done, and why."""

    act: Act
    reason: str


def signals_of(calls: pl.DataFrame, labelled: pl.DataFrame, policy: CanaryPolicy) -> list[Signal]:
    """What the calls say.

    calls: in the order of time: `is_canary`, `failed`, `slow` (bool), `estimated` (0 to 1, null where nothing can be
    expected). labelled: in the order in which the truth came: `is_canary`, `loss` (0 to 1).
    """
    alpha = policy.false_alarm / SIGNALS
    expected = calls.filter(pl.col("estimated").is_not_null())
    wanted: list[tuple[str, pl.DataFrame, str, float]] = [
        ("errors", calls, "failed", policy.max_error_increase),
        ("slow calls", calls.filter(~pl.col("failed")), "slow", policy.max_slow_increase),
        ("loss", labelled, "loss", policy.max_loss_increase),
    ]
    if policy.max_estimated_loss_increase is not None:
        wanted.insert(2, ("estimated loss", expected, "estimated", policy.max_estimated_loss_increase))
    return [_signal(name, seen, column, tolerance, alpha) for name, seen, column, tolerance in wanted]


def _signal(name: str, seen: pl.DataFrame, column: str, tolerance: float, alpha: float) -> Signal:
    values = seen[column].cast(pl.Float64)
    mine, theirs = values.filter(seen["is_canary"]), values.filter(~seen["is_canary"])
    differences = block_differences(seen["is_canary"].to_numpy(), values.to_numpy())
    running, needed = running_mean(differences, alpha=alpha), math.log(1 / alpha)
    standing: Any = "open"
    if differences.size == 0:
        standing = "none"
    elif evidence_above(differences, tolerance) >= needed:
        standing = "worse"
    elif evidence_below(differences, tolerance) >= needed:
        standing = "within"
    return Signal(
        name=name,
        standing=standing,
        canary=_mean(mine),
        baseline=_mean(theirs),
        difference=running.mean if differences.size else 0.0,
        lower=running.interval.lower,
        upper=running.interval.upper,
        tolerance=tolerance,
        canary_calls=mine.len(),
        baseline_calls=theirs.len(),
        blocks=int(differences.size),
    )


def decide(
    canary: Canary, signals: Sequence[Signal], *, calls_at_step: int, step_s: float, elapsed_s: float
) -> Opinion:
    """What is to be done now.

    calls_at_step: calls that the canary answered or failed since its step began. step_s, elapsed_s: seconds since the
    step began, and since the canary did.
    """
    policy = canary.policy
    worse = [signal for signal in signals if signal.standing == "worse"]
    if worse:
        return Opinion("roll back", "Rolled back: " + "; ".join(sentence(signal) for signal in worse) + ".")
    missing = _missing(policy, signals)
    is_last = canary.step == len(policy.steps) - 1
    is_ripe = calls_at_step >= policy.min_calls and step_s >= policy.step_s
    if is_ripe and not is_last:
        share = policy.steps[canary.step + 1]
        return Opinion("advance", f"Goes on to {share:.0%}: {calls_at_step:,} calls, nothing is worse.")
    if is_ripe and not missing:
        told = "; ".join(sentence(signal) for signal in signals if signal.standing == "within")
        return Opinion("promote", f"Promoted: {told}.")
    if elapsed_s >= policy.max_s:
        why = "; ".join(missing) or f"{calls_at_step:,} calls at {canary.share:.0%}, {policy.min_calls:,} are wanted"
        if policy.when_undecided == "promote":
            return Opinion("promote", f"Promoted, undecided after {elapsed_s:,.0f} s: {why}.")
        return Opinion("roll back", f"Rolled back, undecided after {elapsed_s:,.0f} s: {why}.")
    if not is_ripe:
        return Opinion(
            "wait", f"{calls_at_step:,} of {policy.min_calls:,} calls, {step_s:,.0f} of {policy.step_s:,.0f} s"
        )
    return Opinion("wait", "; ".join(missing))


def _missing(policy: CanaryPolicy, signals: Sequence[Signal]) -> list[str]:
    """What still keeps a canary from being promoted."""
    by_name = {signal.name: signal for signal in signals}
    required = ["errors", "slow calls"]
    missing = []
    if policy.min_labelled:
        required.append("loss")
        labelled = by_name["loss"].canary_calls
        if labelled < policy.min_labelled:
            missing.append(f"{labelled:,} of {policy.min_labelled:,} labelled calls")
    return missing + [
        f"{name}: not yet certain to be within {by_name[name].tolerance:+.4g} (so far at most {by_name[name].upper:+.4f})"
        for name in required
        if by_name[name].standing != "within"
    ]


def sentence(signal: Signal) -> str:
    """The signal in words: `errors 0.081 against 0.002 (+0.079, at least +0.031; +0.02 allowed)`."""
    end = f"at least {signal.lower:+.4f}" if signal.standing == "worse" else f"at most {signal.upper:+.4f}"
    return (
        f"{signal.name} {signal.canary:.4f} against {signal.baseline:.4f} "
        f"({signal.difference:+.4f}, {end}; {signal.tolerance:+.4g} allowed)"
    )


def _mean(values: pl.Series) -> float:
    return float(values.mean()) if values.len() else 0.0  # type: ignore[arg-type]
