"""Clean-up: what the roots need stays, the rest is condemned, and what was condemned a grace ago is deleted.

Rows go first, in one transaction with the look at the roots; then the blobs that no row of any project names, be it an
artifact's or one of another system (`BlobUsers`). A blob of
a folder or of a value with values inside is named by the bytes of another one, so those are read. A put of condemned
content revives it: the row by being recorded again, the blob by its renewed age, which is read after the blob was set
aside (`BlobStore.expire`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

import msgspec

from treadle.ground.errors import TreadleError
from treadle.kernel.artifacts.errors import BlobNotFound
from treadle.kernel.artifacts.records import Artifact
from treadle.kernel.artifacts.service import Artifacts
from treadle.kernel.store import Reader, Row, Statements, Store, Transaction
from treadle.systems.infra.ports import BlobUsers, Roots

sql = Statements(__package__)

_SNAPSHOT = re.compile(r"snap_[0-9a-z]{26}")

BODILESS = "none"
"""The codec of a value that is kept by its digest alone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """An artifact as clean-up sees it; times in microseconds. `is_ours`: its bytes are an artifact's, and ours to remove."""

    digest: str
    size_bytes: int
    recorded_at: int
    condemned_at: int | None
    is_ours: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Sorted:
    """The artifacts of a project: all, and by what becomes of them. needed: the digests and snapshots that something needs."""

    needed: frozenset[str]
    known: Sequence[Known]
    kept: Sequence[Known]
    condemned: Sequence[Known]
    revived: Sequence[Known]
    deleted: Sequence[Known]


@dataclass(frozen=True, slots=True, kw_only=True)
class Orphans:
    """Blobs that no artifact names, with their sizes. `unreadable`: why they could not be told from others, if so."""

    sizes: dict[str, int]
    unreadable: str = ""


def sort_out(
    reader: Reader, project: str, artifacts: Artifacts, roots: Iterable[Roots], *, since: int, before: int
) -> Sorted:
    """What becomes of each artifact. since: what was recorded or run later stays; before: condemned earlier is deleted.

    Cost: every edge of the runs since then, and every artifact row, once.
    """
    needed = needed_by(reader, project, roots, since)
    known = [_known(row, artifacts) for row in reader.each(sql.artifacts, {"project": project})]
    kept: list[Known] = []
    condemned: list[Known] = []
    revived: list[Known] = []
    deleted: list[Known] = []
    for one in known:
        if one.digest in needed or not one.is_ours:
            kept.append(one)
            if one.condemned_at is not None:
                revived.append(one)
        elif one.condemned_at is not None:
            (deleted if one.condemned_at < before else condemned).append(one)
        elif one.recorded_at < since:
            condemned.append(one)
    needed |= _named_in(reader, project, needed)
    return Sorted(
        needed=frozenset(needed), known=known, kept=kept, condemned=condemned, revived=revived, deleted=deleted
    )


def needed_by(reader: Reader, project: str, roots: Iterable[Roots], since: int) -> set[str]:
    """The digests that the kernel and the systems need."""
    values = {"project": project, "since": since}
    statements = (
        sql.needed_by_refs,
        sql.needed_by_runs,
        sql.needed_as_code,
        sql.needed_as_environment,
        sql.needed_by_publications,
        sql.needed_by_publications_environment,
        sql.needed_by_checkpoints,
    )
    needed = {row[0] for statement in statements for row in reader.each(statement, values)}
    for (params,) in reader.each(sql.needed_as_arguments, values):
        needed.update(arguments_of(msgspec.json.decode(params)))
    for each in roots:
        needed.update(each.needed(reader, project))
    return needed


def _named_in(reader: Reader, project: str, needed: set[str]) -> set[str]:
    """The snapshots that needed values name: answers of acts, training sets."""
    found: set[str] = set()
    for digest, inline in reader.each(sql.naming_snapshots, {"project": project}):
        if digest in needed:
            found.update(_SNAPSHOT.findall(bytes(inline).decode("utf-8", "replace")))
    return found


def arguments_of(params: object) -> Iterable[str]:
    """The digests of arguments that were too large for a run's row."""
    if isinstance(params, dict):
        for form in params.values():
            if isinstance(form, dict) and set(form) == {"$artifact"}:
                yield form["$artifact"]


def apply(tx: Transaction, project: str, found: Sorted, *, at: int, before: int) -> None:
    """Writes what `sort_out` found in the same transaction."""
    fresh = [one for one in found.condemned if one.condemned_at is None]
    if fresh:
        tx.execute_many(sql.condemn, [{"project": project, "digest": one.digest, "at": at} for one in fresh])
    if found.revived:
        tx.execute_many(sql.reprieve, [{"project": project, "digest": one.digest} for one in found.revived])
    if found.deleted:
        tx.execute_many(
            sql.delete_artifact, [{"project": project, "digest": one.digest, "before": before} for one in found.deleted]
        )


def find_orphans(store: Store, artifacts: Artifacts, users: Iterable[BlobUsers], before: datetime) -> Orphans:
    """The blobs that no artifact and no other row of any project names, and that nobody has put since `before`.

    Where the parts of an artifact cannot be known (damaged bytes, a codec that is not installed) nothing is an orphan.
    """
    used: set[str] = set()
    with store.read() as reader:
        for user in users:
            used.update(user.blobs(reader))
        for row in reader.each(sql.every_artifact):
            artifact = artifact_of(row)
            try:
                used.update(blobs_of(artifact, artifacts))
            except BlobNotFound:
                continue  # its own blob is gone, and with it the names of its parts
            except TreadleError as error:
                return Orphans(sizes={}, unreadable=f"{artifact.digest}: {error}")
    listed = artifacts.blobs.list()
    return Orphans(
        sizes={blob.digest: blob.size_bytes for blob in listed if blob.digest not in used and blob.stored_at < before}
    )


def sweep(
    store: Store, artifacts: Artifacts, users: Sequence[BlobUsers], orphans: Orphans, before: datetime
) -> dict[str, int]:
    """Removes the orphans that still are, and what unfinished writes have left; answers the sizes of what is gone."""
    artifacts.blobs.sweep(before)
    gone = {}
    for digest, size in orphans.sizes.items():
        with store.read() as reader:
            is_free = reader.find(sql.blob_in_use, {"blob": digest}) is None and not any(
                user.uses(reader, digest) for user in users
            )
        if is_free and artifacts.blobs.expire(digest, before):
            gone[digest] = size
    return gone


def blobs_of(artifact: Artifact, artifacts: Artifacts) -> Iterable[str]:
    """All blobs of an artifact; of one that another system keeps, those that its row names."""
    if artifact.blob is None and not artifacts.can_read(artifact.codec):
        return ()
    return artifacts.blobs_of(artifact)


def artifact_of(row: Row) -> Artifact:
    """The record of a row of `every_artifact` or `stored`."""
    digest, kind, codec, size_bytes, blob, inline, meta = row
    return Artifact(
        digest=digest,
        kind=kind,
        codec=codec,
        size_bytes=size_bytes,
        blob=blob,
        inline=None if inline is None else bytes(inline),
        meta=msgspec.json.decode(meta),
    )


def _known(row: Row, artifacts: Artifacts) -> Known:
    digest, size_bytes, recorded_at, condemned_at, codec = row
    return Known(
        digest=digest,
        size_bytes=size_bytes,
        recorded_at=recorded_at,
        condemned_at=condemned_at,
        is_ours=codec == BODILESS or artifacts.can_read(codec),
    )
