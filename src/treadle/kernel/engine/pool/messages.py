"""What passes between a driver and its workers. Small by design: values go through the artifact store, by digest.

The channel is a socket between a process and its own child, of one user; its framing and pickling are the standard
library's (`multiprocessing.connection`). Nothing from outside the host ever reaches it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from treadle.kernel.engine.ports import ArtifactStore
from treadle.kernel.engine.records import CodeRef, Declared, Keep, Outcome, Point, Task


@dataclass(frozen=True, slots=True)
class Setup:
    """The first message to a worker: where modules are found, and where bytes are."""

    sys_path: list[str]
    cwd: str
    artifacts: ArtifactStore
    bundles: str
    ignored: tuple[str, ...] = ()
    """Folders that are nobody's input: the store and its caches."""


@dataclass(frozen=True, slots=True)
class Ready:
    """The worker's answer to its setup."""

    pid: int


@dataclass(frozen=True, slots=True)
class Do:
    """One attempt of a step."""

    id: str
    path: str
    code: CodeRef
    arguments: Mapping[str, Any]
    idempotency_key: str
    keep: Keep
    declared: Declared


def do_of(task: Task) -> Do:
    """The message that hands a task to a worker."""
    return Do(
        task.id,
        task.path,
        task.code,
        dict(task.arguments),
        task.idempotency_key,
        task.options.keep,
        task.declared,
    )


@dataclass(frozen=True, slots=True)
class Done:
    """The end of an attempt: an artifact or a failure."""

    outcome: Outcome


@dataclass(frozen=True, slots=True)
class Measured:
    """Metrics, as they are logged."""

    points: tuple[Point, ...]


@dataclass(frozen=True, slots=True)
class Advanced:
    """How far the step is."""

    done: float
    total: float | None
    note: str


@dataclass(frozen=True, slots=True)
class Save:
    """A checkpoint; answered by `Answer(None)` once it is committed."""

    name: str
    artifact: Any


@dataclass(frozen=True, slots=True)
class Latest:
    """Asks for the newest checkpoint; answered by `Answer(artifact or None)`."""

    name: str


@dataclass(frozen=True, slots=True)
class Answer:
    """The driver's answer to `Save` and `Latest`; `problem` when it could not do it."""

    value: Any = None
    problem: str = ""
