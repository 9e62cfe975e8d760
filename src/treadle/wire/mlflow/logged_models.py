"""Logged models of the protocol: what requests ask, and how a model is written."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import msgspec

from treadle.wire.mlflow.experiments import KeyValue, TagSent, pairs
from treadle.wire.mlflow.metrics import shown

_STATUSES = {
    "LOGGED_MODEL_STATUS_UNSPECIFIED": 0,
    "LOGGED_MODEL_PENDING": 1,
    "LOGGED_MODEL_READY": 2,
    "LOGGED_MODEL_UPLOAD_FAILED": 3,
}
_NAMES = {number: name for name, number in _STATUSES.items()}


class CreateLoggedModelAsked(msgspec.Struct):
    """POST logged-models."""

    experiment_id: str = ""
    name: str = ""
    model_type: str = ""
    source_run_id: str = ""
    params: list[TagSent] = []
    tags: list[TagSent] = []


class SettleLoggedModelAsked(msgspec.Struct):
    """PATCH logged-models/{model_id}."""

    model_id: str = ""
    status: str | int | None = None


class PairsAsked(msgspec.Struct):
    """Parameters or tags of a logged model."""

    params: list[TagSent] = []
    tags: list[TagSent] = []


def status_of(sent: str | int | None) -> int | None:
    """A status by number, sent as a name or as a number; None for what the protocol does not know."""
    if isinstance(sent, int):
        return sent if sent in _NAMES else None
    return _STATUSES.get(sent or "")


class _ModelPoint(Protocol):
    @property
    def key(self) -> str: ...
    @property
    def value(self) -> float | None: ...
    @property
    def at_ms(self) -> int: ...
    @property
    def step(self) -> int: ...
    @property
    def model(self) -> str: ...
    @property
    def run(self) -> str: ...
    @property
    def dataset_name(self) -> str | None: ...
    @property
    def dataset_digest(self) -> str | None: ...


class _LoggedModel(Protocol):
    @property
    def model(self) -> str: ...
    @property
    def experiment(self) -> int: ...
    @property
    def name(self) -> str: ...
    @property
    def artifact_location(self) -> str: ...
    @property
    def created_ms(self) -> int: ...
    @property
    def updated_ms(self) -> int: ...
    @property
    def status(self) -> int: ...
    @property
    def model_type(self) -> str | None: ...
    @property
    def source_run(self) -> str | None: ...
    @property
    def status_message(self) -> str | None: ...
    @property
    def params(self) -> Sequence[KeyValue]: ...
    @property
    def tags(self) -> Sequence[KeyValue]: ...
    @property
    def metrics(self) -> Sequence[_ModelPoint]: ...


def logged_model(found: _LoggedModel) -> dict[str, Any]:
    """A logged model as it is answered; what is empty is left out, as protobuf's JSON does."""
    info: dict[str, Any] = {
        "model_id": found.model,
        "experiment_id": str(found.experiment),
        "name": found.name,
        "creation_timestamp_ms": found.created_ms,
        "last_updated_timestamp_ms": found.updated_ms,
        "artifact_uri": found.artifact_location,
        "status": _NAMES[found.status],
    }
    if found.model_type is not None:
        info["model_type"] = found.model_type
    if found.source_run is not None:
        info["source_run_id"] = found.source_run
    if found.status_message is not None:
        info["status_message"] = found.status_message
    if found.tags:
        info["tags"] = pairs(found.tags)
    data: dict[str, Any] = {}
    if found.params:
        data["params"] = pairs(found.params)
    if found.metrics:
        data["metrics"] = [_metric(point) for point in found.metrics]
    return {"info": info, "data": data}


def _metric(point: _ModelPoint) -> dict[str, Any]:
    written: dict[str, Any] = {
        "key": point.key,
        "value": shown(point.value),
        "timestamp": point.at_ms,
        "step": point.step,
        "model_id": point.model,
        "run_id": point.run,
    }
    if point.dataset_name:
        written["dataset_name"] = point.dataset_name
    if point.dataset_digest:
        written["dataset_digest"] = point.dataset_digest
    return written
