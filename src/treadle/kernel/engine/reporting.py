"""What a step says while it runs: metrics, progress, checkpoints, and its own name for the outside world.

The same calls work in the driver's process and in a worker; the step's reporter knows the way. Outside of steps they
either do what they can (a metric of the pipeline run) or say why they cannot.
"""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from typing import Any

from treadle.ground.errors import InvalidInput
from treadle.kernel.artifacts.records import Artifact
from treadle.kernel.engine.context import StepContext, current_driver, running_step
from treadle.kernel.engine.records import Point
from treadle.kernel.engine.secrets import redacted

MAX_LOG_LETTERS = 8 << 20
"""Of one attempt; what comes after is counted and not kept."""
_CHUNK_LETTERS = 32 << 10


class NotInStep(InvalidInput):
    code = "engine.not_in_step"


class Said:
    """What an attempt has said and the journal has not written yet. Not safe for threads: its owner holds a lock."""

    __slots__ = ("_letters", "_logs", "_lost", "_points", "first_log", "first_metric")

    def __init__(self) -> None:
        self._points: list[Point] = []
        self._logs: list[tuple[str, list[str]]] = []
        self._letters = self._lost = 0
        self.first_metric = self.first_log = 0

    def __bool__(self) -> bool:
        return bool(self._points or self._logs)

    def point(self, point: Point) -> None:
        """Adds a metric's value."""
        self._points.append(point)

    def printed(self, stream: str, text: str) -> None:
        """Adds printed text; what follows on the same stream becomes one chunk."""
        self._letters += len(text)
        if self._letters > MAX_LOG_LETTERS:
            if not self._lost:
                self._logs.append(
                    ("stderr", [f"\n… more than {MAX_LOG_LETTERS >> 20} MiB: what follows is not kept\n"])
                )
            self._lost += len(text)
            return
        logs = self._logs
        if (
            logs
            and logs[-1][0] == stream
            and sum(map(len, logs[-1][1][-64:])) < _CHUNK_LETTERS
            and len(logs[-1][1]) < 4096
        ):
            logs[-1][1].append(text)
        else:
            logs.append((stream, [text]))

    def take(self) -> tuple[Sequence[Point], list[tuple[str, str]], int, int]:
        """Points, log chunks, and the ordinals of the first of each; they are this object's no more."""
        points, logs = self._points, [(stream, redacted("".join(parts))) for stream, parts in self._logs]
        first_metric, first_log = self.first_metric, self.first_log
        self._points, self._logs = [], []
        self.first_metric += len(points)
        self.first_log += len(logs)
        return points, logs, first_metric, first_log

    def give_back(self, points: Sequence[Point], logs: list[tuple[str, str]]) -> None:
        """What was taken and could not be written: it goes before what was said since."""
        self._points[:0] = points
        self._logs[:0] = [(stream, [text]) for stream, text in logs]
        self.first_metric -= len(points)
        self.first_log -= len(logs)


def _step_for(what: str) -> StepContext:
    step = running_step()
    if step is None:
        raise NotInStep(
            f"{what} was called outside of a step.",
            why="It belongs to the step that runs, and none runs here.",
            fix="Call it inside a function with @td.step, while a pipeline runs.",
        )
    return step


def log_metric(name: str, value: float, *, step: int | None = None) -> None:
    """Records a metric of the running step, or of the pipeline run when called in a pipeline's body.

    value: a real number. step: the position within a series (an epoch); by default 0.
    Called where no pipeline runs, it does nothing, so that steps can be tested as plain functions.
    """
    number = float(value)
    point = Point(str(name), number, int(step or 0), time.time_ns() // 1000)
    context = running_step()
    if context is not None:
        context.reporter.metric(point)
        return
    driver: Any = current_driver.get()
    if driver is not None:
        driver.metric(point)


def log_metrics(values: Mapping[str, float], *, step: int | None = None) -> None:
    """Records several metrics at once."""
    for name, value in values.items():
        log_metric(name, value, step=step)


def progress(done: float, total: float | None = None, note: str = "") -> None:
    """Says how far the running step is; shown in the terminal. Does nothing outside of a run."""
    context = running_step()
    if context is not None and not math.isnan(done):
        context.reporter.progress(done, total, note)


def idempotency_key() -> str:
    """A text that is the same for every attempt of this step in this run: the key for calls to the outside world."""
    return _step_for("td.idempotency_key").idempotency_key


class Checkpoint:
    """Saved state of a step that is still running; survives the death of its process, and its attempts."""

    def save(self, value: Any, name: str = "default") -> None:
        """Keeps the value as the newest checkpoint. It is committed when this returns."""
        context = running_step()
        if context is not None:
            context.reporter.save_checkpoint(name, value)

    def latest(self, name: str = "default", *, as_type: Any = None) -> Any:
        """The newest checkpoint of this step in this run, or None: also outside of a run."""
        context = running_step()
        return None if context is None else context.reporter.load_checkpoint(name, as_type)


checkpoint = Checkpoint()

__all__ = [
    "Artifact",
    "Checkpoint",
    "NotInStep",
    "Said",
    "checkpoint",
    "idempotency_key",
    "log_metric",
    "log_metrics",
    "progress",
]
