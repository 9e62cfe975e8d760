"""A folder that is looked at: each file that matches lands once, when it is whole.

A file that is still being written changes its size or its time. So a file is looked at twice, `settle_s` apart, and one that
changed in between waits for the next run. With `every_s` in treadle.toml, `treadle up` watches the folder so.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from treadle.systems.collect.connectors.forms import FileForm
from treadle.systems.collect.connectors.limits import Seconds
from treadle.systems.collect.records import Batch
from treadle.systems.collect.sources import FileSource


class FilesSource(FileForm, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a folder of files is declared with.

    pattern: which files, relative to the project or absolute: `incoming/**/*.csv`. settle_s: how long a file must stay as it is.
    """

    pattern: str
    settle_s: Seconds = 1.0

    def open(self, name: str, root: Path, types: dict[str, str] | None = None) -> SettledFiles:
        """The source."""
        files = FileSource(self.pattern, root=root, name=name, types=types, reading=self.reading())
        return SettledFiles(files, root, self.settle_s)


class SettledFiles:
    """Files that have not changed between two looks."""

    def __init__(
        self, files: FileSource, root: Path, settle_s: float, *, sleep: Callable[[float], None] = time.sleep
    ) -> None:
        self._files, self._root, self._settle_s, self._sleep = files, root, settle_s, sleep
        self.name, self.types = files.name, files.types

    def batches(
        self, cursor: str | None, seen: Callable[[str], bool], known: Callable[[], Mapping[str, str]]
    ) -> Iterator[Batch]:
        """The files that have not landed and have come to rest."""
        settled = self._settled([path for path in self._files.paths() if not seen(self._key(path))])
        yield from self._files.batches(cursor, lambda key: key not in settled or seen(key), known)

    def _settled(self, paths: list[str]) -> set[str]:
        """The keys of the files that stay as they are."""
        first = {path: self._look(path) for path in paths}
        if first and self._settle_s:
            self._sleep(self._settle_s)
        return {self._key(path) for path, before in first.items() if before is not None and before == self._look(path)}

    def _look(self, path: str) -> tuple[int, int, int] | None:
        try:
            found = (self._root / path).stat()
        except OSError:
            return None  # it was taken away again
        return found.st_size, found.st_mtime_ns, found.st_ino

    def _key(self, path: str) -> str:
        return f"{self.name}:{path}"
