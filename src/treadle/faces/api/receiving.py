"""A large body on its way in, read from the socket straight into a few buffers that are used again and again.

An HTTP server for Python copies a body four times on its way to whoever wants it, which for an artifact of a gigabyte takes
longer than all the rest. Here the transport fills buffers of ours, and whoever writes them is lent one after the other.
"""

from __future__ import annotations

import asyncio
import mmap
from collections import deque
from collections.abc import Callable

from uvicorn.protocols.http.flow_control import FlowControl

from treadle.kernel.artifacts.spool import aligned_buffer

BUFFER_BYTES = 4 << 20
"""Each costs three changes of threads: in pieces of a megabyte a gigabyte takes 1.6 s of processors, in these 1.25 s."""
WAITING = 2
"""Pieces that wait to be written, at most."""
LENT = WAITING + 3
"""Besides those that wait, one is being hashed, one is being written, and one is about to wait."""
BUFFERS = LENT + 2
"""One is being filled, and one is ready in between."""


class Body(asyncio.BufferedProtocol):
    """A body on its way in. `next` lends a piece of it, which holds until `next` has been called three times more.

    http: whose connection it is, and who takes it back. begin: what has come of the body already. size: of all of it.
    at_end: called before the connection is given back.
    """

    def __init__(
        self,
        http: asyncio.Protocol,
        transport: asyncio.Transport,
        flow: FlowControl,
        begin: bytes,
        size: int,
        at_end: Callable[[], None],
    ) -> None:
        self._http, self._transport, self._flow, self._at_end = http, transport, flow, at_end
        self._left = size - len(begin)
        self._free = deque(aligned_buffer(BUFFER_BYTES) for _ in range(BUFFERS))
        self._filling, self._filled = self._free.popleft(), len(begin) % BUFFER_BYTES
        whole = len(begin) - self._filled
        self._ready: deque[memoryview] = deque([memoryview(begin)[:whole]] if whole else [])
        self._filling[: self._filled] = begin[whole:]  # so all pieces but the last are whole blocks
        self._lent: deque[memoryview] = deque()
        self._changed = asyncio.Event()
        self._is_lost = self._is_given_up = False
        self._switch(self)

    async def next(self) -> memoryview | None:
        """The next piece; None at the end. Raises ConnectionError when the other side went away."""
        while not self._ready:
            if self._left == 0:
                return None
            if self._is_lost:
                raise ConnectionError("the client went away")
            self._changed.clear()
            await self._changed.wait()
        return self._lend(self._ready.popleft())

    def close(self) -> None:
        """Gives the connection back; what has not come yet is received and dropped first. Called once."""
        if self._left == 0:
            self._end()
        elif not self._is_lost:
            self._is_given_up = True
            self._flow.resume_reading()

    # What the transport calls

    def get_buffer(self, sizehint: int) -> memoryview:
        return self._filling[self._filled : min(BUFFER_BYTES, self._filled + self._left)]

    def buffer_updated(self, nbytes: int) -> None:
        self._filled += nbytes
        self._left -= nbytes
        if self._is_given_up:
            self._filled = 0
            if self._left == 0:
                self._end()
        elif self._left == 0 or self._filled == BUFFER_BYTES:
            self._ready.append(self._filling[: self._filled])
            self._filled = 0
            self._changed.set()
            self._refill()

    def eof_received(self) -> None:
        self._lose()

    def connection_lost(self, exc: Exception | None) -> None:
        self._lose()
        self._http.connection_lost(exc)

    def pause_writing(self) -> None:
        self._http.pause_writing()

    def resume_writing(self) -> None:
        self._http.resume_writing()

    def _lend(self, piece: memoryview) -> memoryview:
        """Lends a piece, and takes back the oldest that is lent, which has been written and hashed by now."""
        self._lent.append(piece)
        if len(self._lent) > LENT:
            back = self._lent.popleft()
            if isinstance(back.obj, mmap.mmap):
                self._free.append(memoryview(back.obj))
                if self._flow.read_paused:
                    self._refill()
        return piece

    def _refill(self) -> None:
        """Takes a free buffer to fill; without one, and at the end, nothing more is read for now."""
        if self._left and self._free:
            self._filling = self._free.popleft()
            self._flow.resume_reading()
        else:
            self._flow.pause_reading()

    def _lose(self) -> None:
        self._is_lost = True
        self._changed.set()

    def _end(self) -> None:
        if not self._is_lost:
            self._at_end()
            self._switch(self._http)

    def _switch(self, to: asyncio.BaseProtocol) -> None:
        """Sets which protocol the transport calls: it looks at that when reading begins."""
        self._flow.pause_reading()
        self._transport.set_protocol(to)
        self._flow.resume_reading()
