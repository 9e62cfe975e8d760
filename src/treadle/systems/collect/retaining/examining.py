"""A look at the files of datasets: whether those that a snapshot may list are there, and are what was landed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from treadle.systems.collect.data_files import hash_file
from treadle.systems.collect.repository import sql
from treadle.systems.collect.workings import Workings


class TableFiles:
    """The files of a store's datasets; satisfies the port `DataFiles` of infra."""

    def __init__(self, workings: Workings) -> None:
        self._own = workings

    def look_at(self, project: str, *, deep: bool) -> tuple[int, Sequence[tuple[str, str]]]:
        """How many files there are, and (dataset/path, problem) of those that are missing or changed.

        Cost: one stat each; with `deep` everything is read. A file that clean-up takes meanwhile is no problem.
        """
        seen = list(self._files(project))
        found = [(name, problem) for name, path, size, sha in seen if (problem := _problem(path, size, sha, deep))]
        if found:
            still = {name for name, *_ in self._files(project)}
            found = [(name, problem) for name, problem in found if name in still]
        return len(seen), found

    def _files(self, project: str) -> Iterator[tuple[str, Path, int, str]]:
        with self._own.store.read() as reader:
            for folder, path, size, sha256 in reader.all(sql.standing_files, {"project": project}):
                yield f"{folder}/{path}", self._own.root / folder / path, size, sha256


def _problem(path: Path, size: int, sha256: str, deep: bool) -> str | None:
    try:
        found = path.stat().st_size
    except FileNotFoundError:
        return "it is missing"
    if found != size:
        return f"it has {found:,} bytes; {size:,} were landed"
    return None if not deep or hash_file(path) == sha256 else "its bytes are not those that were landed"
