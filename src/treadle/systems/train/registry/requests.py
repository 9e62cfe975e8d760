"""What can be asked of the registry."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from treadle.systems.train.registry.records import Registration

CHAMPION = "champion"


@dataclass(frozen=True, slots=True, kw_only=True)
class RegisterModel:
    """Registers an artifact of this project as the next version of a model."""

    registration: Registration
    run: str | None = None
    root: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelNamed:
    model: str


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionNamed:
    """`version` is a number (`3`), an alias (`champion`), or `newest`."""

    model: str
    version: str = "newest"


@dataclass(frozen=True, slots=True, kw_only=True)
class PromoteModel:
    """Moves an alias of a model to a version. `expected` is the version that the decision found there, if it says."""

    model: str
    version: int
    alias: str = CHAMPION
    reason: str = ""
    evidence: Mapping[str, Any] = field(default_factory=dict)
    expected: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateModel:
    """Makes a name that versions can be registered under. `created_ms` is given by whoever brings in an older registry."""

    name: str
    description: str | None = None
    tags: Mapping[str, str] = field(default_factory=dict)
    created_ms: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DescribeModel:
    model: str
    description: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RenameModel:
    model: str
    new_name: str
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeleteModel:
    model: str
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class TagModel:
    """Labels a model; without a value the label is taken away."""

    model: str
    key: str
    value: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DropAlias:
    """Takes an alias away from a model; its history stays."""

    model: str
    alias: str
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryOf:
    """The moves of a model's aliases and stages; with `at`, up to that moment, and what stood then."""

    model: str
    at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateVersion:
    """Registers files that lie at a URI as the next version of a model.

    source: where the files are, in the client's words. `run_id` and `logged_model` say whose they are; files of this
    store are taken only from the run or logged model that holds them, and are sealed as the version's own.
    """

    model: str
    source: str
    run_id: str | None = None
    run_link: str | None = None
    logged_model: str | None = None
    description: str | None = None
    tags: Mapping[str, str] = field(default_factory=dict)
    created_ms: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DescribeVersion:
    model: str
    version: int
    description: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StageVersion:
    """Moves a version to another stage. archive_existing: those that stand there now are archived."""

    model: str
    version: int
    stage: str
    archive_existing: bool = False
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeleteVersion:
    model: str
    version: int
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class TagVersion:
    """Labels a version; without a value the label is taken away."""

    model: str
    version: int
    key: str
    value: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LatestVersions:
    """The newest version of each stage; of some stages only, when any are named."""

    model: str
    stages: Sequence[str] = ()
