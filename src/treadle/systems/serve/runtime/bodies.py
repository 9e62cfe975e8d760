"""Reading a request's headers and body: one pass, bounded, and nothing decoded that is not needed; packing an answer."""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import Any

from treadle.wire.oip import BodyTooLarge, ProtocolError

PACK_FROM_BYTES = 1024
"""Answers shorter than this go as they are: packing them saves no packet."""
ASIDE_FROM_BYTES = 1 << 16
"""What is packed or unpacked in a thread, since it takes a millisecond or more."""
_WINDOW = {b"gzip": 31, b"deflate": 15}


class ClientGone(Exception):
    """The client closed the connection before its request was whole."""


@dataclass(slots=True)
class RequestHead:
    """The headers that matter here; lengths are None where the header is absent."""

    host: bytes = b""
    origin: bytes = b""
    authorization: bytes = b""
    encoding: bytes = b""
    accepts: bytes = b""
    length: int | None = None
    inference_length: int | None = None
    bad_length: bool = False

    @classmethod
    def of(cls, headers: Iterable[tuple[bytes, bytes]]) -> RequestHead:
        """The head of a request. A length that is no number is remembered, and refused when the body is read."""
        head = cls()
        for name, value in headers:
            match name:
                case b"host":
                    head.host = value
                case b"content-length":
                    head.length = head._number(value)
                case b"inference-header-content-length":
                    head.inference_length = head._number(value)
                case b"content-encoding":
                    head.encoding = value.strip().lower()
                case b"accept-encoding":
                    head.accepts = value
                case b"origin":
                    head.origin = value
                case b"authorization":
                    head.authorization = value
        return head

    def _number(self, value: bytes) -> int | None:
        if value.isdigit() and len(value) < 19:
            return int(value)
        self.bad_length = True
        return None


async def read_body(head: RequestHead, receive: Callable[[], Awaitable[dict[str, Any]]], largest: int) -> bytes:
    """The body, unpacked. Raises BodyTooLarge, ProtocolError for a bad header, ClientGone when nobody waits any more."""
    if head.bad_length:
        raise ProtocolError("A length in the headers is no number.")
    if head.length is not None and head.length > largest:
        raise _too_large(largest)
    message = await receive()
    if message["type"] == "http.disconnect":
        raise ClientGone
    body: bytes = message.get("body", b"")
    if message.get("more_body", False):
        chunks, size = [body], len(body)
        while message.get("more_body", False):
            message = await receive()
            if message["type"] == "http.disconnect":
                raise ClientGone
            chunk = message.get("body", b"")
            size += len(chunk)
            if size > largest:
                raise _too_large(largest)
            chunks.append(chunk)
        body = b"".join(chunks)
    if len(body) > largest:
        raise _too_large(largest)
    if head.encoding in (b"", b"identity"):
        return body
    if len(body) < ASIDE_FROM_BYTES:
        return unpacked(body, head.encoding, largest)
    return await asyncio.to_thread(unpacked, body, head.encoding, largest)


def unpacked(body: bytes, encoding: bytes, largest: int) -> bytes:
    """The content of a gzip (of one or more members) or deflate body. A small body may not become a large one in memory.

    Raises BodyTooLarge beyond `largest` bytes, ProtocolError for anything else that cannot be unpacked.
    """
    window = _WINDOW.get(encoding)
    if window is None:
        raise ProtocolError(
            f"The content encoding {encoding.decode('latin-1')!r} is not understood.", fix="Send gzip, deflate or none."
        )
    parts: list[bytes] = []
    size = 0
    while body or not parts:
        unpacker = zlib.decompressobj(wbits=window)
        try:
            part = unpacker.decompress(body, largest - size + 1)
        except zlib.error as error:
            raise ProtocolError(f"The body is no {encoding.decode()}: {error}.") from None
        size += len(part)
        if size > largest:
            raise _too_large(largest)
        if not unpacker.eof:
            raise ProtocolError(f"The {encoding.decode()} body ends too early.")
        parts.append(part)
        body = unpacker.unused_data
    return b"".join(parts)


def wanted_encoding(accepts: bytes) -> bytes | None:
    """The first of gzip and deflate that an `Accept-Encoding` header allows, None for an answer as it is."""
    allowed = {}
    for choice in accepts.lower().split(b","):
        name, _, weight = choice.partition(b";")
        allowed[name.strip()] = weight.strip().replace(b" ", b"") not in (b"q=0", b"q=0.0", b"q=0.00", b"q=0.000")
    return next((name for name in _WINDOW if allowed.get(name, False)), None)


async def packed(body: bytes, encoding: bytes) -> bytes:
    """The body in an encoding, at zlib's quickest level."""
    if len(body) < ASIDE_FROM_BYTES:
        return packed_now(body, encoding)
    return await asyncio.to_thread(packed_now, body, encoding)


def packed_now(body: bytes, encoding: bytes) -> bytes:
    """The same, where it is known to be short."""
    packer = zlib.compressobj(level=1, wbits=_WINDOW[encoding])
    return packer.compress(body) + packer.flush()


def _too_large(largest: int) -> BodyTooLarge:
    return BodyTooLarge(f"The body is larger than {largest} bytes.", fix="Send fewer rows in each request.")
