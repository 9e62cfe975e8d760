"""Examination: looks at what must hold in a store, and says in words what does not and what to do."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Iterator
from itertools import groupby
from operator import itemgetter
from pathlib import Path

from treadle.kernel.artifacts.blobs import BlobStore
from treadle.kernel.artifacts.records import Artifact
from treadle.kernel.artifacts.service import Artifacts
from treadle.kernel.events import EventLog
from treadle.kernel.store import Statements, Store
from treadle.systems.infra.cleaning import artifact_of
from treadle.systems.infra.ports import BlobUsers, DataFiles
from treadle.systems.infra.records import Check

sql = Statements(__package__)

_LOW_DISK_BYTES = 1 << 30


def check_store(store: Store) -> Check:
    """The database's own look at its pages and indexes."""
    with store.read() as reader:
        found = [row[0] for row in reader.all(sql.look_at_pages)]
    if found == ["ok"]:
        return Check(name="store", verdict="ok", found=store.url)
    return Check(
        name="store",
        verdict="failed",
        found=f"{store.url} is damaged: {found[0]}",
        fix="Copy the file away, then restore the newest backup, or what `sqlite3 FILE .recover` can save.",
    )


def check_chain(events: EventLog, project: str) -> Check:
    """The hash chain of the events."""
    checked = events.verify(project)
    if checked.broken is None:
        return Check(name="event chain", verdict="ok", found=f"{checked.count} events, every link holds")
    return Check(
        name="event chain",
        verdict="failed",
        found=f"broken at position {checked.broken.position}: {checked.broken.problem}",
        fix="Compare with an export made earlier (treadle audit export) to see what was changed.",
    )


def check_refs(store: Store, project: str) -> Check:
    """Whether each name stands where its last move led, and each move has left its event."""
    with store.read() as reader:
        astray = [row[0] for row in reader.all(sql.refs_astray, {"project": project})]
        count = reader.all(sql.count_refs, {"project": project})[0][0]
    if not astray:
        return Check(name="names", verdict="ok", found=f"{count} names stand where their last moves led")
    return Check(
        name="names",
        verdict="failed",
        found=f"{len(astray)} do not agree with their history; the first is {astray[0]}",
        fix="Somebody wrote to the tables directly. treadle audit verify says whether the history itself holds.",
    )


def check_bytes(store: Store, artifacts: Artifacts, project: str, *, deep: bool) -> Check:
    """Whether the bytes of every artifact are there, and with `deep` whether they are what was put."""
    seen = 0
    problems: list[tuple[str, str]] = []
    for artifact in _stored(store, artifacts, project):
        seen += 1
        problem = artifacts.verify(artifact) if deep else _look_at(artifact, artifacts)
        if problem is not None:
            problems.append((artifact.digest, problem))
    if problems:
        digest, problem = problems[0]
        return Check(
            name="stored bytes",
            verdict="failed",
            found=f"{len(problems)} of {seen} artifacts are not whole; first {digest}: {problem}",
            fix="Run the pipelines that make them again: a hit whose bytes are gone is a miss. treadle why shows which.",
        )
    how = "read and compared" if deep else "there (use --deep to read them all)"
    return Check(name="stored bytes", verdict="ok", found=f"{seen} artifacts, all {how}")


def check_files(store: Store, blobs: BlobStore, users: Iterable[BlobUsers], project: str, *, deep: bool) -> Check:
    """As `check_bytes`, for the blobs that other rows than artifacts name; each blob is looked at once."""
    seen = 0
    problems: list[tuple[str, str]] = []
    with store.read() as reader:
        for user in users:
            problems += user.damaged(reader) if deep else []
            for blob, named in groupby(user.sizes(reader, project), key=itemgetter(1)):
                rows = list(named)
                where, _, size_bytes = rows[0]
                seen += len(rows)
                problem = blobs.verify(blob) if deep else _look_at_blob(blobs, blob, size_bytes)
                if problem is not None:
                    problems.append((where, problem))
    if problems:
        where, problem = problems[0]
        return Check(
            name="logged files",
            verdict="failed",
            found=f"The bytes of {len(problems)} files are not whole; first {where}: {problem}",
            fix="Log them again, or restore the folder of artifacts from a copy.",
        )
    how = "read and compared" if deep else "there (use --deep to read them all)"
    return Check(name="logged files", verdict="ok", found=f"{seen} files, all {how}")


def check_tables(tables: DataFiles, project: str, *, deep: bool) -> Check:
    """Whether the files of every dataset's snapshots are those that were landed."""
    seen, problems = tables.look_at(project, deep=deep)
    if problems:
        where, problem = problems[0]
        return Check(
            name="data files",
            verdict="failed",
            found=f"{len(problems)} of {seen} files of datasets are not what was landed; first {where}: {problem}",
            fix="Restore them from a backup, or land their sources again; snapshots without these files can be read on.",
        )
    how = "read and compared" if deep else "there (use --deep to read them all)"
    return Check(name="data files", verdict="ok", found=f"{seen} files of datasets, all {how}")


def _look_at_blob(blobs: BlobStore, blob: str, size_bytes: int) -> str | None:
    found = blobs.size(blob)
    if found is None:
        return "bytes are missing"
    return None if found == size_bytes else f"{found} bytes of {size_bytes}"


def check_leases(store: Store, project: str, at: int) -> Check:
    """Runs that no process works on any more."""
    with store.read() as reader:
        expired = reader.all(sql.expired_leases, {"project": project, "at": at})
    if expired:
        return Check(
            name="interrupted runs",
            verdict="warning",
            found=f"{len(expired)} runs have lost their driver; the first is {expired[0][0]}",
            fix=f"Go on with: treadle resume {expired[0][0]}",
        )
    return Check(name="interrupted runs", verdict="ok", found="none")


def check_disk(home: Path) -> Check:
    """The room that is left."""
    usage = shutil.disk_usage(home)
    free = f"{usage.free / 1e9:.1f} GB free of {usage.total / 1e9:.1f} GB"
    if usage.free < _LOW_DISK_BYTES:
        return Check(name="disk", verdict="warning", found=free, fix="See what could go with: treadle gc --dry-run")
    return Check(name="disk", verdict="ok", found=free)


def _stored(store: Store, artifacts: Artifacts, project: str) -> Iterator[Artifact]:
    with store.read() as reader:
        for row in reader.each(sql.stored, {"project": project}):
            artifact = artifact_of(row)
            if artifact.blob is not None or artifacts.can_read(artifact.codec):
                yield artifact


def _look_at(artifact: Artifact, artifacts: Artifacts) -> str | None:
    """What one can see without reading: that all blobs are there."""
    if not artifacts.stands(artifact):
        return "bytes are missing"
    blob, blobs = artifact.blob, artifacts.blobs
    if blob is not None and artifact.kind != "folder" and blobs.size(blob) != artifact.size_bytes:
        return f"{blobs.size(blob)} bytes of {artifact.size_bytes}"
    return None
