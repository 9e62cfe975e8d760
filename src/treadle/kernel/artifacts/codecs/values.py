"""Codecs of plain values: JSON-like ones, text and bytes. They are what most steps pass on, so they are the quick ones."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import msgspec

from treadle.kernel.artifacts.codecs import tagged
from treadle.kernel.artifacts.codecs.base import Codec, Draft, Encoded, Shelf, Source, identity, placed
from treadle.kernel.artifacts.errors import BlobCorrupt, NotStorable
from treadle.kernel.artifacts.records import Artifact

_MARKED = b'"$"'


class Values:
    """Values as exact JSON; see `tagged`. Values inside that have a codec of their own become artifacts of their own."""

    name, kind = "value/json", "value"

    def accepts(self, value: Any) -> bool:
        return True

    def draft(self, value: Any, shelf: Shelf) -> Draft:
        try:
            if tagged.is_plain(value):
                return _plain(self, value, shelf)
        except ValueError:
            pass  # text that is no Unicode, integers of thousands of digits: they are tagged
        except RecursionError:
            raise _too_deep(value) from None
        try:
            return TaggedDraft(self, shelf, tagged.tag(value, shelf.draft))
        except RecursionError:
            raise _too_deep(value) from None

    def load(self, source: Source, as_type: Any) -> Any:
        return self._read(source.bytes(), lambda record: source.shelf.load(msgspec.convert(record, Artifact)))

    def parts(self, source: Source) -> Iterable[str]:
        data = source.bytes()
        for record in _artifact_records(_decoded(data)) if _MARKED in data else ():
            yield from source.shelf.blobs_of(msgspec.convert(record, Artifact))

    def _read(self, data: bytes, inner: Any) -> Any:
        tree = _decoded(data)
        return tagged.untag(tree, inner) if _MARKED in data else tree


def _artifact_records(tree: Any) -> Iterator[Any]:
    """All records of artifacts in a stored tree."""
    if isinstance(tree, list):
        for item in tree:
            yield from _artifact_records(item)
    elif isinstance(tree, dict):
        if tree.get(tagged.MARK) == "artifact":
            yield tree["v"]
        else:
            for item in tree.values():
                yield from _artifact_records(item)


def _plain(codec: Codec, value: Any, shelf: Shelf) -> Encoded:
    data = tagged.canonical_plain(value)
    digest = identity("value", data)
    return Encoded(
        codec,
        shelf,
        digest,
        data if type(value) is not dict and type(value) is not list else tagged.stored_plain(value),
    )


def _decoded(data: bytes) -> Any:
    try:
        return msgspec.json.decode(data)
    except msgspec.DecodeError as problem:
        raise BlobCorrupt(
            "A stored value is no JSON.", why=str(problem), fix="Find what else is damaged: treadle doctor"
        ) from problem


def _too_deep(value: Any) -> NotStorable:
    return NotStorable(
        f"A {type(value).__qualname__} cannot be stored: it contains itself or is nested too deep.",
        fix="Return a flat table or list instead, or a value of your own kind as bytes.",
    )


class TaggedDraft:
    """The draft of a value that needs tags: the canonical rendering is hashed, the stored one kept."""

    __slots__ = ("_codec", "_digest", "_shelf", "_tree")

    def __init__(self, codec: Codec, shelf: Shelf, tree: Any) -> None:
        self._codec, self._shelf, self._tree = codec, shelf, tree
        self._digest = ""

    def digest(self) -> str:
        if not self._digest:
            self._digest = identity("value", tagged.canonical(self._tree))
        return self._digest

    def store(self) -> Artifact:
        data = tagged.stored(self._tree)  # first: what lies inside may only know its digest once it is stored
        return placed(self._codec, self._shelf, self.digest(), data)


class Text:
    """Text as UTF-8."""

    name, kind = "text/utf-8", "text"

    def accepts(self, value: Any) -> bool:
        return True

    def draft(self, value: str, shelf: Shelf) -> Draft:
        data = value.encode("utf-8", "surrogatepass")
        return Encoded(self, shelf, identity("text", data), data)

    def load(self, source: Source, as_type: Any) -> str:
        return source.bytes().decode("utf-8", "surrogatepass")

    def parts(self, source: Source) -> Iterable[str]:
        return ()


class ByteStrings:
    """Bytes as they are: bundles of code, environments, images, whatever the caller names by `kind`."""

    name, kind = "bytes/raw", "bytes"

    def accepts(self, value: Any) -> bool:
        return True

    def draft(self, value: bytes | bytearray | memoryview, shelf: Shelf) -> Draft:
        data = value if isinstance(value, bytes) else bytes(value)
        meta = None if isinstance(value, bytes) else {"origin": type(value).__name__}
        return Encoded(self, shelf, identity("bytes" if isinstance(value, bytes) else "bytearray", data), data, meta)

    def load(self, source: Source, as_type: Any) -> Any:
        data = source.bytes()
        return bytearray(data) if source.meta.get("origin") == "bytearray" and as_type is not bytes else data

    def parts(self, source: Source) -> Iterable[str]:
        return ()
