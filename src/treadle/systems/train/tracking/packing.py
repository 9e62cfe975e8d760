"""Points of metrics as bytes: a chunk or a segment, column by column.

    version (1 byte), codes of the key, step and time columns (3 bytes), count (4), first key, least step, least time (8
    each); then the key column, the step column, the time column (each as distances from the least, in the narrowest of
    1, 2, 4 or 8 bytes, or not at all where all are alike), and the values as 64-bit floats. Little-endian throughout.

Plain lists are packed without numpy, which for the few points of one call would take longer than the work.
"""

from __future__ import annotations

import struct
import sys
from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

_VERSION = 1
_HEADER = struct.Struct("<B3sIqqq")
_CODES = (("B", 1 << 8), ("H", 1 << 16), ("I", 1 << 32))
_SAME = "0"
_TYPES = {"B": "u1", "H": "<u2", "I": "<u4", "q": "<i8"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Columns:
    """Points as arrays of one length: keys int64, steps int64, times in milliseconds int64, values float64 with NaN."""

    keys: NDArray[np.int64]
    steps: NDArray[np.int64]
    times: NDArray[np.int64]
    values: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.values)

    def take(self, chosen: NDArray[np.int64] | NDArray[np.bool_] | slice) -> Columns:
        """Some of the points."""
        return Columns(
            keys=self.keys[chosen], steps=self.steps[chosen], times=self.times[chosen], values=self.values[chosen]
        )


def pack(keys: Sequence[int], steps: Sequence[int], times: Sequence[int], values: Sequence[float]) -> bytes:
    """The points as bytes; at least one."""
    key_code, first_key, key_bytes = _column(keys)
    step_code, first_step, step_bytes = _column(steps)
    time_code, first_time, time_bytes = _column(times)
    codes = (key_code + step_code + time_code).encode()
    header = _HEADER.pack(_VERSION, codes, len(values), first_key, first_step, first_time)
    return b"".join((header, key_bytes, step_bytes, time_bytes, _bytes(array("d", values))))


def _column(numbers: Sequence[int]) -> tuple[str, int, bytes]:
    least, most = min(numbers), max(numbers)
    if least == most:
        return _SAME, least, b""
    for code, above in _CODES:
        if most - least < above:
            return code, least, _bytes(array(code, [number - least for number in numbers] if least else numbers))
    return "q", 0, _bytes(array("q", numbers))


def _bytes(column: array[int] | array[float]) -> bytes:
    if sys.byteorder != "little":
        column.byteswap()
    return column.tobytes()


def pack_columns(points: Columns) -> bytes:
    """The points of arrays as bytes, the same as `pack` makes of them."""
    keys, steps, times = _array_column(points.keys), _array_column(points.steps), _array_column(points.times)
    codes = (keys[0] + steps[0] + times[0]).encode()
    header = _HEADER.pack(_VERSION, codes, len(points), keys[1], steps[1], times[1])
    return b"".join((header, keys[2], steps[2], times[2], points.values.astype("<f8").tobytes()))


def _array_column(numbers: NDArray[np.int64]) -> tuple[str, int, bytes]:
    least, most = int(numbers.min()), int(numbers.max())
    if least == most:
        return _SAME, least, b""
    for code, above in _CODES:
        if most - least < above:
            return code, least, (numbers - least).astype(_TYPES[code]).tobytes()
    return "q", 0, numbers.astype("<i8").tobytes()


def unpack(content: bytes) -> Columns:
    """The points of a chunk or a segment. Raises ValueError for bytes of another version."""
    version, codes, count, first_key, first_step, first_time = _HEADER.unpack_from(content)
    if version != _VERSION:
        raise ValueError(f"points of version {version} cannot be read")
    offset = _HEADER.size
    columns = []
    for code, first in zip(codes.decode(), (first_key, first_step, first_time), strict=True):
        if code == _SAME:
            columns.append(np.full(count, first, np.int64))
            continue
        found = np.frombuffer(content, _TYPES[code], count, offset)
        offset += found.nbytes
        columns.append(found.astype(np.int64) + first)
    values = np.frombuffer(content, "<f8", count, offset)
    return Columns(keys=columns[0], steps=columns[1], times=columns[2], values=values)


def joined(parts: Sequence[Columns]) -> Columns:
    """Several pieces as one, in their order; at least one."""
    if len(parts) == 1:
        return parts[0]
    return Columns(
        keys=np.concatenate([part.keys for part in parts]),
        steps=np.concatenate([part.steps for part in parts]),
        times=np.concatenate([part.times for part in parts]),
        values=np.concatenate([part.values for part in parts]),
    )


def in_order(points: Columns) -> Columns:
    """Each point once, by key, time, step and value; a NaN stands where 0 would, behind it."""
    is_nan = np.isnan(points.values)
    plain = np.where(is_nan, 0.0, points.values)
    columns = (points.keys, points.times, points.steps, plain, is_nan)
    if rises(columns):
        return points
    order = np.lexsort(columns[::-1])
    is_new = np.ones(len(order), bool)
    is_new[1:] = np.logical_or.reduce([column[order[1:]] != column[order[:-1]] for column in columns])
    return points.take(order[is_new])


def rises(columns: Sequence[NDArray[Any]]) -> bool:
    """Whether each row is greater than the one before it, the first column counting most. A tenth of the price of sorting."""
    is_greater = np.zeros(max(len(columns[0]) - 1, 0), bool)
    for column in reversed(columns):
        is_greater = (column[1:] > column[:-1]) | ((column[1:] == column[:-1]) & is_greater)
    return bool(is_greater.all())
