"""Traces of requests: W3C trace context in, spans out by OTLP over HTTP in its JSON form.

No SDK: a request has one span and a child for each call of a model and for its record, whose times are measured anyway. They
are made when the request is done, put in a bounded queue, and sent by a thread; what does not fit, or what a collector
refuses, is dropped and counted, for a trace may never cost a prediction. Source: W3C Trace Context (2021), level 1; OTLP 1.5,
"OTLP/HTTP" and "JSON Protobuf Encoding"; OpenTelemetry semantic conventions for HTTP 1.27.
"""

from __future__ import annotations

import logging
import os
import queue
import random
import re
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec

from treadle import __version__
from treadle.ground.errors import InvalidInput

_TRACEPARENT = re.compile(rb"(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})(-.*)?")
_BATCH, _WAITING, _EVERY_S, _TIMEOUT_S = 512, 4096, 1.0, 5.0
_SERVER, _INTERNAL, _ERROR = 2, 1, 2
_log = logging.getLogger("treadle.serve")


@dataclass(frozen=True, slots=True)
class TraceContext:
    """Which trace a request belongs to, and the caller's span in it (empty: none)."""

    trace: str
    parent: str
    is_sampled: bool


@dataclass(frozen=True, slots=True)
class Span:
    """Something that took time. Times are nanoseconds since 1970."""

    name: str
    began: int
    ended: int
    attributes: Mapping[str, str | int | float | bool] = field(default_factory=dict)


@dataclass(slots=True)
class TraceFigures:
    """Counts since this process started."""

    sent: int = 0
    dropped: int = 0
    """Spans for which there was no room, or which a collector did not take."""


def context_of(traceparent: bytes, share: float, chance: random.Random) -> TraceContext:
    """The trace that a header names, sampled as its caller decided; else a new one, sampled with this chance."""
    found = _TRACEPARENT.fullmatch(traceparent)
    if found is not None and (traceparent[:2] != b"00" or found[4] is None):
        return TraceContext(found[1].decode(), found[2].decode(), bool(int(found[3], 16) & 1))
    return TraceContext(f"{chance.getrandbits(128) or 1:032x}", "", chance.random() < share)


class Tracer:
    """Sends spans to a collector. endpoint: its base, such as `http://localhost:4318`; close() sends what waits."""

    def __init__(
        self,
        endpoint: str,
        *,
        service: str = "treadle-serve",
        share: float = 1.0,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        self.share, self.chance = share, random.Random(os.urandom(16))  # noqa: S311 (ids of traces are no secrets)
        self.figures = TraceFigures()
        if not endpoint.startswith(("http://", "https://")):
            raise InvalidInput(
                f"Traces cannot be sent to {endpoint!r}.", fix="Name a collector, such as http://localhost:4318."
            )
        self._url = f"{endpoint.rstrip('/')}/v1/traces"
        self._headers = {"content-type": "application/json", **(headers or {})}
        self._resource = {"attributes": _attributes({"service.name": service, "service.version": __version__})}
        self._queue: queue.Queue[list[dict[str, Any]] | None] = queue.Queue(_WAITING)
        self._failing = False
        self._thread = threading.Thread(target=self._send_until_stopped, name="traces", daemon=True)
        self._thread.start()

    def put(self, context: TraceContext, root: Span, children: Sequence[Span], *, failed: bool = False) -> None:
        """Queues a request's spans, if its trace is sampled. Never waits."""
        if not context.is_sampled:
            return
        identity = self._span_id()
        spans = [_encoded(root, context.trace, identity, context.parent, _SERVER, failed)]
        spans += [_encoded(one, context.trace, self._span_id(), identity, _INTERNAL, False) for one in children]
        try:
            self._queue.put_nowait(spans)
        except queue.Full:
            self.figures.dropped += len(spans)

    def close(self) -> None:
        """Sends what waits, as far as the collector takes it."""
        self._queue.put(None)
        self._thread.join()

    def _span_id(self) -> str:
        return f"{self.chance.getrandbits(64) or 1:016x}"

    def _send_until_stopped(self) -> None:
        stopping = False
        while not stopping:
            spans: list[dict[str, Any]] = []
            try:
                got = self._queue.get(timeout=_EVERY_S)
                while got is not None and len(spans) < _BATCH:
                    spans += got
                    got = self._queue.get_nowait() if len(spans) < _BATCH else []
                stopping = got is None
            except queue.Empty:
                pass
            if spans:
                self._send(spans)

    def _send(self, spans: list[dict[str, Any]]) -> None:
        import urllib.request  # 20 ms that only who traces pays

        scope = {"name": "treadle", "version": __version__}
        body = {"resourceSpans": [{"resource": self._resource, "scopeSpans": [{"scope": scope, "spans": spans}]}]}
        request = urllib.request.Request(self._url, msgspec.json.encode(body), self._headers)  # noqa: S310 (the operator's address)
        try:
            with urllib.request.urlopen(request, timeout=_TIMEOUT_S) as answer:  # noqa: S310 (as above)
                answer.read()
        except OSError as error:
            self.figures.dropped += len(spans)
            if not self._failing:
                _log.warning("traces cannot be sent to %s: %s", self._url, error)
            self._failing = True
            return
        self.figures.sent += len(spans)
        self._failing = False


def _encoded(span: Span, trace: str, identity: str, parent: str, kind: int, failed: bool) -> dict[str, Any]:
    return {
        "traceId": trace,
        "spanId": identity,
        "parentSpanId": parent,
        "name": span.name,
        "kind": kind,
        "startTimeUnixNano": str(span.began),
        "endTimeUnixNano": str(span.ended),
        "attributes": _attributes(span.attributes),
        "status": {"code": _ERROR} if failed else {},
    }


def _attributes(values: Mapping[str, str | int | float | bool]) -> list[dict[str, Any]]:
    return [{"key": key, "value": _value(value)} for key, value in values.items()]


def _value(value: str | int | float | bool) -> dict[str, Any]:
    if isinstance(value, bool):
        return {"boolValue": value}
    if isinstance(value, int):
        return {"intValue": str(value)}
    return {"doubleValue": value} if isinstance(value, float) else {"stringValue": value}
