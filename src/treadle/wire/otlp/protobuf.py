"""OTLP's protobuf encoding, read without the protobuf library.

A trace request is six small messages of known fields, and reading them takes the hundred lines below. A field that is not
known, or has another wire type than it should, is passed over.
Source: opentelemetry-proto trace.proto; the encoding is `ground.protobuf`.
"""

from __future__ import annotations

from typing import Any

from treadle.ground.protobuf import (
    BROKEN,
    BYTES,
    FIXED64,
    VARINT,
    as_double,
    bytes_field,
    fields,
    signed,
    whole_field,
)
from treadle.wire.otlp.errors import BadOtlp
from treadle.wire.otlp.records import Event, Link, ResourceSpans, Span

_MAX_DEPTH = 64
"""How deep values may nest in values."""


def decode_protobuf(body: bytes) -> list[ResourceSpans]:
    """The spans of an ExportTraceServiceRequest. Raises BadOtlp for bytes that are none."""
    try:
        return [
            _resource_spans(value) for number, wire_type, value in fields(body) if number == 1 and wire_type == BYTES
        ]
    except BROKEN as error:
        raise BadOtlp(
            "Invalid OpenTelemetry format", why=str(error), fix="Send an ExportTraceServiceRequest."
        ) from error


def encode_partial_success(rejected: int, message: str) -> bytes:
    """An ExportTraceServiceResponse: empty when no span was rejected."""
    if not rejected:
        return b""
    text = message.encode()
    return bytes_field(1, whole_field(1, rejected) + bytes_field(2, text))


def _resource_spans(data: bytes) -> ResourceSpans:
    found = ResourceSpans()
    for number, wire_type, value in fields(data):
        if wire_type != BYTES:
            continue
        if number == 1:
            _read_attributes(value, found.attributes)
        elif number == 2:
            found.spans += [_span(span) for inner, kind, span in fields(value) if inner == 2 and kind == BYTES]
    return found


def _read_attributes(resource: bytes, attributes: dict[str, Any]) -> None:
    for number, wire_type, value in fields(resource):
        if number == 1 and wire_type == BYTES:
            _read_pair(value, attributes, 0)


_SPAN_BYTES = {1: "trace_id", 2: "span_id", 4: "parent_span_id"}
_SPAN_TIMES = {7: "start_ns", 8: "end_ns"}


def _span(data: bytes) -> Span:
    span = Span()
    for number, wire_type, value in fields(data):
        if wire_type == BYTES:
            if number == 9:
                _read_pair(value, span.attributes, 0)
            elif number in _SPAN_BYTES:
                setattr(span, _SPAN_BYTES[number], value)
            elif number == 5:
                span.name = value.decode()
            elif number == 11:
                span.events.append(_event(value))
            elif number == 13:
                span.links.append(_link(value))
            elif number == 15:
                _read_status(value, span)
        elif wire_type == FIXED64 and number in _SPAN_TIMES:
            setattr(span, _SPAN_TIMES[number], value)
        elif wire_type == VARINT and number == 6:
            span.kind = value
    return span


def _read_status(data: bytes, span: Span) -> None:
    for number, wire_type, value in fields(data):
        if number == 2 and wire_type == BYTES:
            span.status_message = value.decode()
        elif number == 3 and wire_type == VARINT:
            span.status_code = value


def _event(data: bytes) -> Event:
    event = Event()
    for number, wire_type, value in fields(data):
        if number == 1 and wire_type == FIXED64:
            event.at_ns = value
        elif number == 2 and wire_type == BYTES:
            event.name = value.decode()
        elif number == 3 and wire_type == BYTES:
            _read_pair(value, event.attributes, 0)
    return event


def _link(data: bytes) -> Link:
    link = Link()
    for number, wire_type, value in fields(data):
        if wire_type != BYTES:
            continue
        if number == 1:
            link.trace_id = value
        elif number == 2:
            link.span_id = value
        elif number == 4:
            _read_pair(value, link.attributes, 0)
    return link


def _read_pair(data: bytes, into: dict[str, Any], depth: int) -> None:
    key, value = "", None
    for number, wire_type, part in fields(data):
        if wire_type == BYTES:
            if number == 1:
                key = part.decode()
            elif number == 2:
                value = _value(part, depth)
    into[key] = value


def _value(data: bytes, depth: int) -> Any:
    """An AnyValue; the last of its alternatives counts."""
    if depth > _MAX_DEPTH:
        raise ValueError(f"values nest deeper than {_MAX_DEPTH}")
    found: Any = None
    for number, wire_type, value in fields(data):
        if wire_type == BYTES:
            if number == 1:
                found = value.decode()
            elif number == 5:
                found = [_value(one, depth + 1) for inner, kind, one in fields(value) if inner == 1 and kind == BYTES]
            elif number == 6:
                found = {}
                for inner, kind, pair in fields(value):
                    if inner == 1 and kind == BYTES:
                        _read_pair(pair, found, depth + 1)
            elif number == 7:
                found = value
        elif wire_type == VARINT and number == 2:
            found = value != 0
        elif wire_type == VARINT and number == 3:
            found = signed(value)
        elif wire_type == FIXED64 and number == 4:
            found = as_double(value)
    return found
