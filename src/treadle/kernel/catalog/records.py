"""The records of the catalog."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

RunStatus = Literal["queued", "running", "waiting", "done", "cached", "failed", "cancelled", "interrupted"]
Direction = Literal["in", "out"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One execution: a pipeline, a step, a trial, an act, or a foreign client's run.

    `path` is its place in the root run (`retrain/fit[learning_rate=0.1]`); `key` is the digest under which a step's
    outputs are known, and `key_parts` what it was made of. A `cached` run names in `reused_from` the run whose
    outputs it took. `caused_by` is the event that started it (an alert, a firing), if one did.
    """

    project: str
    id: str
    kind: str
    name: str
    path: str
    parent: str | None
    root: str
    status: RunStatus
    attempt: int
    epoch: int
    key: str | None
    key_parts: dict[str, Any] | None
    code_digest: str | None
    bundle_digest: str | None
    environment_digest: str | None
    params: dict[str, Any]
    seed: int | None
    now_at: datetime | None
    actor: str
    host: str
    pid: int | None
    caused_by: str | None
    reused_from: str | None
    notes: dict[str, Any] | None
    error: dict[str, Any] | None
    event_at: datetime | None
    recorded_at: datetime
    started_at: datetime | None
    ended_at: datetime | None
    lease_owner: str | None
    lease_until: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Edge:
    """One use or one making of an artifact. `producer` is the run that made it: a use has one maker."""

    run: str
    direction: Direction
    role: str
    digest: str
    producer: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Ref:
    """A name that points at an artifact or a record. `epoch` counts its moves; `protection` says what a move takes."""

    project: str
    name: str
    target: str
    epoch: int
    protection: dict[str, Any] | None
    updated_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class RefMove:
    """One move of a ref. `target` is None when the ref was deleted."""

    name: str
    epoch: int
    previous: str | None
    target: str | None
    actor: str
    reason: str
    evidence: dict[str, Any] | None
    event: str
    recorded_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What was found about a thing (a gate, a verification, an approval), bound to the digest it was found on."""

    project: str
    id: str
    subject: str
    digest: str | None
    kind: str
    verdict: str
    body: dict[str, Any]
    run: str | None
    actor: str
    recorded_at: datetime
