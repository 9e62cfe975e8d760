"""The verbs of branches: make, list, merge into main, delete."""

from __future__ import annotations

import re
from collections.abc import Callable

from treadle.ground.ids import NewId
from treadle.kernel.governance import Caller, verb
from treadle.kernel.store import Reader, Transaction
from treadle.kernel.vocabulary.datasets import Snapshot
from treadle.systems.collect import repository as rows_of
from treadle.systems.collect.branching import merging
from treadle.systems.collect.branching.records import BranchInfo, MakeBranch, MergeBranch, Merged, NamedBranch
from treadle.systems.collect.errors import BranchInUse, DatasetNameRefused, MergeConflict
from treadle.systems.collect.intents import intents
from treadle.systems.collect.landing import Order
from treadle.systems.collect.lookup import moment_of
from treadle.systems.collect.plans import Merge, Plan
from treadle.systems.collect.records import MAIN, QUARANTINE, NamedDataset
from treadle.systems.collect.repository import DatasetRow, sql
from treadle.systems.collect.workings import Workings

_BRANCH = re.compile(r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,99}$")
_SHOWN = 3


class Branches:
    """See the package. `flights@fix` lands and is read like a dataset; these verbs are about its beginning and its end."""

    def __init__(self, workings: Workings, new_id: NewId) -> None:
        self._own, self._lookup, self._new_id = workings, workings.lookup, new_id

    @verb("datasets.branch", permission="dataset.write", event="dataset.branched")
    def make(self, caller: Caller, request: MakeBranch) -> BranchInfo:
        """A branch that begins at a snapshot; one of that name stays as it is. Copies nothing."""
        row = self._lookup.get(caller.project, request.name)
        name = f"{request.name}@{request.branch}"
        if self._lookup.find(caller.project, name) is None:
            self._check_name(caller.project, row, request.branch)
            base = self._lookup.snapshot(caller.project, request.name, request.at)
            reason = request.reason or f"a branch from {base.dataset} version {base.version}"
            self._own.store.write(lambda tx: self._begin(tx, caller, row, request.branch, base, reason))
        return self._info(caller.project, self._lookup.get(caller.project, name))

    @verb("datasets.branches", permission="dataset.read")
    def list(self, caller: Caller, request: NamedDataset) -> list[BranchInfo]:
        """Every branch of a dataset by name, with how far it and main have come since it was made."""
        self._lookup.get(caller.project, request.name)
        with self._own.store.read() as reader:
            found = rows_of.list_branches(reader, caller.project, request.name, self._own.root)
        return [self._info(caller.project, row) for row in found]

    @verb("datasets.merge", permission="dataset.write", event="dataset.merged")
    def merge(self, caller: Caller, request: MergeBranch) -> Merged:
        """Brings a branch's rows to main, as one snapshot. Fast-forward, or on top of what main has landed since.

        The branch's landings become landings of main. Raises MergeConflict, before anything has changed, where main has
        replaced files that the branch took away, where both have landed the same batch or read on in the same source, and
        where a column has two types.
        """
        project = caller.project
        branch = self._lookup.get(project, f"{request.name}@{request.branch}")
        head = self._lookup.snapshot(project, branch.dataset.name)
        base = self._below(project, head)
        merged = Merged(how="nothing", version=base.version, snapshot=base.id, rows_added=0, rows_removed=0, landings=0)
        if head.dataset == branch.dataset.name:
            merged = self._land(caller, request, base, head)
        self._go_on(caller, branch, request, merged)
        return merged

    @verb("datasets.delete_branch", permission="dataset.write", event="ref.deleted")
    def delete(self, caller: Caller, request: NamedBranch) -> None:
        """Takes a branch away. Its snapshots stay for as long as a tag or a run holds them, then clean-up takes them.

        Rows that were refused on it stay in its quarantine. Raises BranchInUse while something is landing on it.
        """
        branch = self._lookup.get(caller.project, f"{request.name}@{request.branch}")
        self._own.landings.recover(caller.project, branch.dataset.name)
        reason = request.reason or "deleted"
        self._own.store.write(lambda tx: self._end(tx, caller, branch, reason))

    def _land(self, caller: Caller, request: MergeBranch, base: Snapshot, head: Snapshot) -> Merged:
        project = caller.project

        def write(landing: str, heartbeat: Callable[[], None]) -> Plan:
            return self._plan(project, request, base, head)

        order = Order(
            project=project,
            actor=caller.actor,
            dataset=request.name,
            kind="merge",
            source=f"branch {request.branch}",
            cursor=None,
            key=f"merge:{head.id}",
            run=None,
            origin={"branch": request.branch, "head": head.id},
        )
        landing = self._own.landings.land_again(order, write)
        made = self._lookup.snapshot(project, request.name, landing.snapshot)
        return Merged(
            how="fast-forward" if made.parent == base.id else "replayed",
            version=made.version,
            snapshot=made.id,
            rows_added=landing.rows_kept,
            rows_removed=int(landing.source.get("rows_removed", 0)),
            landings=int(landing.source.get("landings", 0)),
        )

    def _plan(self, project: str, request: MergeBranch, base: Snapshot, head: Snapshot) -> Plan:
        self._own.landings.adopt(project, request.name)
        main = self._lookup.snapshot(project, request.name)
        part = merging.part_of(self._lookup.snapshot(project, request.name, base.id), main, head)
        with self._own.store.read() as reader:
            both = {"project": project, "main": request.name, "name": head.dataset}
            twice = [key for (key,) in reader.all(sql.batches_of_both, both)]
            unkeyed = [
                source for (source,) in reader.all(sql.unkeyed_sources, {"project": project, "dataset": head.dataset})
            ]
            was, now, then = (rows_of.cursors_at(reader, project, one) for one in (base, main, head))
            landings = len([one for one in rows_of.landings_of(reader, project, head.dataset) if one.snapshot])
        if twice:
            shown = ", ".join(twice[:_SHOWN]) + (", …" if len(twice) > _SHOWN else "")
            raise MergeConflict(
                f"Main and the branch have both landed {len(twice)} batches: {shown}.",
                why="Their rows would be there twice.",
                fix="Make a branch of main as it is now, and land there what is missing.",
            )
        cursors = merging.cursors_after(was, now, then, unkeyed)
        rows, gone = sum(file.rows for file in part.added), sum(file.rows for file in part.removed)
        return Plan(
            parts=[part],
            rows_in=rows,
            rows_kept=rows,
            merge=Merge(branch=head.dataset, cursors=cursors),
            origin={"branch": request.branch, "head": head.id, "rows_removed": gone, "landings": landings},
            reason=request.reason or f"merged {request.branch}",
        )

    def _go_on(self, caller: Caller, branch: DatasetRow, request: MergeBranch, merged: Merged) -> None:
        """Ends the branch, or lets it begin anew where main is now. A branch that landed meanwhile stays as it is."""
        main = self._lookup.snapshot(caller.project, request.name, merged.snapshot)

        def work(tx: Transaction) -> None:
            now = rows_of.find_dataset(tx, caller.project, branch.dataset.name, self._own.root)
            if now is None or now.head_snapshot != branch.head_snapshot:
                return
            self._end(tx, caller, now, f"merged as version {merged.version}")
            if not request.delete:
                row = rows_of.find_dataset(tx, caller.project, request.name, self._own.root)
                assert row is not None
                self._begin(tx, caller, row, request.branch, main, f"goes on from version {merged.version}")

        if merged.how != "nothing" or request.delete:
            self._own.store.write(work)

    def _begin(
        self, tx: Transaction, caller: Caller, row: DatasetRow, branch: str, base: Snapshot, reason: str
    ) -> None:
        rows_of.hold(tx, caller.project, base.id)
        if self._own.creating.branch(tx, caller, row, branch, base):
            name = f"dataset/{row.dataset.name}@{branch}"
            self._own.refs.move(tx, caller.project, name, base.id, actor=caller.actor, reason=reason)

    def _end(self, tx: Transaction, caller: Caller, row: DatasetRow, reason: str) -> None:
        """The branch's snapshots go on under a name that nobody can type; its own name is free."""
        project, name = caller.project, row.dataset.name
        dropped = f"{name}~{self._new_id('gone')}"
        values = {"project": project, "name": name, "dropped": dropped}
        if intents(tx, project, name) or tx.execute(sql.rename_dataset, values) != 1:
            raise BranchInUse(
                f"Something is landing on the branch {name!r} now.", fix="Wait until it has landed, then try again."
            )
        for statement in (sql.rename_snapshots, sql.rename_files, sql.rename_landings):
            tx.execute(statement, values)
        tx.execute(sql.delete_cursors, {"project": project, "name": name})
        self._own.refs.delete(tx, project, row.ref, actor=caller.actor, reason=reason)

    def _below(self, project: str, head: Snapshot) -> Snapshot:
        """The newest snapshot of main that is below a branch's."""
        with self._own.store.read() as reader:
            return [head, *rows_of.bases_of(reader, project, head)][-1]

    def _info(self, project: str, row: DatasetRow) -> BranchInfo:
        with self._own.store.read() as reader:
            base, head = (self._found(reader, project, id) for id in (row.base, row.head_snapshot))
            below = [base, *rows_of.bases_of(reader, project, base)][-1]
            main = rows_of.find_dataset(reader, project, str(row.dataset.branch_of), self._own.root)
        return BranchInfo(
            branch=row.dataset.name.partition("@")[2],
            dataset=row.dataset.name,
            base=base.id,
            base_version=below.version,
            head=head.id,
            ahead=row.head_version,
            behind=(main.head_version if main else below.version) - below.version,
            rows=head.rows,
            updated_at=head.recorded_at,
        )

    @staticmethod
    def _found(reader: Reader, project: str, id: str | None) -> Snapshot:
        found = rows_of.find_snapshot(reader, project, id or "")
        assert found is not None
        return found

    def _check_name(self, project: str, row: DatasetRow, branch: str) -> None:
        why = ""
        if row.dataset.branch_of is not None:
            why = f"{row.dataset.name} is a branch: name the dataset, and the branch as the place to begin at."
        elif not _BRANCH.match(branch) or branch.endswith(QUARANTINE):
            why = "A branch has letters, digits, '_', '.' and '-', and at most 100 of them."
        elif branch == MAIN or branch.isdecimal() or moment_of(branch) is not None or branch.startswith("snap_"):
            why = "It reads as main, a version, a time or a snapshot's id."
        else:
            with self._own.store.read() as reader:
                if self._own.refs.find(reader, project, f"dataset/{row.dataset.name}@{branch}") is not None:
                    why = "There is a tag of that name."
        if why:
            raise DatasetNameRefused(f"{branch!r} cannot be a branch of {row.dataset.name!r}.", why=why)
