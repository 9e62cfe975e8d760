"""Runs of the protocol: what requests ask, and how a run is written."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import msgspec

from treadle.wire.mlflow.datasets import DatasetRead, dataset_input
from treadle.wire.mlflow.experiments import KeyValue, TagSent
from treadle.wire.mlflow.metrics import PointRead, PointSent, metrics


class CreateRunAsked(msgspec.Struct):
    """runs/create."""

    experiment_id: str = ""
    user_id: str = ""
    run_name: str = ""
    start_time: int = 0
    tags: list[TagSent] = []


class RunAsked(msgspec.Struct):
    """runs/get, delete and restore; `run_uuid` is what old clients call it."""

    run_id: str = ""
    run_uuid: str = ""


class UpdateRunAsked(msgspec.Struct):
    """runs/update."""

    run_id: str = ""
    run_uuid: str = ""
    status: str | int | None = None
    end_time: int | None = None
    run_name: str | None = None


class LogPairAsked(msgspec.Struct):
    """runs/log-parameter, set-tag and delete-tag."""

    key: str = ""
    value: str = ""
    run_id: str = ""
    run_uuid: str = ""


class LogBatchAsked(msgspec.Struct):
    """runs/log-batch."""

    run_id: str = ""
    metrics: list[PointSent] = []
    params: list[TagSent] = []
    tags: list[TagSent] = []


class LogModelAsked(msgspec.Struct):
    """runs/log-model, as clients before 3.0 call it."""

    run_id: str = ""
    model_json: str = ""


_NUMBERED = {1: "RUNNING", 2: "SCHEDULED", 3: "FINISHED", 4: "FAILED", 5: "KILLED"}


def status_of(sent: str | int | None) -> str | None:
    """A status by name, sent as a name or as a number; None for none, and for one that the protocol does not know."""
    if isinstance(sent, int):
        return _NUMBERED.get(sent)
    return sent if sent in _NUMBERED.values() else None


class _Output(Protocol):
    @property
    def model(self) -> str: ...
    @property
    def step(self) -> int: ...


class _Run(Protocol):
    @property
    def run(self) -> str: ...
    @property
    def experiment(self) -> int: ...
    @property
    def name(self) -> str: ...
    @property
    def status(self) -> str: ...
    @property
    def user_id(self) -> str: ...
    @property
    def start_ms(self) -> int | None: ...
    @property
    def end_ms(self) -> int | None: ...
    @property
    def lifecycle(self) -> str: ...
    @property
    def artifact_uri(self) -> str: ...
    @property
    def metrics(self) -> Sequence[PointRead]: ...
    @property
    def params(self) -> Sequence[KeyValue]: ...
    @property
    def tags(self) -> Sequence[KeyValue]: ...
    @property
    def datasets(self) -> Sequence[DatasetRead]: ...
    @property
    def models(self) -> Sequence[str]: ...
    @property
    def outputs(self) -> Sequence[_Output]: ...


def run_info(found: _Run) -> dict[str, Any]:
    """The run alone."""
    info: dict[str, Any] = {
        "run_uuid": found.run,
        "experiment_id": str(found.experiment),
        "run_name": found.name,
        "user_id": found.user_id,
        "status": found.status,
        "start_time": found.start_ms or 0,
        "artifact_uri": found.artifact_uri,
        "lifecycle_stage": found.lifecycle,
        "run_id": found.run,
    }
    if found.end_ms:
        info["end_time"] = found.end_ms
    return info


def run(found: _Run) -> dict[str, Any]:
    """A run with what was logged in it; what is empty is left out, as protobuf's JSON does."""
    data: dict[str, Any] = {}
    if found.metrics:
        data["metrics"] = metrics(found.metrics)
    if found.params:
        data["params"] = found.params
    if found.tags:
        data["tags"] = found.tags
    inputs: dict[str, Any] = {}
    if found.datasets:
        inputs["dataset_inputs"] = [dataset_input(one) for one in found.datasets]
    if found.models:
        inputs["model_inputs"] = [{"model_id": model} for model in found.models]
    outputs: dict[str, Any] = {}
    if found.outputs:
        outputs["model_outputs"] = [{"model_id": one.model, "step": one.step} for one in found.outputs]
    return {"info": run_info(found), "data": data, "inputs": inputs, "outputs": outputs}
