"""Uploads in parts: each part may be sent at any time, again, and beside others; the last call makes one file of them.

A part is sent to an address that is signed with the upload's secret, so whoever sends it needs no account. Parts lie in
a folder of this server, under names that we give, and are hashed as they arrive; completing reads them once more, in
order, into the blob store.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from treadle.ground.clock import Clock, to_micros
from treadle.ground.ids import NewId
from treadle.kernel.artifacts.blobs import Bytes
from treadle.kernel.artifacts.spool import Spool, copy_into
from treadle.kernel.governance import Caller
from treadle.kernel.store import Store, Transaction
from treadle.systems.train.files.errors import PartMissing, SignatureRefused, TooManyParts, UploadNotFound
from treadle.systems.train.files.names import checked_path, joined, split
from treadle.systems.train.files.records import Part, StoredFile, Upload
from treadle.systems.train.files.repository import UploadRows
from treadle.systems.train.files.service import WRITE, Files

MAX_PARTS = 10_000
VALID_FOR = timedelta(hours=6)
"""How long a signed address is good for: a large file on a slow line takes hours."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ticket:
    """What the address of one part carries: until when it is good (microseconds since 1970), and the proof."""

    upload: str
    number: int
    expires: int
    signature: str


class Uploads:
    """Files in parts. folder: where parts lie on this host until they are one file."""

    def __init__(self, store: Store, files: Files, folder: Path, clock: Clock, new_id: NewId) -> None:
        self._store, self._files, self._folder = store, files, folder
        self._clock, self._new_id = clock, new_id
        self._rows = UploadRows()

    def create(self, caller: Caller, path: str, parts: int) -> tuple[Upload, Sequence[Ticket]]:
        """A fresh upload, and the tickets for its parts."""
        if not 1 <= parts <= MAX_PARTS:
            raise TooManyParts(
                f"An upload cannot have {parts} parts.", why=f"It has 1 to {MAX_PARTS}.", fix="Choose larger parts."
            )
        self._files.begin(caller, path).abort()  # refuses what a put would refuse
        folder, name = split(checked_path(path))
        upload = Upload(
            project=caller.project,
            id=self._new_id("upload"),
            folder=folder,
            name=name,
            secret=secrets.token_hex(32),
            parts=parts,
            actor=caller.actor,
            recorded_at=self._clock(),
        )
        self._store.write(lambda tx: self._rows.add(tx, upload))
        expires = to_micros(self._clock() + VALID_FOR)
        return upload, [_ticket(upload, number, expires) for number in range(1, parts + 1)]

    def begin_part(self, ticket: Ticket) -> IncomingPart:
        """Takes the bytes of a part in pieces. Raises UploadNotFound, SignatureRefused."""
        upload = self._find(ticket.upload)
        expected = _ticket(upload, ticket.number, ticket.expires).signature
        if not hmac.compare_digest(expected.encode(), ticket.signature.encode()):
            raise SignatureRefused("The address of this part was changed.", fix="Use it as it was given.")
        if to_micros(self._clock()) > ticket.expires:
            raise SignatureRefused("The address of this part is too old.", fix="Begin the upload again.")
        return IncomingPart(self, upload, ticket.number, self._place(upload.id))

    def arrived(self, caller: Caller, identifier: str) -> Sequence[Part]:
        """The parts that have arrived: whoever goes on with an upload sends the others."""
        upload = self._of(caller, identifier)
        with self._store.read() as reader:
            return self._rows.parts_of(reader, upload)

    def complete(self, caller: Caller, path: str, identifier: str, digests: Mapping[int, str]) -> StoredFile:
        """The file of all parts in order. digests: by number, what the sender was told of each part.

        Raises UploadNotFound, PartMissing. Cost: reads and writes all bytes once more.
        """
        upload = self._of(caller, identifier)
        if joined(upload.folder, upload.name) != path:
            raise UploadNotFound(f"The upload {identifier!r} is for another path.")
        with self._store.read() as reader:
            parts = self._rows.parts_of(reader, upload)
        _check_parts(upload, parts, digests)
        with self._files.begin(caller, path) as incoming:
            for part in parts:
                with self._part_place(upload.id, part).open("rb", buffering=0) as stream:
                    copy_into(stream, incoming.write)
            stored = incoming.commit()
        self._forget(upload.project, upload.id)
        return stored

    def abort(self, caller: Caller, identifier: str) -> None:
        """Forgets an upload and its parts. Raises UploadNotFound."""
        upload = self._of(caller, identifier)
        self._forget(upload.project, upload.id)

    def sweep(self, before: datetime) -> int:
        """Forgets the uploads of any project that began before then, and what lost ones have left; answers how many."""
        with self._store.read() as reader:
            found = self._rows.before(reader, before)
        for project, identifier in found:
            self._forget(project, identifier)
        for place in list(self._folder.iterdir()) if self._folder.is_dir() else []:
            with self._store.read() as reader:
                is_known = self._rows.find(reader, place.name) is not None
            if not is_known and place.stat().st_mtime < before.timestamp():
                shutil.rmtree(place, ignore_errors=True)
        return len(found)

    def put_part(self, upload: Upload, number: int, spool: Spool) -> Part:
        """Brings a part's bytes into place, then records it."""
        part = Part(number=number, digest=spool.seal(), size_bytes=spool.size_bytes)
        place = self._part_place(upload.id, part)
        spool.path.rename(place)
        spool.release()
        self._store.write(lambda tx: self._record(tx, upload, part))
        return part

    def _record(self, tx: Transaction, upload: Upload, part: Part) -> None:
        if self._rows.find(tx, upload.id) is None:
            raise _over(upload.id)
        self._rows.put_part(tx, upload, part, at=self._clock())

    def _forget(self, project: str, identifier: str) -> None:
        self._store.write(lambda tx: self._rows.delete(tx, project, identifier))
        shutil.rmtree(self._place(identifier), ignore_errors=True)

    def _of(self, caller: Caller, identifier: str) -> Upload:
        caller.require(WRITE)
        upload = self._find(identifier)
        if upload.project != caller.project:
            raise _over(identifier)
        return upload

    def _find(self, identifier: str) -> Upload:
        with self._store.read() as reader:
            found = self._rows.find(reader, identifier)
        if found is None or self._clock() - found.recorded_at > VALID_FOR:
            raise _over(identifier)
        return found

    def _place(self, identifier: str) -> Path:
        """The folder of an upload; the id is that of a row, so one that we gave."""
        return self._folder / identifier

    def _part_place(self, identifier: str, part: Part) -> Path:
        return self._place(identifier) / f"{part.number}-{part.digest.removeprefix('sha256:')}"


class IncomingPart:
    """A part on its way in: `write` the pieces, then `commit`; a context, which drops what was not committed."""

    __slots__ = ("_is_over", "_number", "_spool", "_upload", "_uploads")

    def __init__(self, uploads: Uploads, upload: Upload, number: int, folder: Path) -> None:
        self._uploads, self._upload, self._number = uploads, upload, number
        self._spool, self._is_over = Spool(folder), False

    def write(self, *pieces: Bytes) -> int:
        """Append; all of them or an error. Small pieces cost less together."""
        return self._spool.write(*pieces)

    def commit(self) -> Part:
        """The part is there, in place of what came under its number before; answers it with its digest."""
        part = self._uploads.put_part(self._upload, self._number, self._spool)
        self._is_over = True
        return part

    def abort(self) -> None:
        """Drops what was written. May be called at any time, and again."""
        if not self._is_over:
            self._is_over = True
            self._spool.discard()

    def __enter__(self) -> IncomingPart:
        return self

    def __exit__(self, *error: object) -> None:
        self.abort()


def _ticket(upload: Upload, number: int, expires: int) -> Ticket:
    told = f"{upload.id}/{number}/{expires}".encode()
    signature = hmac.new(upload.secret.encode(), told, hashlib.sha256).hexdigest()
    return Ticket(upload=upload.id, number=number, expires=expires, signature=signature)


def _check_parts(upload: Upload, parts: Sequence[Part], digests: Mapping[int, str]) -> None:
    here = {part.number: part.digest for part in parts}
    for number in range(1, upload.parts + 1):
        if number not in here:
            raise PartMissing(f"Part {number} of {upload.parts} has not arrived.", fix="Send it, then complete again.")
        if digests.get(number) != here[number]:
            raise PartMissing(
                f"Part {number} of {upload.parts} is not the one that was acknowledged.",
                why=f"Here lies {here[number]}.",
                fix="Name each part with the ETag that its upload was answered with.",
            )


def _over(identifier: str) -> UploadNotFound:
    return UploadNotFound(
        f"There is no upload {identifier!r}.", why="It was completed, aborted, or its time is over.", fix="Begin again."
    )
