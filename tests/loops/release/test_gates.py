"""The gate lets the better challenger through, and says why it refuses the others."""

from __future__ import annotations

import numpy as np
import pytest

from treadle.loops.release import Finding, GatePolicy, decide

POLICY = GatePolicy(min_rows=200)


def scored(n: int = 2000, *, seed: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """Labels, and calibrated probabilities of them."""
    rng = np.random.default_rng(seed)
    probability = rng.beta(2, 5, n)
    return (rng.random(n) < probability).astype(float), probability


def blurred(probability: np.ndarray, share: float, *, seed: int = 2) -> np.ndarray:
    """The probabilities with a share of noise."""
    noise = np.random.default_rng(seed).beta(2, 5, probability.size)
    return (1 - share) * probability + share * noise


def test_a_challenger_that_ranks_better_is_promoted() -> None:
    truth, good = scored()

    decision = decide(truth, good, blurred(good, 0.8), policy=POLICY)

    assert decision.promoted
    assert decision.figures["difference"] > 0
    assert decision.figures["difference_lower"] > 0
    assert "Promoted: AUC" in decision.reason


def test_a_challenger_that_ranks_worse_is_refused_with_the_figures() -> None:
    truth, good = scored()

    decision = decide(truth, blurred(good, 0.8), good, policy=POLICY, champion_is="the champion, version 3")

    assert not decision.promoted
    assert decision.figures["difference"] < 0
    assert "better than the champion, version 3" in decision.reason


def test_equal_models_leave_the_champion_where_it_is() -> None:
    truth, good = scored()

    assert not decide(truth, good, good, policy=POLICY).promoted


def test_a_difference_that_may_be_luck_is_not_enough_unless_the_policy_says_so() -> None:
    truth, good = scored(400)
    slightly_worse = blurred(good, 0.15)
    careful = decide(truth, good, slightly_worse, policy=POLICY)
    bold = decide(truth, good, slightly_worse, policy=GatePolicy(min_rows=200, must_be_certain=False))

    assert careful.figures["difference"] > 0 > careful.figures["difference_lower"]
    assert (careful.promoted, bold.promoted) == (False, True)


@pytest.mark.parametrize("truth", [np.zeros(500), np.ones(500), np.array([0.0, 1.0])])
def test_too_few_rows_or_one_class_decide_nothing(truth: np.ndarray) -> None:
    decision = decide(truth, np.full(truth.size, 0.5), np.full(truth.size, 0.5), policy=POLICY)

    assert not decision.promoted
    assert [finding.name for finding in decision.findings] == ["rows"]


def test_a_challenger_that_promises_too_much_is_refused() -> None:
    truth, good = scored()

    policy = GatePolicy(min_rows=200, max_log_loss_increase=None)
    decision = decide(truth, np.sqrt(good), blurred(good, 0.8), policy=policy)

    assert not decision.promoted
    assert [finding.name for finding in decision.findings if not finding.passed] == ["calibrated"]


def test_a_model_that_is_too_large_is_refused() -> None:
    truth, good = scored()
    policy = GatePolicy(min_rows=200, max_bytes=1000)

    decision = decide(truth, good, blurred(good, 0.8), policy=policy, size_bytes=1001)

    assert [finding.name for finding in decision.findings if not finding.passed] == ["size"]


def test_a_gain_that_is_certain_and_too_small_is_refused() -> None:
    truth, good = scored()
    worse = blurred(good, 0.8)
    gain = decide(truth, good, worse, policy=POLICY).figures["difference"]

    just = GatePolicy(min_rows=200, min_gain=gain)
    beyond = GatePolicy(min_rows=200, min_gain=gain + 1e-6)

    assert decide(truth, good, worse, policy=just).promoted
    refused = decide(truth, good, worse, policy=beyond)
    assert [finding.name for finding in refused.findings if not finding.passed] == ["better than the champion"]


def test_a_challenger_that_ranks_better_with_worse_probabilities_is_refused() -> None:
    truth, good = scored()
    pale = 0.45 + 0.1 * good  # the same order, and hardly any opinion
    policy = GatePolicy(min_rows=200, max_calibration_error=1.0)

    refused = decide(truth, pale, blurred(good, 0.3), policy=policy)

    assert refused.figures["difference"] > 0
    assert refused.figures["challenger_log_loss"] > refused.figures["champion_log_loss"]
    assert [finding.name for finding in refused.findings if not finding.passed] == ["probabilities"]
    ranking_alone = GatePolicy(min_rows=200, max_calibration_error=1.0, max_log_loss_increase=None)
    assert decide(truth, pale, blurred(good, 0.3), policy=ranking_alone).promoted


def test_a_condition_that_does_not_hold_stops_the_best_challenger() -> None:
    truth, good = scored()
    condition = Finding(name="auc on valid at least 0.9", passed=False, found="0.7", wanted="0.9")

    decision = decide(truth, good, blurred(good, 0.8), policy=POLICY, conditions=[condition])

    assert not decision.promoted
    assert "auc on valid at least 0.9: 0.7, wanted 0.9" in decision.reason
    assert condition in decision.findings
