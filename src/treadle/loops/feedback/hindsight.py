"""What another revision would have said: a window of logged predictions, scored again by a model that did not answer them.

The inputs are those that were served, from the prediction log, so nothing is recomputed but the score. Where the truth is
known by now, both are held against it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from treadle.ground.errors import InvalidInput
from treadle.ground.stats import auc, brier, log_loss
from treadle.kernel.governance import Caller, verb
from treadle.loops.feedback.service import Feedback
from treadle.systems.serve import Endpoints
from treadle.systems.serve.area import ServingArea
from treadle.systems.serve.errors import RevisionNotFound
from treadle.systems.serve.prediction_tables import INPUT_PREFIX
from treadle.systems.serve.runtime.models import ServedModel
from treadle.systems.serve.runtime.signature import Signature
from treadle.systems.serve.service import EndpointNamed

_ROWS_AT_ONCE = 5000
_QUANTILES = (0.5, 0.9, 0.99)
_MOST_MOVED = 10
Scores = np.ndarray[Any, Any]


class NothingToReplay(InvalidInput):
    code = "replay.nothing"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplayWindow:
    """The window is `since <= event_at < until`. revision: of this endpoint, whether it serves or not.

    limit: the newest so many predictions of the window, where there are more.
    """

    endpoint: str
    revision: int
    since: datetime
    until: datetime
    limit: int = 200_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Moved:
    """A prediction that would have been another. truth: where it is known."""

    prediction_id: str
    entity: str | None
    revision: int
    served: float
    replayed: float
    truth: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Hindsight:
    """What a revision says today of what others were asked then.

    difference_quantiles: of |replayed - served| by name (`0.5`, `1.0` is the largest). label_flips: rows whose class would
    be another, by direction for a binary task (`0 to 1`); None for a regression. with_truth: rows whose outcome is known,
    on which `served` and `replayed` are measured: for a binary task AUC, log loss, Brier score and the share of right
    labels, for a regression the mean absolute and the root mean squared error. moved: the ten that differ most.
    """

    endpoint: str
    revision: int
    model: str
    model_version: str
    since: datetime
    until: datetime
    rows: int
    left_out: int
    identical: int
    mean_served: float
    mean_replayed: float
    difference_quantiles: Mapping[str, float]
    label_flips: Mapping[str, int] | None
    with_truth: int
    served: Mapping[str, float]
    replayed: Mapping[str, float]
    moved: Sequence[Moved]


class Replays:
    """Replays windows of one store."""

    def __init__(self, endpoints: Endpoints, feedback: Feedback, serving: Callable[[str], Path]) -> None:
        self._endpoints, self._feedback, self._serving = endpoints, feedback, serving

    @verb("replays.window", permission="prediction.read")
    def window(self, caller: Caller, request: ReplayWindow) -> Hindsight:
        """What a revision would have said in a window: differences, flipped labels, and both against the truth.

        Raises EndpointNotFound, RevisionNotFound, BadModel when its model lies nowhere any more, NothingToReplay for a
        window without landed predictions, and UnknownInput or MissingInput when the revision takes other inputs.
        Cost: one pass over the window's predictions, one call of the model for each 5,000 of them.
        """
        sheet = self._endpoints.get(caller, EndpointNamed(endpoint=request.endpoint))
        revision = next((one for one in sheet.revisions if one.number == request.revision), None)
        if revision is None:
            known = ", ".join(str(one.number) for one in sheet.revisions)
            raise RevisionNotFound(
                f"Endpoint {request.endpoint!r} has no revision {request.revision}.", why=f"It has {known}."
            )
        joined = self._feedback.joined(caller.project, request.endpoint, request.since, request.until)
        if joined.is_empty():
            raise NothingToReplay(
                f"No prediction of {request.endpoint!r} lies between {request.since:%Y-%m-%d %H:%M} and {request.until:%Y-%m-%d %H:%M}.",
                fix=f"Look when there were some: treadle predictions list {request.endpoint}",
            )
        rows = joined.sort("prediction_id").tail(max(1, request.limit))
        model = ServingArea(self._serving(caller.project)).try_model(revision.bundle, revision.threads)
        compared = compare_windows(rows, rescored(model, rows), model.signature)
        return Hindsight(
            endpoint=request.endpoint,
            revision=revision.number,
            model=revision.model,
            model_version=revision.model_version,
            since=request.since,
            until=request.until,
            left_out=joined.height - rows.height,
            **compared,
        )


def rescored(model: ServedModel, rows: pl.DataFrame) -> Scores:
    """The model's scores (n, w) of logged inputs, as a server would read them from a request."""
    names = [name for name in rows.columns if name.startswith(INPUT_PREFIX)]
    asked = rows.select(pl.col(name).alias(name.removeprefix(INPUT_PREFIX)) for name in names)
    parts = [
        model.scores(model.plan.from_rows(part.to_dicts()).matrix) for part in asked.iter_slices(n_rows=_ROWS_AT_ONCE)
    ]
    return np.concatenate(parts)


def compare_windows(rows: pl.DataFrame, replayed: Scores, signature: Signature) -> dict[str, Any]:
    """The figures of `Hindsight` from rows as they were logged (`outputs`, `truth`) and the other model's scores."""
    served = np.array(rows["outputs"].to_list(), dtype=np.float64)
    if served.shape != replayed.shape:
        raise InvalidInput(
            f"The revision answers {replayed.shape[1]} scores a row, those that served {served.shape[1]}.",
            fix="Only models of one task and the same classes can be compared.",
        )
    difference = np.abs(replayed - served).max(axis=1)
    known = rows["truth"].is_not_null().to_numpy()
    truth = rows["truth"].to_numpy()[known] if known.any() else np.empty(0)
    most = np.argsort(-difference, kind="stable")[:_MOST_MOVED]
    return {
        "rows": len(served),
        "identical": int(np.count_nonzero(difference == 0)),
        "mean_served": float(served[:, 0].mean()),
        "mean_replayed": float(replayed[:, 0].mean()),
        "difference_quantiles": {str(q): float(np.quantile(difference, q)) for q in (*_QUANTILES, 1.0)},
        "label_flips": _flips(served, replayed, signature),
        "with_truth": int(known.sum()),
        "served": _measured(truth, served[known], signature),
        "replayed": _measured(truth, replayed[known], signature),
        "moved": [_moved(rows.row(int(at), named=True), served[at, 0], replayed[at, 0]) for at in most if difference[at]],
    }  # fmt: skip


def _flips(served: Scores, replayed: Scores, signature: Signature) -> dict[str, int] | None:
    if signature.task == "regression":
        return None
    one, other = _labels(served, signature), _labels(replayed, signature)
    flips: dict[str, int] = {}
    for before, after in zip(one[one != other].tolist(), other[one != other].tolist(), strict=True):
        name = f"{before} to {after}"
        flips[name] = flips.get(name, 0) + 1
    return flips


def _labels(scores: Scores, signature: Signature) -> Scores:
    if signature.task == "multiclass":
        return np.asarray(scores.argmax(axis=1))
    return (scores[:, 0] >= (0.5 if signature.threshold is None else signature.threshold)).astype(int)


def _measured(truth: Scores, scores: Scores, signature: Signature) -> dict[str, float]:
    if not len(truth):
        return {}
    if signature.task == "regression":
        error = scores[:, 0] - truth
        return {"mean_absolute_error": float(np.abs(error).mean()), "rmse": float(np.sqrt(np.square(error).mean()))}
    right = {"accuracy": float((_labels(scores, signature) == truth).mean())}
    if signature.task == "multiclass":
        return right
    probability = scores[:, 0]
    ranked = {"auc": float(auc(truth, probability).value)} if 0 < truth.sum() < len(truth) else {}
    return {**ranked, "log_loss": log_loss(truth, probability), "brier": brier(truth, probability), **right}


def _moved(row: Mapping[str, Any], served: float, replayed: float) -> Moved:
    return Moved(
        prediction_id=row["prediction_id"],
        entity=row["entity"],
        revision=row["revision"],
        served=float(served),
        replayed=float(replayed),
        truth=row["truth"],
    )
