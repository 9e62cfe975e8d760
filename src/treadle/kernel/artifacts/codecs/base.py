"""What a codec is, and what it may ask of the service that calls it.

A codec turns a value into a `Draft`: its logical digest, known before a byte is stored, and the way to store it. It reads
values back from a `Source`. Codecs import their library when the first value of its kind is at hand, never before.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Protocol

from treadle.kernel.artifacts.blobs import BlobStore, Bytes
from treadle.kernel.artifacts.records import INLINE_BYTES, Artifact


class Draft(Protocol):
    """A value on its way to become an artifact."""

    def digest(self) -> str:
        """The logical digest; nothing is stored."""
        ...

    def store(self) -> Artifact:
        """Store the bytes durably and answer the record."""
        ...


class Shelf(Protocol):
    """What the service offers to a codec: its blobs, and drafts of the values inside a value."""

    @property
    def blobs(self) -> BlobStore: ...

    @property
    def allow_pickle(self) -> bool: ...

    def workspace(self) -> Path:
        """A folder of this process for files that a value is read into."""
        ...

    def draft(self, value: Any) -> Draft: ...

    def load(self, artifact: Artifact, as_type: Any = None) -> Any: ...

    def blobs_of(self, artifact: Artifact) -> Iterable[str]: ...


class Codec(Protocol):
    """One way to write values of a family of types."""

    name: str
    kind: str

    def accepts(self, value: Any) -> bool:
        """Whether this codec can write the value; only asked for values whose type belongs to its family."""
        ...

    def draft(self, value: Any, shelf: Shelf) -> Draft:
        """Raises NotStorable with the reason when the value cannot be written exactly."""
        ...

    def load(self, source: Source, as_type: Any) -> Any:
        """The value. Raises NotLoadable when it cannot be given as `as_type`."""
        ...

    def parts(self, source: Source) -> Iterable[str]:
        """Digests of further blobs that the artifact needs, besides its own."""
        ...


class Source:
    """The stored bytes of one artifact, wherever they are."""

    __slots__ = ("artifact", "shelf")

    def __init__(self, artifact: Artifact, shelf: Shelf) -> None:
        self.artifact, self.shelf = artifact, shelf

    @property
    def meta(self) -> Mapping[str, Any]:
        return self.artifact.meta

    def bytes(self) -> bytes:
        if self.artifact.inline is not None:
            return self.artifact.inline
        return self.shelf.blobs.get(self.blob)

    def path(self) -> Path | None:
        """A local file with the bytes, to be memory-mapped; None when they are inline."""
        return None if self.artifact.inline is not None else self.shelf.blobs.path(self.blob)

    @property
    def blob(self) -> str:
        assert self.artifact.blob is not None, "an artifact is inline or a blob"
        return self.artifact.blob


class Encoded:
    """The draft of a value whose encoded bytes are at hand."""

    __slots__ = ("_codec", "_data", "_digest", "_meta", "_shelf")

    def __init__(
        self, codec: Codec, shelf: Shelf, digest: str, data: bytes, meta: dict[str, Any] | None = None
    ) -> None:
        self._codec, self._shelf, self._digest, self._data, self._meta = codec, shelf, digest, data, meta

    def digest(self) -> str:
        return self._digest

    def store(self) -> Artifact:
        return placed(self._codec, self._shelf, self._digest, self._data, self._meta)


def placed(codec: Codec, shelf: Shelf, digest: str, data: bytes, meta: dict[str, Any] | None = None) -> Artifact:
    """The record of encoded bytes: inline when they are few, otherwise in the blob store."""
    is_small = len(data) < INLINE_BYTES
    return Artifact(
        digest=digest,
        kind=codec.kind,
        codec=codec.name,
        size_bytes=len(data),
        blob=None if is_small else shelf.blobs.put_bytes(data),
        inline=data if is_small else None,
        meta=meta or {},
    )


def identity(family: str, content: Bytes) -> str:
    """The digest of canonical bytes, apart from those of all other families: H("treadle.<family>.v1\\n" H(content))."""
    return identity_of_hash(family, hashlib.sha256(content).digest())


def identity_of_hash(family: str, content_hash: bytes) -> str:
    """As `identity`, for content that is hashed already: large content is read once for both of its digests."""
    return "sha256:" + hashlib.sha256(b"treadle." + family.encode() + b".v1\n" + content_hash).hexdigest()
