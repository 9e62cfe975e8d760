"""Spans written as OTLP's protobuf and JSON, so that what the decoders read is made by something else than them."""

from __future__ import annotations

import base64
import json
import struct
from typing import Any

from treadle.wire.otlp import ResourceSpans, Span


def protobuf(resources: list[ResourceSpans]) -> bytes:
    return b"".join(_bytes(1, _resource(one)) for one in resources)


def json_form(resources: list[ResourceSpans]) -> bytes:
    """camelCase, identities in hex, 64-bit numbers as text."""
    return json.dumps({"resourceSpans": [_json_resource(one) for one in resources]}).encode()


def _varint(value: int) -> bytes:
    parts = bytearray()
    while value > 127:
        parts.append(value & 127 | 128)
        value >>= 7
    return bytes([*parts, value])


def _bytes(number: int, value: bytes) -> bytes:
    return _varint(number << 3 | 2) + _varint(len(value)) + value


def _text(number: int, value: str) -> bytes:
    return _bytes(number, value.encode())


def _fixed(number: int, value: int) -> bytes:
    return _varint(number << 3 | 1) + struct.pack("<Q", value)


def _value(value: Any) -> bytes:
    match value:
        case None:
            return b""
        case bool():
            return b"\x10" + _varint(int(value))
        case str():
            return _text(1, value)
        case int():
            return b"\x18" + _varint(value % (1 << 64))
        case float():
            return b"\x21" + struct.pack("<d", value)
        case bytes():
            return _bytes(7, value)
        case list():
            return _bytes(5, b"".join(_bytes(1, _value(one)) for one in value))
        case _:
            return _bytes(6, _pairs(1, value))


def _pairs(number: int, pairs: dict[str, Any]) -> bytes:
    return b"".join(_bytes(number, _text(1, key) + _bytes(2, _value(value))) for key, value in pairs.items())


def _resource(resource: ResourceSpans) -> bytes:
    spans = b"".join(_bytes(2, _span(span)) for span in resource.spans)
    return _bytes(1, _pairs(1, resource.attributes)) + _bytes(2, _bytes(1, _text(1, "scope")) + spans) + _text(3, "url")


def _span(span: Span) -> bytes:
    parts = [_bytes(1, span.trace_id), _bytes(2, span.span_id), _text(3, "vendor=1"), _bytes(4, span.parent_span_id)]
    parts += [_text(5, span.name), b"\x30" + _varint(span.kind), _fixed(7, span.start_ns), _fixed(8, span.end_ns)]
    parts.append(_pairs(9, span.attributes))
    for event in span.events:
        parts.append(_bytes(11, _fixed(1, event.at_ns) + _text(2, event.name) + _pairs(3, event.attributes)))
    for link in span.links:
        parts.append(_bytes(13, _bytes(1, link.trace_id) + _bytes(2, link.span_id) + _pairs(4, link.attributes)))
    parts.append(_bytes(15, _text(2, span.status_message) + b"\x18" + _varint(span.status_code)))
    parts.append(_varint(16 << 3 | 5) + struct.pack("<I", 256))
    return b"".join(parts)


def _json_value(value: Any) -> dict[str, Any]:
    match value:
        case None:
            return {}
        case bool():
            return {"boolValue": value}
        case str():
            return {"stringValue": value}
        case int():
            return {"intValue": str(value)}
        case float():
            return {"doubleValue": value if abs(value) < float("inf") else "Infinity" if value > 0 else "-Infinity"}
        case bytes():
            return {"bytesValue": base64.b64encode(value).decode()}
        case list():
            return {"arrayValue": {"values": [_json_value(one) for one in value]}}
        case _:
            return {"kvlistValue": {"values": _json_pairs(value)}}


def _json_pairs(pairs: dict[str, Any]) -> list[dict[str, Any]]:
    return [{"key": key, "value": _json_value(value)} for key, value in pairs.items()]


def _json_resource(resource: ResourceSpans) -> dict[str, Any]:
    return {
        "resource": {"attributes": _json_pairs(resource.attributes)},
        "scopeSpans": [{"scope": {"name": "scope"}, "spans": [_json_span(span) for span in resource.spans]}],
    }


def _json_span(span: Span) -> dict[str, Any]:
    return {
        "traceId": span.trace_id.hex(),
        "spanId": span.span_id.hex(),
        "parentSpanId": span.parent_span_id.hex(),
        "name": span.name,
        "kind": span.kind,
        "startTimeUnixNano": str(span.start_ns),
        "endTimeUnixNano": span.end_ns,
        "attributes": _json_pairs(span.attributes),
        "events": [
            {"name": one.name, "timeUnixNano": str(one.at_ns), "attributes": _json_pairs(one.attributes)}
            for one in span.events
        ],
        "links": [
            {"traceId": one.trace_id.hex(), "spanId": one.span_id.hex(), "attributes": _json_pairs(one.attributes)}
            for one in span.links
        ],
        "status": {"code": span.status_code, "message": span.status_message},
        "flags": 256,
    }
