"""What a prediction is worth, as declared, and what predictions turned out to be worth."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

JoinedBy = Literal["entity", "prediction"]
Combine = Literal["last", "sum"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ValueRule:
    """What a prediction of an endpoint is worth: by exactly one of `matrix`, `expression`, `dataset`.

    matrix: `matrix[truth][class]`, square, in the order of a confusion matrix: [[TN, FP], [FN, TP]] for a binary model,
    whose class is 1 at a score of `decision_threshold` or more; of several classes the one with the largest output.
    Costs are negative values. expression: SQL over one row, with `score`, `truth`, `class` and the inputs by name; null says that
    the value is not known. dataset: an outcome stream with the columns `key` (a prediction's id or its entity, as
    `joined_by` says), `amount` and `known_at`; of several rows about one key the one that became known last holds, or
    with `combine="sum"` all are added. Every prediction about an entity gets the whole amount.
    unit: what values are counted in, shown beside them.
    """

    endpoint: str
    matrix: list[list[float]] | None = None
    expression: str | None = None
    dataset: str | None = None
    key: str = "entity"
    amount: str = "amount"
    known_at: str = "known_at"
    joined_by: JoinedBy = "entity"
    combine: Combine = "last"
    decision_threshold: float = 0.5
    unit: str = ""

    @property
    def source(self) -> str:
        if self.dataset is not None:
            return self.dataset
        return "a value matrix" if self.matrix is not None else "an expression"


@dataclass(frozen=True, slots=True, kw_only=True)
class ValueFigure:
    """What some predictions were worth. valued: those whose value is known; without: those that have no truth and never will.

    total: of the valued ones alone. mean: per valued prediction, with its 95 % interval: predictions about one entity
    are taken as one observation, since they share its outcome. None where fewer than two entities are valued.
    """

    name: str
    predictions: int
    valued: int
    without: int
    total: float
    mean: float | None
    interval: tuple[float, float] | None
    starts_at: datetime | None = None

    @property
    def coverage(self) -> float:
        """The share of predictions whose value is settled, 1 when nothing was predicted."""
        return 1.0 if self.predictions == 0 else (self.valued + self.without) / self.predictions


@dataclass(frozen=True, slots=True, kw_only=True)
class CostFigure:
    """What a thousand predictions of a revision cost to make.

    model_s: core seconds in the model's calls, as the server logged them: the time of each call by the clock, times the
    threads that it may use, so at least its CPU time. latency_s: seconds from the request's arrival to its answer.
    estimated_energy_wh: an estimate from `model_s`, see `ValueOf`.
    """

    name: str
    predictions: int
    calls: int
    model_s_per_thousand: float
    latency_s_per_thousand: float
    estimated_energy_wh_per_thousand: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ValueReport:
    """The value of an endpoint's predictions: of all, by revision, and window by window (oldest first); and their cost.

    energy_formula: how the energy was estimated, with its source.
    """

    endpoint: str
    rule: ValueRule
    overall: ValueFigure
    revisions: Sequence[ValueFigure]
    windows: Sequence[ValueFigure]
    costs: Sequence[CostFigure]
    energy_formula: str
