"""A canary goes back when it is certainly worse, goes on when it has earned it, and waits otherwise."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import polars as pl
import pytest

from treadle.loops.rollout.judging import decide, signals_of
from treadle.loops.rollout.observing import LABELLED, calls_of, labelled_of, slow_from
from treadle.loops.rollout.records import Canary, CanaryPolicy, Signal

START = datetime(2026, 1, 5, tzinfo=UTC)
POLICY = CanaryPolicy(steps=(0.1, 0.5), min_calls=100, step_s=60, max_s=3600)


def canary(**given: Any) -> Canary:
    made = Canary(
        id="can_1",
        endpoint="numbers",
        revision=2,
        model="late",
        model_version="2",
        state="running",
        step=0,
        policy=POLICY,
        promote=None,
        baseline={"1": 1.0},
        slow_us=5000,
        reason="",
        evidence=None,
        actor="ada",
        started_at=START,
        step_at=START,
        ended_at=None,
    )
    return replace(made, **given)


def calls(seed: int, n: int = 1500, share: float = 0.3, **canary_rates: float) -> pl.DataFrame:
    """Calls of two arms that are alike but for the rates of the canary."""
    rng = np.random.default_rng(seed)
    rates = {"failed": 0.01, "slow": 0.05} | canary_rates
    mine = rng.random(n) < share
    usual = {"failed": 0.01, "slow": 0.05}
    columns = {name: rng.random(n) < np.where(mine, rates[name], usual[name]) for name in usual}
    at = [START + timedelta(seconds=second) for second in range(n)]
    return pl.DataFrame({"at": at, "is_canary": mine, **columns, "estimated": rng.beta(2, 8, n)})


NOTHING = pl.DataFrame(schema=LABELLED)


def standing(signals: list[Signal]) -> dict[str, str]:
    return {signal.name: signal.standing for signal in signals}


def test_a_canary_that_is_no_worse_is_rolled_back_as_seldom_as_promised() -> None:
    """At one in ten of 150 canaries that are exactly at their tolerance, by three standard errors."""
    policy = replace(POLICY, false_alarm=0.1, max_error_increase=0.02, max_slow_increase=0.05)
    alarms = 0
    for seed in range(150):
        signals = signals_of(calls(seed, n=600, failed=0.03, slow=0.10), NOTHING, policy)
        alarms += any(signal.standing == "worse" for signal in signals)

    assert alarms <= 150 * 0.1 + 3 * np.sqrt(150 * 0.1 * 0.9)


@pytest.mark.parametrize(("rates", "name"), [({"failed": 0.2}, "errors"), ({"slow": 0.5}, "slow calls")])
def test_what_is_certainly_worse_sends_it_back_and_says_so(rates: dict[str, float], name: str) -> None:
    signals = signals_of(calls(1, **rates), NOTHING, POLICY)
    opinion = decide(canary(), signals, calls_at_step=450, step_s=5, elapsed_s=5)

    assert standing(signals)[name] == "worse"
    assert opinion.act == "roll back"
    assert opinion.reason.startswith(f"Rolled back: {name} 0.")


def test_a_greater_loss_sends_it_back_once_the_truth_is_there() -> None:
    rng = np.random.default_rng(2)
    mine = rng.random(1200) < 0.3
    loss = np.clip(rng.normal(np.where(mine, 0.3, 0.15), 0.05), 0, 1)
    labelled = pl.DataFrame({"known_at": [START] * 1200, "is_canary": mine, "loss": loss})

    signals = signals_of(calls(2), labelled, POLICY)

    assert standing(signals)["loss"] == "worse"


def test_it_goes_on_when_its_step_is_ripe_and_is_promoted_when_it_is_certain() -> None:
    signals = signals_of(calls(3, n=6000, share=0.5), NOTHING, POLICY)
    first = decide(canary(), signals, calls_at_step=100, step_s=60, elapsed_s=60)
    last = decide(canary(step=1), signals, calls_at_step=100, step_s=60, elapsed_s=120)

    assert standing(signals) == {"errors": "within", "slow calls": "within", "estimated loss": "within", "loss": "none"}
    assert (first.act, last.act) == ("advance", "promote")
    assert "50%" in first.reason


@pytest.mark.parametrize(("calls_at_step", "step_s"), [(99, 60.0), (100, 59.0)])
def test_it_waits_until_its_step_is_ripe(calls_at_step: int, step_s: float) -> None:
    signals = signals_of(calls(3), NOTHING, POLICY)

    assert decide(canary(), signals, calls_at_step=calls_at_step, step_s=step_s, elapsed_s=60).act == "wait"


def test_at_the_last_step_it_waits_for_certainty_and_for_the_labels_that_are_wanted() -> None:
    few = signals_of(calls(4, n=100), NOTHING, POLICY)
    many = signals_of(calls(4, n=6000, share=0.5), NOTHING, POLICY)
    wants_labels = canary(step=1, policy=replace(POLICY, min_labelled=200))
    ripe = {"calls_at_step": 500, "step_s": 99.0, "elapsed_s": 99.0}

    assert "not yet certain" in decide(canary(step=1), few, **ripe).reason
    assert "0 of 200 labelled calls" in decide(wants_labels, many, **ripe).reason


@pytest.mark.parametrize(("then", "act"), [("roll back", "roll back"), ("promote", "promote")])
def test_what_is_undecided_in_the_end_is_decided_by_the_policy(then: Any, act: str) -> None:
    signals = signals_of(calls(5, n=50), NOTHING, POLICY)
    late = canary(step=1, policy=replace(POLICY, when_undecided=then))

    opinion = decide(late, signals, calls_at_step=10, step_s=3000, elapsed_s=3600)

    assert (opinion.act, "undecided after 3,600 s" in opinion.reason) == (act, True)


# -- from what was landed ---------------------------------------------------------------------------------------------


def landed(*rows: tuple[str, int, float, str | None]) -> pl.DataFrame:
    """Rows of (call, revision, score, entity), a second apart."""
    return pl.DataFrame(
        [
            {
                "prediction_id": f"pred_{at}",
                "call_id": call,
                "revision": revision,
                "output": score,
                "entity": entity,
                "latency_us": 1000 * (at + 1),
                "recorded_at": START + timedelta(seconds=at),
            }
            for at, (call, revision, score, entity) in enumerate(rows)
        ],
        schema_overrides={"entity": pl.String},
    )


def test_a_call_is_one_observation_and_an_entity_speaks_once() -> None:
    answered = landed(
        ("a", 1, 0.5, "x"), ("a", 1, 0.9, "y"), ("b", 2, 0.5, "x"), ("c", 7, 0.5, "z"), ("d", 2, 0.2, None)
    )
    failed = landed(("e", 2, 0.0, None)).with_columns(is_shadow=pl.lit(value=False))

    found = calls_of(answered, failed, canary=2, baseline={1}, slow_us=2500, task="binary")

    rows = found.sort("at", "failed").select("is_canary", "failed", "slow", "estimated").rows()
    assert rows == [
        (False, False, False, pytest.approx((0.25 + 0.09) / 2)),
        (True, True, False, None),
        (True, False, True, None),
        (True, False, True, pytest.approx(0.16)),
    ]


def test_losses_come_in_the_order_of_the_truth_and_numbers_are_scaled() -> None:
    answered = landed(("a", 1, 10.0, "x"), ("b", 2, 14.0, "y"), ("c", 2, 90.0, "z"))
    outcomes = pl.DataFrame(
        {
            "prediction": ["pred_0", "pred_1", "pred_2"],
            "truth": [12.0, 10.0, 0.0],
            "known_at": [START + timedelta(hours=3), START + timedelta(hours=1), START + timedelta(hours=2)],
        }
    )
    arms: dict[str, Any] = {"canary": 2, "baseline": {1}, "task": "regression"}

    assert labelled_of(answered, outcomes, **arms, scale=None).is_empty()
    assert labelled_of(answered, outcomes, **arms, scale=10.0).select("is_canary", "loss").rows() == [
        (True, pytest.approx(0.16)),
        (True, 1.0),
        (False, pytest.approx(0.04)),
    ]


def test_slow_is_what_was_unusual_before() -> None:
    assert slow_from(pl.Series([10_000] * 100)) == 15_000
    assert slow_from(pl.Series([], dtype=pl.Int64)) == 5_000
