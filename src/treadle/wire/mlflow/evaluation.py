"""Evaluation datasets as MLflow's protocol writes them: tags, schema, profile and records travel as JSON text."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, Protocol

from treadle.wire.mlflow.errors import invalid


class DatasetLike(Protocol):
    """An evaluation dataset, whoever keeps it."""

    id: str
    name: str
    digest: str
    schema: str | None
    profile: str | None
    created_by: str | None
    updated_by: str | None
    created_ms: int
    updated_ms: int
    tags: dict[str, str]
    experiments: list[str] | None


class RecordLike(Protocol):
    """A record of an evaluation dataset, whoever keeps it."""

    id: str
    inputs: dict[str, Any]
    outputs: Any
    expectations: dict[str, Any] | None
    tags: dict[str, str] | None
    source: dict[str, Any] | None
    source_id: str | None
    source_type: str | None
    created_by: str | None
    updated_by: str | None
    created_ms: int
    updated_ms: int


def dataset_of(found: DatasetLike) -> dict[str, Any]:
    """A dataset as an answer carries it."""
    answer: dict[str, Any] = {"dataset_id": found.id, "name": found.name, "tags": json.dumps(found.tags)}
    _put(answer, "schema", found.schema)
    _put(answer, "profile", found.profile)
    answer |= {"digest": found.digest, "created_time": found.created_ms, "last_update_time": found.updated_ms}
    _put(answer, "created_by", found.created_by)
    _put(answer, "last_updated_by", found.updated_by)
    _put(answer, "experiment_ids", found.experiments or None)
    return answer


def records_text(dataset: str, records: Sequence[RecordLike]) -> str:
    """Records as the JSON text that an answer carries."""
    return json.dumps([_record(dataset, record) for record in records])


def object_of(text: str, name: str) -> dict[str, Any]:
    """The object that a parameter holds as JSON text. Raises ProtocolError."""
    found: dict[str, Any] = _loaded(text, name, dict)
    return found


def list_of(text: str, name: str) -> list[Any]:
    """The list that a parameter holds as JSON text. Raises ProtocolError."""
    found: list[Any] = _loaded(text, name, list)
    return found


def _loaded(text: str, name: str, kind: type[Any]) -> Any:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise invalid(f"The parameter '{name}' is no JSON: {error}") from error
    if not isinstance(value, kind):
        raise invalid(f"The parameter '{name}' must be a JSON {'object' if kind is dict else 'array'}.")
    return value


def _record(dataset: str, record: RecordLike) -> dict[str, Any]:
    found: dict[str, Any] = {"dataset_record_id": record.id, "dataset_id": dataset, "inputs": record.inputs}
    _put(found, "outputs", record.outputs)
    _put(found, "expectations", record.expectations)
    _put(found, "tags", record.tags)
    _put(found, "source", record.source)
    _put(found, "source_id", record.source_id)
    _put(found, "source_type", record.source_type)
    found |= {"created_time": record.created_ms, "last_update_time": record.updated_ms}
    _put(found, "created_by", record.created_by)
    _put(found, "last_updated_by", record.updated_by)
    return found


def _put(into: dict[str, Any], name: str, value: Any) -> None:
    if value is not None:
        into[name] = value
