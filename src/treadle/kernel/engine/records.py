"""The words of the engine: what a step asks for, what became of it, what an executor is handed.

Plain frozen records; nothing here touches the store or the clock. They are separate from the modules that act on them
so that a worker process can import them without the driver's half of the engine.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

SCHEMA_VERSION = 1
"""Part of every cache key; raised when the meaning of a key changes, so that old keys are no longer found."""

Status = Literal["queued", "running", "done", "cached", "failed", "cancelled", "waiting"]
Keep = Literal["value", "digest"]
CacheScope = Literal["project", "platform"]

FINISHED: frozenset[str] = frozenset({"done", "cached"})
ENDED: frozenset[str] = frozenset({"done", "cached", "failed", "cancelled"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Resources:
    """What a step occupies while it runs: CPU cores, GPUs, bytes of memory. Executors start no more than fits."""

    cpus: float = 1
    gpus: float = 0
    memory_bytes: int = 0


@dataclass(frozen=True, slots=True)
class ConcurrencyLimit:
    """At most `limit` attempts of the steps that share `name` run at one time, over all processes of the project."""

    name: str
    limit: int


@dataclass(frozen=True, slots=True, kw_only=True)
class StepOptions:
    """The choices of one `@step`."""

    retries: int = 0
    backoff_s: float = 1.0
    timeout_s: float | None = None
    resources: Resources = field(default_factory=Resources)
    cache: bool = True
    version: str | None = None
    depends_on: tuple[object, ...] = ()
    keep: Keep = "value"
    cache_scope: CacheScope = "project"
    concurrency: ConcurrencyLimit | None = None


@dataclass(frozen=True, slots=True)
class CodeRef:
    """Where a worker finds a step: a module of the project (`bundle` None), or a source bundle in the artifact store."""

    module: str
    qualname: str
    bundle: str | None = None
    artifact: Any = field(default=None, compare=False, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredInput:
    """An argument that a worker loads from the artifact store."""

    artifact: Any
    as_type: Any = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RecomputedInput:
    """An argument kept by digest alone: the step that made it runs again, and its digest must come out as `digest`."""

    digest: str
    code: CodeRef
    arguments: Mapping[str, Any]
    path: str


@dataclass(frozen=True, slots=True)
class Point:
    """One value of one metric."""

    name: str
    value: float
    position: int
    at: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """Why an attempt did not succeed, in the words that the run row keeps."""

    kind: str
    what: str
    why: str = ""
    fix: str = ""
    traceback: str = ""
    retryable: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What an attempt came to: an artifact or a failure, with what it said on the way."""

    artifact: Any = None
    failure: Failure | None = None
    error: BaseException | None = None
    value: Any = ...
    """The value itself where the driver has it; `...` where it does not."""
    metrics: tuple[Point, ...] = ()
    observed: tuple[str, ...] = ()
    logs: tuple[tuple[str, str], ...] = ()
    started_at: int = 0
    ended_at: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Declared:
    """What a call says that it reads: paths, and names of environment variables."""

    files: tuple[str, ...] = ()
    variables: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """One attempt of a step, as an executor is handed it: nothing in it is large, everything else goes by digest."""

    id: str
    path: str
    code: CodeRef
    arguments: Mapping[str, Any]
    idempotency_key: str
    options: StepOptions
    declared: Declared = Declared()
    return_type: Any = None
    function: Callable[..., Any] | None = None
