"""What lies in a folder: every regular file below it, with what tells whether it has changed.

Paths are relative, with `/`, in Unicode's composed form (NFC), so that a folder is the same on every system. What has no such
path, or leads elsewhere, is refused by name: links, pipes, names that are no text.
"""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import polars as pl

from treadle.systems.collect.errors import FilesRefused


@dataclass(frozen=True, slots=True)
class Found:
    """A file as it lies there; `modified` in microseconds."""

    path: str
    full: str
    size: int
    modified: int


def scan_folder(folder: Path) -> list[Found]:
    """Every file below a folder, by path. Cost: one look at each entry. Raises FilesRefused."""
    if not folder.is_dir():
        raise FilesRefused(f"{folder} is no folder.", fix="Name a folder whose files are to be landed.")
    found = sorted(_below(str(folder), ""), key=lambda one: one.path)
    for one, other in pairwise(found):
        if one.path == other.path:
            raise FilesRefused(
                f"Two files are named {one.path!r}.",
                why="Their names differ in how accents are written alone, and are one name elsewhere.",
                fix="Rename one of them.",
            )
    return found


def _below(folder: str, prefix: str) -> Iterator[Found]:
    with os.scandir(folder) as entries:
        for entry in entries:
            name = _named(entry.name, prefix)
            if entry.is_symlink():
                raise FilesRefused(
                    f"{name!r} is a link.",
                    why="What it points at lies elsewhere, or changes without the folder's doing.",
                    fix="Put the file itself there, or land the folder that it points into.",
                )
            if entry.is_dir(follow_symlinks=False):
                yield from _below(entry.path, f"{name}/")
            elif entry.is_file(follow_symlinks=False):
                facts = entry.stat(follow_symlinks=False)
                yield Found(name, entry.path, facts.st_size, facts.st_mtime_ns // 1000)
            else:
                raise FilesRefused(f"{name!r} is neither a file nor a folder.", fix="Take it out of the folder.")


def _named(name: str, prefix: str) -> str:
    try:
        name.encode()
    except UnicodeEncodeError:
        raise FilesRefused(
            f"A name in {prefix or 'the folder'} is no text: {os.fsencode(name)!r}.", fix="Rename the file."
        ) from None
    return unicodedata.normalize("NFC", prefix + name)


def frame_of(found: list[Found]) -> pl.DataFrame:
    """The files as a frame: path, size, modified."""
    return pl.DataFrame(
        {
            "path": [one.path for one in found],
            "size": [one.size for one in found],
            "modified": [one.modified for one in found],
            "full": [one.full for one in found],
        },
        schema={"path": pl.String, "size": pl.Int64, "modified": pl.Int64, "full": pl.String},
    ).with_columns(pl.col("modified").cast(pl.Datetime("us", "UTC")))
