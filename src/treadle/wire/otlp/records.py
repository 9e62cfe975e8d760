"""Spans as OTLP carries them. Identities stay bytes; an attribute's value is plain Python: text, truth value, whole or
real number, bytes, list, dictionary, or None for a value that was left out."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

UNSET, OK, ERROR = 0, 1, 2
"""The codes of a span's status."""


@dataclass(slots=True, kw_only=True)
class Event:
    """Something that happened within a span. Times are nanoseconds since 1970 UTC."""

    name: str = ""
    at_ns: int = 0
    attributes: dict[str, Any] = field(default_factory=dict)


@dataclass(slots=True, kw_only=True)
class Link:
    """A span elsewhere that has to do with this one."""

    trace_id: bytes = b""
    span_id: bytes = b""
    attributes: dict[str, Any] = field(default_factory=dict)


@dataclass(slots=True, kw_only=True)
class Span:
    """One unit of work. A root has no parent (empty bytes)."""

    trace_id: bytes = b""
    span_id: bytes = b""
    parent_span_id: bytes = b""
    name: str = ""
    kind: int = 0
    start_ns: int = 0
    end_ns: int = 0
    attributes: dict[str, Any] = field(default_factory=dict)
    events: list[Event] = field(default_factory=list)
    links: list[Link] = field(default_factory=list)
    status_code: int = UNSET
    status_message: str = ""


@dataclass(slots=True, kw_only=True)
class ResourceSpans:
    """The spans of one producer, with what it says about itself."""

    attributes: dict[str, Any] = field(default_factory=dict)
    spans: list[Span] = field(default_factory=list)
