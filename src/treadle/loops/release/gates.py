"""The gate: whether a challenger is let through, worked out from rows that both models have scored.

Pure functions on arrays. The comparison is paired (both models score the same rows), so the difference of their AUCs
is judged by its own variance and not by two separate intervals.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from treadle.ground.stats import auc, brier, calibration_error, compare_aucs, log_loss
from treadle.loops.release.records import Decision, Finding, GatePolicy
from treadle.loops.release.slices import group_findings, slice_findings


def decide(
    truth: ArrayLike,
    challenger: ArrayLike,
    champion: ArrayLike,
    *,
    policy: GatePolicy,
    champion_is: str = "the champion",
    size_bytes: int = 0,
    conditions: Sequence[Finding] = (),
    columns: Mapping[str, ArrayLike] | None = None,
) -> Decision:
    """Whether the challenger is promoted, with every finding and a sentence that says why.

    truth: 0 or 1, shape (n,). challenger, champion: probabilities of 1 for the same rows, shape (n,).
    champion_is: who holds the place, for the sentence; a baseline where there is no champion yet.
    conditions: what was found elsewhere and must hold as well, such as the gate of a model's specification.
    columns: those that the policy names as slices or groups, shape (n,).
    Raises ShapeMismatch and UnfitSample for arrays that cannot be compared.
    Source of the paired test: DeLong, DeLong and Clarke-Pearson, Biometrics 44 (1988).
    """
    labels = np.asarray(truth)
    n, positives = int(labels.size), int(np.count_nonzero(labels))
    enough = Finding(
        name="rows",
        passed=n >= policy.min_rows and 0 < positives < n,
        found=f"{n:,} labelled rows, {positives:,} of them positive",
        wanted=f"at least {policy.min_rows:,}, of both classes",
    )
    if not enough.passed:
        reason = f"Refused: {enough.found}; it takes {enough.wanted}."
        return Decision(promoted=False, reason=reason, findings=[enough], figures={"n": n, "positives": positives})
    findings, figures = _compare(labels, challenger, champion, policy, champion_is, size_bytes)
    findings = [enough, *findings, *_within(labels, challenger, champion, policy, columns or {}), *conditions]
    failed = [finding for finding in findings if not finding.passed]
    gain = (
        f"AUC {figures['challenger_auc']:.4f} against {figures['champion_auc']:.4f} of {champion_is} on {n:,} rows "
        f"(difference {figures['difference']:+.4f}, {policy.certainty:.0%} interval "
        f"{figures['difference_lower']:+.4f} to {figures['difference_upper']:+.4f})"
    )
    if failed:
        why = "; ".join(f"{finding.name}: {finding.found}, wanted {finding.wanted}" for finding in failed)
        return Decision(promoted=False, reason=f"Refused: {why}. {gain}.", findings=findings, figures=figures)
    return Decision(promoted=True, reason=f"Promoted: {gain}.", findings=findings, figures=figures)


def _within(
    truth: ArrayLike,
    challenger: ArrayLike,
    champion: ArrayLike,
    policy: GatePolicy,
    columns: Mapping[str, ArrayLike],
) -> list[Finding]:
    """What is found within slices and between groups."""
    return [
        *slice_findings(
            {name: columns[name] for name in policy.slices},
            truth,
            challenger,
            champion,
            allowed=policy.max_slice_log_loss_increase,
            certainty=policy.certainty,
            min_rows=policy.min_slice_rows,
        ),
        *group_findings(
            {name: columns[name] for name in policy.groups},
            truth,
            challenger,
            allowed=policy.max_group_gap,
            threshold=policy.threshold,
            min_rows=policy.min_slice_rows,
        ),
    ]


def _compare(
    truth: ArrayLike, challenger: ArrayLike, champion: ArrayLike, policy: GatePolicy, champion_is: str, size_bytes: int
) -> tuple[list[Finding], dict[str, Any]]:
    test = compare_aucs(truth, champion, challenger, level=policy.certainty)
    mine, theirs = auc(truth, challenger, level=policy.certainty), auc(truth, champion, level=policy.certainty)
    error = calibration_error(truth, challenger)
    my_loss, their_loss = float(log_loss(truth, challenger)), float(log_loss(truth, champion))
    lower, upper = test.interval
    findings = [
        Finding(
            name="better than " + champion_is,
            passed=bool(test.difference >= policy.min_gain if policy.min_gain > 0 else test.difference > 0),
            found=f"difference of AUC {test.difference:+.4f}",
            wanted=f"at least {policy.min_gain:+.4f}" if policy.min_gain > 0 else "above zero",
        ),
        *_certain(policy, float(lower)),
        *_probable(policy, my_loss - their_loss),
        Finding(
            name="calibrated",
            passed=bool(error <= policy.max_calibration_error),
            found=f"calibration error {error:.4f}",
            wanted=f"at most {policy.max_calibration_error}",
        ),
        Finding(
            name="size",
            passed=size_bytes <= policy.max_bytes,
            found=f"{size_bytes:,} bytes",
            wanted=f"at most {policy.max_bytes:,}",
        ),
    ]
    figures = {
        "n": int(np.asarray(truth).size),
        "positives": int(np.count_nonzero(np.asarray(truth))),
        "challenger_auc": float(mine.value),
        "champion_auc": float(theirs.value),
        "difference": float(test.difference),
        "difference_lower": float(lower),
        "difference_upper": float(upper),
        "p_value": float(test.p_value),
        "challenger_log_loss": my_loss,
        "champion_log_loss": their_loss,
        "challenger_calibration_error": float(error),
        "challenger_brier": float(brier(truth, challenger)),
        "champion_brier": float(brier(truth, champion)),
    }
    return findings, figures


def _certain(policy: GatePolicy, lower: float) -> list[Finding]:
    """Whether luck can be excluded, where the policy asks for it."""
    if not policy.must_be_certain:
        return []
    found = f"lower end of the {policy.certainty:.0%} interval {lower:+.4f}"
    return [Finding(name="not by luck", passed=lower > 0, found=found, wanted="above zero")]


def _probable(policy: GatePolicy, increase: float) -> list[Finding]:
    """Whether the probabilities are as good, where the policy asks for it."""
    if policy.max_log_loss_increase is None:
        return []
    allowed = policy.max_log_loss_increase
    found = f"log loss {increase:+.4f} against the other's"
    return [Finding(name="probabilities", passed=increase <= allowed, found=found, wanted=f"at most {allowed:+.4f}")]
