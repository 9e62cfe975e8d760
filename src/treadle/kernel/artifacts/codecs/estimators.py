"""Codec of scikit-learn estimators: a skops file, which runs no code when it is read.

A skops file is never the same twice (it holds memory addresses and the time), so the digest is that of `canonical`: arrays,
scalars and structure. Types of scikit-learn, SciPy, NumPy, LightGBM and XGBoost are trusted when reading; anything else inside an
estimator, such as a function of the user's, is refused unless the operator allows pickle, and that is said when it is
stored, not when it is missed.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from treadle.ground.errors import MissingExtra
from treadle.kernel.artifacts.codecs.base import Codec, Draft, Shelf, Source, placed
from treadle.kernel.artifacts.codecs.canonical import object_digest
from treadle.kernel.artifacts.errors import NotStorable, PickleNotAllowed
from treadle.kernel.artifacts.records import Artifact

_TRUSTED = ("sklearn.", "numpy.", "scipy.", "lightgbm.", "xgboost.", "builtins.", "collections.")


class Estimators:
    """Estimators, transformers and pipelines of scikit-learn."""

    name, kind = "model/skops", "model"

    def accepts(self, value: Any) -> bool:
        return not isinstance(value, type) and hasattr(value, "get_params") and hasattr(value, "__sklearn_tags__")

    def draft(self, value: Any, shelf: Shelf) -> Draft:
        return EstimatorDraft(self, shelf, value)

    def load(self, source: Source, as_type: Any) -> Any:
        skops = _skops("Loading this model")
        data = source.bytes()
        unknown = skops.get_untrusted_types(data=data)
        odd = _untrusted(unknown)
        if odd and not source.shelf.allow_pickle:
            raise _not_trusted(odd)
        return skops.loads(data, trusted=unknown)

    def parts(self, source: Source) -> Iterable[str]:
        return ()


class EstimatorDraft:
    """An estimator on its way."""

    __slots__ = ("_codec", "_digest", "_shelf", "_value")

    def __init__(self, codec: Codec, shelf: Shelf, value: Any) -> None:
        self._codec, self._shelf, self._value = codec, shelf, value
        self._digest = ""

    def digest(self) -> str:
        self._digest = self._digest or object_digest(self._value, self._inner)
        return self._digest

    def _inner(self, value: Any) -> str | None:
        """Boosters inside a pipeline have a digest of their own."""
        is_booster = type(value).__module__.partition(".")[0] in ("lightgbm", "xgboost")
        return self._shelf.draft(value).digest() if is_booster else None

    def store(self) -> Artifact:
        skops = _skops("Storing a scikit-learn model")
        try:
            data = skops.dumps(self._value)
        except Exception as problem:  # skops raises whatever its type handlers meet
            raise NotStorable(
                f"A {type(self._value).__qualname__} cannot be stored.",
                why=f"skops says: {problem}",
                fix="Leave out what is no estimator, array or scalar.",
            ) from problem
        odd = _untrusted(skops.get_untrusted_types(data=data))
        if odd and not self._shelf.allow_pickle:
            raise _not_trusted(odd)
        return placed(self._codec, self._shelf, self.digest(), data, {"class": type(self._value).__qualname__})


def trusted_types(data: bytes) -> list[str]:
    """The types in a skops file that this house trusts beyond those that skops itself does; sorted."""
    names = _skops("Serving a scikit-learn model").get_untrusted_types(data=data)
    return sorted(name for name in names if name.startswith(_TRUSTED))


def _skops(needed_for: str) -> Any:
    try:
        import skops.io
    except ImportError:
        raise MissingExtra.of("skops", "sklearn", needed_for) from None
    return skops.io


def _untrusted(names: Iterable[str]) -> list[str]:
    return [name for name in names if not name.startswith(_TRUSTED)]


def _not_trusted(names: list[str]) -> PickleNotAllowed:
    return PickleNotAllowed(
        f"The model holds {', '.join(names)}, which reading it would have to import and call.",
        why="Only types of scikit-learn, NumPy, SciPy, LightGBM and XGBoost are read without the operator's leave.",
        fix="Use built-in estimators (FunctionTransformer with a NumPy function, for example), or let the operator allow pickle.",
        types=names,
    )
