"""Random spans, as an application may send them."""

from __future__ import annotations

from hypothesis import strategies as st

from treadle.wire.otlp import Event, Link, ResourceSpans, Span

TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=12)
TIMES = st.integers(0, 2**64 - 1)
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False)
    | TEXTS
    | st.binary(max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=6,
)
ATTRIBUTES = st.dictionaries(TEXTS, VALUES, max_size=4)
TRACE_IDS, SPAN_IDS = st.binary(min_size=16, max_size=16), st.binary(min_size=8, max_size=8)
SPANS = st.builds(
    Span,
    trace_id=TRACE_IDS,
    span_id=SPAN_IDS,
    parent_span_id=st.just(b"") | SPAN_IDS,
    name=TEXTS,
    kind=st.integers(0, 5),
    start_ns=TIMES,
    end_ns=TIMES,
    attributes=ATTRIBUTES,
    events=st.lists(st.builds(Event, name=TEXTS, at_ns=TIMES, attributes=ATTRIBUTES), max_size=2),
    links=st.lists(st.builds(Link, trace_id=TRACE_IDS, span_id=SPAN_IDS, attributes=ATTRIBUTES), max_size=2),
    status_code=st.integers(0, 2),
    status_message=TEXTS,
)
REQUESTS = st.lists(
    st.builds(ResourceSpans, attributes=ATTRIBUTES, spans=st.lists(SPANS, max_size=3)), min_size=1, max_size=2
)
