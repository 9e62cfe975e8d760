"""Traces as MLflow's protocol writes them: the summary in its third and second form, spans, and prompts' links.

Times go as RFC 3339 text, durations as seconds with an `s`, as protobuf's JSON has them; whole numbers stay numbers.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

import msgspec

from treadle.wire.mlflow.errors import invalid

_decode = msgspec.json.Decoder().decode
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_TIME = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(\.\d{1,9})?(Z|[+-]\d\d:\d\d)")
_DURATION = re.compile(r"(-?\d{1,12})(?:\.(\d{1,9}))?s")
_KEY, _METADATA, _TAG = 250, 250, 4096
"""How much of keys and values an answer carries."""


class TraceLike(Protocol):
    """A trace, whoever keeps it."""

    id: str
    experiment: str
    start_ms: int
    duration_ms: int | None
    status: str
    client_request_id: str | None
    request_preview: str | None
    response_preview: str | None
    tags: dict[str, str]
    metadata: dict[str, str]


class Experiment(msgspec.Struct):
    experiment_id: str = ""


class Location(msgspec.Struct):
    type: str | int = ""
    mlflow_experiment: Experiment | None = None


def time_text(at_ms: int) -> str:
    """Milliseconds since 1970 UTC as text: no fraction, or three digits of it."""
    at = _EPOCH + timedelta(milliseconds=at_ms)
    whole = at.strftime("%Y-%m-%dT%H:%M:%S").rjust(19, "0")
    return f"{whole}.{at_ms % 1000:03d}Z" if at_ms % 1000 else f"{whole}Z"


def millis_of(text: str, name: str) -> int:
    """Text as milliseconds since 1970 UTC. Raises ProtocolError."""
    found = _TIME.fullmatch(text)
    if found is None:
        raise invalid(f"Invalid value {json.dumps(text)} for parameter '{name}' supplied.")
    try:
        at = datetime.fromisoformat(found[1] + found[3])
        return (at - _EPOCH) // timedelta(milliseconds=1) + int((found[2] or ".")[1:4].ljust(3, "0"))
    except (ValueError, OverflowError) as error:
        raise invalid(f"Invalid value {json.dumps(text)} for parameter '{name}' supplied.") from error


def duration_text(duration_ms: int) -> str:
    """Milliseconds as seconds: `1s`, `0.030s`."""
    sign, size = ("-" if duration_ms < 0 else ""), abs(duration_ms)
    return f"{sign}{size // 1000}.{size % 1000:03d}s" if size % 1000 else f"{sign}{size // 1000}s"


def duration_of(text: str, name: str) -> int:
    """Seconds as milliseconds. Raises ProtocolError."""
    found = _DURATION.fullmatch(text)
    if found is None:
        raise invalid(f"Invalid value {json.dumps(text)} for parameter '{name}' supplied.")
    millis = abs(int(found[1])) * 1000 + int((found[2] or "")[:3].ljust(3, "0"))
    return -millis if text.startswith("-") else millis


def trace_info(trace: TraceLike, assessments: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """A trace's summary, with its assessments as the protocol writes them."""
    info: dict[str, Any] = {"trace_id": trace.id}
    _put(info, "client_request_id", trace.client_request_id)
    info["trace_location"] = {
        "type": "MLFLOW_EXPERIMENT",
        "mlflow_experiment": {"experiment_id": trace.experiment},
    }
    _put(info, "request_preview", trace.request_preview)
    _put(info, "response_preview", trace.response_preview)
    info["request_time"] = time_text(trace.start_ms)
    if trace.duration_ms is not None:
        info["execution_duration"] = duration_text(trace.duration_ms)
    if trace.status != "STATE_UNSPECIFIED":
        info["state"] = trace.status
    if trace.metadata:
        info["trace_metadata"] = _cut(trace.metadata, _METADATA)
    if trace.tags:
        info["tags"] = _cut(trace.tags, _TAG)
    if assessments:
        info["assessments"] = list(assessments)
    return info


def trace_info_v2(trace: TraceLike) -> dict[str, Any]:
    """A trace's summary in the older form."""
    return {
        "request_id": trace.id,
        "experiment_id": trace.experiment,
        "timestamp_ms": trace.start_ms,
        "execution_time_ms": trace.duration_ms or 0,
        "status": "TRACE_STATUS_UNSPECIFIED" if trace.status == "STATE_UNSPECIFIED" else trace.status,
        "request_metadata": _pairs(_cut(trace.metadata, _METADATA)),
        "tags": _pairs(_cut(trace.tags, _TAG)),
    }


def span_of(content: str) -> dict[str, Any]:
    """A stored span as the protocol writes it: OTLP's protobuf in JSON, with identities in base64."""
    stored = _stored(content)
    span: dict[str, Any] = {"trace_id": stored["trace_id"], "span_id": stored["span_id"]}
    _put(span, "parent_span_id", stored.get("parent_span_id") or None)
    _put(span, "name", stored["name"] or None)
    _put(span, "start_time_unix_nano", stored["start_time_unix_nano"] or None)
    _put(span, "end_time_unix_nano", stored.get("end_time_unix_nano") or None)
    span["attributes"] = _attributes({key: _loaded(value) for key, value in stored["attributes"].items()})
    if stored.get("events"):
        span["events"] = [_event(event) for event in stored["events"]]
    if stored.get("links"):
        span["links"] = [_link(link) for link in stored["links"]]
    span["status"] = _status(stored["status"])
    return span


def _stored(content: str) -> dict[str, Any]:
    found: dict[str, Any]
    try:
        found = _decode(content)
    except msgspec.DecodeError:
        found = json.loads(content)  # a span that was kept elsewhere may hold a bare NaN
    return found


def any_value(value: Any) -> dict[str, Any]:
    """A plain value as OTLP's AnyValue; one that is left out stays empty."""
    if isinstance(value, bool):
        return {"bool_value": value}
    if isinstance(value, str):
        return {"string_value": value.encode(errors="replace").decode()}
    if isinstance(value, int):
        return {"int_value": value} if -(1 << 63) <= value < 1 << 63 else {"double_value": float(value)}
    if isinstance(value, float):
        return {"double_value": _real(value)}
    if isinstance(value, list):
        return {"array_value": {"values": [any_value(one) for one in value]} if value else {}}
    if isinstance(value, dict):
        return {"kvlist_value": {"values": _attributes(value)} if value else {}}
    return {}


def _attributes(pairs: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [
        {"key": key, "value": any_value(value)} if value is not None else {"key": key} for key, value in pairs.items()
    ]


def _loaded(value: Any) -> Any:
    """An attribute's value; kept as JSON text, but old traces hold plain text too."""
    if not isinstance(value, str):
        return value
    if value[:1] == '"' == value[-1:] and "\\" not in value and value.count('"') == 2:
        return value[1:-1]  # most are plain text, and a trace may have a hundred thousand
    try:
        return json.loads(value)
    except (ValueError, RecursionError):
        return value


def _event(event: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    _put(found, "time_unix_nano", event.get("time_unix_nano") or None)
    _put(found, "name", event.get("name") or None)
    if event.get("attributes"):
        found["attributes"] = _attributes(event["attributes"])
    return found


def _link(link: Mapping[str, Any]) -> dict[str, Any]:
    found = {"trace_id": _base64(link["trace_id"].removeprefix("tr-"), 16), "span_id": _base64(link["span_id"], 8)}
    if link.get("attributes"):
        found["attributes"] = _attributes(link["attributes"])
    return found


def _base64(digits: str, size: int) -> Any:
    return msgspec.to_builtins(bytes.fromhex(digits.rjust(size * 2, "0")))


def _status(status: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    _put(found, "message", status.get("message") or None)
    if status["code"] != "STATUS_CODE_UNSET":
        found["code"] = status["code"]
    return found


def _real(value: float) -> float | str:
    if value != value:
        return "NaN"
    if value in (float("inf"), float("-inf")):
        return "Infinity" if value > 0 else "-Infinity"
    return value


def _put(into: dict[str, Any], name: str, value: Any) -> None:
    if value is not None:
        into[name] = value


def _cut(pairs: Mapping[str, str], longest: int) -> dict[str, str]:
    return {key[:_KEY]: value[:longest] for key, value in pairs.items()}


def _pairs(pairs: Mapping[str, str]) -> list[dict[str, str]]:
    return [{"key": key, "value": value} for key, value in pairs.items()]
