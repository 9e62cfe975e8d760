"""Experiments of the protocol: what requests ask, and how an experiment is written."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import msgspec


class TagSent(msgspec.Struct):
    """A key and a value, as tags and parameters come."""

    key: str = ""
    value: str = ""


class CreateExperimentAsked(msgspec.Struct):
    """experiments/create."""

    name: str = ""
    artifact_location: str = ""
    tags: list[TagSent] = []


class ExperimentAsked(msgspec.Struct):
    """experiments/get, delete and restore."""

    experiment_id: str = ""


class ExperimentNameAsked(msgspec.Struct):
    """experiments/get-by-name."""

    experiment_name: str = ""


class UpdateExperimentAsked(msgspec.Struct):
    """experiments/update."""

    experiment_id: str = ""
    new_name: str = ""


class ExperimentTagAsked(msgspec.Struct):
    """experiments/set-experiment-tag and delete-experiment-tag."""

    experiment_id: str = ""
    key: str = ""
    value: str = ""


class KeyValue(Protocol):
    @property
    def key(self) -> str: ...
    @property
    def value(self) -> str: ...


class _Experiment(Protocol):
    @property
    def number(self) -> int: ...
    @property
    def name(self) -> str: ...
    @property
    def artifact_location(self) -> str: ...
    @property
    def lifecycle(self) -> str: ...
    @property
    def created_ms(self) -> int: ...
    @property
    def updated_ms(self) -> int: ...
    @property
    def tags(self) -> Sequence[KeyValue]: ...


def experiment(found: _Experiment, workspace: str) -> dict[str, Any]:
    """An experiment as it is answered; workspace: the project that it belongs to."""
    written: dict[str, Any] = {
        "experiment_id": str(found.number),
        "name": found.name,
        "artifact_location": found.artifact_location,
        "lifecycle_stage": found.lifecycle,
        "last_update_time": found.updated_ms,
        "creation_time": found.created_ms,
        "workspace": workspace,
    }
    if found.tags:
        written["tags"] = pairs(found.tags)
    return written


def pairs(found: Sequence[KeyValue]) -> list[dict[str, str]]:
    """Tags or parameters as they are answered."""
    return [{"key": pair.key, "value": pair.value} for pair in found]
