"""Reading files back: one by one, all in turn, or as a folder again."""

from __future__ import annotations

import io
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, BinaryIO

import polars as pl

from treadle.ground.digests import of_bytes
from treadle.ground.errors import did_you_mean
from treadle.kernel.artifacts.blobs import BlobStore
from treadle.systems.collect.errors import DataFileCorrupt, FileNotInSnapshot
from treadle.systems.collect.filesets.exporting import FilePiece, check_path, write_files

_PIECE = 1 << 20


@dataclass(frozen=True, slots=True)
class FileEntry:
    """One file of a snapshot."""

    path: str
    digest: str
    size: int
    modified: datetime
    media_type: str | None
    width: int | None
    height: int | None
    blob: str
    offset: int
    _blobs: BlobStore

    def bytes(self) -> bytes:
        """Its bytes, compared with its digest. Raises DataFileCorrupt."""
        with self._blobs.open(self.blob) as stream:
            stream.seek(self.offset)
            data = stream.read(self.size)
        if of_bytes(data) != self.digest:
            raise DataFileCorrupt(
                f"The bytes of {self.path!r} are not those that were landed.",
                why=f"They hash to something else than {self.digest}.",
                fix="Restore the folder of artifacts from a copy; treadle doctor --deep lists every damaged blob.",
            )
        return data

    def open(self) -> BinaryIO:
        """Its bytes as a stream with `seek`; a large file is read from where it lies."""
        if self.blob == self.digest and self.offset == 0:
            return self._blobs.open(self.blob)
        return io.BytesIO(self.bytes())


def _entry(row: tuple[Any, ...], blobs: BlobStore) -> FileEntry:
    path, digest, size, modified, media_type, width, height, blob, offset = row
    return FileEntry(path, digest, size, modified, media_type, width, height, blob, offset, blobs)


class FileSet:
    """The files of a snapshot, by path."""

    def __init__(self, name: str, rows: pl.DataFrame, blobs: BlobStore) -> None:
        self.name, self.rows, self._blobs = name, rows.sort("path"), blobs
        self._places: dict[str, int] = {}

    def __len__(self) -> int:
        return self.rows.height

    def __iter__(self) -> Iterator[FileEntry]:
        return (_entry(row, self._blobs) for row in self.rows.iter_rows())

    def __contains__(self, path: str) -> bool:
        return path in self._index()

    def __getitem__(self, path: str) -> FileEntry:
        """The file of that path. Raises FileNotInSnapshot, with near names."""
        place = self._index().get(unicodedata.normalize("NFC", path))
        if place is None:
            raise FileNotInSnapshot(
                f"There is no file {path!r} in {self.name}.", why=did_you_mean(path, list(self._index())[:10_000])
            )
        return _entry(self.rows.row(place), self._blobs)

    def open(self, path: str) -> BinaryIO:
        """The bytes of a file as a stream. Raises FileNotInSnapshot."""
        return self[path].open()

    def only(self, paths: Sequence[str]) -> FileSet:
        """The files of some paths. Raises FileNotInSnapshot."""
        wanted = [self[path].path for path in paths]
        return FileSet(self.name, self.rows.filter(pl.col("path").is_in(wanted)), self._blobs)

    def export(self, folder: Path | str) -> int:
        """Writes every file below a folder, with its time; answers how many. The folder is new or empty.

        Paths are looked at before anything is written: none leads out of the folder, and where the disk does not tell upper
        from lower case, no two are one. Raises FilesRefused.
        """
        for path in self.rows["path"]:
            check_path(path)
        return write_files(Path(folder), self.pieces())

    def pieces(self) -> Iterator[FilePiece]:
        """The bytes of every file, piece by piece, in the order in which they are stored."""
        for entry in (_entry(row, self._blobs) for row in self.rows.sort("blob", "offset", "path").iter_rows()):
            with entry.open() as source:
                data = source.read(_PIECE)
                yield FilePiece(path=entry.path, modified=entry.modified, data=data)
                while data := source.read(_PIECE):
                    yield FilePiece(path=entry.path, modified=entry.modified, data=data)

    def _index(self) -> dict[str, int]:
        if not self._places:
            self._places = {path: place for place, path in enumerate(self.rows["path"])}
        return self._places
