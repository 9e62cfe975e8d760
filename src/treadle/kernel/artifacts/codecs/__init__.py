"""Codecs: how values of each family become bytes and come back; and the registry that finds the right one.

A value's type says which library made it, by the name of its module, so nothing is imported to ask.
"""

from __future__ import annotations

import io
import types
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from treadle.ground.errors import did_you_mean
from treadle.kernel.artifacts.codecs import tagged
from treadle.kernel.artifacts.codecs.arrays import Arrays
from treadle.kernel.artifacts.codecs.base import Codec, Draft, Encoded, Shelf, Source, identity
from treadle.kernel.artifacts.codecs.boosters import LightGbm, XgBoost
from treadle.kernel.artifacts.codecs.estimators import Estimators
from treadle.kernel.artifacts.codecs.folders import Files, Folders
from treadle.kernel.artifacts.codecs.frames import Columns, Frames
from treadle.kernel.artifacts.codecs.onnx_models import OnnxModels
from treadle.kernel.artifacts.codecs.pickled import Pickled
from treadle.kernel.artifacts.codecs.tensors import Tensors
from treadle.kernel.artifacts.codecs.values import ByteStrings, Text, Values
from treadle.kernel.artifacts.errors import NotLoadable, NotStorable

__all__ = ["Codec", "Codecs", "Draft", "Encoded", "Shelf", "Source", "identity"]

_FIXES: list[tuple[tuple[type, ...], str]] = [
    (
        (types.GeneratorType, types.AsyncGeneratorType, map, filter, zip),
        "It can be read only once: return list(...) of it.",
    ),
    ((types.CoroutineType,), "It has not run yet: await it, and return the result."),
    (
        (types.FunctionType, types.BuiltinFunctionType, types.MethodType, type, types.ModuleType),
        "Code is no value: return what it computes.",
    ),
    ((io.IOBase,), "Close it, and return pathlib.Path of the file, or its bytes."),
    ((memoryview,), "Return bytes(...) of it."),
    ((dict,), "Return dict(...) of it."),
    ((list,), "Return list(...) of it."),
    ((str, int, float), "Return the plain value, e.g. str(...) of it."),
]


class Codecs:
    """The codecs of one service. `extra` ones, of third parties, are asked first."""

    def __init__(self, extra: Sequence[Codec] = (), *, allow_pickle: bool = False) -> None:
        self._extra = tuple(extra)
        self._allow_pickle = allow_pickle
        self._values, self._pickled = Values(), Pickled()
        frames, columns, folders = Frames(), Columns(), (Files(), Folders())
        text, byte_strings = Text(), ByteStrings()
        self._exact: dict[type, Codec] = dict.fromkeys((int, bool, float, type(None), list, tuple), self._values)
        self._exact |= {str: text, bytes: byte_strings, bytearray: byte_strings}
        if self._extra:
            self._exact = {}
        self._families: dict[str, tuple[Codec, ...]] = {
            **dict.fromkeys(("polars", "pandas", "pyarrow"), (frames, columns)),
            "numpy": (Arrays(),),
            "lightgbm": (LightGbm(),),
            "xgboost": (XgBoost(),),
            "sklearn": (Estimators(),),
            "onnx": (OnnxModels(),),
            "torch": (Tensors(),),
            "pathlib": folders,
        }
        self._frames, self._text, self._byte_strings = frames, text, byte_strings
        ours: list[Codec] = [
            self._values,
            self._pickled,
            text,
            byte_strings,
            *(codec for family in self._families.values() for codec in family),
        ]
        self._named: dict[str, Codec] = {codec.name: codec for codec in (*ours, *self._extra)}

    def of_value(self, value: Any) -> Codec:
        """The codec that writes a value. Raises NotStorable, with what to do, when there is none."""
        kind = type(value)
        return self._exact.get(kind) or self._searched(value, kind)

    def named(self, name: str) -> Codec:
        """The codec that reads an artifact. Raises NotLoadable when this installation has none of that name."""
        codec = self._named.get(name)
        if codec is None:
            raise NotLoadable(
                f"There is no codec {name!r} here.",
                why="The artifact was written by another version, or with a plug-in that is not installed.",
                fix=did_you_mean(name, self._named),
            )
        return codec

    def _searched(self, value: Any, kind: type) -> Codec:
        for codec in self._candidates(kind):
            if codec.accepts(value):
                return codec
        if kind is dict and value and self._is_state_dict(value):
            return self._families["torch"][0]
        if self._is_value(value, kind):
            return self._values
        if kind in (str, bytes, bytearray):
            return self._text if kind is str else self._byte_strings
        if hasattr(kind, "__arrow_c_stream__"):
            return self._frames
        if self._allow_pickle and not isinstance(value, types.GeneratorType):
            return self._pickled
        raise not_storable(value)

    def _candidates(self, kind: type) -> Iterable[Codec]:
        yield from self._extra
        for base in kind.__mro__:
            family = base.__module__.partition(".")[0]
            if family != "builtins":
                yield from self._families.get(family, ())

    def _is_state_dict(self, value: dict[Any, Any]) -> bool:
        return (
            self._families["torch"][0].accepts(value)
            if type(next(iter(value.values()))).__module__ == "torch"
            else False
        )

    def _is_value(self, value: Any, kind: type) -> bool:
        return kind is dict or (kind is not str and kind not in (bytes, bytearray) and tagged.is_known(value))


def not_storable(value: Any) -> NotStorable:
    """The error for a value that no codec knows."""
    kind = type(value)
    name = kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"
    if isinstance(value, Path):
        return NotStorable(
            f"{value} is neither a file nor a folder.",
            why="Symbolic links and devices are refused.",
            fix="Return what it points at.",
        )
    fix = next((fix for kinds, fix in _FIXES if isinstance(value, kinds)), "")
    return NotStorable(
        f"A {name} cannot be stored.",
        why="" if fix else "No codec knows this type, and objects are pickled only where the operator allows it.",
        fix=fix
        or "Return data: numbers, text, a list, a dict, a dataclass, a frame, an array, a model, or pathlib.Path of a file. "
        "The operator can allow pickle for this home.",
        type=name,
    )
