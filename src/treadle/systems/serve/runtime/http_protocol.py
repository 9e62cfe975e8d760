"""uvicorn's HTTP protocol with a shorter way for what most requests are.

A POST that came whole in one read, to an address that need not wait, is answered where it is parsed: no task, no ASGI
messages, one write, together with whatever else is answered in the same turn of the event loop (`leaving`). Measured 2026: half
of a small inference was the way through uvicorn's cycle. Everything else (a body in pieces, another method, a pipelined
request behind a waiting one) takes uvicorn's own way.

On that way the head and the body of an answer go out in one write: ASGI sends an answer in two messages, and uvicorn
writes each by itself: two system calls here, two packets and two wakings at the client (Nagle's algorithm is off).
"""

from __future__ import annotations

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from treadle.systems.serve.runtime.leaving import Answer, Leaving


class JoiningTransport:
    """A transport that keeps the head of an answer until the next write, a flush or the close."""

    __slots__ = ("_held", "_transport", "get_extra_info", "is_closing", "pause_reading", "resume_reading")

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport, self._held = transport, b""
        self.get_extra_info, self.is_closing = transport.get_extra_info, transport.is_closing
        self.pause_reading, self.resume_reading = transport.pause_reading, transport.resume_reading

    def write(self, data: bytes) -> None:
        """Writes, or holds back what is the head of a final answer."""
        if self._held:
            data, self._held = self._held + data, b""
        elif data.startswith(b"HTTP/1.1 ") and not data.startswith(b"HTTP/1.1 1") and data.endswith(b"\r\n\r\n"):
            self._held = data
            return
        self._transport.write(data)

    def flush(self) -> None:
        """Writes a head that no body follows, as after HEAD."""
        if self._held:
            held, self._held = self._held, b""
            self._transport.write(held)

    def close(self) -> None:
        self.flush()
        self._transport.close()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)


class JoiningProtocol(HttpToolsProtocol):
    """uvicorn's protocol over a `JoiningTransport`, with the shorter way."""

    def __init__(self, *arguments: Any, **keywords: Any) -> None:
        super().__init__(*arguments, **keywords)
        self._answer_now = getattr(self.app, "answer_now", None)
        self._leaving: Leaving | None = getattr(self.app, "leaving", None)
        self._held_body: bytes | None = None
        """The body so far of a request that uvicorn has not heard of yet; None when there is none."""
        self._defaults: list[tuple[bytes, bytes]] | None = None
        self._default_lines = b""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        self._joining, self._direct = JoiningTransport(transport), transport
        super().connection_made(self._joining)  # type: ignore[arg-type]

    def on_response_complete(self) -> None:
        self._joining.flush()
        super().on_response_complete()

    # -- the shorter way --------------------------------------------------------------------------------------------

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self._held_body is not None and not self.transport.is_closing():
            self._hand_over()  # the rest of the body is still on its way

    def on_headers_complete(self) -> None:
        parser, cycle = self.parser, self.cycle
        if (
            self._answer_now is not None
            and (cycle is None or cycle.response_complete)
            and not self.pipeline
            and not self.expect_100_continue
            and not self.flow.write_paused
            and parser.get_method() == b"POST"
            and parser.get_http_version() == "1.1"
            and parser.should_keep_alive()
            and not parser.should_upgrade()
        ):
            self._held_body = b""
        else:
            super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        if self._held_body is None:
            super().on_body(body)
        else:
            self._held_body += body

    def on_message_complete(self) -> None:
        if self._held_body is None:
            super().on_message_complete()
            return
        leaving = self._leaving
        before = 0 if leaving is None else leaving.records
        answered = self._answer_now(self.url.decode("latin-1"), self.headers, self._held_body)  # type: ignore[misc]
        if answered is None:
            self._hand_over()
            super().on_message_complete()
            return
        self._held_body = None
        if leaving is None:
            self.send_now(answered)
        else:
            leaving.add(self, answered, has_record=leaving.records > before)
        self.server_state.total_requests += 1
        self._unset_keepalive_if_required()
        self.timeout_keep_alive_task = self.loop.call_later(self.timeout_keep_alive, self.timeout_keep_alive_handler)

    def send_now(self, answer: Answer) -> None:
        """Writes an answer, unless the client has gone."""
        if not self._direct.is_closing():
            status, headers, body = answer
            self._direct.write(self._head(status, headers) + body)

    def shutdown(self) -> None:
        if self._leaving is not None:
            self._leaving.go()
        super().shutdown()

    def _hand_over(self) -> None:
        """Tells uvicorn of the request that was held back; what was answered before it leaves first."""
        if self._leaving is not None:
            self._leaving.go()
        held, self._held_body = self._held_body, None
        super().on_headers_complete()
        if held:
            super().on_body(held)

    def _head(self, status: int, headers: list[tuple[bytes, bytes]]) -> bytes:
        defaults = self.server_state.default_headers
        if defaults is not self._defaults:  # replaced every second, for the date
            self._defaults, self._default_lines = defaults, _lines(defaults)
        return STATUS_LINE[status] + self._default_lines + _lines(headers) + b"\r\n"


def _lines(headers: list[tuple[bytes, bytes]]) -> bytes:
    return b"".join([b"%b: %b\r\n" % header for header in headers])
