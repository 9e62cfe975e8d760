"""The verbs of files, and the two that stream: `begin` takes the bytes of a file in pieces, `open` gives them back.

Bytes go first: a blob is durable before one transaction puts the file's row in place, and small bytes come in that
transaction (`contents`). So a reader sees the file as it was or as it is, and a process that dies on the way leaves at
most a blob that nothing names, for clean-up to take.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from io import BytesIO
from pathlib import Path
from typing import BinaryIO

from treadle.ground.clock import Clock
from treadle.ground.digests import of_json
from treadle.kernel.artifacts.blobs import Bytes
from treadle.kernel.artifacts.errors import BlobNotFound
from treadle.kernel.artifacts.spool import copy_into
from treadle.kernel.events import EventLog
from treadle.kernel.governance import Caller, verb
from treadle.kernel.store import Reader, Store, Transaction
from treadle.systems.train.files.contents import Contents
from treadle.systems.train.files.errors import BadFileName, FileNotFound
from treadle.systems.train.files.names import checked_folder, checked_path
from treadle.systems.train.files.records import FileEntry, OpenedFile, Removed, SignedAddress, StoredFile, Tree
from treadle.systems.train.files.repository import FileRows

READ, WRITE = "file.read", "file.write"


@dataclass(frozen=True, slots=True, kw_only=True)
class FolderNamed:
    """A folder by its whole path; empty for the folder of all folders. `is_deep`: with all that lies below it."""

    path: str = ""
    is_deep: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class FileNamed:
    path: str


@dataclass(frozen=True, slots=True, kw_only=True)
class HaveDigests:
    """`digests`: those of whole files, `sha256:…`."""

    digests: Sequence[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class NewLink:
    """Bytes that the project has, under a path of their own."""

    path: str
    digest: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkFiles:
    files: Sequence[NewLink]


@dataclass(frozen=True, slots=True, kw_only=True)
class Linked:
    """`missing`: the paths whose bytes the project has not; they have to be uploaded."""

    files: Sequence[StoredFile]
    missing: Sequence[str]


class Files:
    """What lies at which path. Paths are names in rows and never locations (see `names`)."""

    def __init__(self, store: Store, contents: Contents, events: EventLog, clock: Clock) -> None:
        self._store, self._contents, self._events, self._clock = store, contents, events, clock
        self._rows = FileRows()

    @verb("files.list", permission=READ)
    def list(self, caller: Caller, request: FolderNamed) -> _Entries:
        """What lies in a folder, files and folders together, sorted by name; nothing where there is no such folder."""
        folder = checked_folder(request.path)
        start = len(folder) + 1 if folder else 0
        with self._store.read() as reader:
            find = self._rows.files_below if request.is_deep else self._rows.files_in
            found = [
                FileEntry(path=file.path[start:], is_dir=False, size_bytes=file.size_bytes, digest=file.digest)
                for file in find(reader, caller.project, folder)
            ]
            if not request.is_deep:
                found += [
                    FileEntry(path=path[start:], is_dir=True)
                    for path in self._rows.folders_in(reader, caller.project, folder)
                ]
        found.sort(key=lambda entry: entry.path)
        return found

    @verb("files.get", permission=READ)
    def get(self, caller: Caller, request: FileNamed) -> StoredFile:
        """The file at a path: digest, size, who put it there and when. Raises FileNotFound."""
        with self._store.read() as reader:
            return self.get_in(reader, caller.project, request.path)

    def get_in(self, reader: Reader, project: str, path: str) -> StoredFile:
        """As the verb, in a view that is already open."""
        found = self._rows.find(reader, project, checked_path(path))
        if found is None:
            if self._rows.has_folder(reader, project, path):
                raise BadFileName(f"Artifact path refers to a directory, not a file: '{path}'")
            raise FileNotFound(f"No such artifact: '{path}'", fix="List the folder that it should lie in.", path=path)
        return found

    @verb("files.tree", permission=READ)
    def tree(self, caller: Caller, request: FolderNamed) -> Tree:
        """How many files lie below a folder, how large they are, and one digest over all their paths and bytes."""
        with self._store.read() as reader:
            return self.tree_in(reader, caller.project, request.path)

    def tree_in(self, reader: Reader, project: str, folder: str) -> Tree:
        """As the verb, in a view that is already open."""
        folder = checked_folder(folder)
        start = len(folder) + 1 if folder else 0
        found = sorted(
            (file.path[start:], file.digest, file.size_bytes) for file in self.below(reader, project, folder)
        )
        return Tree(
            folder=folder,
            files=len(found),
            size_bytes=sum(size_bytes for _, _, size_bytes in found),
            digest=of_json([[path, digest] for path, digest, _ in found]),
        )

    def below(self, reader: Reader, project: str, folder: str) -> Iterator[StoredFile]:
        """All files below a folder, in no order."""
        return self._rows.files_below(reader, project, checked_folder(folder))

    @verb("files.have", permission=READ)
    def have(self, caller: Caller, request: HaveDigests) -> _Digests:
        """Those of the digests whose bytes some file of the project has: they need no upload (`files.link`)."""
        with self._store.read() as reader:
            return [
                digest
                for digest in dict.fromkeys(request.digests)
                if self._rows.size_of_known(reader, caller.project, digest) is not None
            ]

    @verb("files.link", permission=WRITE)
    def link(self, caller: Caller, request: LinkFiles) -> Linked:
        """Puts bytes that the project has under further paths, all in one transaction, and says which it has not."""
        for each in request.files:
            checked_path(each.path)
        return self._store.write(lambda tx: self._link(tx, caller, request.files))

    def _link(self, tx: Transaction, caller: Caller, links: Iterable[NewLink]) -> Linked:
        stored, missing = [], []
        for each in links:
            size_bytes = self._rows.size_of_known(tx, caller.project, each.digest)
            if size_bytes is None:
                missing.append(each.path)
            else:
                stored.append(self.put_in(tx, caller, each.path, each.digest, size_bytes))
        return Linked(files=stored, missing=missing)

    @verb("files.delete", permission=WRITE, event="files.deleted")
    def delete(self, caller: Caller, request: FileNamed) -> Removed:
        """Deletes a file, or a folder with all below it; nothing where nothing lies. Raises FileSealed.

        Their bytes stay until clean-up finds that nothing names them.
        """
        path = checked_folder(request.path)
        if not path:
            raise BadFileName("Invalid path", why="All artifacts of a project are not deleted at once.")
        return self._store.write(lambda tx: self._delete(tx, caller, path))

    def _delete(self, tx: Transaction, caller: Caller, path: str) -> Removed:
        files, size_bytes = self._rows.delete(tx, caller.project, path)
        if files:
            self._events.append(
                tx,
                project=caller.project,
                kind="files.deleted",
                subject=f"files/{path}",
                actor=caller.actor,
                body={"files": files, "bytes": size_bytes},
            )
        return Removed(files=files, size_bytes=size_bytes)

    # Bytes

    def begin(self, caller: Caller, path: str) -> Incoming:
        """Takes the bytes of a file in pieces; see `Incoming`. Raises BadFileName, FileSealed, FileInTheWay."""
        caller.require(WRITE)
        checked_path(path)
        with self._store.read() as reader:
            self._rows.check_open(reader, caller.project, path)
        return Incoming(
            self._contents, lambda digest, size_bytes, data: self._put(caller, path, digest, size_bytes, data)
        )

    def put_bytes(self, caller: Caller, path: str, data: Bytes) -> StoredFile:
        """The file with these bytes, which replaces what was there."""
        with self.begin(caller, path) as incoming:
            incoming.write(data)
            return incoming.commit()

    def put_file(self, caller: Caller, path: str, source: Path) -> StoredFile:
        """As `put_bytes`, with the bytes of a local file."""
        with self.begin(caller, path) as incoming, source.open("rb", buffering=0) as stream:
            copy_into(stream, incoming.write)
            return incoming.commit()

    def put_stream(self, caller: Caller, path: str, stream: BinaryIO) -> StoredFile:
        """As `put_bytes`, with all that is left in a stream."""
        with self.begin(caller, path) as incoming:
            copy_into(stream, incoming.write)
            return incoming.commit()

    def _put(self, caller: Caller, path: str, digest: str, size_bytes: int, data: bytes | None) -> StoredFile:
        return self._store.write(lambda tx: self.put_in(tx, caller, path, digest, size_bytes, data))

    def put_in(
        self, tx: Transaction, caller: Caller, path: str, digest: str, size_bytes: int, data: bytes | None = None
    ) -> StoredFile:
        """Puts bytes at a path: those given, or those that are kept already. Raises FileSealed, FileInTheWay."""
        caller.require(WRITE)
        at = self._clock()
        self._contents.keep(tx, digest, data, at)
        return self._rows.put(
            tx,
            caller.project,
            checked_path(path),
            blob=digest,
            size_bytes=size_bytes,
            actor=caller.actor,
            at=at,
        )

    def open(self, caller: Caller, path: str) -> OpenedFile:
        """The file and its bytes as a stream with `seek`. Raises FileNotFound, BadFileName, BlobNotFound."""
        caller.require(READ)
        try:
            return self._opened(caller, path)
        except BlobNotFound:  # it was replaced or deleted just now, and clean-up came by; or its bytes are gone
            return self._opened(caller, path)

    def _opened(self, caller: Caller, path: str) -> OpenedFile:
        with self._store.read() as reader:
            found = self.get_in(reader, caller.project, path)
            data = self._contents.find(reader, found.digest, found.size_bytes)
        return OpenedFile(file=found, stream=self._contents.open_blob(found.digest) if data is None else BytesIO(data))

    def address(self, caller: Caller, path: str, *, valid_for: timedelta) -> SignedAddress | None:
        """Where the bytes can be had without this server for a while; None where the blob store signs nothing."""
        caller.require(READ)
        with self._store.read() as reader:
            found = self.get_in(reader, caller.project, path)
        url = self._contents.address(found.digest, valid_for=valid_for)
        return None if url is None else SignedAddress(url=url, size_bytes=found.size_bytes)

    def read(self, caller: Caller, path: str) -> bytes:
        """The bytes of a file. Raises as `open`."""
        opened = self.open(caller, path)
        with opened.stream as stream:
            return stream.read()

    # For the keepers of runs, models and traces, within their transactions

    def seal(self, tx: Transaction, project: str, folder: str) -> None:
        """From now on nothing in the folder changes: its model is finished, or its version is registered."""
        self._rows.seal(tx, project, checked_folder(folder), at=self._clock())

    def is_sealed(self, reader: Reader, project: str, folder: str) -> bool:
        """Whether nothing in the folder changes any more."""
        return self._rows.is_sealed(reader, project, checked_folder(folder))

    def purge(self, tx: Transaction, project: str, folder: str) -> Removed:
        """Removes a folder with all below it, sealed or not: whose it was is gone for good."""
        folder = checked_folder(folder)
        if not folder:
            raise BadFileName("Invalid path", why="All artifacts of a project are not purged at once.")
        files, size_bytes = self._rows.purge(tx, project, folder)
        return Removed(files=files, size_bytes=size_bytes)


class Incoming:
    """A file on its way in: `write` the pieces, then `commit`; a context, which drops what was not committed.

    Nobody sees any of it before `commit` has returned. Not for several threads at once.
    """

    __slots__ = ("_draft", "_is_over", "_put", "small_bytes")

    def __init__(self, contents: Contents, put: Callable[[str, int, bytes | None], StoredFile]) -> None:
        self._draft, self._put, self._is_over = contents.draft(), put, False
        self.small_bytes = contents.small_bytes
        """A file of at most so many bytes is written without a look at the disk."""

    def write(self, *pieces: Bytes) -> int:
        """Append; all of them or an error. Small pieces cost less together."""
        return self._draft.write(*pieces)

    def commit(self) -> StoredFile:
        """The bytes are kept, then the file is there; answers it."""
        digest, size_bytes, data = self._draft.seal()
        self._is_over = True
        return self._put(digest, size_bytes, data)

    def abort(self) -> None:
        """Drops what was written. May be called at any time, and again."""
        if not self._is_over:
            self._is_over = True
            self._draft.drop()

    def __enter__(self) -> Incoming:
        return self

    def __exit__(self, *error: object) -> None:
        self.abort()


_Entries = list[FileEntry]
_Digests = list[str]
