"""Shadows: revisions that get copies of requests once these are answered, are logged, and never answer.

Nothing of a shadow stands on a request's path but one append to a bounded queue; where that is full the copy is dropped
and counted. The work is done in a thread of its own, several copies in one go, and it rests as long as it worked: so
shadows together take at most half of one core from those who answer. The log belongs to the event loop's thread, hence
the records are written there, after the work.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass

from treadle.ground.errors import TreadleError
from treadle.systems.serve.runtime.batches import Batch
from treadle.systems.serve.runtime.documents import share_of
from treadle.systems.serve.runtime.endpoints import LiveEndpoint, LiveRevision
from treadle.systems.serve.runtime.log import PredictionLog
from treadle.systems.serve.runtime.metrics import Metrics
from treadle.systems.serve.runtime.prediction_ids import PredictionIds
from treadle.systems.serve.runtime.recording import record_of

MAX_WAITING_ROWS = 20_000
"""Copies that may wait, counted by their rows: at 20 columns about 3 MB."""
AT_ONCE = 64
"""Copies for one stay in the thread."""
_log = logging.getLogger("treadle.serve")


@dataclass(frozen=True, slots=True)
class Copy:
    """One copy of a call: `read` reads it as a revision takes it, whole rows or some of them."""

    endpoint: LiveEndpoint
    revision: LiveRevision
    read: Callable[[LiveRevision], Batch]
    rows: int
    first: int
    """The first id of the call that was answered."""
    request_id: str | None


class Shadowing:
    """Takes copies and has them worked on. `offer` and the log belong to the event loop's thread."""

    def __init__(
        self,
        log: PredictionLog,
        metrics: Metrics,
        executor: Executor,
        *,
        max_waiting_rows: int = MAX_WAITING_ROWS,
        micros: Callable[[], int] = lambda: time.time_ns() // 1000,
    ) -> None:
        self._log, self._metrics, self._executor, self._micros = log, metrics, executor, micros
        self._max_waiting_rows = max_waiting_rows
        self._ids = PredictionIds()
        self._waiting: deque[Copy] = deque()
        self._waiting_rows = 0
        self._working: asyncio.Task[None] | None = None

    def offer(
        self,
        endpoint: LiveEndpoint,
        read: Callable[[LiveRevision], Batch],
        rows: int,
        first: int,
        request_id: str | None,
        unit: str | None,
    ) -> None:
        """Takes a copy of an answered call for each shadow whose share it falls into, or drops it where too many wait."""
        for shadow in endpoint.shadows:
            if (
                shadow.upper < 1
                and share_of(f"{endpoint.document.split_salt}/shadow", unit or f"{first:x}") >= shadow.upper
            ):
                continue
            if self._waiting_rows + rows > self._max_waiting_rows:
                self._metrics.shadows_dropped[endpoint.name, shadow.number] += 1
                continue
            self._waiting.append(Copy(endpoint, shadow, read, rows, first, request_id))
            self._waiting_rows += rows
            if self._working is None:
                self._working = asyncio.get_running_loop().create_task(self._work())

    async def _work(self) -> None:
        loop = asyncio.get_running_loop()
        try:
            while self._waiting:
                copies = [self._waiting.popleft() for _ in range(min(AT_ONCE, len(self._waiting)))]
                self._waiting_rows -= sum(copy.rows for copy in copies)
                started = loop.time()
                outcomes = await loop.run_in_executor(self._executor, _score_all, copies)
                worked = loop.time() - started
                for copy, outcome in zip(copies, outcomes, strict=True):
                    self._record(copy, *outcome)
                await asyncio.sleep(worked)
        except RuntimeError:
            _log.info("copies for shadows were dropped: the server stops")  # the executor is closed already
        finally:
            self._working = None

    def _record(self, copy: Copy, batch: Batch | None, scores: bytes, model_us: int, error: str | None) -> None:
        """Writes the record of a copy; where the log takes none the copy is dropped, for nobody waits for it."""
        name, number = copy.endpoint.name, copy.revision.number
        if error is not None:
            self._metrics.shadows_failed[name, number] += 1
        if batch is None:
            return
        call = record_of(
            copy.revision.context.number,
            batch,
            scores,
            first=self._ids.take(copy.rows),
            recorded_at=self._micros(),
            latency_us=model_us,
            model_us=model_us,
            request_id=copy.request_id,
            shadow_of=copy.first.to_bytes(16, "big"),
            error=error,
        )
        try:
            self._log.admit()
            self._log.append(copy.revision.context, call)
        except TreadleError:
            self._metrics.shadows_dropped[name, number] += 1
            return
        self._metrics.shadow_rows[name, number] += copy.rows


Outcome = tuple[Batch | None, bytes, int, str | None]


def _score_all(copies: Sequence[Copy]) -> list[Outcome]:
    """Batch, scores, the model's microseconds and the code of a failure, of each copy. Runs in the shadows' thread."""
    return [_score(copy) for copy in copies]


def _score(copy: Copy) -> Outcome:
    batch: Batch | None = None
    started = time.perf_counter()
    try:
        batch = copy.read(copy.revision)
        started = time.perf_counter()
        scores = copy.revision.model.scores(batch.matrix)
        return batch, scores.tobytes(), int((time.perf_counter() - started) * 1e6), None
    except Exception as error:  # a shadow may fail as it likes: nobody waits for it, and it is recorded as a failure
        code = error.code if isinstance(error, TreadleError) else "infer.model_failed"
        _log.warning("shadow revision %d of %s failed: %s", copy.revision.number, copy.endpoint.name, error)
        return batch, b"", int((time.perf_counter() - started) * 1e6), code
