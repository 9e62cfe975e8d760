"""Spans, from OTLP into the form in which they are kept, and what a batch of them says of its traces.

content: the JSON of one span, with the names that MLflow's clients know: identities in base64, times in nanoseconds, and
each attribute's value once more as JSON text. It is what an artifact of a trace holds as well, and what `span.content`
searches.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from treadle.systems.train.traces.analytics import (
    Node,
    finite_or_none,
    json_object,
    session_name,
)
from treadle.systems.train.traces.cleaning import clean, json_text, tidy
from treadle.systems.train.traces.conventions import translate
from treadle.systems.train.traces.previews import preview_of
from treadle.systems.train.traces.records import COST_COLUMNS, ERROR, OK, StoredSpan
from treadle.wire.otlp import ResourceSpans, Span

INPUTS, OUTPUTS = "mlflow.spanInputs", "mlflow.spanOutputs"
TYPE, MODEL, PROVIDER = "mlflow.spanType", "mlflow.llm.model", "mlflow.llm.provider"
TOKENS_SAID, COST_SAID = "mlflow.chat.tokenUsage", "mlflow.llm.cost"
REQUEST_ID = "mlflow.traceRequestId"
TAG_PREFIX = "mlflow.traceTag."
_SESSIONS = ("session.id", "gen_ai.conversation.id")
_STATUS = {0: "STATUS_CODE_UNSET", 1: "STATUS_CODE_OK", 2: "STATUS_CODE_ERROR"}
_LONGEST_NAME = 256
_OWN_RESOURCE = ("telemetry.sdk.", "mlflow.")
"""What a producer says of its library, and names that are ours to set, are no tags."""


@dataclass(slots=True, kw_only=True)
class Batch:
    """The spans of one trace that came in one request, and what they say of the trace."""

    trace: str
    spans: list[StoredSpan] = field(default_factory=list)
    usage: list[Node] = field(default_factory=list)
    costs: list[Node] = field(default_factory=list)
    start_ms: int = 0
    end_ms: int | None = None
    status: str | None = None
    session: str | None = None
    user: str | None = None
    request_preview: str | None = None
    response_preview: str | None = None
    tags: dict[str, str] = field(default_factory=dict)
    resource: dict[str, Any] = field(default_factory=dict)

    @property
    def tells_tokens(self) -> bool:
        return any(node.said for node in self.usage)

    @property
    def tells_cost(self) -> bool:
        return any(node.said for node in self.costs)


@dataclass(slots=True, kw_only=True)
class Received:
    """What a request holds: a batch for each trace, and how many spans have no usable identity."""

    batches: list[Batch]
    finished: list[str]
    rejected: int = 0


def received(resources: Iterable[ResourceSpans]) -> Received:
    """The spans of a request by trace. Raises TraceInvalid for a session's name that is too long."""
    batches: dict[str, Batch] = {}
    finished: dict[str, None] = {}
    rejected = 0
    for resource in resources:
        for span in resource.spans:
            if not (
                _is_identity(span.trace_id, 16) and _is_identity(span.span_id, 8) and len(span.parent_span_id) <= 8
            ):
                rejected += 1
                continue
            trace = f"tr-{span.trace_id.hex():0>32}"
            if not span.parent_span_id:
                finished[trace] = None
            _add(batches.setdefault(trace, Batch(trace=trace)), span, resource.attributes)
    return Received(batches=list(batches.values()), finished=list(finished), rejected=rejected)


def content_of(trace: str, span: Span) -> dict[str, Any]:
    """A span as it is kept, before it becomes JSON text."""
    attributes = {clean(key): _attribute(value) for key, value in span.attributes.items()}
    attributes[REQUEST_ID] = f'"{trace}"'
    return {
        "trace_id": _base64(span.trace_id, 16),
        "span_id": _base64(span.span_id, 8),
        "parent_span_id": _base64(span.parent_span_id, 8) if span.parent_span_id else None,
        "name": clean(span.name),
        "start_time_unix_nano": span.start_ns,
        "end_time_unix_nano": span.end_ns or None,
        "events": [
            {"name": clean(event.name), "time_unix_nano": event.at_ns, "attributes": tidy(event.attributes)}
            for event in span.events
        ],
        "status": {"code": _STATUS.get(span.status_code, _STATUS[0]), "message": clean(span.status_message)},
        "attributes": attributes,
        "links": [
            {
                "trace_id": f"tr-{link.trace_id.hex():0>32}",
                "span_id": f"{link.span_id.hex():0>16}",
                "attributes": tidy({key: _plain(value) for key, value in link.attributes.items()}) or None,
            }
            for link in span.links
        ],
    }


def _add(batch: Batch, span: Span, resource: dict[str, Any]) -> None:
    content = content_of(batch.trace, span)
    span_type = _said(content["attributes"], TYPE)
    attributes = content["attributes"] = translate(content["attributes"])
    cost = json_object(attributes.get(COST_SAID))
    stored = StoredSpan(
        trace=batch.trace,
        span=f"{span.span_id.hex():0>16}",
        parent=f"{span.parent_span_id.hex():0>16}" if span.parent_span_id else None,
        name=content["name"],
        type=clean(span_type) if isinstance(span_type, str) else None,
        status=_STATUS.get(span.status_code, _STATUS[0]).removeprefix("STATUS_CODE_"),
        start_ns=_time(span.start_ns),
        end_ns=_time(span.end_ns) or None,
        content=json.dumps(content, ensure_ascii=False),
        model=_dimension(attributes, MODEL),
        provider=_dimension(attributes, PROVIDER),
        **{name: finite_or_none(cost.get(name)) for name in COST_COLUMNS},
    )
    batch.start_ms = min(batch.start_ms, stored.start_ns // 1_000_000) if batch.spans else stored.start_ns // 1_000_000
    if stored.end_ns is not None:
        batch.end_ms = max(batch.end_ms or 0, stored.end_ns // 1_000_000)
    batch.spans.append(stored)
    batch.usage.append(Node(stored.span, stored.parent, json_object(attributes.get(TOKENS_SAID))))
    batch.costs.append(Node(stored.span, stored.parent, cost))
    batch.resource = batch.resource or resource
    _read_people(batch, attributes)
    if stored.parent is None:
        _read_root(batch, stored, attributes)


def _read_people(batch: Batch, attributes: dict[str, str]) -> None:
    if batch.session is None:
        found = next((said for key in _SESSIONS if (said := attributes.get(key))), None)
        batch.session = None if found is None else session_name(_unquoted(found))
    if batch.user is None and (user := attributes.get("user.id")):
        batch.user = _unquoted(user)


def _read_root(batch: Batch, stored: StoredSpan, attributes: dict[str, str]) -> None:
    if batch.status is None:
        batch.status = ERROR if stored.status == "ERROR" else OK
    if (inputs := attributes.get(INPUTS)) is not None:
        batch.request_preview = preview_of(inputs, "user")
    if (outputs := attributes.get(OUTPUTS)) is not None:
        batch.response_preview = preview_of(outputs, "assistant")
    for key, value in attributes.items():
        if key.startswith(TAG_PREFIX):
            batch.tags[key.removeprefix(TAG_PREFIX)] = _unquoted(value)


def resource_tags(resource: dict[str, Any]) -> dict[str, str]:
    """What a producer says of itself, as tags: `service.name` and the like."""
    return {
        key: value if isinstance(value, str) else json.dumps(value, default=str)
        for key, value in resource.items()
        if not key.startswith(_OWN_RESOURCE)
    }


def _attribute(value: Any) -> str:
    """A value as JSON text; a text that is JSON of a text, list or object already is not encoded again."""
    if isinstance(value, str) and value.lstrip()[:1] in ('"', "[", "{"):
        try:
            said = json.loads(value)
        except (ValueError, RecursionError):
            pass
        else:
            return json_text(said) if "\\u0000" in value else value
    return json_text(value)


def _said(attributes: dict[str, str], key: str) -> Any:
    text = attributes.get(key)
    return None if text is None else json.loads(text)


def _dimension(attributes: dict[str, str], key: str) -> str | None:
    text = attributes.get(key)
    return None if text is None else clean(_unquoted(text))[:_LONGEST_NAME]


def _unquoted(text: str) -> str:
    """The text that JSON holds; anything else as it is written."""
    try:
        value = json.loads(text)
    except ValueError:
        return text
    return clean(value) if isinstance(value, str) else text


def _plain(value: Any) -> Any:
    return base64.b64encode(value).decode() if isinstance(value, bytes) else value


def _is_identity(found: bytes, size: int) -> bool:
    return 0 < len(found) <= size and any(found)


def _base64(found: bytes, size: int) -> str:
    return base64.b64encode(found.rjust(size, b"\0")).decode()


def _time(at_ns: int) -> int:
    return min(at_ns, (1 << 63) - 1)
