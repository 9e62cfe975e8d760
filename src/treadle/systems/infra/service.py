"""The verbs of storage: clean up what nothing needs, and examine whether all is sound."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from treadle.ground.clock import Clock, to_micros
from treadle.kernel.artifacts.service import Artifacts
from treadle.kernel.events import EventLog
from treadle.kernel.governance import Caller, verb
from treadle.kernel.store import Store, Transaction
from treadle.kernel.vocabulary.datasets import TableCleanUp
from treadle.systems.infra import cleaning, examining
from treadle.systems.infra.cleaning import Known, Orphans, Sorted
from treadle.systems.infra.ports import BlobUsers, DataFiles, Holdings, Leftovers, Roots
from treadle.systems.infra.records import CleanUp, Examination

GRACE = timedelta(hours=24)
"""Between condemning and deleting: longer than any lease, so that whoever held a digest has come back for it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CleanUpStorage:
    """`retention_days`: how long the intermediates of ended runs are kept. A dry run changes nothing."""

    retention_days: int = 30
    is_dry_run: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class ExamineStorage:
    """`deep` reads every stored byte again and compares it with its digest."""

    deep: bool = False


class Storage:
    """Clean-up and examination of one store and its blobs."""

    def __init__(
        self,
        store: Store,
        artifacts: Artifacts,
        events: EventLog,
        clock: Clock,
        *,
        home: Path,
        roots: Sequence[Roots] = (),
        users: Sequence[BlobUsers] = (),
        leftovers: Sequence[Leftovers] = (),
        tables: Sequence[DataFiles] = (),
        holdings: Sequence[Holdings] = (),
    ) -> None:
        self._store, self._artifacts, self._events, self._clock = store, artifacts, events, clock
        self._home, self._roots, self._tables = home, roots, tables
        self._users, self._leftovers, self._holdings = users, leftovers, holdings

    @verb("storage.clean", permission="storage.write", event="storage.cleaned")
    def clean(self, caller: Caller, request: CleanUpStorage) -> CleanUp:
        """What nothing needs is condemned, and what was condemned a grace ago is deleted, unless it was revived.

        Needed are: refs, registered models with code and environment, deployed revisions, publications, unfinished runs,
        and all that runs within the retention used or made. Killed in the middle, the next clean-up does the rest.
        """
        now = self._clock()
        since = to_micros(now - timedelta(days=request.retention_days))
        before = now - GRACE
        if request.is_dry_run:
            with self._store.read() as reader:
                found = cleaning.sort_out(
                    reader, caller.project, self._artifacts, self._roots, since=since, before=to_micros(before)
                )
            tables = self._clean_tables(caller.project, found, since, before, is_dry_run=True)
            orphans = cleaning.find_orphans(self._store, self._artifacts, self._users, before)
            return _answer(found, orphans, orphans.sizes, tables, is_dry_run=True)
        found = self._store.write(lambda tx: self._clean_rows(tx, caller, since, now), durable=True)
        tables = self._clean_tables(caller.project, found, since, before, is_dry_run=False)
        orphans = cleaning.find_orphans(self._store, self._artifacts, self._users, before)
        gone = cleaning.sweep(self._store, self._artifacts, self._users, orphans, before)
        for each in self._leftovers:
            each.sweep(before)
        if gone:
            self._store.write(lambda tx: self._record_sweep(tx, caller, gone))
        return _answer(found, orphans, gone, tables, is_dry_run=False)

    @verb("storage.examine", permission="storage.read")
    def examine(self, caller: Caller, request: ExamineStorage) -> Examination:
        """Looks at the store, the event chain, the names, the bytes, the disk, and what the systems keep."""
        store, project = self._store, caller.project
        checks = [
            examining.check_store(store),
            examining.check_chain(self._events, project),
            examining.check_refs(store, project),
            examining.check_bytes(store, self._artifacts, project, deep=request.deep),
            examining.check_files(store, self._artifacts.blobs, self._users, project, deep=request.deep),
            examining.check_leases(store, project, to_micros(self._clock())),
            examining.check_disk(self._home),
        ]
        checks += [examining.check_tables(table, project, deep=request.deep) for table in self._tables]
        return Examination(checks=checks)

    def _clean_tables(
        self, project: str, found: Sorted, since: int, before: datetime, *, is_dry_run: bool
    ) -> list[TableCleanUp]:
        return [
            table
            for each in self._holdings
            for table in each.clean(project, found.needed, since=since, before=to_micros(before), is_dry_run=is_dry_run)
        ]

    def _clean_rows(self, tx: Transaction, caller: Caller, since: int, now: datetime) -> Sorted:
        """Roots, condemnations, deletions and the event in one transaction."""
        before = to_micros(now - GRACE)
        found = cleaning.sort_out(tx, caller.project, self._artifacts, self._roots, since=since, before=before)
        cleaning.apply(tx, caller.project, found, at=to_micros(now), before=before)
        body = {
            "condemned": sum(one.condemned_at is None for one in found.condemned),
            "revived": len(found.revived),
            "deleted": len(found.deleted),
            "deleted_bytes": _bytes(found.deleted),
        }
        self._events.append(
            tx, project=caller.project, kind="storage.cleaned", subject="storage", actor=caller.actor, body=body
        )
        return found

    def _record_sweep(self, tx: Transaction, caller: Caller, gone: dict[str, int]) -> None:
        body = {"blobs": len(gone), "bytes": sum(gone.values())}
        self._events.append(
            tx, project=caller.project, kind="storage.swept", subject="storage", actor=caller.actor, body=body
        )


def _answer(
    found: Sorted, orphans: Orphans, gone: dict[str, int], tables: Sequence[TableCleanUp], *, is_dry_run: bool
) -> CleanUp:
    return CleanUp(
        is_dry_run=is_dry_run,
        artifacts=len(found.known),
        artifact_bytes=_bytes(found.known),
        kept=len(found.kept),
        condemned=len(found.condemned),
        condemned_bytes=_bytes(found.condemned),
        deleted=len(found.deleted),
        deleted_bytes=_bytes(found.deleted),
        orphans=len(gone),
        orphan_bytes=sum(gone.values()),
        unreadable=orphans.unreadable,
        tables=tables,
    )


def _bytes(artifacts: Sequence[Known]) -> int:
    return sum(one.size_bytes for one in artifacts if one.is_ours)
