"""How a record lies in bytes, and its way back to values. Imports nothing but the standard library.

A record is a head, a bit for each null, the values of fixed width in the view's order, and then those of any length:

    head      stamp (version of the snapshot, moment of evaluation), layout, valid until, event and known-at time, flags
    nulls     one bit a feature
    fixed     booleans, whole numbers, floats, and times as whole numbers of their unit; zero where null
    the rest  text, bytes, decimals, lists, structs: a length of four bytes each, then the bytes; nothing where null

Everything is big-endian, so that stamps compare as bytes. A layout is a small document that stands in the store under its
own digest; the record names it by the digest's first four bytes, so records of two layouts live side by side while a
column of the dataset is widened. Values come back bit for bit: floats with their sign of zero and NaN, whole numbers of
any width, decimals with their scale, times with their unit and zone.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from functools import partial
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from treadle.ground import digests
from treadle.systems.features.online.errors import NotServable, RecordCorrupt
from treadle.systems.features.online.ports import FOREVER

HEAD = struct.Struct(">QQIqqqB")
NEVER = -(1 << 63)
"""The event and known-at time of a record without a row."""
MIDDLE = 1 << 63
"""Added to a moment in a stamp, so that moments before 1970 come before those after it."""

HAS_ROW = 1
"""A row was known: the features of the newest row are its own, not nulls for want of one."""
ABSENT = 2
"""The dataset has no row of this entity any more: a tombstone."""

FIXED = {
    "bool": "?", "int8": "b", "int16": "h", "int32": "i", "int64": "q", "uint8": "B", "uint16": "H", "uint32": "I",
    "uint64": "Q", "float32": "f", "float64": "d", "date": "i", "time": "q", "datetime": "q", "duration": "q",
}  # fmt: skip
"""The letter of `struct` for each type of fixed width."""

_EPOCH, _DAY0 = datetime(1970, 1, 1), date(1970, 1, 1).toordinal()
_PER_SECOND = {"ms": 1_000, "us": 1_000_000, "ns": 1_000_000_000}
_SIZE = struct.Struct(">I")

Type = Any
"""A type as JSON: `"float64"`, `["datetime", "us", "UTC"]`, `["decimal", 38, 2]`, `["list", "int64"]`, …"""


class Record(NamedTuple):
    """A record, opened. Moments are microseconds since 1970."""

    version: int
    """The version of the snapshot that it was computed from."""
    evaluated_at: int
    valid_until: int
    """The values are those of every moment from `evaluated_at` up to, and not with, this one."""
    event_at: int
    known_at: int
    flags: int
    values: tuple[Any, ...]


def kind_of(given: Type) -> str:
    """The name of a type, without what stands in it."""
    return given if isinstance(given, str) else str(given[0])


def stamp(version: int, moment: int) -> bytes:
    """The first bytes of a record: newer data wins, then the later evaluation."""
    return struct.pack(">QQ", version, moment + MIDDLE)


def read_stamp(record: bytes) -> tuple[int, int]:
    """Version and moment of a stamp."""
    version, moment = struct.unpack_from(">QQ", record)
    return version, moment - MIDDLE


class Layout:
    """The order and types of a view's features in its records."""

    def __init__(self, names: Sequence[str], types: Sequence[Type]) -> None:
        self.names, self.types = tuple(names), tuple(types)
        self.document = json.dumps([list(self.names), list(self.types)], separators=(",", ":")).encode()
        self.number = int(digests.of_bytes(self.document).removeprefix("sha256:")[:8], 16)
        self.fixed = [place for place, given in enumerate(types) if kind_of(given) in FIXED]
        self.varied = [place for place, given in enumerate(types) if kind_of(given) not in FIXED]
        self.null_bytes = (len(self.names) + 7) // 8
        letters = "".join(FIXED[kind_of(types[place])] for place in self.fixed)
        self.struct = struct.Struct(f"{HEAD.format}{self.null_bytes}s{letters}")
        self._unpack = self.struct.unpack_from
        self._no_nulls = bytes(self.null_bytes)
        converts = [(place, _from_ticks(types[place])) for place in self.fixed]
        self._convert = [(place, convert) for place, convert in converts if convert is not None]
        self._is_plain = not self.varied and not self._convert

    @classmethod
    def read(cls, document: bytes) -> Layout:
        """The layout of a document."""
        names, types = json.loads(document)
        return cls(names, types)

    def open(self, record: bytes) -> Record:
        """A record with Python's values; see `raw` for those that Python cannot hold. Raises RecordCorrupt.

        Datetimes keep their zone, decimals their scale. What Python's own types would round (nanoseconds) comes as
        NumPy's `datetime64` and `timedelta64`.
        """
        head, values = self.head_and_values(record)
        return Record(head[0], head[1] - MIDDLE, head[3], head[4], head[5], head[6], values)

    def head_and_values(self, record: bytes) -> tuple[tuple[Any, ...], tuple[Any, ...]]:
        """As `open`, for those in a hurry: the head as it lies (see `HEAD`), and the values."""
        try:
            head = self._unpack(record)
        except struct.error as error:
            raise _corrupt(error) from None
        if self._is_plain and head[7] == self._no_nulls:
            return head, head[8:]
        values = self._all(record, head)
        for place, convert in self._convert:
            if values[place] is not None:
                values[place] = convert(values[place])
        for place in self.varied:
            if values[place] is not None:
                values[place] = to_python(self.types[place], values[place])
        return head, tuple(values)

    def raw(self, record: bytes) -> Record:
        """A record with times as whole numbers of their unit and decimals as whole numbers of their last place."""
        try:
            head = self.struct.unpack_from(record)
        except struct.error as error:
            raise _corrupt(error) from None
        values = tuple(self._all(record, head))
        return Record(head[0], head[1] - MIDDLE, head[3], head[4], head[5], head[6], values)

    def _all(self, record: bytes, head: tuple[Any, ...]) -> list[Any]:
        nulls = int.from_bytes(head[7], "little")
        values: list[Any] = [None] * len(self.names)
        for place, value in zip(self.fixed, head[8:], strict=True):
            if not nulls >> place & 1:
                values[place] = value
        at = self.struct.size
        try:
            for place in self.varied:
                (size,) = _SIZE.unpack_from(record, at)
                at += 4
                if not nulls >> place & 1:
                    content = record[at : at + size]
                    if len(content) != size:
                        raise ValueError("it ends too early")
                    values[place], end = unpack(self.types[place], content, 0, size)
                    if end != size:
                        raise ValueError("a value ends too early")
                at += size
        except (struct.error, ValueError, IndexError, KeyError) as error:
            raise _corrupt(error) from None
        return values


def _corrupt(error: Exception) -> RecordCorrupt:
    return RecordCorrupt(
        "A record of the online store cannot be read.",
        why=f"It is not what was written: {error}.",
        fix="Write the view anew: treadle features materialize VIEW --anew",
    )


# -- values of any length --------------------------------------------------------------------------------------------


def pack(given: Type, value: Any) -> bytes:
    """The bytes of a value that is not null. Times and decimals are whole numbers; see `Layout.raw`."""
    kind = kind_of(given)
    if kind in FIXED:
        return struct.pack(f">{FIXED[kind]}", value)
    if kind == "string":
        return str(value).encode()
    if kind == "binary":
        return bytes(value)
    if kind == "decimal":
        return int(value).to_bytes(16, "big", signed=True)
    if kind in ("list", "array"):
        return _SIZE.pack(len(value)) + b"".join(_pack_inner(given[1], item) for item in value)
    if kind == "struct":
        return b"".join(_pack_inner(inner, value[name]) for name, inner in given[1])
    if kind == "null":
        return b""
    raise NotServable(f"A value of the type {kind!r} cannot be kept online.", fix="Cast it in the feature view.")


def _pack_inner(given: Type, value: Any) -> bytes:
    if value is None:
        return b"\x00"
    content = pack(given, value)
    return b"\x01" + content if kind_of(given) in FIXED else b"\x01" + _SIZE.pack(len(content)) + content


def unpack(given: Type, content: bytes, at: int, end: int) -> tuple[Any, int]:
    """The value in `content[at:end]`, and where it ends."""
    kind = kind_of(given)
    if kind in FIXED:
        letter = f">{FIXED[kind]}"
        return struct.unpack_from(letter, content, at)[0], at + struct.calcsize(letter)
    if kind == "string":
        return content[at:end].decode(), end
    if kind == "binary":
        return content[at:end], end
    if kind == "decimal":
        return int.from_bytes(content[at : at + 16], "big", signed=True), at + 16
    if kind in ("list", "array"):
        (size,) = _SIZE.unpack_from(content, at)
        at += 4
        items = []
        for _ in range(size):
            item, at = _unpack_inner(given[1], content, at)
            items.append(item)
        return items, at
    if kind == "struct":
        fields = {}
        for name, inner in given[1]:
            fields[name], at = _unpack_inner(inner, content, at)
        return fields, at
    if kind == "null":
        return None, at
    raise ValueError(f"the type {kind!r} is unknown")


def _unpack_inner(given: Type, content: bytes, at: int) -> tuple[Any, int]:
    if content[at] == 0:
        return None, at + 1
    if kind_of(given) in FIXED:
        return unpack(given, content, at + 1, at + 1)
    (size,) = _SIZE.unpack_from(content, at + 1)
    return unpack(given, content, at + 5, at + 5 + size)


# -- whole numbers as Python's times and decimals --------------------------------------------------------------------


def to_python(given: Type, value: Any) -> Any:
    """A raw value in Python's own type, also inside of lists and structs."""
    if value is None:
        return None
    kind = kind_of(given)
    if kind in FIXED:
        convert = _from_ticks(given)
        return value if convert is None else convert(value)
    if kind == "decimal":
        return Decimal(f"{value}E-{given[2]}")
    if kind in ("list", "array"):
        return [to_python(given[1], item) for item in value]
    if kind == "struct":
        return {name: to_python(inner, value[name]) for name, inner in given[1]}
    return value


def _from_ticks(given: Type) -> Callable[[int], Any] | None:
    kind = kind_of(given)
    if kind == "date":
        return lambda days: date.fromordinal(_DAY0 + days)
    if kind == "time":
        return _time
    if kind == "duration":
        return partial(_span, given[1])
    if kind == "datetime":
        zone = None if given[2] is None else UTC if given[2] == "UTC" else ZoneInfo(given[2])
        return partial(_moment, given[1], zone)
    return None


def _time(ns: int) -> Any:
    if ns % 1000:
        import numpy as np

        return np.timedelta64(ns, "ns")
    return (_EPOCH + timedelta(microseconds=ns // 1000)).time()


def _span(unit: str, ticks: int) -> Any:
    if unit == "ns":
        import numpy as np

        return np.timedelta64(ticks, "ns")
    return timedelta(microseconds=ticks * (1_000_000 // _PER_SECOND[unit]))


def _moment(unit: str, zone: Any, ticks: int) -> Any:
    if unit == "ns":
        import numpy as np

        return np.datetime64(ticks, "ns")
    try:
        found = _EPOCH + timedelta(microseconds=ticks * (1_000_000 // _PER_SECOND[unit]))
    except OverflowError:  # beyond the year 9999 Python has no datetime
        import numpy as np

        return np.array(ticks, f"datetime64[{unit}]")[()]
    if zone is None or zone is UTC:
        return found.replace(tzinfo=zone)
    return found.replace(tzinfo=UTC).astimezone(zone)


def as_of(record: Record, now: int) -> int:
    """The moment nearest to now of which the record's values are exactly those: what a replay has to ask for."""
    latest = record.valid_until - 1 if record.valid_until != FOREVER else now
    return max(record.evaluated_at, min(now, latest))


__all__ = [
    "ABSENT", "FIXED", "FOREVER", "HAS_ROW", "HEAD", "MIDDLE", "NEVER", "Layout", "Record", "Type", "as_of", "kind_of",
    "pack", "read_stamp", "stamp", "to_python",
]  # fmt: skip
