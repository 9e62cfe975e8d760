"""What was served of an endpoint, as rollouts look at it: calls of both arms, their truth, and shadows beside answers."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Protocol

import polars as pl

from treadle.loops.feedback import Observed
from treadle.loops.feedback.archive import dataset_of
from treadle.systems.collect import Datasets
from treadle.systems.serve.records import LandingKind

_MOMENT = pl.Datetime("us", "UTC")
CALLS: dict[str, Any] = {
    "at": _MOMENT,
    "is_canary": pl.Boolean,
    "failed": pl.Boolean,
    "slow": pl.Boolean,
    "estimated": pl.Float64,
}
LABELLED: dict[str, Any] = {"known_at": _MOMENT, "is_canary": pl.Boolean, "loss": pl.Float64}


class Sight(Protocol):
    """What was served: landed rows of an endpoint, and the truth about some of them."""

    def rows(self, project: str, endpoint: str, kind: LandingKind, since: datetime, until: datetime) -> pl.DataFrame:
        """The rows of that kind that were recorded in the window, the oldest first; empty when there are none."""
        ...

    def outcomes(self, project: str, endpoint: str, asked: pl.DataFrame) -> pl.DataFrame:
        """Columns `prediction`, `truth`, `known_at` of those of `asked` (`prediction`, `entity`) whose truth is known."""
        ...


class Landed:
    """Satisfies `Sight` with datasets and with the feedback loop."""

    def __init__(self, datasets: Datasets, observed: Observed) -> None:
        self._datasets, self._observed = datasets, observed

    def rows(self, project: str, endpoint: str, kind: LandingKind, since: datetime, until: datetime) -> pl.DataFrame:
        snapshot = self._datasets.find_snapshot(project, dataset_of(endpoint, kind))
        if snapshot is None:
            return pl.DataFrame()
        within = pl.col("recorded_at").is_between(since, until, closed="left")
        return self._datasets.scan(project, snapshot).filter(within).sort("recorded_at", "prediction_id").collect()

    def outcomes(self, project: str, endpoint: str, asked: pl.DataFrame) -> pl.DataFrame:
        return self._observed.outcomes(project, endpoint, asked)


def calls_of(
    answered: pl.DataFrame, failed: pl.DataFrame, *, canary: int, baseline: set[int], slow_us: int, task: str
) -> pl.DataFrame:
    """One row a call of the two arms, in the order of time, with the columns of `CALLS`.

    answered: predictions; failed: failures. Where rows name an entity, only its first prediction says what is expected.
    """
    parts = []
    if not answered.is_empty():
        ours = _arms(answered, canary, baseline)
        first = pl.col("entity").is_null() | pl.col("entity").is_first_distinct()
        estimated = pl.when(first).then(_expected_loss(task))
        grouped = ours.with_columns(estimated=estimated).group_by("call_id", maintain_order=True)
        parts.append(
            grouped.agg(
                at=pl.col("recorded_at").first(),
                is_canary=pl.col("is_canary").first(),
                failed=pl.lit(value=False),
                slow=pl.col("latency_us").first() > slow_us,
                estimated=pl.col("estimated").mean(),
            ).select(list(CALLS))
        )
    if not failed.is_empty():
        ours = _arms(failed.filter(~pl.col("is_shadow")), canary, baseline)
        grouped = ours.group_by("call_id", maintain_order=True)
        parts.append(
            grouped.agg(
                at=pl.col("recorded_at").first(),
                is_canary=pl.col("is_canary").first(),
                failed=pl.lit(value=True),
                slow=pl.lit(value=False),
                estimated=pl.lit(None, pl.Float64),
            ).select(list(CALLS))
        )
    if not parts:
        return pl.DataFrame(schema=CALLS)
    return pl.concat(parts).sort("at", maintain_order=True)


def labelled_of(
    answered: pl.DataFrame,
    outcomes: pl.DataFrame,
    *,
    canary: int,
    baseline: set[int],
    task: str,
    scale: float | None,
) -> pl.DataFrame:
    """One row a labelled call of the two arms, in the order in which the truth came, with the columns of `LABELLED`.

    outcomes: `prediction`, `truth`, `known_at`; without a truth there is none to be expected. An entity counts once.
    """
    if answered.is_empty() or outcomes.is_empty() or task == "multiclass" or (task == "regression" and not scale):
        return pl.DataFrame(schema=LABELLED)
    first = pl.col("entity").is_null() | pl.col("entity").is_first_distinct()
    ours = _arms(answered, canary, baseline).filter(first)
    known = ours.join(outcomes, left_on="prediction_id", right_on="prediction").filter(pl.col("truth").is_not_null())
    error = (pl.col("output") - pl.col("truth")) / (scale or 1.0)
    losses = known.with_columns(loss=(error * error).clip(0.0, 1.0))
    grouped = losses.group_by("call_id", maintain_order=True).agg(
        known_at=pl.col("known_at").max(), is_canary=pl.col("is_canary").first(), loss=pl.col("loss").mean()
    )
    return grouped.sort("known_at", maintain_order=True).select(list(LABELLED))


def slow_from(latencies_us: pl.Series) -> int:
    """When a call is slow, by what calls took so far: 1.5 times what 95 % of them took, at least 5 ms."""
    usual: Any = latencies_us.quantile(0.95)
    return max(5_000, int(1.5 * (usual or 0.0)))


def _arms(rows: pl.DataFrame, canary: int, baseline: set[int]) -> pl.DataFrame:
    return rows.filter(pl.col("revision").is_in([canary, *baseline])).with_columns(
        is_canary=pl.col("revision") == canary
    )


def _expected_loss(task: str) -> pl.Expr:
    """The loss that a model's own probabilities make one expect, 0 to 1; null where it says none.

    The squared error of a probability p that is right about itself is p(1 - p); of several, half of 1 - sum(p^2). It is
    as trustworthy as the model is calibrated: what shows it wrong is the loss, once the truth is there.
    """
    if task == "binary":
        return pl.col("output") * (1.0 - pl.col("output"))
    if task == "multiclass":
        return (1.0 - pl.col("outputs").list.eval(pl.element() ** 2).list.sum()) / 2.0
    return pl.lit(None, pl.Float64)
