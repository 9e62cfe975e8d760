"""One inference from checked rows to a logged answer: pick the revision, call the model, write the record, hand it out.

The order is the promise: the record is in the operating system's hands before anyone learns the prediction's id.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np

from treadle.ground.errors import TreadleError
from treadle.systems.serve.runtime.batches import Batch
from treadle.systems.serve.runtime.endpoints import LiveEndpoint, LiveRevision
from treadle.systems.serve.runtime.engines.opening import Matrix
from treadle.systems.serve.runtime.errors import Drained, NotAllowed, Overloaded, TimedOut
from treadle.systems.serve.runtime.explaining import Explanation, explain
from treadle.systems.serve.runtime.keyed import Features
from treadle.systems.serve.runtime.log import PredictionLog
from treadle.systems.serve.runtime.metrics import Metrics
from treadle.systems.serve.runtime.observing import note_call
from treadle.systems.serve.runtime.prediction_ids import PredictionIds, texts
from treadle.systems.serve.runtime.recording import record_of
from treadle.systems.serve.runtime.row_facts import RowFacts
from treadle.systems.serve.runtime.shadowing import Shadowing
from treadle.systems.serve.runtime.signature import Signature
from treadle.systems.serve.runtime.statistics import Timing
from treadle.wire.oip import OutputTensor

Read = Callable[[LiveRevision], Batch]
_T = TypeVar("_T")
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
    explanation: Explanation | None = None
    """What each input adds to each prediction, where the request asked for it."""

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
        if self.explanation is not None:
            added = self.explanation.contributions
            tensors.append(OutputTensor("attributions", "FP64", added.shape, added))
            tensors.append(OutputTensor("attribution_base", "FP64", (rows,), self.explanation.base))
        if self.revision is None:
            tensors.append(self.revision_tensor())
        return tensors

    def revision_tensor(self) -> OutputTensor:
        """The revision that answered each row."""
        rows = len(self.ids)
        numbers = self.revisions if self.revision is None else self.revisions * rows
        return OutputTensor("revision", "INT64", (rows,), np.array(numbers, dtype=np.int64))


def _scores_tensor(signature: Signature, scores: Matrix) -> OutputTensor:
    if signature.task == "multiclass":
        return OutputTensor("probabilities", "FP64", scores.shape, scores)
    name = "probability" if signature.task == "binary" else "prediction"
    return OutputTensor(name, "FP64", (len(scores),), scores[:, 0])


class Inference:
    """Answers batches. Calls that should be quick run inline; longer ones in threads, a bounded number waiting."""

    def __init__(
        self,
        log: PredictionLog,
        metrics: Metrics,
        executor: Executor,
        shadowing: Shadowing,
        features: Features | None = None,
        micros: Callable[[], int] = lambda: time.time_ns() // 1000,
    ) -> None:
        self._log, self._metrics, self._executor, self._micros = log, metrics, executor, micros
        self._ids = PredictionIds()
        self._shadowing = shadowing
        self.features = Features(None) if features is None else features
        self.is_observed = False
        """Whether each call is noted for the trace of its request."""
        self.waiting = 0
        """Calls in the threads or on their way to them."""

    def check(self, endpoint: LiveEndpoint, batch: Batch) -> None:
        """Raises NotAllowed for what the endpoint's limits forbid, Drained, LogFull when there is no room for the record."""
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
        if endpoint.document.is_drained:
            raise Drained.of(endpoint.name)
        self._log.admit()

    def is_inline(self, endpoint: LiveEndpoint, only: LiveRevision | None) -> bool:
        """Whether one revision serves all requests, and is quick enough with one row to answer in the event loop."""
        if endpoint.document.features is not None or (only is None and len(endpoint.revisions) > 1):
            return False
        return (only or endpoint.revisions[0]).model.call_seconds(1) * 1000 <= endpoint.limits.inline_ms

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
        begun = time.perf_counter()
        try:
            scores = _scores(endpoint, revision, batch.matrix)
        except TreadleError as error:
            self._record_failure(revision, batch, first, request_id, started, error)
            raise
        timing = Timing(started, begun, begun, time.perf_counter())
        self._record(endpoint, revision, batch, scores, first, request_id, timing)
        if endpoint.shadows:
            self._shadowing.offer(endpoint, read, rows, first, request_id, batch.facts.unit or request_id)
        return Answer(revision, [revision.number], texts(first, rows), scores, revision.model.signature)

    async def keyed(self, endpoint: LiveEndpoint, asked: Sequence[Mapping[str, Any]], facts: RowFacts) -> Read:
        """How a revision reads a request that brings keys: from the features as they are now, read once for all."""
        source = endpoint.document.features
        assert source is not None
        if endpoint.document.is_drained:
            raise Drained.of(endpoint.name)
        columns = [column.name for column in endpoint.revisions[0].model.signature.inputs]
        found = await self.features.fetch(endpoint.name, source, columns, asked, facts, endpoint.limits.max_rows)
        return lambda revision: revision.model.plan.from_rows(found.rows, found.facts)

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
        scores = await self._answered(endpoint, revision, batch, read, first, request_id, started)
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
            given = await self._answered(endpoint, revision, part, _part_of(read, at), first, request_id, started)
            scores[at] = given
            for row, identity in zip(at, texts(first, len(at)), strict=True):
                ids[row], revisions[row] = identity, revision.number
            first += len(at)
        return Answer(None, revisions, ids, scores, signature)

    async def _answered(
        self,
        endpoint: LiveEndpoint,
        revision: LiveRevision,
        batch: Batch,
        read: Read,
        first: int,
        request_id: str | None,
        started: float,
    ) -> Matrix:
        """The scores of a call, logged, copied to shadows. A call that failed is logged as one."""
        try:
            scores, timing = await self._call(endpoint, revision, batch.matrix, started)
        except Overloaded:
            raise  # refused before the model saw it: a refusal under load has to stay cheap
        except TreadleError as error:
            self._record_failure(revision, batch, first, request_id, started, error)
            raise
        self._record(endpoint, revision, batch, scores, first, request_id, timing)
        if endpoint.shadows:
            unit = batch.facts.unit or request_id
            self._shadowing.offer(endpoint, read, len(batch.matrix), first, request_id, unit)
        return scores

    async def _call(
        self, endpoint: LiveEndpoint, revision: LiveRevision, matrix: Matrix, started: float
    ) -> tuple[Matrix, Timing]:
        limits, ready = endpoint.limits, time.perf_counter()
        if revision.model.call_seconds(len(matrix)) * 1000 <= limits.inline_ms:
            scores = _scores(endpoint, revision, matrix)
            return scores, Timing(started, ready, ready, time.perf_counter())
        if self.waiting >= limits.max_waiting:
            raise Overloaded(f"{self.waiting} requests are waiting for a model.", fix="Try again in a second.")
        self.waiting += 1
        call = self._executor.submit(_timed_scores, endpoint, revision, matrix)
        call.add_done_callback(self._one_less(asyncio.get_running_loop()))
        try:
            scores, begun, ended = await asyncio.wait_for(asyncio.wrap_future(call), limits.timeout_ms / 1000 or None)
        except TimeoutError:
            raise TimedOut(
                f"The model did not answer within {limits.timeout_ms:g} ms.",
                why=f"{self.waiting} requests wait or are worked on.",
                fix="Send fewer rows in each request, or raise the endpoint's limit timeout_ms.",
            ) from None
        return scores, Timing(started, ready, begun, ended)

    async def explain(self, answer: Answer, read: Read) -> Explanation:
        """What each input adds to each prediction; worked out beside the event loop."""
        revision = answer.revision
        if revision is None:
            raise NotAllowed(
                "Rows that went to several revisions cannot be explained in one answer.", fix="Send them one by one."
            )
        return await self.beside(explain, revision.model, read(revision).matrix, answer.scores)

    async def beside(self, work: Callable[..., _T], *arguments: Any) -> _T:
        """What some work answers, done in a thread where long calls are."""
        return await asyncio.get_running_loop().run_in_executor(self._executor, lambda: work(*arguments))

    def _one_less(self, loop: asyncio.AbstractEventLoop) -> Callable[[object], None]:
        """Takes a call that ended out of the count of those that wait; one that began goes on after its time is up."""

        def done(_: object) -> None:
            with contextlib.suppress(RuntimeError):  # the loop has ended, and nobody counts any more
                loop.call_soon_threadsafe(self._ended)

        return done

    def _ended(self) -> None:
        self.waiting -= 1

    def _record(
        self,
        endpoint: LiveEndpoint,
        revision: LiveRevision,
        batch: Batch,
        scores: Matrix,
        first: int,
        request_id: str | None,
        timing: Timing,
    ) -> None:
        now = self._micros()
        call = record_of(
            revision.context.number,
            batch,
            scores.tobytes(),
            first=first,
            recorded_at=now,
            latency_us=int((time.perf_counter() - timing.started) * 1e6),
            model_us=int((timing.ended - timing.begun) * 1e6),
            request_id=request_id,
        )
        self._log.append(revision.context, call)
        logged = time.perf_counter()
        revision.figures.called(call.rows, timing, logged, now)
        if self.is_observed:
            note_call(endpoint.name, revision.number, call.rows, timing.begun, timing.ended, logged)
        self._metrics.rows[endpoint.name, revision.number] += call.rows
        if batch.unknown:
            self._metrics.unknown_categories[endpoint.name] += len(batch.unknown)

    def _record_failure(
        self,
        revision: LiveRevision,
        batch: Batch,
        first: int,
        request_id: str | None,
        started: float,
        error: TreadleError,
    ) -> None:
        """Writes down which revision failed on what. What the log refuses is let go: the client hears of its failure."""
        call = record_of(
            revision.context.number,
            batch,
            b"",
            first=first,
            recorded_at=self._micros(),
            latency_us=int((time.perf_counter() - started) * 1e6),
            model_us=0,
            request_id=request_id,
            error=error.code,
        )
        with contextlib.suppress(TreadleError):
            self._log.append(revision.context, call)


def _part_of(read: Read, at: list[int]) -> Read:
    """Reads some rows of a request."""
    return lambda revision: read(revision).rows(np.array(at))


def _timed_scores(endpoint: LiveEndpoint, revision: LiveRevision, matrix: Matrix) -> tuple[Matrix, float, float]:
    begun = time.perf_counter()
    return _scores(endpoint, revision, matrix), begun, time.perf_counter()


def _scores(endpoint: LiveEndpoint, revision: LiveRevision, matrix: Matrix) -> Matrix:
    try:
        return revision.model.scores(matrix)
    except TreadleError:
        raise
    except Exception as error:
        _log.exception("model %s of endpoint %s failed", revision.model_version, endpoint.name)
        raise ModelFailed(f"The model failed on this request: {type(error).__name__}.") from None
