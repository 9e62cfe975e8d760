"""The pipelines: a month of inputs, the first model, and the retraining that an alert starts."""

from __future__ import annotations

import treadle as td
from late_arrival.features import CATEGORIES, INPUTS
from late_arrival.labelling import settlement
from late_arrival.training import (
    VALIDATION,
    base_rate,
    fit,
    labelled,
    reference,
    route_history,
    score_rows,
    side_by_side,
    vectors_of_month,
)

MODEL = ENDPOINT = "late-arrival"
CLASSES = ["in time", "late"]


@td.pipeline
def settle(dataset: str, verdicts: str):
    """Carries out what people decided about the refused rows of a dataset: back as they are, back mended, or given up.

    verdicts: the snapshot of the decisions. The incidents of which no row is left are resolved by this run.
    """
    refused = td.quarantine(dataset)
    plan = td.load(settlement(td.dataset("verdicts").snapshot(verdicts), refused.held()))
    back = [*plan["waived"], *plan["mended"]]
    if back:
        refused.release(
            back,
            reason="judged plausible, or wrong in a reading that was emptied",
            waived=plan["waived"],
            mended=plan["mended"],
        )
    for row, reason in plan["discarded"].items():
        refused.discard([row], reason=reason)
    refused.resolve_incidents(f"{len(back)} rows are back, {len(plan['discarded'])} were given up")
    return {"released": len(plan["waived"]), "mended": len(plan["mended"]), "discarded": len(plan["discarded"])}


@td.pipeline
def month(number: int):
    """Makes the inputs for the flights of a month and lands them; predictions and training use the very same rows."""
    flights, weather, planes = (td.dataset(name).snapshot() for name in ("flights", "weather", "planes"))
    rows = vectors_of_month(flights, weather, planes, number)
    td.dataset("vectors").land(rows, key=f"2013-{number:02}", event_column="as_of")
    return rows


@td.pipeline
def first_model(space: list[dict[str, float]]):
    """Trains the candidates of a search space beside two baselines, and lets the best meet the better baseline."""
    rows, validation = _labelled_rows()
    baselines = [base_rate(rows, validation), route_history(rows, validation)]
    candidates = fit.map(
        rows,
        validation,
        learning_rate=td.each([point["learning_rate"] for point in space]),
        num_leaves=td.each([int(point["num_leaves"]) for point in space]),
        rounds=td.each([int(point["rounds"]) for point in space]),
    )
    best, bar = td.best_of(candidates, metric="auc"), td.best_of(baselines, metric="auc")
    return _meet(best, bar, rows, validation, champion_is="the better baseline")


@td.pipeline(triggers=[td.on_alert(ENDPOINT)])
def retrain(learning_rate: float = 0.06, num_leaves: int = 15, rounds: int = 120):
    """Trains on all that is known by the time of the alert, and lets the challenger meet the champion."""
    rows, validation = _labelled_rows()
    challenger = fit(rows, validation, learning_rate, num_leaves, rounds)
    champion = score_rows(td.model(f"{MODEL}@champion"), validation)
    return _meet(challenger, champion, rows, validation, champion_is="the champion")


def _labelled_rows():
    vectors, truth = td.dataset("vectors").snapshot(), td.dataset("truth").snapshot()
    split = td.now() - VALIDATION
    return labelled(vectors, truth, until=split), labelled(vectors, truth, until=td.now(), since=split)


def _meet(model, other, rows, validation, *, champion_is: str):
    """Registers the model, lets it meet the other's scores on the newest labelled rows, and deploys it if it wins."""
    scored, watched = score_rows(model, validation), reference(rows, validation)
    version = td.register(
        MODEL,
        model,
        signature=td.signature(validation, features=INPUTS, categories=CATEGORIES, classes=CLASSES, threshold=0.5),
        probe=validation,
        reference={"training": watched, "validation": scored},
        description="Will a flight from New York arrive more than 15 minutes late? Asked two hours before departure.",
    )
    newest = f"the {VALIDATION.days} days before {td.now():%Y-%m-%d}"
    verdict = td.challenge(version, side_by_side(scored, other), champion_is=champion_is, window=newest)
    if verdict.promoted:
        td.deploy(ENDPOINT, version, allow_backdating=True, reason=verdict.reason)
        td.watch(ENDPOINT, version, training=watched, validation=scored)
    return verdict.reason
