"""What comparing asks of the outside: profiles, which others may have made and kept already."""

from __future__ import annotations

from typing import Protocol

from treadle.ground.profiling import Profile, profile
from treadle.kernel.vocabulary.datasets import ROW_COLUMNS, Snapshot
from treadle.systems.collect.lookup import Lookup
from treadle.systems.collect.snapshots import scan


class Profiled(Protocol):
    """Whoever knows what the columns of a snapshot hold."""

    def of_snapshot(self, project: str, snapshot: Snapshot) -> Profile:
        """The profile of a snapshot with its files, without `_landing` and `_row`."""


class ReadAnew:
    """Profiles that are made when they are asked for and kept nowhere."""

    def __init__(self, lookup: Lookup) -> None:
        self._lookup = lookup

    def of_snapshot(self, project: str, snapshot: Snapshot) -> Profile:
        """Reads the snapshot."""
        return profile(scan(self._lookup.folder(project, snapshot), snapshot).collect(), leave_out=ROW_COLUMNS)
