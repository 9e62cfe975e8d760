"""uvicorn's HTTP protocol with the head and the body of an answer in one write.

ASGI sends an answer in two messages, and uvicorn writes each by itself: two system calls here, two packets and two wakings
at the client (Nagle's algorithm is off). Holding the head back until its body follows saves a tenth of a small request.
"""

from __future__ import annotations

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol


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
    """uvicorn's protocol over a `JoiningTransport`."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        self._joining = JoiningTransport(transport)
        super().connection_made(self._joining)  # type: ignore[arg-type]

    def on_response_complete(self) -> None:
        self._joining.flush()
        super().on_response_complete()
