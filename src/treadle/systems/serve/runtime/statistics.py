"""What each model version has done on this server, in Triton's words; it goes on through the swaps of its endpoint.

Counting costs 0.6 us a call. Times are summed as seconds and told as nanoseconds.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from treadle.wire.oip import BatchDurations, Duration, InferenceDurations, ModelStatistics

MAX_BATCH_SIZES = 128
"""How many numbers of rows are told apart: clients choose them, and memory must not grow with that."""


@dataclass(slots=True)
class Timing:
    """The moments of one call, of perf_counter: the request had come in, its rows were ready, the model began, and ended."""

    started: float
    ready: float
    begun: float
    ended: float


@dataclass(slots=True)
class _Batch:
    calls: int = 0
    input_s: float = 0.0
    infer_s: float = 0.0
    output_s: float = 0.0


@dataclass(slots=True)
class Figures:
    """The sums of one model version."""

    rows: int = 0
    last_micros: int = 0
    fails: int = 0
    fail_s: float = 0.0
    success_s: float = 0.0
    queued: int = 0
    queue_s: float = 0.0
    total: _Batch = field(default_factory=_Batch)
    by_rows: dict[int, _Batch] = field(default_factory=dict)

    def called(self, rows: int, timing: Timing, done: float, micros: int) -> None:
        """Counts a call whose record was written at `done`; micros: the same moment as microseconds since 1970."""
        self.rows += rows
        self.last_micros = micros
        self.success_s += done - timing.started
        if timing.begun != timing.ready:
            self.queued += 1
            self.queue_s += timing.begun - timing.ready
        input_s, infer_s, output_s = timing.ready - timing.started, timing.ended - timing.begun, done - timing.ended
        batch = self.by_rows.get(rows)
        if batch is None and len(self.by_rows) < MAX_BATCH_SIZES:
            batch = self.by_rows[rows] = _Batch()
        for sums in (self.total, batch):
            if sums is not None:
                sums.calls += 1
                sums.input_s += input_s
                sums.infer_s += infer_s
                sums.output_s += output_s

    def failed(self, seconds: float) -> None:
        """Counts a request that was refused or broke."""
        self.fails += 1
        self.fail_s += seconds

    def told(self, name: str, version: str) -> ModelStatistics:
        """The figures in the protocol's form."""
        total = self.total
        return ModelStatistics(
            name=name,
            version=version,
            last_inference=self.last_micros // 1000,
            inference_count=self.rows,
            execution_count=total.calls,
            inference_stats=InferenceDurations(
                success=_duration(total.calls, self.success_s),
                fail=_duration(self.fails, self.fail_s),
                queue=_duration(self.queued, self.queue_s),
                compute_input=_duration(total.calls, total.input_s),
                compute_infer=_duration(total.calls, total.infer_s),
                compute_output=_duration(total.calls, total.output_s),
            ),
            batch_stats=[
                BatchDurations(
                    batch_size=rows,
                    compute_input=_duration(batch.calls, batch.input_s),
                    compute_infer=_duration(batch.calls, batch.infer_s),
                    compute_output=_duration(batch.calls, batch.output_s),
                )
                for rows, batch in sorted(self.by_rows.items())
            ],
        )


def _duration(count: int, seconds: float) -> Duration:
    return Duration(count, round(seconds * 1e9))
