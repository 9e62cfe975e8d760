"""Engines for tests: on a fresh embedded store, with artifacts in a folder, and with a clock that the test holds."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

from treadle.ground.clock import system_clock
from treadle.kernel.artifacts import LocalBlobs
from treadle.kernel.artifacts.service import Artifacts
from treadle.kernel.engine.code import fingerprint
from treadle.kernel.engine.observing import observe
from treadle.kernel.engine.pool.pool import ProcessPool
from treadle.kernel.engine.service import Engine
from treadle.kernel.store.sql import parse
from treadle.testing.stores import embedded_store

PROJECT = "default"


class HeldClock:
    """A clock that stands still until it is moved."""

    def __init__(self, moment: datetime = datetime(2026, 3, 1, 12, tzinfo=UTC)) -> None:
        self.moment = moment

    def __call__(self) -> datetime:
        self.moment += timedelta(microseconds=1)
        return self.moment

    def move(self, **by: float) -> None:
        self.moment += timedelta(**by)


def make_engine(folder: Path, *, clock: Any = system_clock, workers: int = 2, **choices: Any) -> Engine:
    artifacts = Artifacts(LocalBlobs(folder / "artifacts"))
    return Engine(
        embedded_store(folder),
        artifacts,
        clock=clock,
        fingerprint=fingerprint,
        executors={"pool": lambda: ProcessPool(artifacts, workers=workers, bundles=str(folder / "code"))},
        observe=partial(observe, ignored=(str(folder),)),
        **choices,
    )


@contextmanager
def opened(folder: Path, **choices: Any) -> Iterator[Engine]:
    engine = make_engine(folder, **choices)
    try:
        yield engine
    finally:
        engine.close()
        engine.store.close()


def rows(engine: Engine, query: str, **parameters: object) -> list[tuple[Any, ...]]:
    """What a query answers, for assertions about what was written."""
    statement = parse(f"-- name: asked\n{query}")["asked"]
    with engine.store.read() as reader:
        return reader.all(statement, parameters)
