"""`treadle value`: what predictions were worth, and what they cost to make."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Annotated, Any, Literal

from treadle.faces.cli.rendering import Paper, number
from treadle.faces.cli.session import Session
from treadle.faces.cli.signatures import Option, UsageWrong, read_time

Endpoint = Annotated[str, "the endpoint"]
Keys = Literal["entity", "prediction"]
Combining = Literal["last", "sum"]
_WIDTH = 12


def declare(
    session: Session,
    endpoint: Endpoint,
    *,
    matrix: Annotated[
        str | None, Option("values by truth and class, as JSON: '[[TN, FP], [FN, TP]]'", metavar="JSON")
    ] = None,
    expression: Annotated[
        str | None, Option("SQL over one row: score, truth, class, and the inputs", metavar="SQL")
    ] = None,
    dataset: Annotated[str | None, "a dataset of outcomes with an amount each"] = None,
    key: Annotated[str, "its column that names the prediction or the entity"] = "entity",
    amount: Annotated[str, "its column that holds the value"] = "amount",
    known_at: Annotated[str, "its column that says when the value could be known"] = "known_at",
    joined_by: Annotated[Keys, "what the key names"] = "entity",
    combine: Annotated[Combining, "of several rows about one key: the newest, or the sum"] = "last",
    decision_threshold: Annotated[float, "the score from which the class is 1"] = 0.5,
    unit: Annotated[str, "what values are counted in"] = "",
) -> None:
    """Says what a prediction of an endpoint is worth: by a matrix, an expression, or a dataset of outcomes."""
    found = session.client.value.declare(
        endpoint=endpoint,
        matrix=None if matrix is None else _matrix(matrix),
        expression=expression,
        dataset=dataset,
        key=key,
        amount=amount,
        known_at=known_at,
        joined_by=joined_by,
        combine=combine,
        decision_threshold=decision_threshold,
        unit=unit,
    )
    session.out.show(found, lambda paper: paper.line(f"The value of {found.endpoint} is declared."))


def show(
    session: Session,
    endpoint: Endpoint,
    *,
    since: Annotated[
        str | None, Option("predictions about this time or later (2013-04-01, 2013-04-01T12:00Z)", metavar="TIME")
    ] = None,
    until: Annotated[str | None, Option("predictions about times before this", metavar="TIME")] = None,
    known_by: Annotated[str | None, Option("what was known by then alone", metavar="TIME")] = None,
    window_s: Annotated[int, "the length of a window in seconds"] = 7 * 86_400,
    watts: Annotated[float, "what a busy virtual CPU takes, for the estimate of the energy"] = 3.5,
    power_usage_effectiveness: Annotated[float, "what the data centre takes for each watt of it"] = 1.135,
) -> None:
    """What predictions were worth: in all, by revision, week by week; and what a thousand of them cost."""
    report = session.client.value.show(
        endpoint=endpoint,
        since=read_time(since),
        until=read_time(until),
        known_by=read_time(known_by),
        window_s=window_s,
        watts=watts,
        power_usage_effectiveness=power_usage_effectiveness,
    )

    def draw(paper: Paper) -> None:
        unit = f" ({report.rule.unit})" if report.rule.unit else ""
        columns = ("", "predictions", "valued", "known", f"total{unit}", "per prediction", "95 % interval")
        rows = [_line(one) for one in (report.overall, *report.revisions)]
        paper.title("Value")
        paper.table(columns, rows)
        paper.title("By window")
        bars = _bars([one.mean for one in report.windows])
        lines = [(*_line(one), bar) for one, bar in zip(report.windows, bars, strict=True)]
        paper.table(("from", *columns[1:], ""), lines, empty="No predictions have landed there.")
        if report.costs:
            paper.title("Cost of a thousand predictions")
            paper.table(
                ("revision", "predictions", "model, core s", "answer, s", "energy, Wh (estimated)"),
                [
                    (
                        one.name,
                        one.predictions,
                        one.model_s_per_thousand,
                        one.latency_s_per_thousand,
                        one.estimated_energy_wh_per_thousand,
                    )
                    for one in report.costs
                ],
            )
            paper.line(f"Energy is {report.energy_formula}.", style="dim")

    session.out.show(report, draw)


def _line(one: Any) -> tuple[object, ...]:
    interval = "" if one.interval is None else f"{number(one.interval[0])} to {number(one.interval[1])}"
    return (one.name, one.predictions, one.valued, f"{one.coverage:.0%}", one.total, one.mean, interval)


def _bars(values: Sequence[float | None]) -> list[str]:
    """Bars to either side of one axis, all by one scale: losses to its left, gains to its right."""
    most = max((abs(value) for value in values if value is not None), default=0.0) or 1.0
    has_loss = any(value is not None and value < 0 for value in values)
    found = []
    for value in values:
        size = 0 if value is None else round(_WIDTH * abs(value) / most)
        left = "█" * size if value is not None and value < 0 else ""
        right = "█" * size if value is not None and value > 0 else ""
        found.append(f"{left:>{_WIDTH if has_loss else 0}}│{right}")
    return found


def _matrix(text: str) -> Any:
    try:
        found = json.loads(text)
    except json.JSONDecodeError as error:
        raise UsageWrong(f"--matrix: {text!r} is no JSON.", why=str(error), fix="'[[0, -1], [-5, 4]]'") from error
    return found
