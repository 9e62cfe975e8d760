"""The rows of files, folders and uploads."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime

from treadle.ground import digests
from treadle.ground.clock import from_micros, to_micros
from treadle.kernel.store import Reader, Row, Statements, Transaction
from treadle.systems.train.files.errors import FileInTheWay, FileSealed
from treadle.systems.train.files.names import joined, split
from treadle.systems.train.files.records import Part, StoredFile, Upload

sql = Statements(__package__)


class FileRows:
    """Finds and records files. Paths are checked by whoever calls (`names`)."""

    def find(self, reader: Reader, project: str, path: str) -> StoredFile | None:
        """The file at a path, or None."""
        folder, name = split(path)
        row = reader.find(sql.find_file, {"project": project, "folder": folder, "name": name})
        return None if row is None else _file(row)

    def has_folder(self, reader: Reader, project: str, folder: str) -> bool:
        """Whether there is such a folder."""
        return not folder or reader.find(sql.find_folder, {"project": project, "folder": folder}) is not None

    def files_in(self, reader: Reader, project: str, folder: str) -> Iterator[StoredFile]:
        """The files right in a folder, in no order."""
        return map(_file, reader.each(sql.files_in, {"project": project, "folder": folder}))

    def folders_in(self, reader: Reader, project: str, folder: str) -> Iterator[str]:
        """The whole paths of the folders right in a folder, in no order."""
        return (row[0] for row in reader.each(sql.folders_in, {"project": project, "folder": folder}))

    def files_below(self, reader: Reader, project: str, folder: str) -> Iterator[StoredFile]:
        """All files in a folder and in those below it, in no order."""
        return map(_file, reader.each(sql.files_below, {"project": project, "folder": folder}))

    def sum_below(self, reader: Reader, project: str, folder: str) -> tuple[int, int]:
        """(how many, how many bytes) of all files in a folder and below."""
        count, size_bytes = reader.all(sql.sum_below, {"project": project, "folder": folder})[0]
        return int(count), int(size_bytes)

    def put(
        self, tx: Transaction, project: str, path: str, *, blob: str, size_bytes: int, actor: str, at: datetime
    ) -> StoredFile:
        """The file, which replaces what was there. Raises FileSealed, FileInTheWay."""
        folder, name = split(path)
        self._open_folder(tx, project, folder)
        if tx.find(sql.find_folder, {"project": project, "folder": path}) is not None:
            raise _in_the_way(path, "There is a folder of that name.")
        values = {
            "project": project,
            "folder": folder,
            "name": name,
            "blob": blob,
            "size_bytes": size_bytes,
            "actor": actor,
            "recorded_at": to_micros(at),
        }
        tx.execute(sql.put_file, values)
        return StoredFile(path=path, digest=blob, size_bytes=size_bytes, actor=actor, recorded_at=at)

    def check_open(self, reader: Reader, project: str, path: str) -> None:
        """Raises FileSealed, FileInTheWay where a put of this path would, as far as can be told before."""
        self._nearest(reader, project, split(path)[0])

    def delete(self, tx: Transaction, project: str, path: str) -> tuple[int, int]:
        """Removes the file, or the folder with all below it; (how many files, their bytes). Raises FileSealed."""
        folder, name = split(path)
        found = self.find(tx, project, path) if path else None
        if found is not None:
            self._nearest(tx, project, folder)
            tx.execute(sql.delete_file, {"project": project, "folder": folder, "name": name})
            return 1, found.size_bytes
        sealed = tx.find(sql.sealed_below, {"project": project, "folder": path})
        if sealed is not None:
            raise sealed_error(sealed[0])
        return self.purge(tx, project, path)

    def purge(self, tx: Transaction, project: str, folder: str) -> tuple[int, int]:
        """Removes a folder with all below it, sealed or not; (how many files, their bytes)."""
        removed = self.sum_below(tx, project, folder)
        values = {"project": project, "folder": folder}
        tx.execute(sql.delete_files_below, values)
        tx.execute(sql.delete_folders_below, values)
        return removed

    def seal(self, tx: Transaction, project: str, folder: str, *, at: datetime) -> None:
        """Nothing in the folder or below it changes from now on; the folder is made when it is not there."""
        self._open_folder(tx, project, folder, is_sealing=True)
        tx.execute(sql.seal_below, {"project": project, "folder": folder, "at": to_micros(at)})

    def is_sealed(self, reader: Reader, project: str, folder: str) -> bool:
        """Whether nothing in the folder changes any more."""
        try:
            self._nearest(reader, project, folder)
        except FileSealed:
            return True
        return False

    def size_of_known(self, reader: Reader, project: str, blob: str) -> int | None:
        """The size of some bytes that a file of this project has; None when none has them."""
        row = reader.find(sql.size_of_known, {"project": project, "blob": blob})
        return None if row is None else int(row[0])

    def _nearest(self, reader: Reader, project: str, folder: str, *, is_sealing: bool = False) -> list[str]:
        """The folders that have no row yet, outermost last, up to one that has. Raises FileSealed, FileInTheWay."""
        missing: list[str] = []
        while folder:
            row = reader.find(sql.find_folder, {"project": project, "folder": folder})
            if row is not None:
                if row[2] is not None and not is_sealing:
                    raise sealed_error(folder)
                return missing
            parent, name = split(folder)
            if reader.find(sql.find_file, {"project": project, "folder": parent, "name": name}) is not None:
                raise _in_the_way(folder, "There is a file of that name.")
            missing.append(folder)
            folder = parent
        return missing

    def _open_folder(self, tx: Transaction, project: str, folder: str, *, is_sealing: bool = False) -> None:
        for missing in reversed(self._nearest(tx, project, folder, is_sealing=is_sealing)):
            values = {"project": project, "folder": missing, "parent": split(missing)[0], "sealed_at": None}
            tx.execute(sql.add_folder, values)


class UploadRows:
    """Finds and records uploads in parts."""

    def add(self, tx: Transaction, upload: Upload) -> None:
        """Records an upload that begins."""
        values = {name: getattr(upload, name) for name in Upload.__slots__}
        tx.execute(sql.add_upload, values | {"recorded_at": to_micros(upload.recorded_at)})

    def find(self, reader: Reader, identifier: str) -> Upload | None:
        """The upload with this id, in whichever project; None when it is over."""
        row = reader.find(sql.find_upload, {"id": identifier})
        if row is None:
            return None
        values = dict(zip(Upload.__slots__, row, strict=True))
        return Upload(**values | {"recorded_at": from_micros(values["recorded_at"])})

    def put_part(self, tx: Transaction, upload: Upload, part: Part, *, at: datetime) -> None:
        """Records a part that has arrived, in place of what came under its number before."""
        values = {
            "project": upload.project,
            "upload": upload.id,
            "number": part.number,
            "digest": part.digest,
            "size_bytes": part.size_bytes,
            "recorded_at": to_micros(at),
        }
        tx.execute(sql.put_part, values)

    def parts_of(self, reader: Reader, upload: Upload) -> list[Part]:
        """The parts that have arrived, by number."""
        rows = reader.all(sql.parts_of, {"project": upload.project, "upload": upload.id})
        return [Part(number=number, digest=digest, size_bytes=size_bytes) for number, digest, size_bytes in rows]

    def delete(self, tx: Transaction, project: str, identifier: str) -> bool:
        """Forgets an upload; whether there was one."""
        tx.execute(sql.delete_parts, {"project": project, "upload": identifier})
        return tx.execute(sql.delete_upload, {"project": project, "id": identifier}) == 1

    def before(self, reader: Reader, moment: datetime) -> list[tuple[str, str]]:
        """(project, id) of the uploads that began before then."""
        return [(row[0], row[1]) for row in reader.all(sql.uploads_before, {"before": to_micros(moment)})]


class FileBlobs:
    """The blobs that files name; satisfies the port `BlobUsers` of infra."""

    def blobs(self, reader: Reader) -> Iterable[str]:
        """The blobs of the files of every project."""
        return (row[0] for row in reader.each(sql.blobs))

    def uses(self, reader: Reader, blob: str) -> bool:
        """Whether a file of any project names the blob."""
        return reader.find(sql.blob_is_named, {"blob": blob}) is not None

    def sizes(self, reader: Reader, project: str) -> Iterable[tuple[str, str, int]]:
        """(path, blob, size in bytes) of the files of a project, sorted by blob."""
        for row in reader.each(sql.stored, {"project": project}):
            yield joined(row[0], row[1]), row[2], int(row[3])

    def damaged(self, reader: Reader) -> Iterable[tuple[str, str]]:
        """(digest, problem) of the small files whose bytes are not those of their digest."""
        for digest, data in reader.each(sql.every_small):
            found = digests.of_bytes(bytes(data))
            if found != digest:
                yield digest, f"The bytes hash to {found[:19]}…."


def sealed_error(folder: str) -> FileSealed:
    """The error for a change of what is finished."""
    return FileSealed(
        f"The artifacts in {folder!r} are sealed.",
        why="They belong to a finished model or a registered version, whose bytes never change.",
        fix="Log another model or register another version.",
        folder=folder,
    )


def _in_the_way(path: str, why: str) -> FileInTheWay:
    return FileInTheWay(f"No artifact can be stored at {path!r}.", why=why, fix="Choose another name.", path=path)


def _file(row: Row) -> StoredFile:
    folder, name, blob, size_bytes, actor, recorded_at = row
    return StoredFile(
        path=joined(folder, name),
        digest=blob,
        size_bytes=int(size_bytes),
        actor=actor,
        recorded_at=from_micros(recorded_at),
    )
