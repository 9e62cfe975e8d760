"""The thirteen datatypes of the protocol, and how each lies in JSON, in binary and in NumPy.

BF16 has no NumPy type: its two bytes are the upper half of a float32, so it is read and written as one. BYTES is a
list of Python strings or bytes, never an array, for its elements have lengths of their own.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from treadle.ground.errors import did_you_mean
from treadle.wire.oip.errors import ProtocolError

Kind = Literal["bool", "int", "float", "bytes"]


@dataclass(frozen=True, slots=True)
class Datatype:
    """One datatype: its name in the protocol, the array that holds it, its size on the wire."""

    name: str
    kind: Kind
    dtype: np.dtype[Any] | None
    """The little-endian NumPy type, None for BYTES."""
    wire_bytes: int
    """Bytes an element takes in the binary form; 0 for BYTES, whose elements vary."""
    in_json: bool = True


def _fixed(name: str, kind: Kind, code: str, *, in_json: bool = True, wire_bytes: int | None = None) -> Datatype:
    dtype = np.dtype(code)
    return Datatype(name, kind, dtype, dtype.itemsize if wire_bytes is None else wire_bytes, in_json)


DATATYPES: dict[str, Datatype] = {
    kind.name: kind
    for kind in (
        _fixed("BOOL", "bool", "?"),
        _fixed("UINT8", "int", "<u1"),
        _fixed("UINT16", "int", "<u2"),
        _fixed("UINT32", "int", "<u4"),
        _fixed("UINT64", "int", "<u8"),
        _fixed("INT8", "int", "<i1"),
        _fixed("INT16", "int", "<i2"),
        _fixed("INT32", "int", "<i4"),
        _fixed("INT64", "int", "<i8"),
        _fixed("FP16", "float", "<f2", in_json=False),
        _fixed("BF16", "float", "<f4", in_json=False, wire_bytes=2),
        _fixed("FP32", "float", "<f4"),
        _fixed("FP64", "float", "<f8"),
        Datatype("BYTES", "bytes", None, 0),
    )
}


def datatype_of(name: str) -> Datatype:
    """The datatype of that name. Raises ProtocolError, with the nearest names, when the protocol has none."""
    try:
        return DATATYPES[name]
    except KeyError:
        raise ProtocolError(
            f"The protocol has no datatype {name!r}.", fix=did_you_mean(name.upper(), DATATYPES)
        ) from None
