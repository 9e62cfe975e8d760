"""Bytes on their way in: hashed while they are written to a temporary file.

Both stores write so, the local one to rename the file into its place, a remote one to send it. Large pieces are hashed
in a second thread, one behind the writing, so that neither waits for the other at every piece: a disk of 1.3 GB/s and a
sha256 of 1.4 to 1.8 GB/s both hesitate now and then (measured on 2 cores, 2026-11).
"""

from __future__ import annotations

import ctypes
import errno
import hashlib
import itertools
import mmap
import os
import secrets
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import BinaryIO

try:
    import fcntl
except ImportError:  # Windows: an age is all that `sweep_spools` goes by
    fcntl = None  # type: ignore[assignment]

from treadle.kernel.artifacts.blobs import Bytes
from treadle.kernel.artifacts.errors import storage_errors

_PARALLEL_BYTES = 1 << 20
_PIECE_BYTES = 8 << 20
_SUFFIX = ".part"
_FLUSH_BYTES = 32 << 20
_ADVISE = getattr(os, "posix_fadvise", None)
"""Advice that pages are not needed begins to write those that are dirty, and does not wait: 1 GB is durable after 0.4 s
instead of 0.55 s (measured 2026-11), and the end of a slow upload costs nothing. Pages under way stay in memory."""

DIRECT = getattr(os, "O_DIRECT", 0) if fcntl is not None else 0
"""Large pieces in aligned memory go to the disk past the page cache: 0.05 s of a processor for a gigabyte instead of 0.3 to
0.8 s, at the same speed or better (ext4 on a virtual disk, 2026-11). 0 where the system has nothing of the kind."""

BLOCK_BYTES = 4096
"""What memory, place and length must be a multiple of for that; no file system in use asks for more."""

Write = Callable[[int, Bytes], int]
"""`os.write` or what stands for it."""


class Spool:
    """A temporary file that knows the sha256 and the length of what was written into it.

    It is locked until `release` or `discard`, or the end of its process: an upload may rest for a day between two
    pieces, and clean-up, which goes by age, must not take it for one that a crash left.
    """

    __slots__ = (
        "_can_go_direct",
        "_fd",
        "_flushed_bytes",
        "_hash",
        "_hashing",
        "_is_direct",
        "_pool",
        "_write",
        "path",
        "size_bytes",
    )

    def __init__(self, folder: Path, *, write: Write = os.write) -> None:
        self.path = folder / f"{secrets.token_hex(12)}{_SUFFIX}"
        self.size_bytes = self._flushed_bytes = 0
        self._write = write
        self._hash = hashlib.sha256()
        self._pool: ThreadPoolExecutor | None = None
        self._hashing: Future[None] | None = None
        self._can_go_direct, self._is_direct = DIRECT != 0, False
        with storage_errors(folder):
            self._fd = _create(self.path)
        if fcntl is not None:
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)

    def write(self, *pieces: Bytes) -> int:
        """Append; all of it or an error. Answers how many bytes.

        The pieces must stay as they are until the next call has returned: they may still be hashed until then.
        """
        views = [_flat(piece) for piece in pieces]
        size_bytes = sum(view.nbytes for view in views)
        with storage_errors(self.path.parent):
            if size_bytes < _PARALLEL_BYTES:
                self._hashed()
                self._hash_all(views)
                self._write_all(views)
            else:
                self._write_and_hash(views)
        self.size_bytes += size_bytes
        self._flush_early(self.size_bytes)
        return size_bytes

    def seal(self) -> str:
        """Flush to the disk, make read-only; answers the digest. Nothing is written from now on."""
        with storage_errors(self.path.parent):
            os.fchmod(self._fd, 0o444)
            os.fsync(self._fd)
        self._hashed()
        if fcntl is None:
            self._close()  # an open file has no new name there
        return "sha256:" + self._hash.hexdigest()

    def release(self) -> None:
        """Close the file, which has its place by now."""
        self._close()

    def discard(self) -> None:
        """Close and remove the file, wherever the writing stands."""
        self._close()
        self.path.unlink(missing_ok=True)

    def _write_and_hash(self, views: Sequence[memoryview]) -> None:
        if self._pool is None:
            self._pool = ThreadPoolExecutor(1, thread_name_prefix="treadle-sha256")
        before, self._hashing = self._hashing, self._pool.submit(self._hash_all, views)
        try:
            self._write_all(views)
        finally:
            if before is not None:
                before.result()

    def _hashed(self) -> None:
        """Waits until all that was written is hashed too."""
        if self._hashing is not None:
            self._hashing.result()
            self._hashing = None

    def _flush_early(self, written_bytes: int) -> None:
        """Lets the system begin to write to the disk what lies in its memory, so that little is left for `seal`."""
        if _ADVISE is not None and not self._is_direct and written_bytes - self._flushed_bytes >= _FLUSH_BYTES:
            _ADVISE(self._fd, self._flushed_bytes, written_bytes - self._flushed_bytes, os.POSIX_FADV_DONTNEED)
            self._flushed_bytes = written_bytes

    def _hash_all(self, views: Sequence[memoryview]) -> None:
        for view in views:
            self._hash.update(view)

    def _write_all(self, views: Sequence[memoryview]) -> None:
        place = self.size_bytes
        for view in views:
            while view.nbytes:
                count = self._write_some(view, place)
                view, place = view[count:], place + count

    def _write_some(self, view: memoryview, place: int) -> int:
        blocks = view.nbytes // BLOCK_BYTES * BLOCK_BYTES
        if self._can_go_direct and blocks >= _PARALLEL_BYTES and place % BLOCK_BYTES == 0 and _is_aligned(view):
            try:
                self._go_direct(True)
                return self._write(self._fd, view[:blocks])
            except OSError as problem:
                if problem.errno != errno.EINVAL:
                    raise
                self._can_go_direct = False  # a file system that does not know it
        self._go_direct(False)
        return self._write(self._fd, view)

    def _go_direct(self, is_direct: bool) -> None:
        """Past the system's page cache, or through it."""
        if is_direct != self._is_direct:
            assert fcntl is not None
            flags = fcntl.fcntl(self._fd, fcntl.F_GETFL)
            fcntl.fcntl(self._fd, fcntl.F_SETFL, flags | DIRECT if is_direct else flags & ~DIRECT)
            self._is_direct = is_direct

    def _close(self) -> None:
        if self._pool is not None:
            self._pool.shutdown()
            self._pool = None
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


def aligned_buffer(size_bytes: int) -> memoryview:
    """A buffer that begins at a page: what is written from it in whole blocks goes to the disk without a copy."""
    return memoryview(mmap.mmap(-1, size_bytes))


def _is_aligned(view: memoryview) -> bool:
    if view.readonly:
        return False
    return ctypes.addressof(ctypes.c_char.from_buffer(view)) % BLOCK_BYTES == 0


def _flat(data: Bytes) -> memoryview:
    view = memoryview(data)
    return view if view.ndim == 1 and view.itemsize == 1 else view.cast("B")


def copy_into(stream: BinaryIO, spool_write: Callable[[Bytes], int]) -> None:
    """All that is left in the stream, through two buffers: while one is filled, the other may still be hashed."""
    views = itertools.cycle([memoryview(bytearray(_PIECE_BYTES)), memoryview(bytearray(_PIECE_BYTES))])
    while count := stream.readinto(view := next(views)):  # type: ignore[attr-defined]
        spool_write(view[:count])


def sweep_spools(folder: Path, before_s: float) -> int:
    """Remove temporary files last written before that time (seconds since 1970) whose writer is gone; answers how many."""
    swept = 0
    for entry in list(os.scandir(folder)) if folder.is_dir() else []:
        try:
            if entry.name.endswith(_SUFFIX) and entry.stat(follow_symlinks=False).st_mtime < before_s:
                swept += _unlink_unlocked(Path(entry.path))
        except FileNotFoundError:
            continue
    return swept


def _unlink_unlocked(path: Path) -> bool:
    """Removes a file unless somebody is at it."""
    fd = os.open(path, os.O_RDONLY)
    try:
        if fcntl is not None:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        path.unlink()
    except BlockingIOError:
        return False
    finally:
        os.close(fd)
    return True


def sync_folder(folder: Path) -> None:
    """Make the names in the folder durable; a system that cannot (Windows) is left as it is."""
    try:
        fd = os.open(folder, os.O_RDONLY)
    except PermissionError:
        if os.name == "nt":
            return
        raise
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def is_recent(changed_s: float, *, within_s: float = 60.0) -> bool:
    """Whether a change lies so near that another process may not have made its name durable yet."""
    return changed_s > time.time() - within_s


def _create(path: Path) -> int:
    flags = os.O_CREAT | os.O_EXCL | os.O_WRONLY | getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0)
    try:
        return os.open(path, flags, 0o600)
    except FileNotFoundError:
        path.parent.mkdir(parents=True, exist_ok=True)
        return os.open(path, flags, 0o600)
