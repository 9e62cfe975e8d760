"""Parameters as canonical JSON and back: what a key rests on and what a resumed run is started with again.

JSON alone cannot tell `(1, 2)` from `[1, 2]`, nor NaN from None. Whatever JSON lacks is written as an object with one
key that begins with `$`. A dictionary whose own keys could be mistaken for that is written as `{"$dict": [[k, v], …]}`.
Values that have no short text of their own (frames, arrays, models) are no parameters: they become artifacts, see
`inputs.py`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import fields, is_dataclass
from datetime import date, datetime, timedelta
from datetime import time as time_of_day
from decimal import Decimal
from enum import Enum
from importlib import import_module
from pathlib import PurePath
from typing import Any
from uuid import UUID

import msgspec

MAX_PARAMETER_BYTES = 64 << 10
"""A parameter is read by people and compared in `plan`; whatever is longer travels as an artifact."""


class NotAParameter(Exception):
    """Says that a value has no canonical text; the caller then keeps it as an artifact. Never leaves the engine."""


_encode = msgspec.json.Encoder(order="sorted").encode
_PLAIN = frozenset({str, int, bool, type(None)})


def to_json(value: Any) -> Any:
    """The JSON-able form of a parameter. Raises NotAParameter for a value without one."""
    kind = type(value)
    if kind in _PLAIN:
        return value
    if kind is float:
        return value if math.isfinite(value) else {"$float": repr(value)}
    if kind is list:
        return [to_json(item) for item in value]
    if kind is dict:
        return _mapping_to_json(value)
    if kind is tuple:
        return {"$tuple": [to_json(item) for item in value]}
    encode = _ENCODERS.get(kind)
    if encode is not None:
        return encode(value)
    return _unusual_to_json(value)


def canonical(value: Any) -> bytes:
    """Canonical JSON of a parameter: equal values give equal bytes. Raises NotAParameter for a value without one."""
    return _encode(to_json(value))


def from_json(form: Any) -> Any:
    """The parameter that `to_json` wrote down."""
    if isinstance(form, list):
        return [from_json(item) for item in form]
    if not isinstance(form, dict):
        return form
    if len(form) == 1:
        tag, body = next(iter(form.items()))
        decode = _DECODERS.get(tag)
        if decode is not None:
            return decode(body)
    return {key: from_json(item) for key, item in form.items()}


def _mapping_to_json(value: dict[Any, Any]) -> Any:
    if all(type(key) is str and not key.startswith("$") for key in value):
        return {key: to_json(item) for key, item in value.items()}
    return {"$dict": [[to_json(key), to_json(item)] for key, item in value.items()]}


def _unusual_to_json(value: Any) -> Any:
    if isinstance(value, Enum):
        return {"$enum": [_name_of(type(value)), value.name]}
    if isinstance(value, type):
        return {"$type": _name_of(value)}
    if isinstance(value, PurePath):
        return {"$path": str(value)}
    if is_dataclass(value):
        content = {each.name: to_json(getattr(value, each.name)) for each in fields(value) if each.init}
        return {"$record": [_name_of(type(value)), content]}
    if isinstance(value, msgspec.Struct):
        content = {name: to_json(getattr(value, name)) for name in value.__struct_fields__}
        return {"$record": [_name_of(type(value)), content]}
    item = getattr(value, "item", None)  # a NumPy scalar; NumPy itself is not imported for it
    if callable(item) and getattr(value, "shape", None) == () and type(value).__module__ == "numpy":
        return {"$numpy": [type(value).__name__, to_json(item())]}
    raise NotAParameter(f"{_name_of(type(value))} has no canonical text")


def _name_of(kind: type) -> str:
    return f"{kind.__module__}:{kind.__qualname__}"


def _named(name: str) -> Any:
    module, _, qualname = name.partition(":")
    found: Any = import_module(module)
    for part in qualname.split("."):
        found = getattr(found, part)
    return found


def _set_to_json(value: Any) -> Any:
    tag = "$set" if isinstance(value, set) else "$frozenset"
    return {tag: sorted((to_json(item) for item in value), key=_encode)}


_ENCODERS: dict[type, Callable[[Any], Any]] = {
    bytes: lambda value: {"$bytes": value.hex()},
    datetime: lambda value: {"$datetime": value.isoformat()},
    date: lambda value: {"$date": value.isoformat()},
    time_of_day: lambda value: {"$time": value.isoformat()},
    timedelta: lambda value: {"$seconds": [value.days, value.seconds, value.microseconds]},
    Decimal: lambda value: {"$decimal": str(value)},
    UUID: lambda value: {"$uuid": str(value)},
    complex: lambda value: {"$complex": [repr(value.real), repr(value.imag)]},
    set: _set_to_json,
    frozenset: _set_to_json,
    range: lambda value: {"$range": [value.start, value.stop, value.step]},
}

_DECODERS: dict[str, Callable[[Any], Any]] = {
    "$float": float,
    "$tuple": lambda body: tuple(from_json(item) for item in body),
    "$dict": lambda body: {from_json(key): from_json(item) for key, item in body},
    "$bytes": bytes.fromhex,
    "$datetime": datetime.fromisoformat,
    "$date": date.fromisoformat,
    "$time": time_of_day.fromisoformat,
    "$seconds": lambda body: timedelta(days=body[0], seconds=body[1], microseconds=body[2]),
    "$decimal": Decimal,
    "$uuid": UUID,
    "$complex": lambda body: complex(float(body[0]), float(body[1])),
    "$set": lambda body: {from_json(item) for item in body},
    "$frozenset": lambda body: frozenset(from_json(item) for item in body),
    "$range": lambda body: range(*body),
    "$path": lambda body: import_module("pathlib").Path(body),
    "$enum": lambda body: _named(body[0])[body[1]],
    "$type": _named,
    "$record": lambda body: _named(body[0])(**{key: from_json(item) for key, item in body[1].items()}),
    "$numpy": lambda body: getattr(import_module("numpy"), body[0])(from_json(body[1])),
}
