"""What the engine asks of the outside: bytes by digest, executors, and how code is fingerprinted.

Each is as small as the need, so that a test can hand in ten lines.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from treadle.kernel.artifacts.records import Artifact
from treadle.kernel.engine.records import Outcome, Point, Task


class ArtifactStore(Protocol):
    """Values by digest. `put` has stored the bytes when it returns; the row is the caller's."""

    def put(self, value: Any, *, kind: str | None = None) -> Artifact: ...
    def digest(self, value: Any, *, kind: str | None = None) -> str: ...
    def load(self, artifact: Artifact, as_type: Any = None) -> Any: ...
    def stands(self, artifact: Artifact) -> bool: ...


class Listener(Protocol):
    """Whom an executor tells what happens to a task; may be called from any thread."""

    def printed(self, task_id: str, stream: str, text: str) -> None: ...
    def measured(self, task_id: str, points: tuple[Point, ...]) -> None: ...
    def advanced(self, task_id: str, done: float, total: float | None, note: str) -> None: ...
    def saved(self, task_id: str, name: str, artifact: Artifact) -> None:
        """Returns when the checkpoint is committed; the worker waits for it."""

    def wants_checkpoint(self, task_id: str, name: str) -> Artifact | None: ...
    def finished(self, task_id: str, outcome: Outcome) -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Capacity:
    """What an executor can occupy at one time."""

    cpus: float
    gpus: float = 0
    memory_bytes: int = 0
    is_elastic: bool = False
    """More than this may be asked for: the executor queues or grows by itself."""


class Executor(Protocol):
    """Where step bodies run outside the driver's own thread."""

    @property
    def name(self) -> str: ...
    def capacity(self) -> Capacity: ...
    def submit(self, task: Task, listener: Listener) -> None: ...
    def cancel(self, task_id: str, *, reason: str) -> None:
        """Ends the work of a task, by force. Its `finished` still comes. Unknown ids are ignored."""

    def close(self) -> None: ...


class Pinned(Protocol):
    """A value that is not in the artifact store but has a content id of its own: a snapshot of a dataset.

    Steps take it as an argument; the key rests on `digest`, and the body gets what `treadle_load` gives. It must pickle
    small, since workers are handed it as it is.
    """

    @property
    def digest(self) -> str: ...
    def treadle_load(self, as_type: Any) -> Any: ...
    def treadle_producer(self) -> str | None:
        """The run that made it, if one did."""


Fingerprint = Callable[..., Any]
"""`fingerprint(function, version=, depends_on=) -> CodeFingerprint`."""
