"""Tags: names that people give to snapshots. A tag keeps its snapshot's files for as long as it stands."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime

from treadle.ground.errors import did_you_mean
from treadle.kernel.catalog import Refs
from treadle.kernel.governance import Caller, verb
from treadle.kernel.store import Store, Transaction
from treadle.kernel.vocabulary.datasets import Snapshot
from treadle.systems.collect import repository as rows_of
from treadle.systems.collect.errors import DatasetNameRefused, TagNotFound
from treadle.systems.collect.lookup import Lookup, moment_of
from treadle.systems.collect.records import MAIN, NamedDataset, TagSnapshot, UntagSnapshot

_TAG = re.compile(r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,99}$")


@dataclass(frozen=True, slots=True, kw_only=True)
class Tag:
    """A name of a snapshot; `reason` is that of its last move."""

    tag: str
    snapshot: str
    version: int
    rows: int
    actor: str
    reason: str
    moved_at: datetime


class Tags:
    """The verbs of tags."""

    def __init__(self, store: Store, refs: Refs, lookup: Lookup) -> None:
        self._store, self._refs, self._lookup = store, refs, lookup

    @verb("datasets.tag", permission="dataset.write", event="ref.moved")
    def tag(self, caller: Caller, request: TagSnapshot) -> Snapshot:
        """Gives a snapshot a name; a name that is taken moves, and its history stays."""
        self._check(caller.project, request.name, request.tag)
        snapshot = self._lookup.snapshot(caller.project, request.name, request.at)
        name = f"dataset/{request.name}@{request.tag}"
        reason = request.reason or f"tagged version {snapshot.version}"

        def work(tx: Transaction) -> None:
            rows_of.hold(tx, caller.project, snapshot.id)
            self._refs.move(tx, caller.project, name, snapshot.id, actor=caller.actor, reason=reason)

        self._store.write(work)
        return snapshot

    @verb("datasets.untag", permission="dataset.write", event="ref.deleted")
    def untag(self, caller: Caller, request: UntagSnapshot) -> None:
        """Takes a tag away; its history stays, and clean-up may take the snapshot's files from now on."""
        project = caller.project
        known = [one.tag for one in self.list(caller, NamedDataset(name=request.name))]
        if request.tag not in known:
            raise TagNotFound(
                f"{request.name} has no tag {request.tag!r}.",
                why=did_you_mean(request.tag, known),
                fix=f"List them with: treadle datasets tags {request.name}",
            )
        name = f"dataset/{request.name}@{request.tag}"
        reason = request.reason or "untagged"
        self._store.write(lambda tx: self._refs.delete(tx, project, name, actor=caller.actor, reason=reason))

    @verb("datasets.tags", permission="dataset.read")
    def list(self, caller: Caller, request: NamedDataset) -> list[Tag]:
        """Every tag of a dataset, by name, with who gave it and why."""
        project, prefix = caller.project, f"dataset/{request.name}@"
        self._lookup.get(project, request.name)
        found = []
        with self._store.read() as reader:
            for ref in self._refs.list(reader, project, prefix):
                tag = ref.name.removeprefix(prefix)
                snapshot = rows_of.find_snapshot(reader, project, ref.target)
                if tag == MAIN or snapshot is None or self._is_branch(project, request.name, tag):
                    continue
                move = self._refs.history(reader, project, ref.name)[-1]
                found.append(
                    Tag(
                        tag=tag,
                        snapshot=snapshot.id,
                        version=snapshot.version,
                        rows=snapshot.rows,
                        actor=move.actor,
                        reason=move.reason,
                        moved_at=move.recorded_at,
                    )
                )
        return found

    def _check(self, project: str, dataset: str, tag: str) -> None:
        why = ""
        if not _TAG.match(tag):
            why = "A tag has letters, digits, '_', '.' and '-', and at most 100 of them."
        elif tag.isdecimal() or moment_of(tag) is not None or tag.startswith("snap_"):
            why = "It reads as a version, a time or a snapshot's id."
        elif tag == MAIN or self._is_branch(project, dataset, tag):
            why = "It is the name of a branch."
        if why:
            raise DatasetNameRefused(f"{tag!r} cannot be a tag.", why=why)

    def _is_branch(self, project: str, dataset: str, name: str) -> bool:
        return self._lookup.find(project, f"{dataset}@{name}") is not None
