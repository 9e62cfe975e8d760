"""A folder of files against the statement that was signed about it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from treadle.ground.digests import of_chunks
from treadle.systems.train.signing.bundles import Statement
from treadle.systems.train.signing.errors import FilesDiffer

_PIECE = 1 << 20


def check(folder: Path, statement: Statement, *, besides: Path | None = None) -> int:
    """How many files were checked. Raises FilesDiffer for one that is missing, other, or was not signed.

    besides: the bundle's own file, where it lies in the folder.
    """
    found = dict(_digests(folder, statement, besides))
    problems = [f"{path} is missing" for path in sorted(statement.files.keys() - found.keys())]
    problems += [f"{path} was not signed" for path in sorted(found.keys() - statement.files.keys())]
    problems += [
        f"{path} is not what was signed"
        for path, digest in sorted(found.items())
        if path in statement.files and digest != statement.files[path]
    ]
    if problems:
        raise FilesDiffer(
            f"{folder} is not what was signed as {statement.name!r}.",
            why="; ".join(problems[:5]) + (f"; and {len(problems) - 5} more" if len(problems) > 5 else "") + ".",
            fix="Download it again, and do not use what is there.",
        )
    return len(found)


def _digests(folder: Path, statement: Statement, besides: Path | None) -> Iterator[tuple[str, str]]:
    own = None if besides is None else besides.resolve()
    for path in _files(folder):
        name = path.relative_to(folder).as_posix()
        is_ignored = any(name == one or name.startswith(f"{one}/") for one in statement.ignored)
        if is_ignored and name not in statement.files:
            continue
        if path.is_symlink():
            raise FilesDiffer(f"{path} is a link.", why="A link can lead anywhere; what was signed are files.")
        if own is None or path.resolve() != own:
            yield name, _digest(path)


def _files(folder: Path) -> Iterator[Path]:
    for place, folders, names in os.walk(folder):
        for name in [*names, *(one for one in folders if (Path(place) / one).is_symlink())]:
            yield Path(place) / name


def _digest(path: Path) -> str:
    with path.open("rb") as stream:
        return of_chunks(iter(lambda: stream.read(_PIECE), b"")).removeprefix("sha256:")
