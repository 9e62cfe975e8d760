"""Writing files below a folder: whatever they are called, none is written elsewhere, and none over another."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import BinaryIO

from treadle.systems.collect.errors import FilesRefused


@dataclass(frozen=True, slots=True, kw_only=True)
class FilePiece:
    """The next bytes of a file; pieces of one file follow one another, and an empty file has one without bytes."""

    path: str
    modified: datetime
    data: bytes


def new_folder(folder: Path) -> None:
    """Makes the folder. Raises FilesRefused where something is in it."""
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise FilesRefused(f"{folder} is there already, and not empty.", fix="Name a folder that is new or empty.")
    folder.mkdir(parents=True, exist_ok=True)


def write_files(folder: Path, pieces: Iterable[FilePiece]) -> int:
    """Writes files below a new or empty folder, with their times; answers how many. Raises FilesRefused."""
    new_folder(folder)
    tells_case = _tells_case(folder)
    seen: dict[str, str] = {}
    file: BinaryIO | None = None
    last: FilePiece | None = None
    try:
        for piece in pieces:
            if last is None or piece.path != last.path:
                _end(file, folder, last)
                file = None
                check_path(piece.path)
                _check_case(seen, piece.path, tells_case=tells_case)
                place = folder / piece.path
                place.parent.mkdir(parents=True, exist_ok=True)
                file = place.open("xb")
            assert file is not None
            file.write(piece.data)
            last = piece
    finally:
        _end(file, folder, last)
    return len(seen)


def check_path(path: str) -> None:
    """Raises FilesRefused for a path that is not plainly below a folder, on any system."""
    windows = PureWindowsPath(path)
    is_plain = (
        str(PurePosixPath(path)) == path
        and not path.startswith("/")
        and not windows.drive
        and "\\" not in path
        and not {"", ".", ".."} & set(path.split("/"))
        and "\0" not in path
    )
    if not is_plain:
        raise FilesRefused(
            f"The path {path!r} is not written.", why="It leads out of the folder, or is no path on some systems."
        )


def _end(file: BinaryIO | None, folder: Path, piece: FilePiece | None) -> None:
    if file is not None and piece is not None:
        file.close()
        moment = piece.modified.timestamp()
        os.utime(folder / piece.path, (moment, moment))


def _tells_case(folder: Path) -> bool:
    probe = folder / ".Treadle-Case"
    probe.touch()
    try:
        return not (folder / ".treadle-case").exists()
    finally:
        probe.unlink()


def _check_case(seen: dict[str, str], path: str, *, tells_case: bool) -> None:
    other = seen.setdefault(path if tells_case else path.casefold(), path)
    if other != path:
        raise FilesRefused(
            f"{other!r} and {path!r} are one file on this disk.",
            why="It does not tell upper from lower case.",
            fix="Export to another disk, or read the files one by one.",
        )
