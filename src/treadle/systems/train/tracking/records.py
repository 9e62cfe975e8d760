"""The records of tracking: experiments, runs with what was logged in them, points of metrics, logged models.

The small ones that come by the thousand are msgspec structs, which are made several times as fast as dataclasses.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import msgspec


class Pair(msgspec.Struct, frozen=True, gc=False):
    """A key and its value: a parameter or a tag."""

    key: str
    value: str


class Point(msgspec.Struct, frozen=True, gc=False):
    """One value of a metric. A value that is no number is None; an infinity is the greatest float of its sign."""

    key: str
    value: float | None
    at_ms: int
    step: int


class DatasetInput(msgspec.Struct, frozen=True, kw_only=True):
    """A data set that a run read, as its client described it, with the tags of this use (its context among them)."""

    name: str
    digest: str
    source_type: str
    source: str
    schema: str | None = None
    profile: str | None = None
    tags: list[Pair] = []


class ModelOutput(msgspec.Struct, frozen=True, gc=False):
    """A logged model that a run made, and at which step of its metrics."""

    model: str
    step: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Experiment:
    """A group of runs. `lifecycle` is active or deleted."""

    number: int
    name: str
    artifact_location: str
    lifecycle: str
    created_ms: int
    updated_ms: int
    tags: list[Pair] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackedRun:
    """A run as tracking clients see it, with the latest point of every metric.

    run: 32 hexadecimal digits, the same bits as the id of the run on the graph. status: RUNNING, SCHEDULED, FINISHED,
    FAILED or KILLED. Times are the client's own milliseconds.
    """

    number: int
    run: str
    experiment: int
    name: str
    status: str
    user_id: str
    start_ms: int | None
    end_ms: int | None
    lifecycle: str
    artifact_uri: str
    metrics: list[Point] = field(default_factory=list)
    params: list[Pair] = field(default_factory=list)
    tags: list[Pair] = field(default_factory=list)
    datasets: list[DatasetInput] = field(default_factory=list)
    models: list[str] = field(default_factory=list)
    outputs: list[ModelOutput] = field(default_factory=list)


class ModelPoint(msgspec.Struct, frozen=True, gc=False):
    """One value of a metric that names a logged model, and the data set on which it was measured."""

    key: str
    value: float | None
    at_ms: int
    step: int
    model: str
    run: str
    dataset_name: str | None = None
    dataset_digest: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LoggedModel:
    """A model that a client logged. status: 1 pending, 2 ready, 3 failed."""

    model: str
    experiment: int
    name: str
    artifact_location: str
    created_ms: int
    updated_ms: int
    status: int
    lifecycle: str
    model_type: str | None
    source_run: str | None
    status_message: str | None
    params: list[Pair] = field(default_factory=list)
    tags: list[Pair] = field(default_factory=list)
    metrics: list[ModelPoint] = field(default_factory=list)
