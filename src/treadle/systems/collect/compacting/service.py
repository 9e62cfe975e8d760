"""The verb that lays small files together.

Rows, their ids, their order and the content id stay; only the layout is another. Files that stand side by side in a snapshot's
order are written as one, which takes the first one's place, so a reader finds every row where it was. Other engines are told
that no data changed. Earlier snapshots keep their files until clean-up takes them, and are read from the compacted ones then.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import polars as pl

from treadle.kernel.governance import Caller, verb
from treadle.kernel.vocabulary.datasets import DataFile, Snapshot
from treadle.systems.collect.data_files import BRANCHES, DATA, ROWS_PER_FILE, panics_as_errors, write_data_file
from treadle.systems.collect.landing import Order
from treadle.systems.collect.plans import Part, Plan
from treadle.systems.collect.repository import DatasetRow
from treadle.systems.collect.snapshots import scan_files
from treadle.systems.collect.workings import Workings

TARGET_BYTES = 128 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class CompactDataset:
    """Asks for a dataset's (or a branch's) small files to be laid together into files of about `target_bytes`."""

    name: str
    target_bytes: int = TARGET_BYTES


@dataclass(frozen=True, slots=True, kw_only=True)
class Compacted:
    """What a compaction did; `version` is None where there was nothing to lay together."""

    version: int | None
    files_before: int
    files_after: int
    bytes_before: int
    bytes_after: int
    rows_moved: int


class Compaction:
    """See the module."""

    def __init__(self, workings: Workings) -> None:
        self._own, self._lookup = workings, workings.lookup

    @verb("datasets.compact", permission="dataset.write", event="dataset.compacted")
    def compact(self, caller: Caller, request: CompactDataset) -> Compacted:
        """Lays small files that stand side by side together; what lands meanwhile is not in the way.

        Cost: reads and writes the rows of the small files, one new file at a time in memory.
        """
        project, row = caller.project, self._lookup.get(caller.project, request.name)
        self._own.landings.adopt(project, request.name)
        before = self._lookup.snapshot(project, request.name)
        if not groups(before.files, request.target_bytes):
            return _answer(before, before, 0, None)

        def write(landing: str, heartbeat: Callable[[], None]) -> Plan:
            return self._plan(project, row, request, landing, heartbeat)

        order = Order(
            project=project,
            actor=caller.actor,
            dataset=request.name,
            kind="compact",
            source="compaction",
            cursor=None,
            key=None,
            run=None,
            origin={},
        )
        landing = self._own.landings.land_again(order, write)
        after = self._lookup.snapshot(project, request.name, landing.snapshot)
        return _answer(before, after, int(landing.source.get("rows_moved", 0)), after.version)

    def _plan(
        self, project: str, row: DatasetRow, request: CompactDataset, landing: str, heartbeat: Callable[[], None]
    ) -> Plan:
        snapshot, folder = self._lookup.snapshot(project, request.name), Path(row.dataset.location)
        below = DATA if row.dataset.branch_of is None else BRANCHES
        event = (row.dataset.event_column,) if row.dataset.event_column else ()
        added, removed = [], []
        with panics_as_errors(f"A file of {request.name}"):
            for number, group in enumerate(groups(snapshot.files, request.target_bytes)):
                rows = _decided(scan_files(folder, snapshot, group).collect())
                file = write_data_file(folder, f"{below}/{landing}-{number:05d}.parquet", rows, stats_of=event)
                added.append(replace(file, place=group[0].place))
                removed += group
                heartbeat()
        part = Part(dataset=request.name, columns=list(snapshot.columns), added=added, removed=removed, moves_rows=True)
        moved = sum(file.rows for file in added)
        return Plan(parts=[part], origin={"rows_moved": moved}, reason=f"laid {len(removed)} files into {len(added)}")


def groups(files: Sequence[DataFile], target_bytes: int) -> list[list[DataFile]]:
    """The files to be laid together, in their order: neighbours smaller than half the target, two at least."""
    return [group for group in _neighbours(files, target_bytes) if len(group) > 1]


def _neighbours(files: Sequence[DataFile], target_bytes: int) -> Iterator[list[DataFile]]:
    group: list[DataFile] = []
    size = rows = 0
    for file in files:
        is_small = file.size < target_bytes / 2 and file.rows < ROWS_PER_FILE / 2
        if group and (not is_small or size + file.size > target_bytes or rows + file.rows > ROWS_PER_FILE):
            yield group
            group, size, rows = [], 0, 0
        if is_small:
            group.append(file)
            size, rows = size + file.size, rows + file.rows
    yield group


def _decided(frame: pl.DataFrame) -> pl.DataFrame:
    """Without columns that have no type yet: files do not hold those."""
    return frame.select(name for name, dtype in frame.schema.items() if not isinstance(dtype, pl.Null))


def _answer(before: Snapshot, after: Snapshot, rows: int, version: int | None) -> Compacted:
    return Compacted(
        version=version,
        files_before=len(before.files),
        files_after=len(after.files),
        bytes_before=before.bytes,
        bytes_after=after.bytes,
        rows_moved=rows,
    )
