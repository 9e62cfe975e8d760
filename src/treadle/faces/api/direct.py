"""uvicorn's protocol, which steps aside for large bodies when the application asks for that.

It does what its base class does, and offers two extensions of the scope (`extensions["treadle.direct"]`): the rest of a body
whose length is known is received into buffers that are lent, and a file goes out by the system's own means. Each then
goes on with the next request on the same connection. Neither is offered for a request that is not the connection's newest.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, BinaryIO, cast

import httptools
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from treadle.faces.api import sending
from treadle.faces.api.receiving import Body

EXTENSION = "treadle.direct"
MAX_HEAD_BYTES = 256 << 10
"""How much a request line and headers may be before they end: whoever sends them has not been asked who they are."""


class DirectProtocol(HttpToolsProtocol):
    """See the module."""

    _is_in_head, _head_bytes = False, 0

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self._is_in_head:
            self._head_bytes += len(data)
            if self._head_bytes > MAX_HEAD_BYTES and not self.transport.is_closing():
                self._is_in_head = False
                self.send_400_response("The headers are too long.")

    def on_message_begin(self) -> None:
        super().on_message_begin()
        cast("dict[str, Any]", self.scope)["extensions"] = {EXTENSION: self}
        self._is_in_head, self._head_bytes = True, 0

    def on_headers_complete(self) -> None:
        self._is_in_head = False
        super().on_headers_complete()

    def hand_over(self, scope: Any, size: int) -> Body | None:
        """The body of a request, which is `size` bytes long; None when all of it is here already.

        Nothing of it may have been received in the usual way before.
        """
        cycle = self.cycle
        if cycle.scope is not scope or not cycle.more_body or cycle.disconnected or len(cycle.body) >= size:
            return None
        begin, cycle.body = bytes(cycle.body), bytearray()
        if cycle.waiting_for_100_continue:
            self.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            cycle.waiting_for_100_continue = False
        return Body(self, self.transport, self.flow, begin, size, self._go_on)

    async def send_file(
        self, scope: Any, file: BinaryIO, begin: int, size: int, in_thread: Callable[..., Awaitable[int]]
    ) -> bool:
        """Sends a piece of a file as the body, once the head is on its way; False where that cannot be done.

        Raises FileTooShort. When the other side goes away it ends early, and so does the connection.
        """
        cycle, transport = self.cycle, self.transport
        is_usual = cycle.scope is not scope or cycle.chunked_encoding or transport.get_write_buffer_size() > 0
        if is_usual or self.scheme == "https" or not sending.IS_POSSIBLE:
            return False
        self._unset_keepalive_if_required()
        try:
            await sending.send_file(transport.get_extra_info("socket"), file, begin, size, in_thread)
        except OSError:
            transport.abort()
        cycle.expected_content_length -= size
        return True

    def _go_on(self) -> None:
        """After a body that has been received to its end: what comes next is a new request."""
        self.cycle.more_body = False
        self.parser = httptools.HttpRequestParser(self)


def direct(scope: Any) -> DirectProtocol | None:
    """The protocol of a request, where it can step aside."""
    return cast("DirectProtocol | None", scope.get("extensions", {}).get(EXTENSION))
