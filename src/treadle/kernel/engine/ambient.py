"""The engine that a bare call of a pipeline uses.

The engine is made by `assembly`, which stands above this package; so it is told here how to get one, and nothing of it
is imported before the first pipeline runs.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from contextvars import ContextVar
from typing import Any, Protocol, TypeVar

from treadle.ground.errors import Unavailable


class RunsPipelines(Protocol):
    """What a bare call of a pipeline needs of an engine."""

    def run(self, pipeline: Any, arguments: Mapping[str, Any]) -> Any: ...


E = TypeVar("E", bound=RunsPipelines)

_current: ContextVar[RunsPipelines | None] = ContextVar("treadle_engine", default=None)
_opener: Callable[[], RunsPipelines] | None = None


class NoEngine(Unavailable):
    code = "engine.none"


def open_with(opener: Callable[[], RunsPipelines] | None) -> None:
    """Says how the default engine is opened; called once by whoever assembles the product."""
    global _opener
    _opener = opener


@contextlib.contextmanager
def use(engine: E) -> Iterator[E]:
    """Makes an engine the current one inside a `with`."""
    token = _current.set(engine)
    try:
        yield engine
    finally:
        _current.reset(token)


def current_engine() -> RunsPipelines:
    """The engine of the surrounding `use`, or the default one. Raises NoEngine."""
    engine = _current.get()
    if engine is not None:
        return engine
    if _opener is None:
        raise NoEngine(
            "No engine is open.",
            why="Nobody said where runs are recorded.",
            fix="Import treadle, or use the engine: with use(engine): …",
        )
    return _opener()
