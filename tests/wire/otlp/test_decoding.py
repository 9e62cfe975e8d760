"""What is sent is what is read, in both encodings; what is no request is refused and nothing else happens."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.wire.otlp.encoding import json_form, protobuf
from tests.wire.otlp.strategies import REQUESTS
from treadle.wire.otlp import BadOtlp, ResourceSpans, Span, decode_json, decode_protobuf, encode_partial_success

EXPORTED = bytes.fromhex(
    "0aae010a1f0a1d0a0c736572766963652e6e616d65120d0a0b676174652d6b6565706572128a010a001285010a100af7651916cd43dd84"
    "48eb211c80319c1208b7ad6b71692033312a077265717565737430013900002a36fe9c97174100cac471fe9c97174a0a0a04726f777312"
    "0218034a150a056e616d6573120c2a0a0a030a01610a030a01625a1d0905002a36fe9c971712066c6f6f6b65641a0a0a04646565701202"
    "10017a021801850100010000"
)
"""A request of opentelemetry-exporter-otlp-proto-http 1.45, as it came."""


@given(REQUESTS)
def test_what_is_sent_as_protobuf_is_read_again(sent: list[ResourceSpans]):
    assert decode_protobuf(protobuf(sent)) == sent


@given(REQUESTS)
def test_what_is_sent_as_json_is_read_again(sent: list[ResourceSpans]):
    assert decode_json(json_form(sent)) == sent


@given(
    st.binary(max_size=200) | REQUESTS.map(protobuf).flatmap(lambda body: st.builds(_spoilt, st.just(body), st.data()))
)
def test_any_bytes_are_spans_or_are_refused(body: bytes):
    _read_or_refuse(decode_protobuf, body)
    _read_or_refuse(decode_json, body)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(
                    [
                        "resourceSpans",
                        "scopeSpans",
                        "spans",
                        "resource",
                        "attributes",
                        "key",
                        "value",
                        "traceId",
                        "status",
                        "code",
                        "intValue",
                        "doubleValue",
                        "bytesValue",
                        "arrayValue",
                        "kvlistValue",
                        "values",
                        "events",
                    ]
                ),
                inner,
                max_size=4,
            )
        ),
        max_leaves=12,
    )
)
def test_any_json_is_spans_or_is_refused(value: object):
    _read_or_refuse(decode_json, json.dumps(value).encode())


def test_a_request_of_the_public_exporter_is_read():
    (resource,) = decode_protobuf(EXPORTED)

    (span,) = resource.spans
    assert resource.attributes == {"service.name": "gate-keeper"}
    assert (span.name, span.attributes, span.status_code) == ("request", {"rows": 3, "names": ["a", "b"]}, 1)
    assert (span.trace_id.hex(), span.span_id.hex()) == ("0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331")
    assert [(event.name, event.attributes) for event in span.events] == [("looked", {"deep": True})]


def test_values_that_nest_without_end_are_refused():
    nested: object = "deep"
    for _ in range(200):
        nested = [nested]

    with pytest.raises(BadOtlp):
        decode_protobuf(protobuf([ResourceSpans(spans=[Span(attributes={"a": nested})])]))


def test_half_a_character_is_refused():
    body = b'{"resourceSpans": [{"scopeSpans": [{"spans": [{"name": "\\ud800"}]}]}]}'

    with pytest.raises(BadOtlp):
        decode_json(body)


def test_fields_are_known_by_both_of_their_names():
    body = b'{"resource_spans": [{"scope_spans": [{"spans": [{"span_id": "0102", "start_time_unix_nano": 5}]}]}]}'

    (resource,) = decode_json(body)

    assert (resource.spans[0].span_id, resource.spans[0].start_ns) == (b"\x01\x02", 5)


def test_an_answer_tells_how_many_spans_were_left_out():
    assert encode_partial_success(0, "") == b""
    assert encode_partial_success(300, "why") == b"\x0a\x08\x08\xac\x02\x12\x03why"


def _spoilt(body: bytes, data: st.DataObject) -> bytes:
    spoilt = bytearray(body)
    for _ in range(data.draw(st.integers(0, 3))):
        spoilt[data.draw(st.integers(0, len(spoilt) - 1))] = data.draw(st.integers(0, 255))
    return bytes(spoilt[: data.draw(st.integers(0, len(spoilt)))])


def _read_or_refuse(decode: Callable[[bytes], object], body: bytes) -> None:
    with contextlib.suppress(BadOtlp):
        assert isinstance(decode(body), list)
