"""What a shadow would have answered, beside what was answered: differences, flipped labels, latency, and loss where known."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
import polars as pl

from treadle.kernel.governance import Caller, verb
from treadle.kernel.store import Store
from treadle.loops.rollout.observing import Sight
from treadle.systems.serve import Endpoints

_QUANTILES = (0.5, 0.9, 0.99)


@dataclass(frozen=True, slots=True, kw_only=True)
class CompareShadow:
    """The window is `since <= recorded_at < until`. revision: this shadow alone; the newest one when None."""

    endpoint: str
    since: datetime
    until: datetime
    revision: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Loss:
    """Mean squared error of both on the same rows whose truth is known; `difference` is the shadow's less the other."""

    n: int
    answered: float
    shadow: float
    difference: float
    standard_error: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ShadowReport:
    """A shadow held against what answered, on the same rows.

    rows: that both have scored; answered: predictions of the window in all. difference: quantiles of the absolute
    difference of their scores, and the largest. flips: rows on which their decisions differ (of a binary task at the
    model's threshold, else 0.5; of several classes, the likeliest one). latency_us: the model's own time per call.
    """

    endpoint: str
    revision: int | None
    answered: int
    rows: int
    failed: int
    mean_difference: float
    difference: dict[str, float]
    flips: int | None
    latency_us: dict[str, dict[str, float]]
    loss: Loss | None

    @property
    def share(self) -> float:
        """The share of the predictions that the shadow has scored as well."""
        return self.rows / self.answered if self.answered else 0.0


class Shadows:
    """Compares shadows with answers."""

    def __init__(self, store: Store, endpoints: Endpoints, sight: Sight) -> None:
        self._store, self._endpoints, self._sight = store, endpoints, sight

    @verb("endpoints.compare", permission="prediction.read")
    def compare(self, caller: Caller, request: CompareShadow) -> ShadowReport:
        """What a shadow said of the requests of a window, beside what was answered. Nothing where no shadow was."""
        project, window = caller.project, (request.since, request.until)
        answered = self._sight.rows(project, request.endpoint, "predictions", *window)
        copies = self._sight.rows(project, request.endpoint, "shadows", *window)
        failures = self._sight.rows(project, request.endpoint, "failures", *window)
        revision = request.revision
        if revision is None and not copies.is_empty():
            revision = int(copies["revision"][-1])
        if not copies.is_empty():
            copies = copies.filter(pl.col("revision") == revision)
        failed = 0
        if not failures.is_empty():
            failed = failures.filter(pl.col("is_shadow") & (pl.col("revision") == revision)).height
        if answered.is_empty() or copies.is_empty():
            return _empty(request.endpoint, revision, answered.height, failed)
        task, threshold = self._judged(project, request.endpoint, revision)
        pairs = answered.join(copies, left_on="prediction_id", right_on="shadow_of", suffix="_shadow")
        if pairs.is_empty():
            return _empty(request.endpoint, revision, answered.height, failed)
        asked = pairs.select(pl.col("prediction_id").alias("prediction"), "entity")
        outcomes = self._sight.outcomes(project, request.endpoint, asked)
        return ShadowReport(
            endpoint=request.endpoint,
            revision=revision,
            answered=answered.height,
            rows=pairs.height,
            failed=failed,
            **_differences(pairs, task, threshold),
            latency_us={"answered": _latency(pairs, ""), "shadow": _latency(pairs, "_shadow")},
            loss=None if task == "multiclass" else _loss(pairs, outcomes),
        )

    def _judged(self, project: str, endpoint: str, revision: int | None) -> tuple[str, float]:
        with self._store.read() as reader:
            revisions = self._endpoints.routing.revisions.of_endpoint(reader, project, endpoint)
        bundle = next(one.bundle for one in revisions if one.number == revision)
        signature = self._endpoints.routing.area(project).signature_of(bundle)
        return signature.task, 0.5 if signature.threshold is None else signature.threshold


def _differences(pairs: pl.DataFrame, task: str, threshold: float) -> dict[str, Any]:
    mine, theirs = (np.array(pairs[name].to_list(), dtype=float) for name in ("outputs_shadow", "outputs"))
    apart = np.abs(mine - theirs).max(axis=1)
    quantiles = {f"p{q * 100:g}": float(np.quantile(apart, q)) for q in _QUANTILES}
    flips: int | None = None
    if task == "binary":
        flips = int(((mine[:, 0] >= threshold) != (theirs[:, 0] >= threshold)).sum())
    elif task == "multiclass":
        flips = int((mine.argmax(axis=1) != theirs.argmax(axis=1)).sum())
    return {
        "mean_difference": float((mine[:, 0] - theirs[:, 0]).mean()),
        "difference": {**quantiles, "largest": float(apart.max())},
        "flips": flips,
    }


def _latency(pairs: pl.DataFrame, suffix: str) -> dict[str, float]:
    calls = pairs.unique(f"call_id{suffix}", keep="first")[f"model_us{suffix}"]
    return {f"p{q * 100:g}": float(calls.quantile(q) or 0.0) for q in _QUANTILES}


def _loss(pairs: pl.DataFrame, outcomes: pl.DataFrame) -> Loss | None:
    known = outcomes.filter(pl.col("truth").is_not_null())
    rows = pairs.join(known, left_on="prediction_id", right_on="prediction")
    if rows.height < 2:
        return None
    mine = ((rows["output_shadow"] - rows["truth"]) ** 2).to_numpy()
    theirs = ((rows["output"] - rows["truth"]) ** 2).to_numpy()
    difference = mine - theirs
    return Loss(
        n=rows.height,
        answered=float(theirs.mean()),
        shadow=float(mine.mean()),
        difference=float(difference.mean()),
        standard_error=float(difference.std(ddof=1) / np.sqrt(rows.height)),
    )


def _empty(endpoint: str, revision: int | None, answered: int, failed: int) -> ShadowReport:
    return ShadowReport(
        endpoint=endpoint,
        revision=revision,
        answered=answered,
        rows=0,
        failed=failed,
        mean_difference=0.0,
        difference={},
        flips=None,
        latency_us={},
        loss=None,
    )
