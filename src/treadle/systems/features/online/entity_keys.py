"""Entity keys as bytes: the same for a key in a dataset, in a request of Python and in one of JSON.

Whole numbers meet whatever their width, categories meet text, as in the joins. A part of any length but the last says
its length first, so no two keys share their bytes. Imports nothing but the standard library.
"""

from __future__ import annotations

import operator
import struct
from collections.abc import Callable, Hashable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any, Literal

from treadle.systems.features.online.errors import EntityRefused

KeyKind = Literal["int", "text", "bool", "date", "moment", "binary"]

_INT = struct.Struct(">Q")
_MIDDLE = 1 << 63
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_FIXED_BYTES: dict[str, int] = {"int": 8, "bool": 1, "date": 8, "moment": 8}
_NAMED_BY: dict[str, type] = {"int": int, "text": str, "bool": bool}
"""The kinds whose values stand for themselves: one key has one value of this type, and no other."""


class EntityKeys:
    """How the keys of one view become bytes. names: the entity's columns; kinds: what each holds."""

    def __init__(self, names: Sequence[str], kinds: Sequence[KeyKind]) -> None:
        self.names, self.kinds = tuple(names), tuple(kinds)
        self._last = len(self.names) - 1
        self._parts = [(name, _ENCODERS[kind], kind) for name, kind in zip(names, kinds, strict=True)]
        self._only = self.names[0] if len(self.names) == 1 else None
        self.have_names = all(kind in _NAMED_BY for kind in kinds)
        """Whether `names_of` has answers."""
        self._pick = operator.itemgetter(*self.names) if self.names else None

    def encode(self, entity: Mapping[str, Any]) -> bytes:
        """The key of an entity; other columns of it are no matter. Raises EntityRefused."""
        if self._only is not None:
            try:
                value = entity[self._only]
            except KeyError:
                raise self._missing(self._only, entity) from None
            if type(value) is int and self.kinds[0] == "int" and -_MIDDLE <= value < _MIDDLE:
                return _INT.pack(value + _MIDDLE)
            if type(value) is str and self.kinds[0] == "text":
                return value.encode("utf-8", "surrogatepass")
        return b"".join(self._part(place, entity) for place in range(len(self._parts)))

    def decode(self, key: bytes) -> dict[str, Any]:
        """The entity of a key; moments come as aware datetimes."""
        entity: dict[str, Any] = {}
        at = 0
        for place, (name, _, kind) in enumerate(self._parts):
            size = _FIXED_BYTES.get(kind)
            if size is None:
                size = len(key) - at
                if place < self._last:
                    size = int.from_bytes(key[at : at + 4], "big")
                    at += 4
            entity[name] = _DECODERS[kind](key[at : at + size])
            at += size
        return entity

    def names_of(self, entities: Sequence[Mapping[str, Any]]) -> Sequence[Hashable] | None:
        """For each entity what is the same for the same key, quicker than `encode`; None where one of them is not of the
        plain type, or has no such key."""
        if self._pick is None:
            return None
        try:
            names = list(map(self._pick, entities))
        except KeyError:
            return None
        columns = [names] if self._only is not None else list(zip(*names, strict=True))
        for kind, column in zip(self.kinds, columns, strict=False):
            if set(map(type, column)) != {_NAMED_BY[kind]}:
                return None
        return names

    def name_of(self, key: bytes) -> Hashable:
        """As `names_of`, of a key's bytes."""
        values = tuple(self.decode(key).values())
        return values[0] if self._only is not None else values

    def _part(self, place: int, entity: Mapping[str, Any]) -> bytes:
        name, encode, kind = self._parts[place]
        if name not in entity:
            raise self._missing(name, entity)
        value = entity[name]
        try:
            content = encode(value)
        except (TypeError, ValueError, AttributeError, OverflowError):
            raise EntityRefused(
                f"Key {name!r} is {value!r}; it has to be {_MEANS[kind]}.",
                why="The view's dataset holds such keys, and others can never be equal to them.",
                name=name,
            ) from None
        if kind in _FIXED_BYTES or place == self._last:
            return content
        return len(content).to_bytes(4, "big") + content

    def _missing(self, name: str, entity: Mapping[str, Any]) -> EntityRefused:
        return EntityRefused(
            f"An entity has no key {name!r}.",
            why=f"It has {', '.join(map(repr, entity))}." if entity else "It is empty.",
            fix=f"Give every entity its keys: {', '.join(self.names)}.",
            name=name,
        )


def _int(value: Any) -> bytes:
    if isinstance(value, bool):
        raise TypeError
    return _INT.pack(operator.index(value) + _MIDDLE)


def _text(value: Any) -> bytes:
    if not isinstance(value, str):
        raise TypeError
    return value.encode("utf-8", "surrogatepass")


def _bool(value: Any) -> bytes:
    if not isinstance(value, bool):
        raise TypeError
    return b"\x01" if value else b"\x00"


def _date(value: Any) -> bytes:
    if isinstance(value, datetime):
        raise TypeError
    day = date.fromisoformat(value) if isinstance(value, str) else value
    return _INT.pack(day.toordinal() + _MIDDLE)


def _moment(value: Any) -> bytes:
    moment = datetime.fromisoformat(value) if isinstance(value, str) else value
    return _INT.pack((moment - _EPOCH) // timedelta(microseconds=1) + _MIDDLE)


def _binary(value: Any) -> bytes:
    return bytes(memoryview(value))


def _read_int(content: bytes) -> int:
    return int(_INT.unpack(content)[0]) - _MIDDLE


_ENCODERS: dict[str, Callable[[Any], bytes]] = {
    "int": _int, "text": _text, "bool": _bool, "date": _date, "moment": _moment, "binary": _binary
}  # fmt: skip
_DECODERS: dict[str, Callable[[bytes], Any]] = {
    "int": _read_int,
    "text": lambda content: content.decode("utf-8", "surrogatepass"),
    "bool": lambda content: content == b"\x01",
    "date": lambda content: date.fromordinal(_read_int(content)),
    "moment": lambda content: _EPOCH + timedelta(microseconds=_read_int(content)),
    "binary": bytes,
}
_MEANS = {
    "int": "a whole number of 64 bits",
    "text": "text",
    "bool": "true or false",
    "date": "a date, such as 2026-04-01",
    "moment": "a time with an offset, such as 2026-04-01T06:00:00+00:00",
    "binary": "bytes",
}
