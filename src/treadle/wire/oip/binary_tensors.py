"""The binary tensor extension: after a JSON header, the tensors' bytes one after another.

Numbers lie little-endian, row-major, without padding; BOOL takes a byte; an element of BYTES is a uint32 length and that
many bytes. `Inference-Header-Content-Length` says where the JSON ends, `binary_data_size` how long each tensor is.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from math import prod
from typing import Any

import numpy as np

from treadle.wire.oip.datatypes import Datatype
from treadle.wire.oip.errors import ProtocolError

_LENGTH = struct.Struct("<I")


def decode_binary(data: memoryview, name: str, datatype: Datatype, shape: Sequence[int]) -> Any:
    """The values of a tensor, (n,) row-major: an array (a view of `data` where it can be), or a list of bytes for BYTES.

    Raises ProtocolError when the bytes are not what shape and datatype promise.
    """
    wanted = prod(shape)
    if datatype.dtype is None:
        return _decode_bytes(data, name, wanted)
    if len(data) != wanted * datatype.wire_bytes:
        raise ProtocolError(
            f"Input {name!r}: shape {list(shape)} of {datatype.name} means {wanted * datatype.wire_bytes} bytes, "
            f"but binary_data_size is {len(data)}."
        )
    if datatype.name == "BF16":
        return (np.frombuffer(data, "<u2").astype("<u4") << 16).view("<f4")
    if datatype.kind == "bool":
        return np.frombuffer(data, np.uint8) != 0
    return np.frombuffer(data, datatype.dtype)


def _decode_bytes(data: memoryview, name: str, wanted: int) -> list[bytes]:
    values: list[bytes] = []
    at, end = 0, len(data)
    while at < end:
        if at + 4 > end:
            raise ProtocolError(f"Input {name!r}: the BYTES data ends within the length of element {len(values)}.")
        (length,) = _LENGTH.unpack_from(data, at)
        at += 4
        if at + length > end:
            raise ProtocolError(
                f"Input {name!r}: element {len(values)} says it has {length} bytes, but only {end - at} are left.",
                fix="Write each element as a little-endian uint32 length followed by its bytes.",
            )
        values.append(bytes(data[at : at + length]))
        at += length
    if len(values) != wanted:
        raise ProtocolError(f"Input {name!r}: the shape means {wanted} elements, but the BYTES data has {len(values)}.")
    return values


def encode_binary(values: Any, datatype: Datatype) -> bytes:
    """The bytes of a tensor. values: an array of any shape, or a list of str or bytes for BYTES."""
    if datatype.dtype is None:
        parts: list[bytes] = []
        for value in values:
            element = value.encode() if isinstance(value, str) else value
            parts += (_LENGTH.pack(len(element)), element)
        return b"".join(parts)
    if datatype.name == "BF16":
        words = np.ascontiguousarray(values, dtype="<f4").view("<u4")
        return (words >> 16).astype("<u2").tobytes()
    return np.ascontiguousarray(values, dtype=datatype.dtype).tobytes()
