"""OTLP, the wire format of OpenTelemetry's traces: protobuf and JSON into the same records, and the answer back."""

from treadle.wire.otlp.errors import BadOtlp
from treadle.wire.otlp.json_form import decode_json
from treadle.wire.otlp.protobuf import decode_protobuf, encode_partial_success
from treadle.wire.otlp.records import Event, Link, ResourceSpans, Span

__all__ = [
    "BadOtlp",
    "Event",
    "Link",
    "ResourceSpans",
    "Span",
    "decode_json",
    "decode_protobuf",
    "encode_partial_success",
]
