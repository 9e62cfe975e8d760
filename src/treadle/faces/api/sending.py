"""A file on its way out, from the disk's pages to the socket by the system itself, without passing through Python.

The event loop waits until the socket takes more, so a slow client holds no thread; what may have to wait for the disk is
done in one.
"""

from __future__ import annotations

import asyncio
import os
import select
import socket
import sys
import time
from collections.abc import Awaitable, Callable
from typing import BinaryIO

IS_POSSIBLE = sys.platform == "linux"
_PIECE_BYTES = 4 << 20
_AHEAD_BYTES = 16 << 20
"""How far the disk reads ahead of what is sent: the system's own read-ahead of 128 kB leaves it idle while bytes are copied."""
_TURN_BYTES = 64 << 20
_PATIENCE_S = 0.02
"""How long a thread waits for a client in one turn, before the event loop does: a quick one is ready again at once."""


class FileTooShort(Exception):
    """The file ended before all was sent that was promised."""


async def send_file(
    target: socket.socket, file: BinaryIO, begin: int, size: int, in_thread: Callable[..., Awaitable[int]]
) -> None:
    """Sends `size` bytes of a file, from `begin` on. Raises FileTooShort, and OSError when the other side went away."""
    loop = asyncio.get_running_loop()
    out = os.dup(target.fileno())  # the loop lets nobody else wait for the socket's own descriptor
    try:
        while size:
            sent = await in_thread(_send_some, out, file.fileno(), begin, size)
            begin, size = begin + sent, size - sent
            if size:
                await _writable(loop, out)
    finally:
        os.close(out)


def _send_some(out: int, source: int, begin: int, size: int) -> int:
    """Sends while the other side takes it, a turn's worth at most; answers how many bytes."""
    ready = select.poll()
    ready.register(out, select.POLLOUT)
    end, place, ahead = begin + min(size, _TURN_BYTES), begin, begin
    patience_s = _PATIENCE_S
    while place < end:
        if ahead < begin + size and ahead - place < _AHEAD_BYTES // 2:
            os.posix_fadvise(source, ahead, _AHEAD_BYTES, os.POSIX_FADV_WILLNEED)
            ahead += _AHEAD_BYTES
        try:
            sent = os.sendfile(out, source, place, min(end - place, _PIECE_BYTES))
        except BlockingIOError:
            since = time.monotonic()
            if patience_s <= 0 or not ready.poll(patience_s * 1000):
                break
            patience_s -= time.monotonic() - since
            continue
        if sent == 0:
            raise FileTooShort
        place += sent
    return place - begin


async def _writable(loop: asyncio.AbstractEventLoop, out: int) -> None:
    ready = asyncio.Event()
    loop.add_writer(out, ready.set)
    try:
        await ready.wait()
    finally:
        loop.remove_writer(out)
