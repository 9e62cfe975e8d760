"""What a step gives inside a pipeline: the promise of a value, known by its digest.

To a type checker a handle is the step's own type. At run time it may be passed to other steps, kept in lists and
dictionaries, and asked for `.digest`, `.metrics`, `.run`, `.path`; the value itself comes from `load`. Whoever uses it
as the value by mistake is told so at once, instead of computing with the wrong thing.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from typing import Any, NoReturn, Protocol, TypeVar, cast

from treadle.kernel.engine.errors import HandleUsedAsValue

T = TypeVar("T")


class Owner(Protocol):
    """The run that a handle belongs to; it alone knows how to wait and to load."""

    def wait_for(self, handle: Handle) -> None: ...
    def load_handle(self, handle: Handle, as_type: Any) -> Any: ...
    def metrics_of(self, handle: Handle) -> Mapping[str, float]: ...


class Handle:
    """The result of one step; see the module."""

    __slots__ = ("__weakref__", "_artifact", "_done", "_error", "_owner", "_path", "_reused_from", "_run", "_scalar")

    def __init__(self, owner: Owner, path: str) -> None:
        self._owner = owner
        self._path = path
        self._run = ""
        self._artifact: Any = None
        self._scalar: Any = _NOTHING
        self._error: BaseException | None = None
        self._reused_from: str | None = None
        self._done: threading.Event | None = None

    @property
    def digest(self) -> str:
        """The digest of the result's content. Waits for the step; raises what it raised."""
        return cast("str", settled(self)._artifact.digest)

    @property
    def metrics(self) -> Mapping[str, float]:
        """The newest value of each metric that the step logged. Waits for the step; raises what it raised."""
        return self._owner.metrics_of(settled(self))

    @property
    def run(self) -> str:
        """The id of the step's run. Waits for the step; raises what it raised."""
        return settled(self)._run

    @property
    def path(self) -> str:
        """The step's place in its run."""
        return self._path

    def __repr__(self) -> str:
        if self._artifact is not None:
            return f"<handle of {self._path}: {self._artifact.digest[:19]}…>"
        return f"<handle of {self._path}: {'failed' if self._error else 'running'}>"

    __hash__ = object.__hash__

    def __getattr__(self, name: str) -> NoReturn:
        if name.startswith("_"):
            raise AttributeError(name)
        raise misused(self, f"its attribute {name!r} was asked for")

    def __format__(self, spec: str) -> str:
        if spec:
            raise misused(self, f"it was formatted with {spec!r}")
        return repr(self)


def misused(handle: Handle, how: str) -> HandleUsedAsValue:
    """The error for a handle that was taken for the value."""
    return HandleUsedAsValue(
        f"The result of {handle._path!r} is a handle, and {how} as if it were the value.",
        why="Inside a pipeline a step gives a handle: its digest is known, its value stays in the artifact store.",
        fix="Get the value with td.load(x), or do this inside a step.",
        path=handle._path,
    )


def _refuse(name: str) -> Callable[..., NoReturn]:
    def refuse(self: Handle, *_: Any, **__: Any) -> NoReturn:
        raise misused(self, f"{name} was applied to it")

    return refuse


for _name in [
    "len",
    "bool",
    "iter",
    "next",
    "getitem",
    "setitem",
    "delitem",
    "contains",
    "eq",
    "ne",
    "lt",
    "le",
    "gt",
    "ge",
    "add",
    "radd",
    "sub",
    "rsub",
    "mul",
    "rmul",
    "truediv",
    "rtruediv",
    "floordiv",
    "rfloordiv",
    "mod",
    "rmod",
    "pow",
    "rpow",
    "matmul",
    "rmatmul",
    "and",
    "rand",
    "or",
    "ror",
    "xor",
    "rxor",
    "lshift",
    "rlshift",
    "rshift",
    "rrshift",
    "neg",
    "pos",
    "abs",
    "invert",
    "int",
    "float",
    "complex",
    "index",
    "round",
    "call",
    "enter",
    "exit",
    "array",
    "arrow_c_stream",
    "await",
    "aiter",
    "reversed",
]:
    setattr(Handle, f"__{_name}__", _refuse(f"__{_name}__"))

_NOTHING: Any = object()


def settled(handle: Handle) -> Handle:
    """The handle once its step has ended well. Raises what the step raised."""
    if handle._artifact is None:
        if handle._error is None:
            handle._owner.wait_for(handle)
        if handle._error is not None:
            handle._error.__dict__["was_seen"] = True
            raise handle._error
    return handle


def was_seen(handle: Handle) -> bool:
    """Whether the body has met the failure of the step, here or through a step that depended on it."""
    return handle._error is not None and "was_seen" in handle._error.__dict__


def is_pending(handle: Handle) -> bool:
    """Whether the step has not ended yet."""
    return handle._artifact is None and handle._error is None


def load(value: T, as_type: Any = None) -> T:
    """The value behind a handle, also inside lists, tuples and dictionaries; anything else comes back as it is.

    as_type: what a frame shall be given as; by default what the step's return annotation says.
    Raises what the step raised, when it failed.
    """
    return cast("T", _loaded(value, as_type))


def _loaded(value: Any, as_type: Any) -> Any:
    kind = type(value)
    if kind is Handle:
        found = settled(value)
        if found._scalar is not _NOTHING:
            return found._scalar
        return found._owner.load_handle(found, as_type)
    if kind is list or kind is tuple:
        return kind([_loaded(item, as_type) for item in value])
    if kind is dict:
        return {key: _loaded(item, as_type) for key, item in value.items()}
    return value
