"""Blobs in a folder of this host: the default on a laptop, and the cache in front of every remote store.

    root/ab/cdef…      one file a blob, named by its sha256, read-only, never changed
    root/tmp/….part    files being written; a crash leaves them, `sweep` removes them by age

A blob appears by `rename` after its bytes are on the disk, and the folder is flushed before the put returns. So a name
either does not exist or has all of its bytes, through `kill -9` and power cuts alike.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import secrets
import string
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import BinaryIO

from treadle.ground import digests
from treadle.kernel.artifacts.blobs import BlobInfo, Bytes
from treadle.kernel.artifacts.errors import BlobCorrupt, BlobNotFound, storage_errors
from treadle.kernel.artifacts.spool import Spool, Write, copy_into, is_recent, sweep_spools, sync_folder

_HEX = set(string.hexdigits.lower())
_ASIDE = ".aside"
_LOOKS = 4
"""How often a blob is looked for: each clean-up that runs beside may have it set aside once after it was put anew."""


class LocalBlobs:
    """Blobs below `root`, which is created at the first write.

    verify_reads: hash whatever `get` reads; for folders that others can write.
    """

    def __init__(self, root: Path, *, verify_reads: bool = False, write: Write = os.write) -> None:
        self.root = Path(root)
        self._verify_reads = verify_reads
        self._write = write

    def put_bytes(self, data: Bytes) -> str:
        digest = digests.of_bytes(data)
        if self._renew(digest, memoryview(data).nbytes):
            return digest
        with self.create() as writer:
            writer.write(data)
            return writer.commit().digest

    def put_file(self, path: Path) -> str:
        with self.create() as writer, Path(path).open("rb", buffering=0) as stream:
            copy_into(stream, writer.write)
            return writer.commit().digest

    def create(self) -> LocalWriter:
        return LocalWriter(self, Spool(self.root / "tmp", write=self._write))

    def get(self, digest: str, *, verify: bool | None = None) -> bytes:
        with self._opened(digest, buffering=0) as stream:
            data = stream.read()
        if (self._verify_reads if verify is None else verify) and digests.of_bytes(data) != digest:
            raise corrupt(digest, str(self._place(digest)))
        return data

    def open(self, digest: str) -> BinaryIO:
        return self._opened(digest)

    def path(self, digest: str) -> Path:
        return self._found(digest)

    def address(self, digest: str, *, valid_for: timedelta) -> str | None:
        return None

    def size(self, digest: str) -> int | None:
        place = self._standing(digest)
        try:
            return None if place is None else place.stat().st_size
        except FileNotFoundError:
            return None

    def has(self, digest: str) -> bool:
        return self._standing(digest) is not None

    def verify(self, digest: str) -> str | None:
        try:
            with self._place(digest).open("rb", buffering=0) as stream:
                found = hashlib.file_digest(stream, "sha256").hexdigest()
        except FileNotFoundError:
            return "The file is gone."
        except OSError as problem:
            return f"The file cannot be read: {problem.strerror}."
        return None if found == digest.removeprefix("sha256:") else f"The bytes hash to sha256:{found[:12]}…."

    def delete(self, digest: str) -> bool:
        with storage_errors(self.root):
            try:
                self._place(digest).unlink()
            except FileNotFoundError:
                return False
        return True

    def expire(self, digest: str, before: datetime) -> bool:
        """As the port says: the file is set aside first, where no put can renew it, and its age is read then.

        Whoever puts these bytes meanwhile either renewed the file before, and its age tells, or finds none and writes.
        """
        aside = self._aside(digest)
        with storage_errors(self.root):
            aside.parent.mkdir(parents=True, exist_ok=True)
            place = self._place(digest)
            try:
                if place.stat().st_mtime >= before.timestamp():
                    return False
                place.rename(aside)
            except FileNotFoundError:
                return False
            return not self._settle(digest, aside, before.timestamp())

    def list(self) -> Iterator[BlobInfo]:
        for folder in _entries(self.root):
            if len(folder.name) != 2 or not set(folder.name) <= _HEX:
                continue
            for entry in _entries(Path(folder.path)):
                digest = f"sha256:{folder.name}{entry.name}"
                try:
                    facts = entry.stat(follow_symlinks=False)
                except FileNotFoundError:
                    continue
                if digests.is_digest(digest):
                    moment = datetime.fromtimestamp(facts.st_mtime, UTC)
                    yield BlobInfo(digest=digest, size_bytes=facts.st_size, stored_at=moment)

    def sweep(self, before: datetime) -> int:
        with storage_errors(self.root):
            for entry in _entries(self.root / "tmp"):
                if entry.name.endswith(_ASIDE):  # whoever expired it died in between
                    self._settle(f"sha256:{entry.name[:64]}", Path(entry.path), before.timestamp())
            return sweep_spools(self.root / "tmp", before.timestamp())

    def adopt(self, spool: Spool, digest: str) -> BlobInfo:
        """Bring a sealed temporary file of this file system into its place, durably.

        Its age is read before: afterwards a clean-up may have set the blob aside, for the moment that a look takes.
        """
        moment = datetime.fromtimestamp(spool.path.stat().st_mtime, UTC)
        if self._renew(digest, spool.size_bytes):
            spool.discard()
        else:
            self._rename(spool.path, self._place(digest))
            spool.release()
        return BlobInfo(digest=digest, size_bytes=spool.size_bytes, stored_at=moment)

    def _rename(self, source: Path, place: Path) -> None:
        with storage_errors(self.root):
            try:
                source.rename(place)
            except FileNotFoundError:
                place.parent.mkdir(exist_ok=True)
                sync_folder(self.root)
                source.rename(place)
            sync_folder(place.parent)

    def _renew(self, digest: str, size_bytes: int) -> bool:
        """Whether the blob stands already, durable and whole; its age then begins anew, as clean-up goes by age."""
        place = self._place(digest)
        try:
            facts = place.stat()
        except FileNotFoundError:
            return False
        if facts.st_size != size_bytes:
            return False
        with storage_errors(self.root):
            try:
                os.utime(place)
            except FileNotFoundError:
                return False
            if is_recent(facts.st_ctime):
                sync_folder(place.parent)
        return True

    def _settle(self, digest: str, aside: Path, before_s: float) -> bool:
        """Brings a blob that was set aside back, if it was put since; else removes it. Whether it came back."""
        try:
            is_back = aside.stat().st_mtime >= before_s
            if is_back:
                self._bring_back(digest, aside)
            aside.unlink()
        except FileNotFoundError:  # another clean-up has settled it
            return False
        return is_back

    def _bring_back(self, digest: str, aside: Path) -> None:
        """Gives a blob its name back, unless somebody has put the bytes anew."""
        with contextlib.suppress(FileExistsError):
            os.link(aside, self._place(digest))

    def _aside(self, digest: str) -> Path:
        """A name of its own at each call: of two clean-ups, none removes what the other has set aside."""
        self._place(digest)
        return self.root / "tmp" / f"{digest.removeprefix('sha256:')}.{secrets.token_hex(6)}{_ASIDE}"

    def _place(self, digest: str) -> Path:
        if not digests.is_digest(digest):
            raise BlobNotFound(
                f"{digest!r} is not the digest of a blob.", fix="A digest is sha256: and 64 hex letters."
            )
        return self.root / digest[7:9] / digest[9:]

    def _found(self, digest: str) -> Path:
        place = self._standing(digest)
        if place is None:
            raise not_found(digest, str(self.root))
        return place

    def _opened(self, digest: str, buffering: int = -1) -> BinaryIO:
        for _ in range(_LOOKS):
            with contextlib.suppress(FileNotFoundError):  # set aside since; whoever looks again brings it back
                return self._found(digest).open("rb", buffering)
        raise not_found(digest, str(self.root))

    def _standing(self, digest: str) -> Path | None:
        """Where the blob is, if it is. One that a clean-up has set aside to look at its age gets its name back here.

        A second name for the same bytes takes nothing from the clean-up, which decides about the one that it made;
        what it would have removed, the next one does.
        """
        place = self._place(digest)
        for _ in range(_LOOKS):
            if place.exists():
                return place
            for entry in _entries(self.root / "tmp"):
                if entry.name.endswith(_ASIDE) and entry.name.startswith(digest.removeprefix("sha256:")):
                    with contextlib.suppress(FileNotFoundError):
                        self._bring_back(digest, Path(entry.path))
        return place if place.exists() else None


class LocalWriter:
    """One blob being written; see `BlobWriter`."""

    __slots__ = ("_blobs", "_done", "_spool")

    def __init__(self, blobs: LocalBlobs, spool: Spool) -> None:
        self._blobs, self._spool, self._done = blobs, spool, False

    def write(self, *pieces: Bytes) -> int:
        return self._spool.write(*pieces)

    def commit(self) -> BlobInfo:
        info = self._blobs.adopt(self._spool, self._spool.seal())
        self._done = True
        return info

    def __enter__(self) -> LocalWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None, /
    ) -> None:
        if not self._done:
            self._spool.discard()


def not_found(digest: str, where: str) -> BlobNotFound:
    """The error for bytes that are gone."""
    return BlobNotFound(
        f"The bytes of {digest} are not in {where}.",
        why="They were cleaned up, or belong to another store.",
        fix="Run what made them again; a step whose bytes are gone counts as not cached.",
        digest=digest,
    )


def corrupt(digest: str, where: str) -> BlobCorrupt:
    """The error for bytes that are not what was written."""
    return BlobCorrupt(
        f"The bytes at {where} are not those of {digest}.",
        why="Their sha256 differs from their name: the storage has damaged or somebody has changed them.",
        fix="Find all such blobs with: treadle doctor. Remove this one and run what made it again.",
        digest=digest,
    )


def _entries(folder: Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return list(entries)
    except (FileNotFoundError, NotADirectoryError):
        return []
