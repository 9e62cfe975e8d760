"""The records of the registry."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from treadle.ground.digests import Digest


@dataclass(frozen=True, slots=True, kw_only=True)
class Registration:
    """What is said about a model when it is registered; the rest is known from the run that made it.

    digest: the model's canonical digest, which is that of its artifact. probe: the artifact that holds a few rows and
    the float64 scores which the model gave for them (`{"rows": [...], "scores": [[...]]}`). card: the artifact of its
    model card. data: the snapshots it was trained and evaluated on, by role.
    """

    model: str
    digest: Digest
    signature: Mapping[str, Any]
    probe: Digest | None = None
    card: Digest | None = None
    metrics: Mapping[str, float] = field(default_factory=dict)
    data: Mapping[str, str] = field(default_factory=dict)
    reference: Mapping[str, Any] = field(default_factory=dict)
    """What monitoring starts from: base rates, artifacts of reference profiles."""
    description: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelVersion:
    """A model that was registered. It never changes; aliases move over versions, evidence gathers about them.

    `run` is the step (or run) that made the bytes, `root` the pipeline run in which it was registered.
    """

    project: str
    model: str
    number: int
    digest: Digest
    signature: Mapping[str, Any]
    probe: Digest | None
    card: Digest | None
    metrics: Mapping[str, float]
    data: Mapping[str, str]
    reference: Mapping[str, Any]
    description: str
    run: str | None
    root: str | None
    actor: str
    recorded_at: datetime

    @property
    def subject(self) -> str:
        """What refs point at and evidence is about: `model/late-arrival/3`."""
        return subject_of(self.model, self.number)


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """A named line of versions, with the aliases that stand on it now."""

    name: str
    newest: int
    versions: int
    aliases: Mapping[str, int]
    recorded_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class AliasMove:
    """One move of an alias: which version it stood on from then on, who moved it, and why."""

    alias: str
    version: int | None
    previous: int | None
    actor: str
    reason: str
    evidence: Mapping[str, Any] | None
    recorded_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionEvidence:
    """What was found about a version."""

    id: str
    kind: str
    verdict: str
    body: Mapping[str, Any]
    run: str | None
    actor: str
    recorded_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionSheet:
    """A version with all that is known about it."""

    version: ModelVersion
    aliases: Sequence[str]
    evidence: Sequence[VersionEvidence]


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionCard:
    """The card of a version as Markdown, as it reads today, and the artifact that holds what was written."""

    model: str
    version: int
    markdown: str
    digest: Digest


def subject_of(model: str, number: int) -> str:
    """The name under which refs, evidence and events speak of a version."""
    return f"model/{model}/{number}"
