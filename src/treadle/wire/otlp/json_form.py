"""OTLP's JSON encoding: protobuf's JSON, but with identities in hex.

Whole numbers come as numbers or as text, enumerations as numbers or as names, and names in camelCase or as the schema
spells them; unknown fields are passed over.
Source: https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding.
"""

from __future__ import annotations

import base64
from typing import Any, TypeVar

import msgspec

from treadle.wire.otlp.errors import BadOtlp
from treadle.wire.otlp.records import ERROR, OK, UNSET, Event, Link, ResourceSpans, Span

T = TypeVar("T")

_STATUS = {"STATUS_CODE_UNSET": UNSET, "STATUS_CODE_OK": OK, "STATUS_CODE_ERROR": ERROR}
_KINDS = {
    f"SPAN_KIND_{name}": number
    for number, name in enumerate(("UNSPECIFIED", "INTERNAL", "SERVER", "CLIENT", "PRODUCER", "CONSUMER"))
}
_WORDS = {"NaN": float("nan"), "Infinity": float("inf"), "-Infinity": float("-inf")}
_MAX_64 = 1 << 64


def decode_json(body: bytes) -> list[ResourceSpans]:
    """The spans of an export request. Raises BadOtlp for a body that is none."""
    try:
        request = msgspec.json.decode(body)
        if not isinstance(request, dict):
            raise ValueError("the request is no object")
        return [_resource_spans(one) for one in _list(request, "resourceSpans")]
    except (ValueError, RecursionError) as error:  # msgspec's DecodeError is a ValueError
        raise BadOtlp(
            "Invalid OpenTelemetry format", why=str(error), fix="Send an ExportTraceServiceRequest."
        ) from error


def _resource_spans(given: dict[str, Any]) -> ResourceSpans:
    resource = _get(given, "resource", dict) or {}
    return ResourceSpans(
        attributes=_attributes(resource),
        spans=[_span(span) for scope in _list(given, "scopeSpans") for span in _list(scope, "spans")],
    )


def _span(given: dict[str, Any]) -> Span:
    status = _get(given, "status", dict) or {}
    return Span(
        trace_id=_hex(given, "traceId"),
        span_id=_hex(given, "spanId"),
        parent_span_id=_hex(given, "parentSpanId"),
        name=_get(given, "name", str) or "",
        kind=_enumerated(given.get("kind"), _KINDS),
        start_ns=_whole(_either(given, "startTimeUnixNano"), 0, _MAX_64),
        end_ns=_whole(_either(given, "endTimeUnixNano"), 0, _MAX_64),
        attributes=_attributes(given),
        events=[_event(event) for event in _list(given, "events")],
        links=[_link(link) for link in _list(given, "links")],
        status_code=_enumerated(status.get("code"), _STATUS),
        status_message=_get(status, "message", str) or "",
    )


def _event(given: dict[str, Any]) -> Event:
    at_ns = _whole(_either(given, "timeUnixNano"), 0, _MAX_64)
    return Event(name=_get(given, "name", str) or "", at_ns=at_ns, attributes=_attributes(given))


def _link(given: dict[str, Any]) -> Link:
    return Link(trace_id=_hex(given, "traceId"), span_id=_hex(given, "spanId"), attributes=_attributes(given))


def _attributes(given: dict[str, Any]) -> dict[str, Any]:
    return {_get(pair, "key", str) or "": _value(_get(pair, "value", dict)) for pair in _list(given, "attributes")}


def _value(given: dict[str, Any] | None) -> Any:
    if not given:
        return None
    for name, read in _READERS.items():
        found = _either(given, name)
        if found is not None:
            return read(found)
    return None


def _text(found: Any) -> str:
    return _of_type("stringValue", found, str)


def _truth(found: Any) -> bool:
    return _of_type("boolValue", found, bool)


def _signed(found: Any) -> int:
    return _whole(found, -(1 << 63), 1 << 63)


def _real(found: Any) -> float:
    if isinstance(found, str):
        return _WORDS[found] if found in _WORDS else float(found)
    if isinstance(found, bool) or not isinstance(found, int | float):
        raise ValueError("doubleValue is no number")
    try:
        return float(found)
    except OverflowError as error:
        raise ValueError(str(error)) from error


def _bytes(found: Any) -> bytes:
    return base64.b64decode(_of_type("bytesValue", found, str))


def _items(found: Any) -> list[Any]:
    return [_value(one) for one in _list(_of_type("arrayValue", found, dict), "values")]


def _pairs(found: Any) -> dict[str, Any]:
    return _attributes({"attributes": _of_type("kvlistValue", found, dict).get("values")})


_READERS = {
    "stringValue": _text,
    "boolValue": _truth,
    "intValue": _signed,
    "doubleValue": _real,
    "arrayValue": _items,
    "kvlistValue": _pairs,
    "bytesValue": _bytes,
}


def _either(given: dict[str, Any], name: str) -> Any:
    """A field by its JSON name, or by the schema's own."""
    found = given.get(name)
    if found is not None:
        return found
    return given.get("".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name))


def _of_type(name: str, found: Any, kind: type[T]) -> T:
    if not isinstance(found, kind):
        raise ValueError(f"{name} is no {kind.__name__}")
    return found


def _get(given: dict[str, Any], name: str, kind: type[T]) -> T | None:
    found = _either(given, name)
    return None if found is None else _of_type(name, found, kind)


def _list(given: dict[str, Any], name: str) -> list[dict[str, Any]]:
    found = _get(given, name, list) or []
    return [_of_type(name, one, dict) for one in found]


def _hex(given: dict[str, Any], name: str) -> bytes:
    return bytes.fromhex(_get(given, name, str) or "")


def _enumerated(found: Any, names: dict[str, int]) -> int:
    if isinstance(found, str) and found in names:
        return names[found]
    return _whole(found, -(1 << 31), 1 << 31)


def _whole(found: Any, low: int, high: int) -> int:
    if found is None:
        return 0
    if isinstance(found, bool) or not isinstance(found, int | str | float):
        raise ValueError(f"{found!r} is no whole number")
    try:
        value = int(found)
    except OverflowError as error:
        raise ValueError(str(error)) from error
    if not low <= value < high or (value != float(found) and not isinstance(found, int | str)):
        raise ValueError(f"{found!r} is no whole number of its field")
    return value
