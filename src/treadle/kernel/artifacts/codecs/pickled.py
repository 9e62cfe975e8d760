"""Codec of last resort: pickle protocol 5, where the operator allows it. The digest is `canonical`'s, never that of the pickle."""

from __future__ import annotations

import pickle
from collections.abc import Iterable
from typing import Any

from treadle.kernel.artifacts.codecs.base import Codec, Draft, Shelf, Source, placed
from treadle.kernel.artifacts.codecs.canonical import object_digest
from treadle.kernel.artifacts.errors import NotStorable, PickleNotAllowed
from treadle.kernel.artifacts.records import Artifact


class Pickled:
    """Any object that pickle takes and whose state can be walked."""

    name, kind = "object/pickle", "object"

    def accepts(self, value: Any) -> bool:
        return True

    def draft(self, value: Any, shelf: Shelf) -> Draft:
        return PickleDraft(self, shelf, value)

    def load(self, source: Source, as_type: Any) -> Any:
        if not source.shelf.allow_pickle:
            raise PickleNotAllowed(
                f"The artifact {source.artifact.digest} is a pickle, which can run any code when it is read.",
                fix="Let the operator allow pickle for this home, if everybody who can write to it is trusted.",
            )
        return pickle.loads(source.bytes())  # noqa: S301  the operator has allowed it

    def parts(self, source: Source) -> Iterable[str]:
        return ()


class PickleDraft:
    """An object on its way."""

    __slots__ = ("_codec", "_digest", "_shelf", "_value")

    def __init__(self, codec: Codec, shelf: Shelf, value: Any) -> None:
        self._codec, self._shelf, self._value = codec, shelf, value
        self._digest = ""

    def digest(self) -> str:
        self._digest = self._digest or object_digest(self._value)
        return self._digest

    def store(self) -> Artifact:
        digest = self.digest()
        try:
            data = pickle.dumps(self._value, protocol=5)
        except (pickle.PicklingError, TypeError, AttributeError) as problem:
            raise NotStorable(
                f"A {type(self._value).__module__}.{type(self._value).__qualname__} cannot be pickled.",
                why=str(problem),
                fix="Return data instead: a frame, a dict, bytes, or the path of a file.",
            ) from problem
        return placed(self._codec, self._shelf, digest, data, {"class": type(self._value).__qualname__})
