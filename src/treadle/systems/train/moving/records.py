"""What a store of MLflow holds, whatever form it has, in the words of the store itself: its ids, its locations, its times."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from treadle.systems.train.tracking.records import DatasetInput, LoggedModel, ModelOutput


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredExperiment:
    """An experiment. `lifecycle` is active or deleted."""

    number: int
    name: str
    location: str
    lifecycle: str
    created_ms: int
    updated_ms: int
    tags: Mapping[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class Points:
    """All points of all metrics of a run, column by column, in no order; infinities are the greatest floats."""

    keys: list[str] = field(default_factory=list)
    values: list[float] = field(default_factory=list)
    steps: list[int] = field(default_factory=list)
    times: list[int] = field(default_factory=list)

    def add(self, key: str, value: float, step: int, at_ms: int) -> None:
        """Another point."""
        self.keys.append(key)
        self.values.append(value)
        self.steps.append(step)
        self.times.append(at_ms)

    def __len__(self) -> int:
        return len(self.keys)


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredRun:
    """A run with everything that was logged in it; `artifact_uri` is where its files were."""

    run: str
    experiment: int
    name: str
    status: str
    user_id: str
    start_ms: int | None
    end_ms: int | None
    lifecycle: str
    deleted_ms: int | None
    artifact_uri: str
    params: Mapping[str, str] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)
    points: Points = field(default_factory=Points)
    datasets: Sequence[DatasetInput] = ()
    models: Sequence[str] = ()
    outputs: Sequence[ModelOutput] = ()


StoredLoggedModel = LoggedModel


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredVersion:
    """A registered version. `location` is where its files were, if the store says it apart from the source."""

    number: int
    source: str
    location: str | None
    run_id: str | None
    run_link: str | None
    logged_model: str | None
    description: str | None
    stage: str
    created_ms: int
    updated_ms: int
    tags: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredModel:
    """A registered model with its versions, by number."""

    name: str
    description: str | None
    created_ms: int
    updated_ms: int
    tags: Mapping[str, str] = field(default_factory=dict)
    aliases: Mapping[str, int] = field(default_factory=dict)
    versions: Sequence[StoredVersion] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Left:
    """Something that was not brought, or is not as it was, and why."""

    what: str
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Brought:
    """What an import has done. Those `known` were there already; `left` is what stayed behind."""

    source: str
    is_dry_run: bool
    experiments: int = 0
    runs: int = 0
    known_runs: int = 0
    points: int = 0
    logged_models: int = 0
    models: int = 0
    versions: int = 0
    files: int = 0
    file_bytes: int = 0
    renumbered: Mapping[int, int] = field(default_factory=dict)
    left: Sequence[Left] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """A field of a thing that is not alike; a missing thing has the field `presence`."""

    what: str
    field: str
    theirs: str
    ours: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """How a store and its copy compare: how many things of each kind there are there and here, and what differs.

    digests: by kind, one over all that was compared there and here. unopened: of so many runs and logged models the files
    are kept elsewhere, and were not compared.
    """

    source: str
    counts: Mapping[str, tuple[int, int]]
    digests: Mapping[str, tuple[str, str]]
    differing: int
    differences: Sequence[Difference]
    unopened: int = 0

    @property
    def is_alike(self) -> bool:
        """Whether nothing differs."""
        return not self.differing
