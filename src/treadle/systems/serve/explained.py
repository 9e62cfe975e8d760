"""A past prediction explained: what each of its inputs added, on the model that made it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from treadle.systems.serve.replay import RecordedCall
from treadle.systems.serve.runtime.explaining import Method, explain
from treadle.systems.serve.runtime.models import ServedModel


@dataclass(frozen=True, slots=True, kw_only=True)
class Contribution:
    """An input with its value, and what it added to the sum."""

    name: str
    value: Any
    adds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ExplainedPrediction:
    """base and contributions make the whole; those that added most, up or down, come first.

    scale: `raw` is the sum before the link (log-odds, for a probability), `score` what was answered.
    """

    prediction_id: str
    method: Method
    scale: str
    base: float
    contributions: Sequence[Contribution]


def explain_row(
    call: RecordedCall, model: ServedModel, row: int, *, inputs: dict[str, Any], prediction_id: str
) -> ExplainedPrediction:
    """The explanation of one row of a call. inputs: its values as they were logged, by name."""
    matrix = call.inputs(model).matrix[row : row + 1]
    found = explain(model, matrix, model.scores(matrix))
    names = [one.name for one in model.signature.inputs]
    parts = [
        Contribution(name=name, value=inputs.get(name), adds=float(adds))
        for name, adds in zip(names, found.contributions[0], strict=True)
    ]
    return ExplainedPrediction(
        prediction_id=prediction_id,
        method=found.method,
        scale=found.scale,
        base=float(found.base[0]),
        contributions=sorted(parts, key=lambda part: -abs(part.adds)),
    )
