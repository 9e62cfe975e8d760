"""Bytes on their way in: hashed while they are written to a temporary file.

Both stores write so, the local one to rename the file into its place, a remote one to send it. Large pieces are hashed
in a second thread while this one writes them; hashing is then hidden behind the disk (sha256 makes 1.8 GB/s, a file
0.7 GB/s; measured on 2 cores).
"""

from __future__ import annotations

import hashlib
import os
import secrets
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import BinaryIO

from treadle.kernel.artifacts.blobs import Bytes
from treadle.kernel.artifacts.errors import storage_errors

_PARALLEL_BYTES = 1 << 20
_PIECE_BYTES = 8 << 20
_SUFFIX = ".part"

Write = Callable[[int, Bytes], int]
"""`os.write` or what stands for it."""


class Spool:
    """A temporary file that knows the sha256 and the length of what was written into it."""

    __slots__ = ("_fd", "_hash", "_pool", "_write", "path", "size_bytes")

    def __init__(self, folder: Path, *, write: Write = os.write) -> None:
        self.path = folder / f"{secrets.token_hex(12)}{_SUFFIX}"
        self.size_bytes = 0
        self._write = write
        self._hash = hashlib.sha256()
        self._pool: ThreadPoolExecutor | None = None
        with storage_errors(folder):
            self._fd = _create(self.path)

    def write(self, data: Bytes, /) -> int:
        """Append; all of it or an error."""
        view = memoryview(data)
        if view.ndim != 1 or view.itemsize != 1:
            view = view.cast("B")
        with storage_errors(self.path.parent):
            if view.nbytes < _PARALLEL_BYTES:
                self._hash.update(view)
                self._write_all(view)
            else:
                self._write_and_hash(view)
        self.size_bytes += view.nbytes
        return view.nbytes

    def seal(self) -> str:
        """Flush to the disk, close, make read-only; answers the digest."""
        with storage_errors(self.path.parent):
            os.fchmod(self._fd, 0o444)
            os.fsync(self._fd)
        self._close()
        return "sha256:" + self._hash.hexdigest()

    def discard(self) -> None:
        """Close and remove the file, wherever the writing stands."""
        self._close()
        self.path.unlink(missing_ok=True)

    def _write_and_hash(self, view: memoryview) -> None:
        if self._pool is None:
            self._pool = ThreadPoolExecutor(1, thread_name_prefix="treadle-sha256")
        for start in range(0, view.nbytes, _PIECE_BYTES):
            piece = view[start : start + _PIECE_BYTES]
            hashed = self._pool.submit(self._hash.update, piece)
            try:
                self._write_all(piece)
            finally:
                hashed.result()

    def _write_all(self, view: memoryview) -> None:
        while view.nbytes:
            view = view[self._write(self._fd, view) :]

    def _close(self) -> None:
        if self._pool is not None:
            self._pool.shutdown()
            self._pool = None
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


def copy_into(stream: BinaryIO, spool_write: Callable[[Bytes], int]) -> None:
    """All that is left in the stream, through one buffer."""
    buffer = bytearray(_PIECE_BYTES)
    view = memoryview(buffer)
    while count := stream.readinto(buffer):  # type: ignore[attr-defined]
        spool_write(view[:count])


def sweep_spools(folder: Path, before_s: float) -> int:
    """Remove temporary files last written before that time (seconds since 1970); answers how many."""
    swept = 0
    for entry in list(os.scandir(folder)) if folder.is_dir() else []:
        try:
            if entry.name.endswith(_SUFFIX) and entry.stat(follow_symlinks=False).st_mtime < before_s:
                Path(entry.path).unlink()
                swept += 1
        except FileNotFoundError:
            continue
    return swept


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
