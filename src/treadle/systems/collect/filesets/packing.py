"""Reading files and storing their bytes: small ones side by side in segments, large ones each as a blob.

Several threads read and hash (hashing lets others run), one writes, so that a folder lands the same way whatever the threads
do. Measured (2026-11, benchmarks/file_dataset.py): a blob for every file of 10 kB takes about 25 times as long as segments
(reckoned from 2,000 of them), which are quicker than writing the files themselves.
"""

from __future__ import annotations

import hashlib
import mimetypes
import os
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from treadle.kernel.artifacts.blobs import BlobStore, BlobWriter
from treadle.systems.collect.errors import FilesRefused
from treadle.systems.collect.filesets.images import size_of
from treadle.systems.collect.filesets.scanning import Found

SEGMENT_BYTES = 64 << 20
LARGE_BYTES = 4 << 20
_AT_ONCE = 64
_AHEAD = 4
_HEAD_BYTES = 64 << 10
_TRIES = 3


@dataclass(frozen=True, slots=True)
class Read:
    """A file that was read. A large one has neither bytes nor digest yet: it is hashed as it is stored."""

    found: Found
    size: int
    modified: int
    digest: str
    width: int | None
    height: int | None
    data: bytes | None


@dataclass(slots=True)
class Stored:
    """A file whose bytes are kept: in `blob`, from `offset` on."""

    path: str
    digest: str
    size: int
    modified: int
    media_type: str | None
    width: int | None
    height: int | None
    blob: str
    offset: int


class Packer:
    """Stores files; `is_known` tells where a digest's bytes are already, so that a moved file costs no byte."""

    def __init__(
        self, blobs: BlobStore, known: Callable[[str], tuple[str, int] | None], heartbeat: Callable[[], None]
    ) -> None:
        self._blobs, self._known, self._heartbeat = blobs, known, heartbeat
        self._open: BlobWriter | None = None
        self._size = 0
        self._waiting: list[Stored] = []
        self._here: dict[str, Stored] = {}
        self.sizes: dict[str, int] = {}
        """The blobs that files were put into, with their sizes."""
        self.bytes_read = self.bytes_stored = 0

    def store(self, files: Sequence[Found], threads: int) -> list[Stored]:
        """Reads and stores the files, in their order. Raises FilesRefused for one that changes while it is read."""
        stored = []
        with ThreadPoolExecutor(threads, thread_name_prefix="files") as pool:
            for read in _ahead(pool, files):
                stored.append(self._put(read))
        self._seal()
        return stored

    def _put(self, read: Read) -> Stored:
        self.bytes_read += read.size
        entry = Stored(
            path=read.found.path,
            digest=read.digest,
            size=read.size,
            modified=read.modified,
            media_type=mimetypes.guess_type(read.found.path)[0],
            width=read.width,
            height=read.height,
            blob="",
            offset=0,
        )
        if read.data is None:
            return self._put_large(read, entry)
        place = self._known(read.digest)
        twin = self._here.get(read.digest)
        if place is not None:
            entry.blob, entry.offset = place
        elif twin is not None and twin.blob:
            entry.blob, entry.offset = twin.blob, twin.offset
        elif twin is not None:
            entry.offset = twin.offset
            self._waiting.append(entry)
        else:
            self._append(entry, read.data)
        return entry

    def _append(self, entry: Stored, data: bytes) -> None:
        if self._size and self._size + len(data) > SEGMENT_BYTES:
            self._seal()
        if self._open is None:
            self._open = self._blobs.create().__enter__()
        entry.offset = self._size
        self._open.write(data)
        self._size += len(data)
        self.bytes_stored += len(data)
        self._waiting.append(entry)
        self._here[entry.digest] = entry

    def _seal(self) -> None:
        """Makes the open segment durable; those that lie in it learn its name."""
        if self._open is None:
            return
        info = self._open.commit()
        self._open.__exit__(None, None, None)
        self.sizes[info.digest] = info.size_bytes
        for entry in self._waiting:
            entry.blob = info.digest
        self._open, self._size, self._waiting = None, 0, []
        self._heartbeat()

    def _put_large(self, read: Read, entry: Stored) -> Stored:
        entry.blob = entry.digest = self._blobs.put_file(Path(read.found.full))
        after = os.stat(read.found.full)  # noqa: PTH116
        if (after.st_size, after.st_mtime_ns // 1000) != (read.size, read.modified):
            raise _changing(read.found)
        self.sizes[entry.blob] = read.size
        self.bytes_stored += read.size
        self._heartbeat()
        return entry

    def drop(self) -> None:
        """Gives the open segment up."""
        if self._open is not None:
            self._open.__exit__(None, None, None)
            self._open = None


def _ahead(pool: ThreadPoolExecutor, files: Sequence[Found]) -> Iterator[Read]:
    """The files as they are read, in order, a few handfuls ahead of whoever takes them."""
    waiting: deque[Future[list[Read]]] = deque()
    for place in range(0, len(files), _AT_ONCE):
        waiting.append(pool.submit(_read_all, files[place : place + _AT_ONCE]))
        if len(waiting) > _AHEAD:
            yield from waiting.popleft().result()
    while waiting:
        yield from waiting.popleft().result()


def _read_all(files: Sequence[Found]) -> list[Read]:
    return [_read(found) for found in files]


def _read(found: Found) -> Read:
    for _ in range(_TRIES):
        try:
            with open(found.full, "rb", buffering=0) as file:  # noqa: PTH123 - a third of Path.open's cost, 100,000 times
                before = os.fstat(file.fileno())
                if before.st_size >= LARGE_BYTES:
                    head, data, digest = file.read(_HEAD_BYTES), None, ""
                else:
                    data = file.read()
                    head, digest = data, hashlib.sha256(data).hexdigest()
                after = os.fstat(file.fileno())
        except FileNotFoundError:
            break
        is_still = before.st_mtime_ns == after.st_mtime_ns and before.st_size == after.st_size
        if is_still and (data is None or len(data) == after.st_size):
            width, height = size_of(head[:_HEAD_BYTES]) or (None, None)
            name = f"sha256:{digest}" if digest else ""
            return Read(found, after.st_size, after.st_mtime_ns // 1000, name, width, height, data)
    raise _changing(found)


def _changing(found: Found) -> FilesRefused:
    return FilesRefused(
        f"{found.path!r} changes while it is read.",
        why="Its bytes could not be read as they were at any one moment.",
        fix="Land the folder when nothing writes into it; nothing has landed now.",
    )
