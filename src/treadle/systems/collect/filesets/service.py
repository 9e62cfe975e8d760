"""The verb that lands folders, and reading them back."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePath

import polars as pl

from treadle.kernel.artifacts.blobs import BlobStore
from treadle.kernel.governance import Caller, verb
from treadle.kernel.vocabulary.datasets import DataFile, Snapshot
from treadle.systems.collect.columns import ROW_TYPES, columns_of, merged
from treadle.systems.collect.data_files import BRANCHES, DATA, panics_as_errors, write_data_file
from treadle.systems.collect.errors import FilesRefused, OutsideInbox
from treadle.systems.collect.filesets import manifest as manifests
from treadle.systems.collect.filesets.exporting import FilePiece
from treadle.systems.collect.filesets.manifest import Difference, content_of, difference, is_manifest, rows_of
from treadle.systems.collect.filesets.packing import Packer, Stored
from treadle.systems.collect.filesets.reading import FileSet
from treadle.systems.collect.filesets.scanning import Found, frame_of, scan_folder
from treadle.systems.collect.landing import Order
from treadle.systems.collect.plans import Part, Plan
from treadle.systems.collect.records import CreateDataset
from treadle.systems.collect.repository import DatasetRow
from treadle.systems.collect.snapshots import scan, scan_files
from treadle.systems.collect.workings import Workings

THREADS = min(4, os.cpu_count() or 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class LandFolder:
    """Asks for a folder of the inbox to become the newest snapshot of a dataset of files."""

    dataset: str
    folder: str
    run: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class WantedFiles:
    """Asks for the files of a snapshot: all, or those of some paths."""

    name: str
    at: str | None = None
    paths: list[str] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FilesLanded:
    """What a folder held against the snapshot before; `version` is that of the snapshot that holds it now.

    bytes_read: of files that were new or might have changed; bytes_stored: of contents that were not there yet.
    """

    dataset: str
    version: int
    snapshot: str
    added: int
    changed: int
    deleted: int
    unchanged: int
    bytes_read: int
    bytes_stored: int
    seconds: float


class FileSets:
    """Datasets of files. See the package."""

    def __init__(self, workings: Workings, blobs: BlobStore, *, inbox: Path | None = None) -> None:
        self._own, self._lookup, self._blobs, self._inbox = workings, workings.lookup, blobs, inbox

    @verb("datasets.land_folder", permission="dataset.write", event="dataset.landed")
    def land_folder(self, caller: Caller, request: LandFolder) -> FilesLanded:
        """Makes a folder of the inbox the newest snapshot of a dataset: what is gone from it is gone from the snapshot."""
        folder = PurePath(request.folder)
        if self._inbox is None or folder.is_absolute() or ".." in folder.parts:
            raise OutsideInbox(
                f"Files are not taken from {request.folder!r}.",
                why="This verb takes folders of the inbox alone." if self._inbox else "No inbox is set up here.",
                fix="Give a folder relative to the inbox, such as photos.",
            )
        return self.land(caller, request.dataset, self._inbox / folder, run=request.run)

    def land(self, caller: Caller, dataset: str, folder: Path, *, run: str | None = None) -> FilesLanded:
        """Makes a folder the newest snapshot of a dataset: new, changed and deleted files are told by size, time and bytes.

        Files whose size and time are as they were are not read. A folder that is as the snapshot has it makes no snapshot.
        Raises FilesRefused for links, pipes, names that are no text, and files that change while they are read.
        """
        caller.require("dataset.write")
        begun = time.monotonic()
        row = self._own.creating.ensure(caller, CreateDataset(name=dataset))
        found = scan_folder(folder)
        counts: dict[str, int] = {}

        def write(landing: str, heartbeat: Callable[[], None]) -> Plan:
            return self._plan(caller.project, row, found, landing, heartbeat, counts)

        order = Order(
            project=caller.project,
            actor=caller.actor,
            dataset=dataset,
            kind="files",
            source=f"folder {folder.name}",
            cursor=None,
            key=None,
            run=run,
            origin={"folder": folder.name, "files": len(found)},
        )
        landing = self._own.landings.land_again(order, write)
        made = self._lookup.snapshot(caller.project, dataset, landing.snapshot)
        return FilesLanded(
            dataset=dataset,
            version=made.version,
            snapshot=made.id,
            seconds=round(time.monotonic() - begun, 3),
            **{name: counts.get(name, 0) for name in _COUNTS},
        )

    @verb("datasets.read_files", permission="dataset.read", shape="stream")
    def read_files(self, caller: Caller, request: WantedFiles) -> Iterator[FilePiece]:
        """The bytes of every file of a snapshot, or of those named, piece by piece."""
        found = self.files(caller.project, self._lookup.snapshot(caller.project, request.name, request.at))
        return found.pieces() if request.paths is None else found.only(request.paths).pieces()

    def files(self, project: str, snapshot: Snapshot) -> FileSet:
        """The files of a snapshot. Raises FilesRefused for one whose rows are none."""
        if not is_manifest(snapshot):
            raise FilesRefused(
                f"The rows of {snapshot.dataset} version {snapshot.version} are no files.",
                fix="Land a folder: treadle datasets land-files NAME FOLDER",
            )
        rows = scan(self._lookup.folder(project, snapshot), snapshot).select(*manifests.SCHEMA.names()).collect()
        return FileSet(f"{snapshot.dataset}@{snapshot.version}", rows, self._blobs)

    def _plan(
        self,
        project: str,
        row: DatasetRow,
        found: Sequence[Found],
        landing: str,
        heartbeat: Callable[[], None],
        counts: dict[str, int],
    ) -> Plan:
        self._own.landings.adopt(project, row.dataset.name)
        is_empty = self._lookup.head(project, row.dataset.name) is None
        head = None if is_empty else self._lookup.snapshot(project, row.dataset.name)
        if head is not None and not is_manifest(head):
            raise FilesRefused(
                f"The dataset {row.dataset.name!r} holds rows, and no files.", fix="Name another dataset."
            )
        if head is None and not found:
            raise FilesRefused("The folder has no files.", fix="Put some into it: a dataset begins with one at least.")
        folder = Path(row.dataset.location)
        known = self._manifest(folder, head)
        told = difference(frame_of(list(found)), known)
        packer = Packer(self._blobs, _places(known), heartbeat)
        try:
            stored = packer.store([one for one in found if one.path in told.to_read], THREADS)
        finally:
            packer.drop()
        changed, touched = _changed(stored, known)
        counts |= _counts(told, stored, changed, touched, known.height, packer)
        fresh = [entry for entry in stored if entry.path not in touched]
        dropped = told.gone | changed
        if not fresh and not dropped:
            return Plan(origin={"folder": "as it was"})
        return self._written(row, head, landing, fresh, dropped, known, packer, folder)

    def _written(
        self,
        row: DatasetRow,
        head: Snapshot | None,
        landing: str,
        fresh: Sequence[Stored],
        dropped: frozenset[str],
        known: pl.DataFrame,
        packer: Packer,
        folder: Path,
    ) -> Plan:
        below = DATA if row.dataset.branch_of is None else BRANCHES
        added: list[DataFile] = []
        removed: list[DataFile] = []
        blobs: dict[str, dict[str, int]] = {}

        def put(rows: pl.DataFrame, place: str) -> None:
            file = write_data_file(folder, f"{below}/{landing}-{len(added):05d}.parquet", rows)
            added.append(replace(file, place=place))
            blobs[file.path] = _sizes(rows, packer, self._blobs)

        with panics_as_errors(f"A file of {row.dataset.name}"):
            for file in head.files if head is not None and dropped else ():
                rows = scan_files(folder, head, [file]).collect() if head is not None else pl.DataFrame()
                left = rows.filter(~pl.col("path").is_in(sorted(dropped)))
                if left.height < rows.height:
                    removed.append(file)
                    if left.height:
                        put(left, file.place)
        if fresh:
            put(rows_of(fresh, landing), "")
        after = known.filter(~pl.col("path").is_in(sorted(dropped)))
        paths = [*after["path"], *(entry.path for entry in fresh)]
        digests = [*after["digest"], *(entry.digest for entry in fresh)]
        columns = merged(head.columns if head is not None else ROW_TYPES, columns_of(rows_of([], landing)))
        part = Part(
            dataset=row.dataset.name,
            columns=list(columns),
            added=added,
            removed=removed,
            content_id=content_of(paths, digests),
            on=head.id if head is not None else "",
            blobs=blobs,
        )
        return Plan(parts=[part], rows_in=len(fresh), rows_kept=len(fresh), reason=f"{len(paths)} files")

    @staticmethod
    def _manifest(folder: Path, head: Snapshot | None) -> pl.DataFrame:
        if head is None:
            return rows_of([], "")
        with panics_as_errors(f"A file of {head.dataset}"):
            return scan(folder, head).collect()


_COUNTS = ("added", "changed", "deleted", "unchanged", "bytes_read", "bytes_stored")


def _places(known: pl.DataFrame) -> Callable[[str], tuple[str, int] | None]:
    places: dict[str, tuple[str, int]] = {}

    def find(digest: str) -> tuple[str, int] | None:
        if not places and known.height:
            rows = known.select("digest", "blob", "offset").iter_rows()
            places.update({name: (blob, offset) for name, blob, offset in rows})
        return places.get(digest)

    return find


def _changed(stored: Sequence[Stored], known: pl.DataFrame) -> tuple[frozenset[str], frozenset[str]]:
    """The paths that hold other bytes than before, and those that were read for nothing."""
    wanted = [entry.path for entry in stored]
    before = dict(known.filter(pl.col("path").is_in(wanted)).select("path", "digest").iter_rows())
    changed = frozenset(e.path for e in stored if e.path in before and before[e.path] != e.digest)
    return changed, frozenset(before) - changed


def _counts(
    told: Difference,
    stored: Sequence[Stored],
    changed: frozenset[str],
    touched: frozenset[str],
    before: int,
    packer: Packer,
) -> dict[str, int]:
    return {
        "added": len(stored) - len(changed) - len(touched),
        "changed": len(changed),
        "deleted": len(told.gone),
        "unchanged": told.unchanged + len(touched),
        "bytes_read": packer.bytes_read,
        "bytes_stored": packer.bytes_stored,
    }


def _sizes(rows: pl.DataFrame, packer: Packer, blobs: BlobStore) -> dict[str, int]:
    """The blobs that some rows name, with their sizes."""
    found = {}
    for blob in rows["blob"].unique(maintain_order=True):
        size = packer.sizes.get(blob)
        found[blob] = size if size is not None else blobs.size(blob) or 0
    return found
