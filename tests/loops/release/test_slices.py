"""A challenger that is better on the whole is refused where it serves a slice worse, or groups unlike."""

from __future__ import annotations

import numpy as np

from tests.loops.release.test_gates import POLICY, blurred, scored
from treadle.loops.release import GatePolicy, decide
from treadle.loops.release.slices import group_findings, slice_findings


def policy(**given: object) -> GatePolicy:
    from dataclasses import replace

    return replace(POLICY, **given)  # type: ignore[arg-type]


def test_a_slice_that_is_served_worse_refuses_a_better_challenger() -> None:
    truth, good = scored(4000)
    region = np.where(np.arange(4000) % 10 == 0, "north", "south")
    challenger = np.where(region == "north", 1 - good, good)
    champion = blurred(good, 0.9)

    without = decide(truth, challenger, champion, policy=policy(max_calibration_error=1.0))
    within = decide(
        truth,
        challenger,
        champion,
        policy=policy(max_calibration_error=1.0, slices=("region",)),
        columns={"region": region},
    )

    assert without.promoted
    assert not within.promoted
    assert "slices of region: log loss of 'north' +" in within.reason


def test_slices_that_are_worse_by_luck_alone_seldom_refuse() -> None:
    """Fifty streams of twenty slices that are alike: at 95 % about one in twenty may be refused, on one side half as many."""
    refused = 0
    for seed in range(50):
        truth, good = scored(2000, seed=seed)
        one, other = blurred(good, 0.5, seed=seed + 100), blurred(good, 0.5, seed=seed + 200)
        slices = {"bucket": np.arange(2000) % 20}
        found = slice_findings(slices, truth, one, other, allowed=0.0, certainty=0.95, min_rows=50)
        refused += not found[0].passed

    assert refused <= 5


def test_small_slices_are_passed_over() -> None:
    truth, good = scored(300)

    assert slice_findings({"id": np.arange(300)}, truth, good, good, allowed=0, certainty=0.95, min_rows=100) == []


def test_groups_whose_positives_are_found_unlike_are_refused() -> None:
    truth = np.array([1.0] * 200 + [0.0] * 200)
    group = np.array((["a"] * 100 + ["b"] * 100) * 2)
    score = np.concatenate([np.full(100, 0.9), np.repeat([0.9, 0.1], 50), np.full(200, 0.1)])

    found = group_findings({"group": group}, truth, score, allowed=0.1, threshold=0.5, min_rows=50)

    assert [(one.name, one.passed, one.found) for one in found] == [
        ("groups of group", False, "finds 100.0% of the positives of 'a' and 50.0% of 'b'")
    ]
    assert group_findings({"group": group}, truth, score, allowed=0.5, threshold=0.5, min_rows=50)[0].passed
    assert group_findings({"group": ["a"] * 400}, truth, score, allowed=0.1, threshold=0.5, min_rows=50) == []
