"""Which files an import may open: those below the folders that the operator named, and no others.

Locations come out of the store that is brought in, so whoever could write to that store wrote them. A location is resolved,
symbolic links and all, and has to lie below one of the named folders; links among the files themselves are not followed.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO
from urllib.parse import unquote, urlsplit

from treadle.systems.train.moving.errors import LocationClosed


@dataclass(frozen=True, slots=True)
class LocalFile:
    """A file of a folder."""

    path: str
    size_bytes: int
    place: Path

    def open(self) -> BinaryIO:
        """Its bytes; a link that took its place meanwhile is refused."""
        return os.fdopen(os.open(self.place, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0)), "rb")


class Places:
    """See the module. roots: the folders that were named; `mlflow-artifacts:/…` is looked for below each of them."""

    def __init__(self, roots: Sequence[Path]) -> None:
        self._roots = [Path(os.path.realpath(root)) for root in roots]

    def files(self, location: str) -> list[LocalFile]:
        """The files at a location, by path; none where there is no such folder. Raises LocationClosed."""
        folder = self.folder(location)
        return [] if folder is None else sorted(_below(folder), key=lambda file: file.path)

    def folder(self, location: str) -> Path | None:
        """The folder of a location, or None when nothing is there. Raises LocationClosed."""
        parts = urlsplit(location)
        if parts.scheme == "mlflow-artifacts":
            wanted = [root / unquote(parts.path).lstrip("/") for root in self._roots]
        elif parts.scheme in ("", "file") and parts.netloc in ("", "localhost"):
            wanted = [Path(unquote(parts.path) if parts.scheme else location)]
        else:
            raise LocationClosed(
                f"Files at {parts.scheme}:// are not brought: they stay where they are, and clients read them there.",
                location=location,
            )
        for place in wanted:
            found = self._checked(place, location)
            if found is not None:
                return found
        return None

    def _checked(self, place: Path, location: str) -> Path | None:
        resolved = Path(os.path.realpath(place))
        if not any(resolved == root or root in resolved.parents for root in self._roots):
            raise LocationClosed(
                "They are not below a folder that you named with --artifact-root.",
                why=f"A store says where its files are ({location}), and is not believed.",
                fix="Name the folder that they lie in: --artifact-root DIR",
                location=location,
            )
        return resolved if resolved.is_dir() else None


def _below(folder: Path) -> Iterator[LocalFile]:
    for parent, _, names in os.walk(folder):  # it does not go into links
        for name in names:
            place = Path(parent, name)
            if place.is_file() and not place.is_symlink():
                yield LocalFile(place.relative_to(folder).as_posix(), place.stat().st_size, place)
