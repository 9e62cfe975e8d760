"""The digest of an object by what it holds: a walk over arrays and scalars.

For objects whose file is never the same twice. The walk ignores what does not change what a model says: thread counts,
verbosity, wall-clock times, versions, the identity of objects, the order of attributes. Two fits with the same data and seed have
one digest, on one thread or on eight.
"""

from __future__ import annotations

import functools
import hashlib
import types
from collections.abc import Callable, Iterable
from typing import Any

from treadle.kernel.artifacts.codecs.arrays import array_digest
from treadle.kernel.artifacts.codecs.base import identity_of_hash
from treadle.kernel.artifacts.errors import NotStorable

IGNORED = frozenset(
    {
        "n_jobs",
        "n_threads",
        "_n_threads",
        "nthread",
        "num_threads",
        "verbose",
        "verbosity",
        "_verbose",
        "silent",
        "pre_dispatch",
    }
    | {"_sklearn_version", "__version__", "refit_time_", "fit_time_", "thread_limit"}
    | {"_random_seed", "_feature_subsample_rng"}
)
"""Attributes that are no part of what a model is."""

_IGNORED_OF = {"_BinMapper": frozenset({"random_state"})}
"""What is left of the dice in a part of a model; the model's own parameter counts."""

_COUNTING = ("KDTree", "BallTree")
"""Trees that count their calls: places 7 to 10 of their state."""

Inner = Callable[[Any], str | None]
"""The digest of an object that has a codec of its own; None for all others."""

_BY_NAME = (type, types.FunctionType, types.BuiltinFunctionType, types.MethodDescriptorType, types.ModuleType)


def object_digest(value: Any, inner: Inner = lambda _: None) -> str:
    """`sha256:…` of what an object holds. Raises NotStorable for what has no state that could be read."""
    return identity_of_hash("object", _Walk(inner).digest(value))


class _Walk:
    """One walk; remembers what it has seen, so that shared objects are read once and cycles end."""

    def __init__(self, inner: Inner) -> None:
        self._inner = inner
        self._seen: dict[int, tuple[Any, bytes | None]] = {}

    def digest(self, value: Any) -> bytes:
        kind = type(value)
        if value is None or kind in (bool, int, float, complex, str, bytes):
            return _leaf(kind.__name__, repr(value))
        known = self._seen.get(id(value))
        if known is not None:
            return _leaf("cycle", "") if known[1] is None else known[1]
        self._seen[id(value)] = (value, None)
        digest = self._compound(value, kind)
        self._seen[id(value)] = (value, digest)
        return digest

    def _compound(self, value: Any, kind: type) -> bytes:
        if isinstance(value, _BY_NAME) or (callable(value) and kind.__name__ in ("ufunc", "cython_function_or_method")):
            return _leaf("name", _name_of(value))
        if isinstance(value, list | tuple):
            return self._joined(kind, (self.digest(item) for item in value))
        if isinstance(value, dict):
            return self._joined(kind, sorted(self.digest(key) + self.digest(item) for key, item in value.items()))
        if isinstance(value, set | frozenset):
            return self._joined(kind, sorted(map(self.digest, value)))
        if isinstance(value, functools.partial):
            return self._joined(kind, map(self.digest, (value.func, value.args, value.keywords)))
        if kind.__module__.partition(".")[0] == "numpy" and (found := self._numpy(value)) is not None:
            return found
        if (digest := self._inner(value)) is not None:
            return _leaf("artifact", digest)
        return self._object(value, kind)

    def _numpy(self, value: Any) -> bytes | None:
        import numpy as np

        if isinstance(value, np.generic):
            value = np.asarray(value)
        if isinstance(value, np.ndarray):
            if value.dtype.hasobject:
                return self._joined(
                    np.ndarray, [_leaf("shape", repr(value.shape)), *map(self.digest, value.reshape(-1).tolist())]
                )
            return _leaf("array", array_digest(np.asarray(value)))
        if isinstance(value, np.dtype):
            return _leaf("dtype", str(value))
        if isinstance(value, np.random.RandomState):
            return self._joined(np.random.RandomState, [self.digest(value.get_state(legacy=False))])
        if isinstance(value, np.random.Generator):
            return self._joined(np.random.Generator, [self.digest(value.bit_generator.state)])
        return None

    def _object(self, value: Any, kind: type) -> bytes:
        if hasattr(value, "__dict__") and not _has_own_reduce(kind):
            return self._joined(kind, self._attributes(vars(value), kind))
        try:
            reduced = value.__reduce_ex__(2)
        except Exception as problem:  # whatever a foreign type raises here, the answer is the same
            raise NotStorable(
                f"A {kind.__module__}.{kind.__qualname__} cannot be stored: it has no state that can be read.",
                why=str(problem),
                fix="Leave it out of what the step returns, and make it again where it is needed.",
            ) from problem
        if isinstance(reduced, str):
            return _leaf("name", f"{kind.__module__}:{reduced}")
        return self._joined(kind, self._reduced(reduced, kind))

    def _reduced(self, reduced: tuple[Any, ...], kind: type) -> Iterable[bytes]:
        make, arguments, state, items, pairs = (*reduced, None, None, None)[:5]
        yield self.digest(make)
        yield self.digest(arguments)
        if isinstance(state, dict):
            yield from self._attributes(state, kind)
        else:
            yield self.digest(state[:7] + state[11:] if kind.__name__.startswith(_COUNTING) and state else state)
        yield self.digest(list(items) if items is not None else None)
        yield self.digest(dict(pairs) if pairs is not None else None)

    def _attributes(self, state: dict[str, Any], kind: type) -> Iterable[bytes]:
        for name in sorted(state.keys() - IGNORED - _IGNORED_OF.get(kind.__name__, frozenset())):
            value = state[name]
            if name == "cv_results_" and isinstance(value, dict):
                value = {key: item for key, item in value.items() if not key.endswith("_time")}
            yield _leaf("attribute", name) + self.digest(value)

    def _joined(self, kind: type, pieces: Iterable[bytes]) -> bytes:
        state = hashlib.sha256(f"{kind.__module__}:{kind.__qualname__}\n".encode())
        for piece in pieces:
            state.update(piece)
        return state.digest()


def _has_own_reduce(kind: Any) -> bool:
    return kind.__reduce__ is not object.__reduce__ or kind.__reduce_ex__ is not object.__reduce_ex__


def _leaf(kind: str, text: str) -> bytes:
    return hashlib.sha256(f"{kind}\n{text}".encode("utf-8", "surrogatepass")).digest()


def _name_of(value: Any) -> str:
    name = f"{getattr(value, '__module__', None)}:{getattr(value, '__qualname__', getattr(value, '__name__', value))}"
    if "<lambda>" in name or "<locals>" in name:
        raise NotStorable(
            f"The function {name} inside the object cannot be stored: it has no name by which it could be found again.",
            fix="Define the function at the top of a module.",
        )
    return name
