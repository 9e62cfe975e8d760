"""The records of files: a stored file, and a folder's entry, as callers see them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import BinaryIO


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredFile:
    """A file: `path` is its whole path, `digest` names its bytes (`sha256:…`)."""

    path: str
    digest: str
    size_bytes: int
    actor: str
    recorded_at: datetime

    @property
    def name(self) -> str:
        return self.path.rpartition("/")[2]


@dataclass(frozen=True, slots=True, kw_only=True)
class FileEntry:
    """One line of a listing. `path` is below the folder that was listed; a folder has neither size nor digest."""

    path: str
    is_dir: bool
    size_bytes: int | None = None
    digest: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenedFile:
    """A file and its bytes, which stay readable whatever becomes of the file meanwhile. Whoever opened it closes `stream`."""

    file: StoredFile
    stream: BinaryIO


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedAddress:
    """A URL that gives the bytes of a file to whoever has it, for a while."""

    url: str
    size_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Tree:
    """All files below a folder. `digest` is that of the sorted list of paths and digests: equal trees have equal digests."""

    folder: str
    files: int
    size_bytes: int
    digest: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Removed:
    """How many files were deleted, and their sizes together. Bytes that other files share stay where they are."""

    files: int
    size_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Upload:
    """A file that comes in parts, numbered from 1."""

    project: str
    id: str
    folder: str
    name: str
    secret: str
    parts: int
    actor: str
    recorded_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A part that has arrived."""

    number: int
    digest: str
    size_bytes: int
