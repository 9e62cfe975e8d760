"""The verbs of storage: clean up what nothing needs, and examine whether all is sound."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from treadle.ground.clock import Clock, to_micros
from treadle.kernel.artifacts.blobs import BlobStore
from treadle.kernel.events import EventLog
from treadle.kernel.governance import Caller, verb
from treadle.kernel.store import Reader, Statements, Store, Transaction
from treadle.systems.infra.ports import Examiner, Roots
from treadle.systems.infra.records import Check, CleanUp, Examination

sql = Statements(__package__)

GRACE = timedelta(hours=24)
"""Between condemning and deleting: longer than any lease, so that whoever held a digest has come back for it."""
_LOW_DISK_BYTES = 1 << 30


@dataclass(frozen=True, slots=True, kw_only=True)
class CleanUpStorage:
    """`retention_days`: how long the intermediates of ended runs are kept. A dry run changes nothing."""

    retention_days: int = 30
    is_dry_run: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class ExamineStorage:
    """`deep` reads every stored byte again and compares it with its digest."""

    deep: bool = False


@dataclass(frozen=True, slots=True)
class _Known:
    """An artifact as clean-up sees it; times in microseconds."""

    digest: str
    size_bytes: int
    recorded_at: int
    condemned_at: int | None


class Storage:
    """Clean-up and examination of one store and its blobs."""

    def __init__(
        self,
        store: Store,
        blobs: BlobStore,
        events: EventLog,
        clock: Clock,
        *,
        home: Path,
        roots: Sequence[Roots] = (),
        examiners: Sequence[Examiner] = (),
    ) -> None:
        self._store, self._blobs, self._events, self._clock = store, blobs, events, clock
        self._home, self._roots, self._examiners = home, roots, examiners

    @verb("storage.clean", permission="storage.write", event="storage.cleaned")
    def clean(self, caller: Caller, request: CleanUpStorage) -> CleanUp:
        """What nothing needs is condemned, and what was condemned a grace ago is deleted, unless it was revived.

        Needed are: refs, registered models with code and environment, deployed revisions, publications, checkpoints of
        unfinished runs, and all that runs within the retention used or made.
        """
        now = self._clock()
        since = to_micros(now - timedelta(days=request.retention_days))
        before = to_micros(now - GRACE)
        if request.is_dry_run:
            with self._store.read() as reader:
                needed = self._needed(reader, caller.project, since)
                known = _known(reader, caller.project)
                doomed = {row[0]: row[2] for row in reader.all(sql.doomed, _of(caller, before=before))}
        else:
            needed, known = self._store.write(lambda tx: self._condemn(tx, caller, since, to_micros(now)))
            doomed = self._store.write(lambda tx: self._delete(tx, caller, before), durable=True)
        orphans = self._sweep_orphans(request.is_dry_run)
        condemned = [one for one in known if _is_condemnable(one, needed, since)]
        answer = CleanUp(
            is_dry_run=request.is_dry_run,
            artifacts=len(known),
            artifact_bytes=sum(one.size_bytes for one in known),
            kept=sum(one.digest in needed for one in known),
            condemned=len(condemned),
            condemned_bytes=sum(one.size_bytes for one in condemned),
            deleted=len(doomed),
            deleted_bytes=sum(doomed.values()),
            orphans=len(orphans),
            orphan_bytes=sum(orphans.values()),
        )
        if not request.is_dry_run:
            self._record(caller, answer)
        return answer

    @verb("storage.examine", permission="storage.read")
    def examine(self, caller: Caller, request: ExamineStorage) -> Examination:
        """Looks at the store, the bytes, the event chain, the disk, and what the systems keep."""
        checks = [self._check_chain(caller.project), self._check_bytes(caller.project, request.deep)]
        checks += [self._check_leases(caller.project), self._check_disk()]
        for examiner in self._examiners:
            checks += list(examiner.examine(caller.project))
        return Examination(checks=checks)

    def _needed(self, reader: Reader, project: str, since: int) -> set[str]:
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
        for roots in self._roots:
            needed.update(roots.needed(reader, project))
        return needed

    def _condemn(self, tx: Transaction, caller: Caller, since: int, now: int) -> tuple[set[str], list[_Known]]:
        needed = self._needed(tx, caller.project, since)
        known = _known(tx, caller.project)
        fresh = [one for one in known if one.condemned_at is None and _is_condemnable(one, needed, since)]
        if fresh:
            tx.execute_many(sql.condemn, [_of(caller, digest=one.digest, at=now) for one in fresh])
        revived = [one for one in known if one.condemned_at is not None and one.digest in needed]
        if revived:
            tx.execute_many(sql.reprieve, [_of(caller, digest=one.digest) for one in revived])
        return needed, known

    def _delete(self, tx: Transaction, caller: Caller, before: int) -> dict[str, int]:
        doomed = tx.all(sql.doomed, _of(caller, before=before))
        for digest, _, _ in doomed:
            tx.execute(sql.delete_artifact, _of(caller, digest=digest, before=before))
        return {digest: size for digest, _, size in doomed}

    def _sweep_orphans(self, is_dry_run: bool) -> dict[str, int]:
        """Blobs that no artifact of any project names, and that nobody has put within the grace."""
        before = self._clock() - GRACE
        with self._store.read() as reader:
            used = {row[0] for row in reader.each(sql.blobs_in_use)}
        orphans = {
            blob.digest: blob.size_bytes
            for blob in self._blobs.list()
            if blob.digest not in used and blob.stored_at < before
        }
        if not is_dry_run:
            self._blobs.sweep(before)
            for digest in orphans:
                with self._store.read() as reader:
                    is_free = reader.find(sql.blob_in_use, {"blob": digest}) is None
                if is_free:
                    self._blobs.delete(digest)
        return orphans

    def _record(self, caller: Caller, answer: CleanUp) -> None:
        body = {
            "condemned": answer.condemned,
            "deleted": answer.deleted,
            "deleted_bytes": answer.deleted_bytes,
            "orphans": answer.orphans,
        }
        self._store.write(
            lambda tx: self._events.append(
                tx, project=caller.project, kind="storage.cleaned", subject="storage", actor=caller.actor, body=body
            )
        )

    def _check_chain(self, project: str) -> Check:
        checked = self._events.verify(project)
        if checked.broken is None:
            return Check(name="event chain", verdict="ok", found=f"{checked.count} events, every link holds")
        return Check(
            name="event chain",
            verdict="failed",
            found=f"broken at position {checked.broken.position}: {checked.broken.problem}",
            fix="Compare with an export made earlier (treadle audit export) to see what was changed.",
        )

    def _check_bytes(self, project: str, deep: bool) -> Check:
        missing, corrupt, seen = [], [], 0
        with self._store.read() as reader:
            blobs = [(digest, blob) for digest, blob, *_ in reader.each(sql.stored, {"project": project}) if blob]
        for digest, blob in blobs:
            seen += 1
            if not self._blobs.has(blob):
                missing.append(digest)
            elif deep and self._blobs.verify(blob) is not None:
                corrupt.append(digest)
        if missing or corrupt:
            worst = (corrupt or missing)[0]
            return Check(
                name="stored bytes",
                verdict="failed",
                found=f"{len(missing)} artifacts have lost their bytes, {len(corrupt)} are damaged; first: {worst}",
                fix="Run the pipelines that make them again: a hit whose bytes are gone is a miss. treadle why shows which.",
            )
        how = "read and compared" if deep else "there (use --deep to read them all)"
        return Check(name="stored bytes", verdict="ok", found=f"{seen} blobs, all {how}")

    def _check_leases(self, project: str) -> Check:
        with self._store.read() as reader:
            expired = reader.all(sql.expired_leases, {"project": project, "at": to_micros(self._clock())})
        if expired:
            return Check(
                name="interrupted runs",
                verdict="warning",
                found=f"{len(expired)} runs have lost their driver; the first is {expired[0][0]}",
                fix=f"Go on with: treadle resume {expired[0][0]}",
            )
        return Check(name="interrupted runs", verdict="ok", found="none")

    def _check_disk(self) -> Check:
        usage = shutil.disk_usage(self._home)
        free = f"{usage.free / 1e9:.1f} GB free of {usage.total / 1e9:.1f} GB"
        if usage.free < _LOW_DISK_BYTES:
            return Check(name="disk", verdict="warning", found=free, fix="See what could go with: treadle gc --dry-run")
        return Check(name="disk", verdict="ok", found=free)


def _known(reader: Reader, project: str) -> list[_Known]:
    return [_Known(*row) for row in reader.each(sql.artifacts, {"project": project})]


def _is_condemnable(one: _Known, needed: set[str], since: int) -> bool:
    """Whether an artifact goes: nothing needs it, and it is older than the retention."""
    return one.digest not in needed and one.recorded_at < since


def _of(caller: Caller, **values: object) -> dict[str, object]:
    return {"project": caller.project, **values}
