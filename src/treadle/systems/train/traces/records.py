"""What traces say: the trace with its tags and metadata, its spans as they are kept, and assessments."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

NAME_TAG = "mlflow.traceName"
LOCATION_TAG = "mlflow.artifactLocation"
SPANS_LOCATION_TAG = "mlflow.trace.spansLocation"
IN_STORE = "TRACKING_STORE"
"""The spans are rows of the store; what the tag says of every trace whose spans arrived."""
SOURCE_RUN = "mlflow.sourceRun"
MODEL_ID = "mlflow.modelId"
SIZE_STATS = "mlflow.trace.sizeStats"
SESSION = "mlflow.trace.session"
USER = "mlflow.trace.user"
USAGE = "mlflow.trace.tokenUsage"
COST = "mlflow.trace.cost"
FINALIZED = "mlflow.trace.infoFinalized"

OK, ERROR, IN_PROGRESS, UNSPECIFIED = "OK", "ERROR", "IN_PROGRESS", "STATE_UNSPECIFIED"
STATES = (OK, ERROR, IN_PROGRESS, UNSPECIFIED)

TOKEN_COLUMNS = (
    "input_tokens",
    "output_tokens",
    "total_tokens",
    "cache_read_input_tokens",
    "cache_creation_input_tokens",
    "cache_creation_input_tokens_above_1hr",
)
COST_COLUMNS = ("input_cost", "output_cost", "total_cost")
"""Columns of the trace, and at once the keys of its metadata's JSON."""


@dataclass(slots=True, kw_only=True)
class Assessment:
    """What somebody says of a trace. kind: `feedback`, `expectation` or `issue`. Times are milliseconds since 1970 UTC.

    is_valid: false once another assessment has overridden it.
    """

    trace: str
    id: str
    name: str
    kind: str
    value: Any
    source_type: str
    source_id: str | None = None
    error: dict[str, Any] | None = None
    run: str | None = None
    span: str | None = None
    rationale: str | None = None
    overrides: str | None = None
    is_valid: bool = True
    metadata: dict[str, str] | None = None
    created_ms: int = 0
    updated_ms: int = 0


@dataclass(slots=True, kw_only=True)
class Trace:
    """One execution of an application. Times are the client's milliseconds; duration_ms is None while it goes on.

    metadata is said once, when the trace is made; tags may change.
    """

    id: str
    experiment: str
    start_ms: int
    status: str
    duration_ms: int | None = None
    name: str | None = None
    session: str | None = None
    client_request_id: str | None = None
    request_preview: str | None = None
    response_preview: str | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None
    total_tokens: int | None = None
    cache_read_input_tokens: int | None = None
    cache_creation_input_tokens: int | None = None
    cache_creation_input_tokens_above_1hr: int | None = None
    input_cost: float | None = None
    output_cost: float | None = None
    total_cost: float | None = None
    tags: dict[str, str] = field(default_factory=dict)
    metadata: dict[str, str] = field(default_factory=dict)
    assessments: list[Assessment] = field(default_factory=list)


COLUMNS = tuple(name for name in Trace.__slots__ if name not in ("tags", "metadata", "assessments"))
"""What of a trace stands in its row, in the order of the statements."""


@dataclass(slots=True, kw_only=True)
class StoredSpan:
    """A span as it is kept. content: the whole of it as JSON; see `spans.content_of`."""

    trace: str
    span: str
    parent: str | None
    name: str
    type: str | None
    status: str
    start_ns: int
    end_ns: int | None
    content: str
    model: str | None = None
    provider: str | None = None
    input_cost: float | None = None
    output_cost: float | None = None
    total_cost: float | None = None


@dataclass(slots=True, kw_only=True)
class TraceWithSpans:
    """A trace and its spans, the root first, then by start. spans: each the JSON of its content."""

    trace: Trace
    spans: list[str]


@dataclass(slots=True, kw_only=True)
class TracePage:
    """Some traces, and the token of the next page if there is one."""

    traces: list[Trace]
    next_page_token: str | None = None
