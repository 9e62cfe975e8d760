"""The records of the registry."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from treadle.ground.digests import Digest

PROMPT_TAG = "mlflow.prompt.is_prompt"
STAGES = ("None", "Staging", "Production", "Archived")
ACTIVE_STAGES = ("Staging", "Production")


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
    """A model that was registered. What it is never changes: aliases and stages move over it, evidence gathers about it.

    model: the name of its model now; `line` is what that model is known by for good (see `tables`).
    run: the step (or run) that made the bytes; `root`: the pipeline run in which it was registered.
    source, run_id, run_link, logged_model: what a client of MLflow's protocol said; `location` is where its sealed files
    are read. size_bytes: of all its files. facts: what was found among its files when it was sealed.
    """

    project: str
    model: str
    line: str
    number: int
    digest: Digest
    signature: Mapping[str, Any]
    probe: Digest | None = None
    card: Digest | None = None
    metrics: Mapping[str, float] = field(default_factory=dict)
    data: Mapping[str, str] = field(default_factory=dict)
    reference: Mapping[str, Any] = field(default_factory=dict)
    description: str | None = None
    run: str | None = None
    root: str | None = None
    actor: str
    recorded_at: datetime
    stage: str = "None"
    source: str | None = None
    location: str | None = None
    run_id: str | None = None
    run_link: str | None = None
    logged_model: str | None = None
    size_bytes: int | None = None
    facts: Mapping[str, Any] = field(default_factory=dict)
    created_ms: int
    updated_ms: int

    @property
    def subject(self) -> str:
        """What refs point at and evidence is about: `model/late-arrival/3`."""
        return subject_of(self.line, self.number)


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """A named line of versions, with the aliases that stand on it now."""

    name: str
    newest: int
    versions: int
    aliases: Mapping[str, int]
    recorded_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelLine:
    """What a model is called and by what it is known. See `tables` for the difference."""

    line: str
    name: str
    description: str | None
    created_ms: int
    updated_ms: int
    actor: str

    @property
    def subject(self) -> str:
        """What events about the model as a whole are about: `model/late-arrival`."""
        return f"model/{self.line}"

    def alias_ref(self, alias: str) -> str:
        """The name of the ref that is an alias of this model: `model/late-arrival@champion`."""
        return f"model/{self.line}@{alias}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelSheet:
    """A model with its labels, its aliases and the newest version of each stage."""

    model: ModelLine
    tags: Mapping[str, str]
    aliases: Mapping[str, int]
    latest: Sequence[LabelledVersion]

    @property
    def is_prompt(self) -> bool:
        """Whether its versions are texts of a prompt."""
        return is_prompt(self.tags)


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelledVersion:
    """A version with its labels and the aliases that stand on it."""

    version: ModelVersion
    tags: Mapping[str, str]
    aliases: Sequence[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """One move of an alias, or of a version between stages.

    kind: `alias` or `stage`. name: the alias; for a stage the one that the version came to, and `left` the one it left.
    version: where the alias stood from then on (None: it was taken away); for a stage the version that moved.
    previous: the version on which the alias stood before.
    """

    kind: Literal["alias", "stage"]
    name: str
    version: int | None
    previous: int | None = None
    left: str | None = None
    actor: str
    reason: str
    evidence: Mapping[str, Any] | None = None
    recorded_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelHistory:
    """Every move, oldest first, and what stood at a moment: versions by alias, and versions by stage."""

    model: str
    at: datetime
    moves: Sequence[Move]
    aliases: Mapping[str, int]
    stages: Mapping[str, Sequence[int]]


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionFile:
    """A file of a version: its path, the digest of its bytes, its size."""

    path: str
    digest: Digest
    size_bytes: int


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
    tags: Mapping[str, str] = field(default_factory=dict)
    aliases: Sequence[str]
    evidence: Sequence[VersionEvidence]


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionCard:
    """The card of a version as Markdown, as it reads today.

    digest: of the artifact that holds what was written with the version; None where the card is made of the facts alone.
    """

    model: str
    version: int
    markdown: str
    digest: Digest | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Dossier:
    """All that is known of a version, for those who write about it.

    code: commit, branch, repository, digests. python, packages: of the environment that it was made in, `name==version`.
    """

    version: ModelVersion
    tags: Mapping[str, str]
    aliases: Sequence[str]
    evidence: Sequence[VersionEvidence]
    files: Sequence[VersionFile]
    code: Mapping[str, str]
    python: str | None
    packages: Sequence[str]


def subject_of(line: str, number: int) -> str:
    """The name under which refs, evidence and events speak of a version."""
    return f"model/{line}/{number}"


def is_prompt(tags: Mapping[str, str]) -> bool:
    """Whether labels say that a model is a prompt, in the way of MLflow's clients."""
    return tags.get(PROMPT_TAG, "false").lower() == "true"
