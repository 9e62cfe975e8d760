"""Data sets and model links of the protocol, as runs log them: what requests ask, and how they are written."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import msgspec

from treadle.wire.mlflow.experiments import KeyValue, TagSent, pairs


class DatasetSent(msgspec.Struct):
    """A data set as its client describes it."""

    name: str = ""
    digest: str = ""
    source_type: str = ""
    source: str = ""
    schema: str | None = None
    profile: str | None = None


class DatasetInputSent(msgspec.Struct):
    """A data set with the tags of its use."""

    dataset: DatasetSent = msgspec.field(default_factory=DatasetSent)
    tags: list[TagSent] = []


class ModelSent(msgspec.Struct):
    """A logged model that a run read or made."""

    model_id: str = ""
    step: int = 0


class LogInputsAsked(msgspec.Struct):
    """runs/log-inputs."""

    run_id: str = ""
    datasets: list[DatasetInputSent] = []
    models: list[ModelSent] = []


class LogOutputsAsked(msgspec.Struct):
    """runs/outputs."""

    run_id: str = ""
    models: list[ModelSent] | None = None


class SearchDatasetsAsked(msgspec.Struct):
    """experiments/search-datasets."""

    experiment_ids: list[str] = []


class DatasetRead(Protocol):
    @property
    def name(self) -> str: ...
    @property
    def digest(self) -> str: ...
    @property
    def source_type(self) -> str: ...
    @property
    def source(self) -> str: ...
    @property
    def schema(self) -> str | None: ...
    @property
    def profile(self) -> str | None: ...
    @property
    def tags(self) -> Sequence[KeyValue]: ...


class _Summary(Protocol):
    @property
    def experiment(self) -> int: ...
    @property
    def name(self) -> str: ...
    @property
    def digest(self) -> str: ...
    @property
    def context(self) -> str | None: ...


def dataset_input(found: DatasetRead) -> dict[str, Any]:
    """A data set that a run read, as it is answered."""
    dataset = {
        "name": found.name,
        "digest": found.digest,
        "source_type": found.source_type,
        "source": found.source,
    }
    if found.schema:
        dataset["schema"] = found.schema
    if found.profile:
        dataset["profile"] = found.profile
    written: dict[str, Any] = {"dataset": dataset}
    if found.tags:
        written["tags"] = pairs(found.tags)
    return written


def summary(found: _Summary) -> dict[str, str]:
    """A data set of an experiment, as it is answered."""
    written = {"experiment_id": str(found.experiment), "name": found.name, "digest": found.digest}
    if found.context is not None:
        written["context"] = found.context
    return written
