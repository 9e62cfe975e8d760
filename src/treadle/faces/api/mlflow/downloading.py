"""Bytes of a file on their way out: the head of the answer, the range that was asked for, and the pieces."""

from __future__ import annotations

import asyncio
import re
import unicodedata
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Any, BinaryIO
from urllib.parse import quote

from treadle.faces.api.mlflow.exchange import Answer
from treadle.wire.mlflow.errors import ProtocolError

Span = tuple[int, int | None]
"""Where the bytes begin, and how many they are; None for all that follow."""

_RANGE = re.compile(r"bytes=(\d*)-(\d*)")
_FILE_NAME_SAFE = "!#$&+-.^_`|~"


def file_head(answer: Answer, request: Mapping[str, str]) -> tuple[int, list[tuple[bytes, bytes]], Span]:
    """Status, headers and span of an answer that is a file. A range that lies outside answers 416 and no bytes."""
    headers = {"content-type": answer.media_type, "x-content-type-options": "nosniff", **answer.headers}
    if answer.filename is not None:
        headers["content-disposition"] = attachment(answer.filename)
    status, span = answer.status, (0, answer.size_bytes)
    if answer.size_bytes is not None and status == 200:
        headers["accept-ranges"] = "bytes"
        status, span = _ranged(request.get("range", ""), answer.size_bytes)
        if status == 416:
            headers["content-range"] = f"bytes */{answer.size_bytes}"
        elif status == 206:
            headers["content-range"] = f"bytes {span[0]}-{span[0] + (span[1] or 0) - 1}/{answer.size_bytes}"
    if span[1] is not None:
        headers["content-length"] = str(span[1])
    return status, [(name.lower().encode(), value.encode("latin-1")) for name, value in headers.items()], span


def _ranged(asked: str, size: int) -> tuple[int, Span]:
    """What a Range header asks for; anything but one range of bytes is the whole file, as HTTP allows."""
    found = _RANGE.fullmatch(asked.replace(" ", ""))
    if found is None or found[1] == found[2] == "":
        return 200, (0, size)
    if found[1] == "":
        begin, end = max(0, size - int(found[2])), size
    else:
        begin, end = int(found[1]), min(size, int(found[2]) + 1) if found[2] else size
    return (206, (begin, end - begin)) if begin < end else (416, (0, 0))


async def pieces_of(
    file: BinaryIO, span: Span, piece_bytes: int, in_thread: Callable[..., Awaitable[Any]]
) -> AsyncIterator[bytes]:
    """The bytes of a span, read in a thread, the next while one is sent. Raises ProtocolError when the file ends too early."""
    begin, left = span
    if begin:
        await in_thread(file.seek, begin)
    reading = _read_next(file, left, piece_bytes, in_thread)
    try:
        while reading is not None:
            piece = await reading
            if not piece:
                if left is None:
                    return
                raise ProtocolError("DATA_LOSS", "The file is shorter than was recorded.")
            left = None if left is None else left - len(piece)
            reading = _read_next(file, left, piece_bytes, in_thread)
            yield piece
    finally:
        if reading is not None:
            await asyncio.wait([reading])  # nobody closes a file that is being read


def _read_next(
    file: BinaryIO, left: int | None, piece_bytes: int, in_thread: Callable[..., Awaitable[Any]]
) -> asyncio.Future[bytes] | None:
    if left == 0:
        return None
    return asyncio.ensure_future(in_thread(file.read, piece_bytes if left is None else min(piece_bytes, left)))


def attachment(name: str) -> str:
    """A Content-Disposition for a file of this name, also where the name has letters that headers cannot carry (RFC 6266)."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode() or "download"
    plain = re.sub(r'[\x00-\x1f"\\;]', "_", plain)
    text = f'attachment; filename="{plain}"'
    return text if plain == name else f"{text}; filename*=UTF-8''{quote(name, safe=_FILE_NAME_SAFE)}"
