"""Sources: files that arrive one after another, and Python functions that yield frames."""

from __future__ import annotations

import glob
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import polars as pl

from treadle.ground.frames import to_polars
from treadle.systems.collect.reading import Reading, is_large, read_file, read_pieces
from treadle.systems.collect.records import Batch


class FileSource:
    """The files that match a pattern, one batch each, in the order of their names.

    A file lands once, by its path below `root`: one that arrives late lands late, whatever its name. So months that are
    put into a folder one after another are an incremental source. A file must be whole when it appears: write it under
    another name and rename it.
    """

    def __init__(
        self,
        pattern: str | Path,
        *,
        root: Path | None = None,
        name: str | None = None,
        types: Mapping[str, str] | None = None,
        reading: Reading | None = None,
    ) -> None:
        self._pattern, self._root = str(pattern), Path(root) if root is not None else Path()
        self.name = name or self._pattern
        self.types = dict(types or {})
        self._reading = reading or Reading()

    def batches(
        self, cursor: str | None, seen: Callable[[str], bool], known: Callable[[], Mapping[str, str]]
    ) -> Iterator[Batch]:
        """The files that have not landed; each is read when its turn comes."""
        newest = cursor or ""
        for path in self.paths():
            key = f"{self.name}:{path}"
            if seen(key):
                continue
            newest = max(newest, path)
            yield self._batch(path, key, newest, {**known(), **self.types})

    def _batch(self, path: str, key: str, cursor: str, known: Mapping[str, str]) -> Batch:
        full = self._root / path
        if is_large(full):
            pieces = read_pieces(full, self._reading, known)
            pieces.facts["path"] = path
            return Batch(frames=pieces.frames, key=key, cursor=cursor, malformed=pieces.malformed, origin=pieces.facts)
        content = read_file(full, self._reading, known)
        origin = {"path": path, "sha256": content.sha256, "bytes": content.size}
        return Batch(frames=[content.frame], key=key, cursor=cursor, malformed=content.malformed, origin=origin)

    def paths(self) -> list[str]:
        """The paths that match now, sorted."""
        found = glob.glob(self._pattern, root_dir=self._root, recursive=True)  # noqa: PTH207 - pathlib refuses absolute ones
        return sorted(path for path in found if (self._root / path).is_file())


Yielded = Any
"""What a function may yield: a frame (Polars, Arrow, pandas), or a pair of a frame and the cursor after it."""


class FrameSource:
    """The frames that a Python function yields, given the cursor at which it stood last.

    Each frame is a batch, and lands as a whole. A function that yields pairs (frame, cursor) goes on where it stopped.
    """

    def __init__(
        self,
        function: Callable[[str | None], Iterable[Yielded]],
        *,
        name: str | None = None,
        types: Mapping[str, str] | None = None,
    ) -> None:
        self._function = function
        self.name = name or getattr(function, "__name__", "frames")
        self.types = dict(types or {})

    def batches(
        self, cursor: str | None, seen: Callable[[str], bool], known: Callable[[], Mapping[str, str]]
    ) -> Iterator[Batch]:
        """What the function yields, as it yields it."""
        for item in self._function(cursor):
            frame, after = item if isinstance(item, tuple) else (item, None)
            key = None if after is None else f"{self.name}:{after}"
            if key is not None and seen(key):
                continue  # the function yields the same page twice
            yield Batch(frames=[polars_frame(frame)], key=key, cursor=after)


def polars_frame(frame: Any) -> pl.DataFrame:
    """A frame of any kind as a Polars one."""
    return frame if isinstance(frame, pl.DataFrame) else to_polars(frame)
