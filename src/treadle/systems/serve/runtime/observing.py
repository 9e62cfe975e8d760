"""What is told of each request to whoever asked for it: lines of an access log, spans of a trace.

Off, there is no observer, and a request costs one comparison. On, the inference notes its calls under the request that it
belongs to; the line and the spans are made when the answer is known.
"""

from __future__ import annotations

import random
import re
import sys
import time
from collections.abc import Awaitable, Callable, Iterable
from contextvars import ContextVar
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

import msgspec

from treadle.systems.serve.runtime.tracing import Span, TraceContext, Tracer, context_of

REQUEST_ID = re.compile(rb"[!-~]{1,128}")
"""An id of a request, as `X-Request-Id` may give it."""

Send = Callable[[dict[str, Any]], Awaitable[None]]


@dataclass(slots=True)
class Seen:
    """A request under way."""

    began: int
    started: float
    request_id: str
    trace: TraceContext | None
    calls: list[Span] = field(default_factory=list)


_current: ContextVar[Seen | None] = ContextVar("request", default=None)


class AccessLog:
    """JSON lines, one a request: a share of those that went well, and all that did not."""

    def __init__(self, file: BinaryIO, share: float = 1.0, chance: random.Random | None = None) -> None:
        self._file, self._share, self._chance = file, share, chance or random.Random(0)  # noqa: S311 (which lines are kept is no secret)

    @classmethod
    def at(cls, place: str, share: float = 1.0) -> AccessLog:
        """`-` is the standard output, anything else a file that is appended to."""
        return cls(sys.stdout.buffer if place == "-" else Path(place).open("ab", buffering=0), share)

    def write(self, facts: dict[str, Any]) -> None:
        """Writes the line, or leaves it out."""
        if facts["status"] >= 400 or self._share >= 1.0 or self._chance.random() < self._share:
            self._file.write(msgspec.json.encode(facts) + b"\n")
            self._file.flush()


class Observer:
    """Either or both of an access log and a tracer."""

    def __init__(self, access: AccessLog | None, tracer: Tracer | None) -> None:
        self._access, self.tracer = access, tracer

    def begin(self, headers: Iterable[tuple[bytes, bytes]]) -> Seen:
        """Notes that a request has come; until `end`, calls are noted under it."""
        traceparent, request_id = b"", ""
        for name, value in headers:
            if name == b"traceparent":
                traceparent = value
            elif name == b"x-request-id" and REQUEST_ID.fullmatch(value):
                request_id = value.decode()
        trace = None if self.tracer is None else context_of(traceparent, self.tracer.share, self.tracer.chance)
        seen = Seen(time.time_ns(), time.perf_counter(), request_id, trace)
        _current.set(seen)
        return seen

    def end(self, seen: Seen, method: str, path: str, status: int, received: int | None, sent: int) -> None:
        """Tells of a request that was answered."""
        _current.set(None)
        took = time.perf_counter() - seen.started
        if self._access is not None:
            self._access.write(
                {
                    "time": seen.began // 1000,
                    "method": method,
                    "path": path,
                    "status": status,
                    "us": round(took * 1e6),
                    "received_bytes": received,
                    "sent_bytes": sent,
                    "request_id": seen.request_id or None,
                    "trace_id": None if seen.trace is None else seen.trace.trace,
                }
            )
        if self.tracer is not None and seen.trace is not None:
            facts: dict[str, Any] = {
                "http.request.method": method, "url.path": path, "http.response.status_code": status,
                "http.response.body.size": sent,
            }  # fmt: skip
            if seen.request_id:
                facts["http.request.header.x-request-id"] = seen.request_id
            root = Span(f"{method} {path}", seen.began, seen.began + round(took * 1e9), facts)
            self.tracer.put(seen.trace, root, seen.calls, failed=status >= 500)

    def watching(self, seen: Seen, scope: dict[str, Any], send: Send) -> Send:
        """A `send` that tells of the request once its answer has gone."""
        status, length = 0, _length(scope["headers"])

        async def watched(message: dict[str, Any]) -> None:
            nonlocal status
            await send(message)
            if message["type"] == "http.response.start":
                status = message["status"]
            elif not message.get("more_body", False):
                self.end(seen, scope["method"], scope["path"], status, length, len(message.get("body", b"")))

        return watched


def note_call(endpoint: str, revision: int, rows: int, begun: float, ended: float, logged: float) -> None:
    """Notes a call of a model and the writing of its record, under the request at hand. Times are of `perf_counter`."""
    seen = _current.get()
    if seen is None or seen.trace is None:
        return
    facts: dict[str, Any] = {"treadle.endpoint": endpoint, "treadle.revision": revision, "treadle.rows": rows}

    def at(moment: float) -> int:
        return seen.began + round((moment - seen.started) * 1e9)

    seen.calls.append(Span("model", at(begun), at(ended), facts))
    seen.calls.append(Span("prediction log", at(ended), at(logged)))


def _length(headers: Iterable[tuple[bytes, bytes]]) -> int | None:
    return next((int(value) for name, value in headers if name == b"content-length" and value.isdigit()), None)
