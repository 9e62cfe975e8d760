"""The port to bytes: blobs under the sha256 of what is in them.

A blob store knows nothing of values, projects or permissions. It keeps bytes under the digest of those bytes, so that
integrity is the name hashed again, and writing twice is writing once. `treadle.testing.blobs` holds the suite that every
store passes.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Protocol

Bytes = bytes | bytearray | memoryview


@dataclass(frozen=True, slots=True, kw_only=True)
class BlobInfo:
    """One blob in a listing. `stored_at` is when it was last put: a put of bytes that exist renews it."""

    digest: str
    size_bytes: int
    stored_at: datetime


class BlobWriter(Protocol):
    """Takes the bytes of one blob in pieces; a context, which drops what was written unless `commit` was reached."""

    def write(self, *pieces: Bytes) -> int:
        """Append; all of them or an error. Answers how many bytes. Small pieces cost less together.

        What is given must stay as it is until the call after this one has returned: it may be hashed until then.
        """
        ...

    def commit(self) -> BlobInfo:
        """Make the blob durable, and answer its digest and size. Until then nobody can see it."""
        ...

    def __enter__(self) -> BlobWriter: ...

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None, /
    ) -> None: ...


class BlobStore(Protocol):
    """Bytes by digest. Whatever a method answers for a digest is complete: a torn blob is never served."""

    def put_bytes(self, data: Bytes) -> str:
        """Store the bytes and answer their digest; durable on return."""
        ...

    def put_file(self, path: Path) -> str:
        """Store a copy of the file and answer its digest; durable on return."""
        ...

    def create(self) -> BlobWriter:
        """A writer for bytes that come in pieces."""
        ...

    def get(self, digest: str, *, verify: bool | None = None) -> bytes:
        """The bytes. Raises BlobNotFound, and BlobCorrupt when they were to be verified and do not fit the name.

        verify: hash them again; None lets the store decide (remote ones always do).
        """
        ...

    def open(self, digest: str) -> BinaryIO:
        """The bytes as a stream with `seek`. Raises BlobNotFound."""
        ...

    def path(self, digest: str) -> Path:
        """A local, read-only file with the bytes, to be memory-mapped; a remote store brings it into its cache."""
        ...

    def address(self, digest: str, *, valid_for: timedelta) -> str | None:
        """A URL that gives the bytes to whoever has it, for a while; None where the store has no such thing."""
        ...

    def size(self, digest: str) -> int | None:
        """Length in bytes, or None when there is no such blob."""
        ...

    def has(self, digest: str) -> bool: ...

    def verify(self, digest: str) -> str | None:
        """What is wrong with the blob, in words; None when its bytes hash to its name. Reads it from end to end."""
        ...

    def delete(self, digest: str) -> bool:
        """Remove the blob; False when there was none."""
        ...

    def expire(self, digest: str, before: datetime) -> bool:
        """Remove the blob unless it was put since then; whether it is gone. A put that comes in between is not lost."""
        ...

    def list(self) -> Iterator[BlobInfo]:
        """All blobs, in no order, read lazily."""
        ...

    def sweep(self, before: datetime) -> int:
        """Remove what unfinished writes from before that time have left; answers how many."""
        ...
