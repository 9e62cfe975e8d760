"""Profiles of data files and snapshots, made once each.

A snapshot's profile is merged from those of its files; after an append, from the parent's and those of the new files. So
a landing costs the profile of what landed, however large the table is, and a compaction or a restored version costs
nothing: its content id is that of rows which have a profile.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import polars as pl

from treadle.ground.profiling import EMPTY, Profile, merge, profile_batches
from treadle.ground.profiling.profiling import ROWS
from treadle.kernel.vocabulary.datasets import ROW_COLUMNS, DataFile, Snapshot
from treadle.systems.prepare.ports import Tables
from treadle.systems.prepare.profiling.shelf import ProfileShelf

ANCESTORS = 64
"""So many parents are asked for a profile to begin with; beyond, the files are merged all at once."""

MERGED_AT_ONCE = 64

SMALL_ROWS = 256
"""The profile of a file with fewer rows is made anew when it is needed: it would take more room than the file."""


class ProfileMaker:
    """Makes what the shelf lacks."""

    def __init__(self, tables: Tables, shelf: ProfileShelf) -> None:
        self._tables, self._shelf = tables, shelf

    def of_snapshot(self, project: str, snapshot: Snapshot) -> Profile:
        """The profile of a snapshot with its files, without `_landing` and `_row`, its columns in the snapshot's order."""
        known = self._shelf.find(project, snapshot.content_id)
        if known is not None:
            return known
        found = _ordered(self._merged(project, snapshot), snapshot)
        self._shelf.keep(project, snapshot.content_id, found)
        return found

    def of_file(self, project: str, snapshot: Snapshot, file: DataFile) -> Profile:
        """The profile of one of a snapshot's files. Cost, once: reading it, and about as much again."""
        is_small = file.rows < SMALL_ROWS
        known = None if is_small else self._shelf.find(project, file.sha256)
        if known is not None:
            return known
        found = profile_batches(self._batches(project, snapshot, file), leave_out=ROW_COLUMNS)
        if not is_small:
            self._shelf.keep(project, file.sha256, found)
        return found

    def _merged(self, project: str, snapshot: Snapshot) -> Profile:
        begin, done = self._ancestor(project, snapshot)
        found = begin
        waiting: list[Profile] = []
        for file in snapshot.files:
            if file.path not in done:
                waiting.append(self.of_file(project, snapshot, file))
            if len(waiting) == MERGED_AT_ONCE:
                found, waiting = merge([found, *waiting]), []
        return merge([found, *waiting])

    def _ancestor(self, project: str, snapshot: Snapshot) -> tuple[Profile, set[str]]:
        """The nearest ancestor with a profile, all of whose files are here too, and the paths of those files."""
        here = {file.path for file in snapshot.files}
        parent = snapshot.parent
        for _ in range(min(ANCESTORS, len(here) - 1)):
            if parent is None:
                break
            older = self._tables.snapshot(project, snapshot.dataset, parent)
            paths = {file.path for file in older.files}
            if not paths <= here:
                break
            known = self._shelf.find(project, older.content_id)
            if known is not None:
                return known, paths
            parent = older.parent
        return EMPTY, set()

    def _batches(self, project: str, snapshot: Snapshot, file: DataFile) -> Iterator[pl.DataFrame]:
        rows = self._tables.scan(project, replace(snapshot, files=(file,)))
        for start in range(0, max(1, file.rows), ROWS):
            yield rows.slice(start, ROWS).collect() if file.rows > ROWS else rows.collect()


def _ordered(found: Profile, snapshot: Snapshot) -> Profile:
    """The columns in the snapshot's order; fields of structs stand where their struct does."""
    place = {column.name: k for k, column in enumerate(snapshot.columns)}
    columns = sorted(found.columns, key=lambda c: place.get(c.name, place.get(c.name.partition(".")[0], len(place))))
    return replace(found, columns=tuple(columns))
