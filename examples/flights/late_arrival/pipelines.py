"""The pipelines: a month of inputs, the first model, and the retraining that an alert starts."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any, NamedTuple

import treadle as td
from late_arrival.features import CATEGORIES, INPUTS, known_before_departure
from late_arrival.labelling import settlement
from late_arrival.training import (
    asked_in_month,
    fit,
    floor,
    inputs_of,
    labelled,
    reference,
    score_floor,
    score_rows,
    side_by_side,
)
from treadle import design

MODEL = ENDPOINT = "late-arrival"
CLASSES = ["in time", "late"]
DECIDES_ABOVE = 0.5
WEEK_S = 7 * 86_400.0
MONDAY = datetime(2001, 1, 1, 5, tzinfo=UTC)
"""From here weeks are counted: a Monday, at the hour in UTC at which a winter day of New York begins."""


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
    """Makes the inputs for the flights of a month and lands them; predictions and training use the very same rows.

    What the views answered is kept as the training set `known-2013-03`: with its coverage, the age of its values and the
    reason for every miss, and to be made again from its record.
    """
    asked = asked_in_month(td.dataset("flights").snapshot(), number)
    rows = inputs_of(td.training_set(asked, known_before_departure, name=f"known-2013-{number:02}"))
    td.dataset("vectors").land(rows, key=f"2013-{number:02}", event_column="as_of")
    return rows


@td.pipeline
def first_model():
    """Trains the candidates of the specification beside its baselines, and lets the leader meet the better baseline."""
    spec = td.spec(MODEL)
    rows = _rows(spec)
    board = _trained(spec, rows, design.candidates(spec))
    return _met(spec, rows, board, score_floor(board.bar, rows.validation), champion_is="the better baseline")


@td.pipeline(triggers=[td.on_alert(ENDPOINT)], limits=td.Limits(cool_down_s=4 * WEEK_S, also=("first_model",)))
def retrain():
    """Trains the setting that led last time on all that is known by now, and lets it meet the champion.

    For four weeks after a training an alert starts none: until then there is little to learn that was not known.
    """
    spec = td.spec(MODEL)
    rows = _rows(spec)
    before = td.chosen(MODEL)
    again = [one for one in design.candidates(spec) if dict(one.params) == before]
    board = _trained(spec, rows, again or design.candidates(spec))
    champion = score_rows(td.model(f"{MODEL}@champion"), rows.validation)
    return _met(spec, rows, board, champion, champion_is="the champion")


class Rows(NamedTuple):
    """The labelled rows of a training, and where they came from."""

    training: Any
    validation: Any
    parts: list[design.PartReport]
    snapshots: dict[str, Any]


def _rows(spec: design.ModelSpec) -> Rows:
    """The parts of the specification's split, moved so that it ends now."""
    snapshots = {name: td.dataset(name).snapshot() for name in ("vectors", "truth")}
    made, reports = [], []
    for name, part in spec.split.ending(td.now()).parts.items():
        known_by = part.known_by or part.end
        found = labelled(snapshots["vectors"], snapshots["truth"], part.start, part.end, known_by)
        counts = {count: int(found.metrics[count]) for count in ("n_in", "n_used", "n_too_late", "n_unlabelled")}
        made.append(found)
        reports.append(design.PartReport(part=name, known_by=known_by, **counts))
    return Rows(*made, reports, snapshots)


def _trained(spec: design.ModelSpec, rows: Rows, tried: list[design.Candidate]) -> design.Board:
    """Trains candidates and fits baselines, and keeps them as one leaderboard."""
    varied = {name: td.each([one.params[name] for one in tried]) for name in tried[0].params}
    models = fit.map(rows.training, rows.validation, seed=td.each([one.seed for one in tried]), **varied)
    floors = [floor(rows.training, rows.validation, asdict(one)) for one in spec.baselines]
    return td.leaderboard(
        spec,
        candidates=list(zip(tried, models, strict=True)),
        baselines=list(zip(spec.baselines, floors, strict=True)),
        data=rows.snapshots,
    )


def _met(spec: design.ModelSpec, rows: Rows, board: design.Board, other: Any, *, champion_is: str) -> str:
    """Registers the leader with its card, lets it meet the other's scores on the newest labelled rows, deploys it if it wins."""
    scored, watched = score_rows(board.best, rows.validation), reference(rows.training, rows.validation)
    version = td.register(
        MODEL,
        board.best,
        signature=td.signature(
            rows.validation, features=INPUTS, categories=CATEGORIES, classes=CLASSES, threshold=DECIDES_ABOVE
        ),
        probe=rows.validation,
        reference={"training": watched, "validation": scored},
        data=rows.snapshots,
        card=td.card(spec, board, parts=rows.parts, made_at=td.now()),
        description=spec.description,
    )
    newest = rows.parts[-1]
    verdict = td.challenge(
        version,
        side_by_side(scored, other),
        policy=design.promotion_policy(spec),
        conditions=board.conditions,
        champion_is=champion_is,
        window=f"the {newest.n_used:,} newest labelled flights, known by {newest.known_by:%Y-%m-%d}",
    )
    if verdict.promoted:
        td.deploy(ENDPOINT, version, allow_backdating=True, reason=verdict.reason)
        td.watch(
            ENDPOINT, version, training=watched, validation=scored, anchor_at=MONDAY, decision_threshold=DECIDES_ABOVE
        )
    return verdict.reason
