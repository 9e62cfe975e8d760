"""Protocol buffers' encoding, without the protobuf library: a message as its fields, and fields as bytes.

For the few small messages of protocols that others defined, a page of code reads and writes them, where the library would
add a compiled dependency and several megabytes of memory to every process. A codec takes from `fields` those that it
knows and passes over the others, as every reader of protobuf does. Groups, which the format has given up, are refused.
Source: https://protobuf.dev/programming-guides/encoding.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Any

VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5
"""The wire types."""

_fixed64 = struct.Struct("<Q").unpack_from
_fixed32 = struct.Struct("<I").unpack_from
_double = struct.Struct("<d")

_SMALL = tuple(bytes((number,)) for number in range(128))
"""What numbers below 128 are as varints: most tags and lengths."""

Field = tuple[int, int, Any]
"""(number, wire type, value): whole numbers unsigned, bytes as they are."""

BROKEN = (ValueError, IndexError, struct.error)
"""What reading bytes that are no message raises."""


def fields(data: bytes) -> Iterator[Field]:
    """The fields of a message in their order. Raises one of BROKEN where the bytes are none."""
    at, end = 0, len(data)
    while at < end:
        tag = data[at]
        at += 1
        if tag > 127:
            tag, at = _long_varint(data, at - 1)
        wire_type = tag & 7
        if wire_type == BYTES:
            size = data[at]
            at += 1
            if size > 127:
                size, at = _long_varint(data, at - 1)
            start, at = at, at + size
            if at > end:
                raise ValueError("a field is longer than its message")
            yield tag >> 3, wire_type, data[start:at]
        elif wire_type == VARINT:
            value, at = _long_varint(data, at)
            yield tag >> 3, wire_type, value
        elif wire_type == FIXED64:
            yield tag >> 3, wire_type, _fixed64(data, at)[0]
            at += 8
        elif wire_type == FIXED32:
            yield tag >> 3, wire_type, _fixed32(data, at)[0]
            at += 4
        else:
            raise ValueError(f"there is no wire type {wire_type}")


def varints(data: bytes) -> Iterator[int]:
    """The whole numbers of a packed field, unsigned. Raises one of BROKEN."""
    at, end = 0, len(data)
    while at < end:
        value, at = _long_varint(data, at)
        yield value


def signed(value: int) -> int:
    """What an unsigned whole number of 64 bits is as an int32 or int64."""
    return value - (1 << 64) if value >> 63 else value


def as_double(value: int) -> float:
    """What a fixed64 is as a double."""
    number: float = _double.unpack(value.to_bytes(8, "little"))[0]
    return number


def varint(value: int) -> bytes:
    """A whole number as bytes; a negative one as its two's complement of 64 bits, which takes ten."""
    if 0 <= value < 128:
        return _SMALL[value]
    value &= 0xFFFFFFFFFFFFFFFF
    parts = bytearray()
    while value > 127:
        parts.append(value & 127 | 128)
        value >>= 7
    parts.append(value)
    return bytes(parts)


def whole_field(number: int, value: int) -> bytes:
    """A field with a whole number or a flag."""
    return varint(number << 3) + varint(value)


def double_field(number: int, value: float) -> bytes:
    """A field with a double."""
    return varint(number << 3 | FIXED64) + _double.pack(value)


def bytes_field(number: int, value: bytes) -> bytes:
    """A field with bytes, or with a message that is encoded already."""
    size = len(value)
    return varint(number << 3 | BYTES) + (_SMALL[size] if size < 128 else varint(size)) + value


def text_field(number: int, value: str) -> bytes:
    """A field with text; no bytes for an empty one, which is the default of proto3."""
    return bytes_field(number, value.encode()) if value else b""


def _long_varint(data: bytes, at: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 70, 7):
        byte = data[at]
        at += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value & 0xFFFFFFFFFFFFFFFF, at
    raise ValueError("a number is longer than ten bytes")
