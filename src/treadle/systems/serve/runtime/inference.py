"""One inference from checked rows to a logged answer: pick the revision, call the model, write the record, hand it out.

The order is the promise: the record is in the operating system's hands before anyone learns the prediction's id.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass

import numpy as np

from treadle.ground.errors import TreadleError
from treadle.systems.serve.runtime.batches import Batch
from treadle.systems.serve.runtime.endpoints import LiveEndpoint, LiveRevision
from treadle.systems.serve.runtime.engines.opening import Matrix
from treadle.systems.serve.runtime.errors import NotAllowed, Overloaded
from treadle.systems.serve.runtime.log import Call, PredictionLog
from treadle.systems.serve.runtime.metrics import Metrics
from treadle.systems.serve.runtime.prediction_ids import PredictionIds, texts
from treadle.systems.serve.runtime.signature import Signature
from treadle.wire.oip import OutputTensor

Read = Callable[[LiveRevision], Batch]
_log = logging.getLogger("treadle.serve")


class ModelFailed(TreadleError):
    """The model itself raised; what it said goes to the log of the server, not to the client."""

    code = "infer.model_failed"


@dataclass(slots=True)
class Answer:
    """Predictions of a batch, in its rows' order. `revision` is None where rows went to several."""

    revision: LiveRevision | None
    revisions: list[int]
    ids: list[str]
    scores: Matrix
    signature: Signature

    def outputs(self) -> list[OutputTensor]:
        """All the outputs that the signature promises."""
        rows = len(self.ids)
        tensors = [_scores_tensor(self.signature, self.scores)]
        if self.signature.task == "multiclass":
            classes = self.signature.classes
            labels = [classes[at] for at in self.scores.argmax(axis=1)]
            tensors.append(OutputTensor("label", "BYTES", (rows,), labels))
        elif self.signature.threshold is not None:
            decision = self.scores[:, 0] >= self.signature.threshold
            tensors.append(OutputTensor("decision", "BOOL", (rows,), decision))
        tensors.append(OutputTensor("prediction_id", "BYTES", (rows,), self.ids))
        if self.revision is None:
            tensors.append(OutputTensor("revision", "INT64", (rows,), np.array(self.revisions)))
        return tensors


def _scores_tensor(signature: Signature, scores: Matrix) -> OutputTensor:
    if signature.task == "multiclass":
        return OutputTensor("probabilities", "FP64", scores.shape, scores)
    name = "probability" if signature.task == "binary" else "prediction"
    return OutputTensor(name, "FP64", (len(scores),), scores[:, 0])


class Inference:
    """Answers batches. Calls that should be quick run inline; longer ones in a thread, a bounded number waiting."""

    def __init__(
        self,
        log: PredictionLog,
        metrics: Metrics,
        executor: Executor,
        micros: Callable[[], int] = lambda: time.time_ns() // 1000,
    ) -> None:
        self._log, self._metrics, self._executor, self._micros = log, metrics, executor, micros
        self._ids = PredictionIds()
        self._waiting = 0

    def check(self, endpoint: LiveEndpoint, batch: Batch) -> None:
        """Raises NotAllowed for what the endpoint's limits forbid, LogFull when there is no room for the record."""
        rows, limit = len(batch.matrix), endpoint.limits.max_rows
        if rows > limit:
            raise NotAllowed(
                f"The request has {rows} rows; {limit} are allowed.", fix="Split it into several requests."
            )
        if batch.facts.event_at is not None and not endpoint.document.allow_backdating:
            raise NotAllowed(
                f"Endpoint {endpoint.name!r} does not allow 'event_at': it predicts for now.",
                fix="Leave it out, or deploy the endpoint with backdating allowed.",
            )
        self._log.admit()

    def answer_inline(
        self, endpoint: LiveEndpoint, read: Read, request_id: str | None, only: LiveRevision | None, started: float
    ) -> Answer | Batch:
        """Predictions for a request, logged, if one revision serves it and is quick; else the leading revision's batch,
        checked, for `answer_later`. No coroutine stands between most requests and their model.

        read: the request's batch as a revision takes it (two revisions may give one category different codes).
        only: the revision that the request asked for. started: perf_counter when the request had come in.
        """
        revision = only or endpoint.revisions[0]
        batch = read(revision)
        self.check(endpoint, batch)
        rows = len(batch.matrix)
        single = only is not None or len(endpoint.revisions) == 1
        if not single or revision.model.call_seconds(rows) * 1000 > endpoint.limits.inline_ms:
            return batch
        first = self._ids.take(rows)
        scores = _scores(endpoint, revision, batch.matrix)
        self._record(endpoint, revision, batch, scores, first, request_id, started)
        return Answer(revision, [revision.number], texts(first, rows), scores, revision.model.signature)

    async def answer(
        self, endpoint: LiveEndpoint, read: Read, request_id: str | None, only: LiveRevision | None, started: float
    ) -> Answer:
        """Predictions for a request, logged, whichever way it takes; the arguments are those of `answer_inline`."""
        answered = self.answer_inline(endpoint, read, request_id, only, started)
        if isinstance(answered, Answer):
            return answered
        return await self.answer_later(endpoint, answered, read, request_id, only, started)

    async def answer_later(
        self,
        endpoint: LiveEndpoint,
        batch: Batch,
        read: Read,
        request_id: str | None,
        only: LiveRevision | None,
        started: float,
    ) -> Answer:
        """Predictions for a request that is split, or whose call should take long."""
        leading = revision = only or endpoint.revisions[0]
        rows = len(batch.matrix)
        first = self._ids.take(rows)
        if only is None and len(endpoint.revisions) > 1:
            parts = endpoint.parts(batch.facts, request_id or f"{first:x}")
            if len(parts) > 1:
                return await self._answer_in_parts(endpoint, read, parts, first, rows, request_id, started)
            revision = parts[0][0]
            batch = batch if revision is leading else read(revision)
        scores = await self._call(endpoint, revision, batch.matrix)
        self._record(endpoint, revision, batch, scores, first, request_id, started)
        return Answer(revision, [revision.number], texts(first, rows), scores, revision.model.signature)

    async def _answer_in_parts(
        self,
        endpoint: LiveEndpoint,
        read: Read,
        parts: Sequence[tuple[LiveRevision, list[int]]],
        first: int,
        rows: int,
        request_id: str | None,
        started: float,
    ) -> Answer:
        """Each revision gets its rows as a call of its own, with consecutive ids."""
        signature = parts[0][0].model.signature
        scores, ids, revisions = np.empty((rows, signature.width)), [""] * rows, [0] * rows
        for revision, at in parts:
            part = read(revision).rows(np.array(at))
            given = await self._call(endpoint, revision, part.matrix)
            self._record(endpoint, revision, part, given, first, request_id, started)
            scores[at] = given
            for row, identity in zip(at, texts(first, len(at)), strict=True):
                ids[row], revisions[row] = identity, revision.number
            first += len(at)
        return Answer(None, revisions, ids, scores, signature)

    async def _call(self, endpoint: LiveEndpoint, revision: LiveRevision, matrix: Matrix) -> Matrix:
        limits = endpoint.limits
        if revision.model.call_seconds(len(matrix)) * 1000 <= limits.inline_ms:
            return _scores(endpoint, revision, matrix)
        if self._waiting >= limits.max_waiting:
            raise Overloaded(f"{self._waiting} requests are waiting for a model.", fix="Try again in a second.")
        self._waiting += 1
        try:
            loop = asyncio.get_running_loop()
            return await loop.run_in_executor(self._executor, _scores, endpoint, revision, matrix)
        finally:
            self._waiting -= 1

    def _record(
        self,
        endpoint: LiveEndpoint,
        revision: LiveRevision,
        batch: Batch,
        scores: Matrix,
        first: int,
        request_id: str | None,
        started: float,
    ) -> None:
        facts, rows = batch.facts, len(batch.matrix)
        self._log.append(
            revision.context,
            Call(
                context=revision.context.number,
                first_id=first.to_bytes(16, "big"),
                rows=rows,
                recorded_at=self._micros(),
                latency_us=int((time.perf_counter() - started) * 1e6),
                matrix=batch.matrix.tobytes(),
                scores=scores.tobytes(),
                event_at=facts.event_at,
                entity=facts.entity,
                feature_as_of=facts.feature_as_of,
                unknown=batch.unknown,
                request_id=request_id,
                unit=facts.unit,
                features=facts.features,
            ),
        )
        self._metrics.rows[endpoint.name, revision.number] += rows
        if batch.unknown:
            self._metrics.unknown_categories[endpoint.name] += len(batch.unknown)


def _scores(endpoint: LiveEndpoint, revision: LiveRevision, matrix: Matrix) -> Matrix:
    try:
        return revision.model.scores(matrix)
    except TreadleError:
        raise
    except Exception as error:
        _log.exception("model %s of endpoint %s failed", revision.model_version, endpoint.name)
        raise ModelFailed(f"The model failed on this request: {type(error).__name__}.") from None
