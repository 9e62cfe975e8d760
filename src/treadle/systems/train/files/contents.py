"""The bytes of files: small ones are rows of the store, the others are blobs.

A model is five or seven files of a few kilobytes, and a client waits for each. As a blob such a file costs two flushes of
the disk; as a row its bytes come with the file itself, in one commit, and survive what that survives. Equal bytes are
one row, as they are one blob.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from datetime import datetime, timedelta
from io import BytesIO
from typing import BinaryIO

from treadle.ground import digests
from treadle.ground.clock import to_micros
from treadle.kernel.artifacts.blobs import BlobStore, BlobWriter, Bytes
from treadle.kernel.store import Reader, Statements, Store, Transaction

sql = Statements(__package__)

SMALL_BYTES = 16 << 10
"""Up to here a file is a row: four pages of the database, read at once with the file's own row."""


class Contents:
    """Reads and keeps the bytes of files by their digest.

    small_bytes: what is larger becomes a blob; 0 where the blob store hands out addresses of its own, which only blobs have.
    """

    def __init__(self, store: Store, blobs: BlobStore, *, small_bytes: int = SMALL_BYTES) -> None:
        self._store, self._blobs, self.small_bytes = store, blobs, small_bytes

    def draft(self) -> Draft:
        """Takes bytes in pieces."""
        return Draft(self._blobs.create, self.small_bytes)

    def keep(self, tx: Transaction, digest: str, data: bytes | None, at: datetime) -> None:
        """Says, in the transaction that names a digest, that somebody does. data: the bytes, where they are not a blob.

        What clean-up is about to take stays then: the row is touched, and it looks at that.
        """
        if data is None:
            tx.execute(sql.touch_small, {"digest": digest, "at": to_micros(at)})
        else:
            tx.execute(sql.put_small, {"digest": digest, "data": data, "at": to_micros(at)})

    def find(self, reader: Reader, digest: str, size_bytes: int) -> bytes | None:
        """The bytes of a small file; None when they are a blob."""
        if size_bytes > SMALL_BYTES:
            return None
        row = reader.find(sql.find_small, {"digest": digest})
        return None if row is None else bytes(row[0])

    def open(self, digest: str, size_bytes: int = 0) -> BinaryIO:
        """The bytes as a stream with `seek`; size_bytes saves a look where it is known. Raises BlobNotFound."""
        with self._store.read() as reader:
            data = self.find(reader, digest, size_bytes)
        return self.open_blob(digest) if data is None else BytesIO(data)

    def open_blob(self, digest: str) -> BinaryIO:
        """As `open`, for bytes that are no row. Raises BlobNotFound."""
        return self._blobs.open(digest)

    def address(self, digest: str, *, valid_for: timedelta) -> str | None:
        """Where a blob can be had without this server; None where the blob store signs nothing."""
        return self._blobs.address(digest, valid_for=valid_for)

    def sweep(self, before: datetime) -> int:
        """Removes the small bytes that no file names and nobody has put since; satisfies infra's port `Leftovers`."""
        return self._store.write(lambda tx: tx.execute(sql.sweep_small, {"before": to_micros(before)}))


class Draft:
    """Bytes on their way in: in memory while they are few, then in the blob store. Not for several threads at once."""

    __slots__ = ("_create", "_held", "_limit", "_writer")

    def __init__(self, create: Callable[[], BlobWriter], limit: int) -> None:
        self._create, self._limit = create, limit
        self._held = bytearray()
        self._writer: BlobWriter | None = None if limit else create()

    def write(self, *pieces: Bytes) -> int:
        """Append; all of them or an error. Answers how many bytes."""
        if self._writer is None:
            size_bytes = sum(memoryview(piece).nbytes for piece in pieces)
            if len(self._held) + size_bytes <= self._limit:
                for piece in pieces:
                    self._held += piece
                return size_bytes
            self._writer = self._create()
            if self._held:
                self._writer.write(bytes(self._held))
        return self._writer.write(*pieces)

    def seal(self) -> tuple[str, int, bytes | None]:
        """Digest, size, and the bytes themselves where they are no blob; a blob is durable now."""
        if self._writer is None:
            data = bytes(self._held)
            return digests.of_bytes(data), len(data), data
        info = self._writer.commit()
        return info.digest, info.size_bytes, None

    def drop(self) -> None:
        """Forgets what was written."""
        if self._writer is not None:
            with contextlib.suppress(OSError):
                self._writer.__exit__(None, None, None)
