"""Values that code reaches (constants, defaults, closures, the state of objects), as bytes for a digest.

Plain values count by value, and so do standard-library objects, project objects and NumPy, pandas, Polars and PyArrow
data that say how they are rebuilt (`__reduce_ex__`). Functions and classes inside a value are followed like any other
code. Everything else has no identity here: `Unhashable` is raised and the caller widens to the module.
"""

from __future__ import annotations

import copyreg
import os
from collections.abc import Callable
from enum import Enum
from functools import partial
from pathlib import PurePath
from types import BuiltinFunctionType, CodeType, FunctionType, MappingProxyType, MethodType, ModuleType
from typing import Any

from treadle.kernel.engine.code import origins

MAX_BYTES = 64 << 20
"""A value longer than this is not hashed before every call; its module counts instead."""

_PLAIN = frozenset({int, float, complex, str, bytes, bool, type(None), type(...), type(NotImplemented)})
_BY_CONTENT = frozenset({"numpy", "pandas", "polars", "pyarrow"})
_INERT = frozenset({("logging", "Logger"), ("logging", "RootLogger"), ("_thread", "lock"), ("_thread", "RLock"),
                    ("_contextvars", "ContextVar"), ("contextvars", "ContextVar"), ("_thread", "_local"),
                    ("typing", "TypeVar"), ("typing", "ParamSpec"), ("_io", "TextIOWrapper"), ("os", "_Environ")})  # fmt: skip
"""Objects whose state is no input of a computation: they count by their class alone."""

CODE = (FunctionType, MethodType, BuiltinFunctionType, ModuleType, type, partial, staticmethod, classmethod, property)
"""What is followed as code wherever it is met."""


_REBUILDING = ("__reduce_ex__", "__reduce__", "__getstate__")


class Unhashable(Exception):
    """Says that a value has no identity; never leaves this package."""


Follow = Callable[[object], str]
"""Follows code that is met inside a value, and answers the name of what it reached."""


class Encoder:
    """Writes one value as words; `mutable` is set once anything is met that could change without being replaced.

    `root` is the folder of the project: paths below it are written relative to it, so that a project may be moved.
    """

    def __init__(self, follow: Follow, root: str) -> None:
        self.follow, self.root = follow, root
        self.out: list[str] = []
        self.size = 0
        self.mutable = False
        self._above: list[int] = []

    def text(self) -> str:
        return " ".join(self.out)

    def put(self, value: Any) -> None:
        """Appends a value. Raises Unhashable for one without identity."""
        kind = type(value)
        if kind in _PLAIN:
            self._word(f"str:{self._placed(value)!r}" if kind is str else f"{kind.__name__}:{value!r}")
        elif id(value) in self._above:
            self._word(f"again:{len(self._above) - self._above.index(id(value))}")
        else:
            self._above.append(id(value))
            if len(self._above) > 200:
                raise Unhashable("nested more than 200 deep")
            try:
                self._put_compound(kind, value)
            finally:
                self._above.pop()

    def _put_compound(self, kind: type, value: Any) -> None:
        if kind is tuple or kind is list:
            self.mutable |= kind is list
            self._sequence(kind.__name__, value)
        elif kind is dict or kind is MappingProxyType:
            self.mutable = True
            self._mapping(value)
        elif kind is set or kind is frozenset:
            self.mutable |= kind is set
            self._word(kind.__name__ + "{")
            for each in sorted(self._apart(each) for each in value):
                self._word(each)
            self._word("}")
        elif isinstance(value, PurePath):
            self._word(f"path:{self._placed(str(value))!r}")
        elif kind is CodeType:
            raise Unhashable("a code object")
        elif isinstance(value, CODE):
            self._word(f"code:{self.follow(value)}")
        elif kind in (memoryview, bytearray):
            self.mutable = True
            self._word(f"{kind.__name__}:{bytes(value)!r}")
        else:
            self._object(kind, value)

    def _object(self, kind: type, value: Any) -> None:
        if isinstance(value, Enum):
            self._word(f"enum:{self.follow(kind)}.{value.name}")
            return
        if (kind.__module__, kind.__qualname__) in _INERT:
            self._word(f"inert:{kind.__module__}.{kind.__qualname__}")
            return
        if hasattr(value, "__wrapped__") and callable(value):
            self._word(f"wrapped:{self.follow(value)}")
            return
        origin = origins.of_class(kind)
        own = origin.is_project or self._rebuilds(kind, origin)
        if not own:
            raise Unhashable(f"{kind.__module__}.{kind.__qualname__}")
        self._word(f"object:{self.follow(kind)}")
        self.mutable = True
        self._sequence("state", self._state(kind, value, origin))

    def _rebuilds(self, kind: type, origin: origins.Origin) -> bool:
        """Whether objects of a class that is not the project's say by themselves how they are rebuilt."""
        if kind.__module__.partition(".")[0] in _BY_CONTENT:
            return True
        if origin.kind == "distribution":
            return _says("__getstate__", kind) or _says("__reduce__", kind)
        return True

    def _state(self, kind: type, value: Any, origin: origins.Origin) -> list[Any]:
        if origin.is_project and not any(_says(name, kind) for name in _REBUILDING):
            return [_attributes(value), *_contents(value)]
        try:
            registered = copyreg.dispatch_table.get(kind)
            reduced = registered(value) if registered is not None else value.__reduce_ex__(2)
        except Exception as error:  # whatever a foreign object raises, it has no identity
            raise Unhashable(f"{kind.__qualname__}: {error}") from error
        if isinstance(reduced, str):
            return [reduced]
        maker, arguments, *rest = reduced
        parts = [maker, arguments, rest[0] if rest else None]
        parts += [list(each) for each in rest[1:3] if each is not None]
        return parts

    def _sequence(self, name: str, items: Any) -> None:
        self._word(name + "[")
        for each in items:
            self.put(each)
        self._word("]")

    def _mapping(self, items: Any) -> None:
        self._word("dict{")
        for key, item in items.items():
            self.put(key)
            self.put(item)
        self._word("}")

    def _apart(self, value: Any) -> str:
        """One value written by itself, so that the members of a set can be sorted."""
        kept, self.out = self.out, []
        try:
            self.put(value)
            return self.text()
        finally:
            self.out = kept

    def _placed(self, text: str) -> str:
        if self.root and text.startswith(self.root) and text[len(self.root) : len(self.root) + 1] in ("", os.sep):
            return f"<project>{text[len(self.root) :]}"
        return text

    def _word(self, word: str) -> None:
        self.size += len(word)
        if self.size > MAX_BYTES:
            raise Unhashable(f"longer than {MAX_BYTES} bytes")
        self.out.append(word)


def _says(name: str, kind: type) -> bool:
    """Whether a class defines a method by itself, instead of having it from `object`."""
    return getattr(kind, name) is not getattr(object, name)


def _attributes(value: Any) -> dict[str, Any]:
    """What an object holds, by name: its `__dict__`, then its slots."""
    found = dict(getattr(value, "__dict__", {}))
    for kind in type(value).__mro__:
        slots = kind.__dict__.get("__slots__", ())
        for name in (slots,) if isinstance(slots, str) else slots:
            if name not in ("__dict__", "__weakref__") and hasattr(value, name):
                found[name] = getattr(value, name)
    return found


def _contents(value: Any) -> list[Any]:
    """What an object of a project class holds as a container, where the class extends a built-in one."""
    if isinstance(value, dict):
        return [dict(value)]
    if isinstance(value, list | tuple):
        return [tuple(value)]
    if isinstance(value, set | frozenset):
        return [frozenset(value)]
    if isinstance(value, int | float | str | bytes):
        base: Any = next(each for each in (int, float, str, bytes) if isinstance(value, each))
        return [base(value)]
    return []
