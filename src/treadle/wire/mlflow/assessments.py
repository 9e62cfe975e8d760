"""Assessments as MLflow's protocol writes and reads them: feedback, expectations and references to issues.

A value travels as protobuf's `Value`, where every number is a real one. An expectation that is a list or an object travels
as JSON text.
"""

from __future__ import annotations

import json
from typing import Any, Protocol

import msgspec

from treadle.wire.mlflow.errors import invalid, missing
from treadle.wire.mlflow.traces import millis_of, time_text

SOURCES = ("SOURCE_TYPE_UNSPECIFIED", "HUMAN", "LLM_JUDGE", "CODE")
RUN_METADATUM = "mlflow.assessment.sourceRunId"
_JSON = "JSON_FORMAT"
_LONGEST_STACK, _CUT = 10_000, "[Stack trace is truncated]\n...\n"


class AssessmentLike(Protocol):
    """An assessment, whoever keeps it."""

    trace: str
    id: str
    name: str
    kind: str
    value: Any
    source_type: str
    source_id: str | None
    error: dict[str, Any] | None
    span: str | None
    rationale: str | None
    overrides: str | None
    is_valid: bool
    metadata: dict[str, str] | None
    created_ms: int
    updated_ms: int


class Source(msgspec.Struct):
    source_type: Any = None
    source_id: str = ""


class Failure(msgspec.Struct):
    error_code: str = ""
    error_message: str = ""
    stack_trace: str = ""


class Feedback(msgspec.Struct):
    value: Any = None
    error: Failure | None = None


class Serialized(msgspec.Struct):
    serialization_format: str = ""
    value: str = ""


class Expectation(msgspec.Struct):
    value: Any = None
    serialized_value: Serialized | None = None


class Issue(msgspec.Struct):
    issue_name: str = ""


class Assessment(msgspec.Struct):
    """An assessment as a request carries it."""

    assessment_id: str = ""
    assessment_name: str = ""
    trace_id: str = ""
    span_id: str = ""
    source: Source = msgspec.field(default_factory=Source)
    create_time: str | None = None
    last_update_time: str | None = None
    feedback: Feedback | None = None
    expectation: Expectation | None = None
    issue: Issue | None = None
    rationale: str = ""
    error: Failure | None = None
    metadata: dict[str, str] = msgspec.field(default_factory=dict)
    overrides: str = ""


def kind_and_value(given: Assessment) -> tuple[str, Any, dict[str, Any] | None]:
    """(kind, value, error) of a request. Raises ProtocolError when it has none of the three kinds."""
    if given.feedback is not None:
        return "feedback", _value(given.feedback.value), _failure(given.feedback.error)
    if given.expectation is not None:
        return "expectation", _expected(given.expectation), None
    if given.issue is not None:
        return "issue", {"issue_name": given.issue.issue_name}, None
    raise invalid("Unknown assessment type: None")


def source_of(given: Source) -> tuple[str, str | None]:
    """(type, id) of whoever assessed; a type that nobody knows is unspecified, as protobuf's readers have it."""
    kind = given.source_type
    if isinstance(kind, int) and not isinstance(kind, bool) and 0 <= kind < len(SOURCES):
        kind = SOURCES[kind]
    return kind if kind in SOURCES else SOURCES[0], given.source_id or None


def time_of(text: str | None, name: str) -> int:
    """Milliseconds since 1970 UTC; 0 for a time that was not given."""
    return 0 if not text else millis_of(text, name)


def paths_of(mask: Any) -> list[str]:
    """The fields that an update names, as the schema spells them. mask: `assessmentName,feedback`. Raises ProtocolError."""
    if isinstance(mask, dict):
        mask = ",".join(mask.get("paths") or ())
    if not isinstance(mask, str):
        raise missing("update_mask")
    spelled = (
        "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in path) for path in mask.split(",")
    )
    return [path for path in spelled if path]


def assessment_of(found: AssessmentLike) -> dict[str, Any]:
    """An assessment as an answer carries it."""
    answer: dict[str, Any] = {"assessment_id": found.id, "assessment_name": found.name, "trace_id": found.trace}
    if found.span is not None:
        answer["span_id"] = found.span
    answer["source"] = {"source_type": found.source_type}
    if found.source_id is not None:
        answer["source"]["source_id"] = found.source_id
    answer["create_time"] = time_text(found.created_ms)
    answer["last_update_time"] = time_text(found.updated_ms)
    answer[found.kind] = _told(found)
    if found.rationale is not None:
        answer["rationale"] = found.rationale
    if found.metadata:
        answer["metadata"] = found.metadata
    if found.overrides:
        answer["overrides"] = found.overrides
    answer["valid"] = found.is_valid
    return answer


def _told(found: AssessmentLike) -> dict[str, Any]:
    if found.kind == "issue":
        return dict(found.value)
    if found.kind == "expectation" and isinstance(found.value, list | dict):
        text = json.dumps(found.value)
        return {"serialized_value": {"serialization_format": _JSON, "value": text}}
    told: dict[str, Any] = {"value": _value(found.value)}
    if found.kind == "feedback" and found.error is not None:
        told["error"] = {name: _shortened(name, text) for name, text in found.error.items() if text}
    return told


def _shortened(name: str, text: str) -> str:
    if name != "stack_trace" or len(text) <= _LONGEST_STACK:
        return text
    return _CUT + text[-(_LONGEST_STACK - len(_CUT)) :]


def _value(value: Any) -> Any:
    """A value as protobuf's `Value` gives it back: numbers are real, and there is no NaN."""
    if isinstance(value, bool) or value is None or isinstance(value, str):
        return value
    if isinstance(value, int | float):
        try:
            return float(value)
        except OverflowError as error:
            raise invalid("A number is too large.") from error
    if isinstance(value, dict):
        return {str(key): _value(one) for key, one in value.items()}
    return [_value(one) for one in value]


def _expected(given: Expectation) -> Any:
    if given.serialized_value is None:
        return _value(given.value)
    if given.serialized_value.serialization_format != _JSON:
        raise invalid(
            f"Unknown serialization format: {given.serialized_value.serialization_format}. Only JSON_FORMAT is supported."
        )
    try:
        return json.loads(given.serialized_value.value)
    except (ValueError, RecursionError) as error:
        raise invalid(f"The expectation's value is no JSON: {error}") from error


def _failure(given: Failure | None) -> dict[str, Any] | None:
    if given is None:
        return None
    return {
        "error_code": given.error_code,
        "error_message": given.error_message or None,
        "stack_trace": given.stack_trace or None,
    }
