"""Python values as JSON, exactly.

Lists, dicts with text keys, text, integers, finite floats, booleans and None are themselves. Everything else is an object
with the key "$" that names what it is:

    {"$":"tuple","v":[…]}    set frozenset deque              {"$":"float","v":"nan"}   inf -inf;  "int" in hex beyond 4,000 digits
    {"$":"dict","v":[[key,value],…]}                          whose keys are no text, or are "$"; also OrderedDict Counter defaultdict
    {"$":"bytes","v":"base64"}   bytearray; text that is no Unicode as "str"
    {"$":"datetime","v":"ISO 8601","zone":"Europe/Berlin","fold":1}    date time timedelta
    {"$":"decimal","v":"1.20"}   uuid complex range           {"$":"numpy","t":"<f8","v":"base64"}
    {"$":"dataclass","t":"module:Name","v":{…}}               namedtuple enum
    {"$":"artifact","v":…}                                    a value with a codec of its own: a frame, an array, a model

There are two renderings. The *canonical* one has sorted keys, sorted sets, and only the digests of artifacts: it is hashed.
The *stored* one keeps the order of dicts as it was, and holds the whole records of artifacts.
Classes are found again among the modules that are loaded; reading a value never imports one.
"""

from __future__ import annotations

import base64
import collections
import dataclasses
import datetime as dt
import decimal
import enum
import math
import sys
import uuid
import zoneinfo
from collections.abc import Callable
from typing import Any

import msgspec

from treadle.kernel.artifacts.errors import NotLoadable, NotStorable

MARK = "$"

_PLAIN = {int, bool, type(None), str}
_PLAIN_OR_FLOAT = {*_PLAIN, float}
_LONG_BITS = 14_000
"""Python refuses to write longer integers in decimal."""
_FACTORIES: dict[str, Any] = {kind.__name__: kind for kind in (int, float, str, bool, list, dict, set)}

Child = Callable[[Any], Any]
"""Gives the draft of a value that JSON does not know."""


def is_plain(value: Any) -> bool:
    """Whether a value is its own JSON."""
    kind = type(value)
    if kind in _PLAIN:
        return True
    if kind is float:
        return math.isfinite(value)
    if kind is dict:
        return MARK not in value and set(map(type, value)) <= {str} and _are_plain(value.values())
    return kind is list and _are_plain(value)


def _are_plain(values: Any) -> bool:
    kinds = set(map(type, values))
    if kinds <= _PLAIN:
        return True
    if kinds <= _PLAIN_OR_FLOAT:
        return all(math.isfinite(value) for value in values if type(value) is float)
    return kinds <= {*_PLAIN_OR_FLOAT, dict, list} and all(map(is_plain, values))


class Pairs(list[tuple[Any, Any]]):
    """Keys and values of a dict, in its order; canonical when sorted by key."""


class Members(list[Any]):
    """Members of a set; sorted in both renderings."""


class Inner:
    """A value inside a value that has a codec of its own."""

    __slots__ = ("artifact", "draft")

    def __init__(self, draft: Any) -> None:
        self.draft, self.artifact = draft, None


def tag(value: Any, child: Child) -> Any:
    """The tree of a value; `child` makes drafts for what JSON does not know, or raises NotStorable."""
    kind = type(value)
    if kind is str:
        return value if _is_unicode(value) else _tagged("str", _base64(value.encode("utf-8", "surrogatepass")))
    if kind is int:
        return value if value.bit_length() < _LONG_BITS else _tagged("int", hex(value))
    if kind in _PLAIN:
        return value
    if kind is float:
        return value if math.isfinite(value) else _tagged("float", str(value))
    if kind is list:
        return [tag(item, child) for item in value]
    if kind is dict:
        return _tag_dict(value, child)
    if make := _TAGS.get(kind):
        return make(value, child)
    return _tag_class(value, kind, child)


def is_known(value: Any) -> bool:
    """Whether a value has a tag or is its own JSON; what is inside it is not looked at."""
    kind = type(value)
    if kind in _PLAIN_OR_FLOAT or kind in (list, dict) or kind in _TAGS or isinstance(value, enum.Enum):
        return True
    return (
        _is_namedtuple(value)
        or _is_numpy_scalar(value)
        or (dataclasses.is_dataclass(value) and not isinstance(value, type))
    )


def _is_namedtuple(value: Any) -> bool:
    return isinstance(value, tuple) and hasattr(type(value), "_fields")


def _is_numpy_scalar(value: Any) -> bool:
    return (
        type(value).__module__ == "numpy"
        and getattr(value, "shape", None) == ()
        and not hasattr(value, "__array_finalize__")
    )


def _tag_dict(value: dict[Any, Any], child: Child) -> Any:
    if MARK not in value and all(type(key) is str and _is_unicode(key) for key in value):
        return {key: tag(item, child) for key, item in value.items()}
    return _tagged("dict", _pairs(value, child))


def _pairs(value: dict[Any, Any], child: Child) -> Pairs:
    return Pairs((tag(key, child), tag(item, child)) for key, item in value.items())


def _tag_class(value: Any, kind: type, child: Child) -> Any:
    if isinstance(value, enum.Enum):
        return {MARK: "enum", "t": _class_name(kind), "v": tag(value.value, child)}
    if _is_namedtuple(value):
        return {
            MARK: "namedtuple",
            "t": _class_name(kind),
            "v": {name: tag(getattr(value, name), child) for name in value._fields},
        }
    if _is_numpy_scalar(value):
        return _tag_numpy(value)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = {field.name: tag(getattr(value, field.name), child) for field in dataclasses.fields(value)}
        return {MARK: "dataclass", "t": _class_name(kind), "v": fields}
    return Inner(child(value))


def _tag_numpy(value: Any) -> dict[str, Any]:
    if value.dtype.hasobject or value.dtype.kind not in "biufcMmSU":
        raise NotStorable(f"A NumPy scalar of type {value.dtype} cannot be stored.", fix="Turn it into a Python value.")
    if value != value and value.dtype.kind == "f":
        value = value.dtype.type("nan")
    small = value.dtype.newbyteorder("<")
    return {MARK: "numpy", "t": small.str, "v": _base64(value.astype(small).tobytes())}


def _tag_datetime(value: dt.datetime, _: Child) -> dict[str, Any]:
    return _moment(
        "datetime", value, value.replace(tzinfo=None) if isinstance(value.tzinfo, zoneinfo.ZoneInfo) else value
    )


def _tag_time(value: dt.time, _: Child) -> dict[str, Any]:
    return _moment("time", value, value.replace(tzinfo=None) if isinstance(value.tzinfo, zoneinfo.ZoneInfo) else value)


def _moment(name: str, value: dt.datetime | dt.time, written: dt.datetime | dt.time) -> dict[str, Any]:
    zone = value.tzinfo
    is_named = isinstance(zone, zoneinfo.ZoneInfo)
    if (is_named and zone.key is None) or (zone is not None and not is_named and type(zone) is not dt.timezone):  # type: ignore[union-attr]
        raise NotStorable(
            f"A time in a zone of type {type(zone).__module__}.{type(zone).__qualname__} cannot be stored exactly.",
            fix="Use zoneinfo.ZoneInfo('Europe/Berlin') or datetime.UTC.",
        )
    tagged = _tagged(name, written.isoformat())
    if isinstance(zone, zoneinfo.ZoneInfo):
        tagged["zone"] = zone.key
    if value.fold:
        tagged["fold"] = 1
    return tagged


def _tagged(name: str, content: Any) -> dict[str, Any]:
    return {MARK: name, "v": content}


def _base64(data: bytes | bytearray) -> str:
    return base64.b64encode(data).decode()


def _is_unicode(text: str) -> bool:
    if text.isascii():
        return True
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _class_name(kind: type) -> str:
    if "<locals>" in kind.__qualname__:
        raise NotStorable(
            f"A {kind.__qualname__} cannot be stored: its class is defined inside a function and could not be found again.",
            fix="Move the class to the top of its module.",
        )
    return f"{kind.__module__}:{kind.__qualname__}"


def _tag_defaultdict(value: collections.defaultdict[Any, Any], child: Child) -> dict[str, Any]:
    factory = value.default_factory
    name = None if factory is None else getattr(factory, "__name__", "")
    if name is not None and _FACTORIES.get(name) is not factory:
        raise NotStorable("A defaultdict whose default is a function cannot be stored.", fix="Store dict(value).")
    return {MARK: "defaultdict", "t": name, "v": _pairs(value, child)}


_TAGS: dict[type, Callable[[Any, Child], Any]] = {
    tuple: lambda value, child: _tagged("tuple", [tag(item, child) for item in value]),
    set: lambda value, child: _tagged("set", Members(tag(item, child) for item in value)),
    frozenset: lambda value, child: _tagged("frozenset", Members(tag(item, child) for item in value)),
    collections.deque: lambda value, child: {
        MARK: "deque",
        "t": value.maxlen,
        "v": [tag(item, child) for item in value],
    },
    collections.OrderedDict: lambda value, child: _tagged("OrderedDict", [list(pair) for pair in _pairs(value, child)]),
    collections.Counter: lambda value, child: _tagged("Counter", _pairs(value, child)),
    collections.defaultdict: _tag_defaultdict,
    bytes: lambda value, _: _tagged("bytes", _base64(value)),
    bytearray: lambda value, _: _tagged("bytearray", _base64(value)),
    dt.datetime: _tag_datetime,
    dt.time: _tag_time,
    dt.date: lambda value, _: _tagged("date", value.isoformat()),
    dt.timedelta: lambda value, _: _tagged("timedelta", [value.days, value.seconds, value.microseconds]),
    decimal.Decimal: lambda value, _: _tagged("decimal", str(value)),
    uuid.UUID: lambda value, _: _tagged("uuid", str(value)),
    complex: lambda value, child: _tagged("complex", [tag(value.real, child), tag(value.imag, child)]),
    range: lambda value, _: _tagged("range", [value.start, value.stop, value.step]),
}


def _canonical_hook(item: Any) -> Any:
    if type(item) is Inner:
        return _tagged("artifact", item.draft.digest())
    raise TypeError


def _stored_hook(item: Any) -> Any:
    if type(item) is Inner:
        item.artifact = item.artifact or item.draft.store()
        return _tagged("artifact", item.artifact)
    raise TypeError


_canonical_encoder = msgspec.json.Encoder(order="sorted", enc_hook=_canonical_hook)
_stored_encoder = msgspec.json.Encoder(enc_hook=_stored_hook)
canonical_plain = msgspec.json.Encoder(order="sorted").encode
stored_plain = msgspec.json.Encoder().encode


def canonical(tree: Any) -> bytes:
    """The bytes that are hashed."""
    return _canonical_encoder.encode(_sorted(tree))


def stored(tree: Any) -> bytes:
    """The bytes that are kept; inner values are stored first."""
    return _stored_encoder.encode(tree)


def _sorted(tree: Any) -> Any:
    """The tree with pairs and members in the order of their canonical bytes."""
    kind = type(tree)
    if kind is dict:
        return {key: _sorted(item) for key, item in tree.items()}
    if kind is Pairs or kind is Members:
        return sorted((_sorted(item) for item in tree), key=_canonical_encoder.encode)
    if kind is list or kind is tuple:
        return [_sorted(item) for item in tree]
    return tree


def untag(tree: Any, inner: Callable[[dict[str, Any]], Any]) -> Any:
    """The value of a stored tree; `inner` reads the records of artifacts. Raises NotLoadable."""
    kind = type(tree)
    if kind is list:
        return [untag(item, inner) for item in tree]
    if kind is not dict:
        return tree
    name = tree.get(MARK)
    if name is None:
        return {key: untag(item, inner) for key, item in tree.items()}
    if name == "artifact":
        return inner(tree["v"])
    if read := _READERS.get(name):
        return read(tree, inner)
    raise NotLoadable(
        f"The stored value holds a {name!r}, which this version does not know.",
        fix="Read it with the version of Treadle that wrote it, or a newer one.",
    )


def _items(tree: dict[str, Any], inner: Any) -> list[Any]:
    return [untag(item, inner) for item in tree["v"]]


def _dict(tree: dict[str, Any], inner: Any) -> dict[Any, Any]:
    return {untag(key, inner): untag(item, inner) for key, item in tree["v"]}


def _read_numpy(tree: dict[str, Any], _: Any) -> Any:
    import numpy as np

    return np.frombuffer(base64.b64decode(tree["v"]), np.dtype(tree["t"]))[0]


def _read_moment(kind: Any) -> Callable[[dict[str, Any], Any], Any]:
    def read(tree: dict[str, Any], _: Any) -> Any:
        moment = kind.fromisoformat(tree["v"])
        if "zone" in tree:
            moment = moment.replace(tzinfo=zoneinfo.ZoneInfo(tree["zone"]))
        return moment.replace(fold=tree.get("fold", 0))

    return read


def _read_dataclass(tree: dict[str, Any], inner: Any) -> Any:
    kind = _found_class(tree["t"])
    fields = {name: untag(item, inner) for name, item in tree["v"].items()}
    if not dataclasses.is_dataclass(kind) or {field.name for field in dataclasses.fields(kind)} != set(fields):
        raise NotLoadable(
            f"The stored {tree['t']} has other fields than the class has now.",
            why=f"Stored were: {', '.join(fields)}.",
            fix="Run the step that made it again.",
        )
    value = object.__new__(kind)
    for name, item in fields.items():
        object.__setattr__(value, name, item)
    return value


def _read_namedtuple(tree: dict[str, Any], inner: Any) -> Any:
    kind: Any = _found_class(tree["t"])
    fields = {name: untag(item, inner) for name, item in tree["v"].items()}
    if not issubclass(kind, tuple) or set(getattr(kind, "_fields", ())) != set(fields):
        raise NotLoadable(
            f"The stored {tree['t']} has other fields than the class has now.", fix="Run the step that made it again."
        )
    return kind._make(fields[name] for name in kind._fields)


def _read_enum(tree: dict[str, Any], inner: Any) -> Any:
    kind, value = _found_class(tree["t"]), untag(tree["v"], inner)
    try:
        if issubclass(kind, enum.Enum):
            return kind(value)
    except ValueError:
        pass
    raise NotLoadable(f"{tree['t']} has no member {value!r} any more.", fix="Run the step that made it again.")


def _found_class(name: str) -> type:
    """A class of a module that is loaded: what is read from a store never decides what is imported."""
    module, _, path = name.partition(":")
    found: Any = sys.modules.get(module) or (sys.modules.get("__mp_main__") if module == "__main__" else None)
    for part in path.split("."):
        found = getattr(found, part, None)
    if isinstance(found, type):
        return found
    raise NotLoadable(
        f"The stored value is a {path} of the module {module}, which is not loaded here or has no such class.",
        fix=f"Import {module} before the value is loaded.",
        module=module,
    )


_READERS: dict[str, Callable[[dict[str, Any], Any], Any]] = {
    "tuple": lambda tree, inner: tuple(_items(tree, inner)),
    "set": lambda tree, inner: set(_items(tree, inner)),
    "frozenset": lambda tree, inner: frozenset(_items(tree, inner)),
    "deque": lambda tree, inner: collections.deque(_items(tree, inner), tree["t"]),
    "dict": _dict,
    "OrderedDict": lambda tree, inner: collections.OrderedDict(_dict(tree, inner)),
    "Counter": lambda tree, inner: collections.Counter(_dict(tree, inner)),
    "defaultdict": lambda tree, inner: collections.defaultdict(_FACTORIES.get(tree["t"]), _dict(tree, inner)),
    "bytes": lambda tree, _: base64.b64decode(tree["v"]),
    "bytearray": lambda tree, _: bytearray(base64.b64decode(tree["v"])),
    "str": lambda tree, _: base64.b64decode(tree["v"]).decode("utf-8", "surrogatepass"),
    "float": lambda tree, _: float(tree["v"]),
    "int": lambda tree, _: int(tree["v"], 16),
    "datetime": _read_moment(dt.datetime),
    "time": _read_moment(dt.time),
    "date": lambda tree, _: dt.date.fromisoformat(tree["v"]),
    "timedelta": lambda tree, _: dt.timedelta(*tree["v"]),
    "decimal": lambda tree, _: decimal.Decimal(tree["v"]),
    "uuid": lambda tree, _: uuid.UUID(tree["v"]),
    "complex": lambda tree, inner: complex(*_items(tree, inner)),
    "range": lambda tree, _: range(*tree["v"]),
    "numpy": _read_numpy,
    "dataclass": _read_dataclass,
    "namedtuple": _read_namedtuple,
    "enum": _read_enum,
}
