"""Reading a request's headers and body: one pass, bounded, and nothing decoded that is not needed."""

from __future__ import annotations

import zlib
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import Any

from treadle.wire.oip import BodyTooLarge, ProtocolError


class ClientGone(Exception):
    """The client closed the connection before its request was whole."""


@dataclass(slots=True)
class RequestHead:
    """The headers that matter here; lengths are None where the header is absent."""

    host: bytes = b""
    origin: bytes = b""
    authorization: bytes = b""
    encoding: bytes = b""
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
    return _unpack(body, head.encoding, largest) if head.encoding not in (b"", b"identity") else body


def _unpack(body: bytes, encoding: bytes, largest: int) -> bytes:
    """gzip or deflate, never more than `largest`: a small body may not become a large one in memory."""
    if encoding not in (b"gzip", b"deflate"):
        raise ProtocolError(
            f"The content encoding {encoding.decode('latin-1')!r} is not understood.", fix="Send gzip, deflate or none."
        )
    unpacker = zlib.decompressobj(wbits=31 if encoding == b"gzip" else 15)
    try:
        unpacked = unpacker.decompress(body, largest + 1)
    except zlib.error as error:
        raise ProtocolError(f"The body is no {encoding.decode()}: {error}.") from None
    if len(unpacked) > largest:
        raise _too_large(largest)
    if not unpacker.eof:
        raise ProtocolError(f"The {encoding.decode()} body ends too early.")
    return unpacked


def _too_large(largest: int) -> BodyTooLarge:
    return BodyTooLarge(f"The body is larger than {largest} bytes.", fix="Send fewer rows in each request.")
