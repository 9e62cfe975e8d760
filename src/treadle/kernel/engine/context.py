"""Where the code that runs now stands: in which pipeline run, in which step.

Steps, `log_metric`, `checkpoint` and `print` all ask here. The answer follows the code through `contextvars`; threads
that a step starts by itself do not inherit those, so they are answered with the step that runs in this process when
there is just one.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from types import MappingProxyType
from typing import Any, Protocol

from treadle.kernel.engine.records import Point


class Driver(Protocol):
    """The pipeline run that is being driven here; what steps and built-in acts ask of it."""

    def call(self, step: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any: ...
    def submit(self, step: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any: ...
    def map(self, step: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> list[Any]: ...


class Reporter(Protocol):
    """What a running step may tell its driver while it runs."""

    def metric(self, point: Point) -> None: ...
    def progress(self, done: float, total: float | None, note: str) -> None: ...
    def save_checkpoint(self, name: str, value: Any) -> None: ...
    def load_checkpoint(self, name: str, as_type: Any) -> Any: ...


class StepContext:
    """The step that runs: its row, its place, its key for the outside world, and whom it reports to.

    at_end: what is called in the step's own thread when its body has ended, however that went.
    variables: of the environment, set while any step runs in this process, unless they were set before.
    """

    __slots__ = ("at_end", "id", "idempotency_key", "path", "pid", "reporter", "variables")

    def __init__(
        self,
        id: str,
        path: str,
        idempotency_key: str,
        reporter: Reporter,
        pid: int,
        variables: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        self.id, self.path, self.idempotency_key, self.reporter, self.pid = id, path, idempotency_key, reporter, pid
        self.at_end: list[Callable[[], object]] = []
        self.variables = variables


current_driver: ContextVar[Driver | None] = ContextVar("treadle_driver", default=None)
current_step: ContextVar[StepContext | None] = ContextVar("treadle_step", default=None)

_running: list[StepContext] = []
_lent: dict[str, str] = {}


def enter(step: StepContext) -> Any:
    """Makes a step the current one; give the answer to `leave`."""
    _running.append(step)
    for name, value in step.variables.items():
        if name not in os.environ:
            os.environ[name] = value
            _lent[name] = value
    return current_step.set(step)


def leave(step: StepContext, token: Any) -> None:
    """Ends what `enter` began."""
    try:
        while step.at_end:
            step.at_end.pop()()
    finally:
        current_step.reset(token)
        _running.remove(step)
        if _lent and not _running:
            _take_back()


def _take_back() -> None:
    """Unsets the variables that were set for steps; what somebody else has set since stays."""
    while _lent:
        name, value = _lent.popitem()
        if os.environ.get(name) == value:
            del os.environ[name]


def running_step() -> StepContext | None:
    """The step that this code belongs to, or None outside of steps."""
    step = current_step.get()
    if step is None and len(_running) == 1 and current_driver.get() is None:
        return _running[0]
    return step
