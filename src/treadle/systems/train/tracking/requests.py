"""What the verbs of tracked runs are asked."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from treadle.systems.train.tracking.records import DatasetInput, ModelOutput, ModelPoint, Pair


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateRun:
    """A new run in an experiment (its id as clients write it; Default where nothing is said). Without a name it gets one."""

    experiment: str = ""
    name: str = ""
    user_id: str = ""
    start_ms: int = 0
    tags: list[Pair] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackedRunNamed:
    """A run by its 32 hexadecimal digits."""

    run: str


@dataclass(frozen=True, slots=True, kw_only=True)
class UpdateRun:
    """What is None stays as it is."""

    run: str
    status: str | None = None
    end_ms: int | None = None
    name: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LogBatch:
    """Points of metrics column by column (`keys`, `values`, `steps`, `times_ms`, all of one length), parameters and tags.

    A value of None is no number. model_points: those of the points that name a logged model.
    """

    run: str
    keys: list[str] = field(default_factory=list)
    values: list[float | None] = field(default_factory=list)
    steps: list[int] = field(default_factory=list)
    times_ms: list[int] = field(default_factory=list)
    params: list[Pair] = field(default_factory=list)
    tags: list[Pair] = field(default_factory=list)
    model_points: list[ModelPoint] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class LogParam:
    run: str
    key: str
    value: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SetTag:
    run: str
    key: str
    value: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeleteTag:
    run: str
    key: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LogInputs:
    """What a run read: data sets as their client describes them, and logged models by id."""

    run: str
    datasets: list[DatasetInput] = field(default_factory=list)
    models: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class LogOutputs:
    """The logged models that a run made."""

    run: str
    models: list[ModelOutput] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordModel:
    """The description of a model that an older client put into its run: one more in the tag `mlflow.log-model.history`."""

    run: str
    description: dict[str, Any]
