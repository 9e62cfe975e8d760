"""The one transaction of a landing: snapshot, files, head, ref, cursor, event, lineage and the gate's verdict."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path

from treadle.ground.clock import Clock, from_micros, to_micros
from treadle.ground.digests import canonical_json
from treadle.ground.ids import NewId
from treadle.kernel.artifacts.records import Artifact
from treadle.kernel.catalog import ArtifactRows, Edge, LineageRows, Refs, Run, RunRows
from treadle.kernel.events import EventLog
from treadle.kernel.store import Reader, Transaction
from treadle.kernel.vocabulary.datasets import DataFile, Snapshot
from treadle.systems.collect.adopting import Adoption
from treadle.systems.collect.errors import DatasetProtected, LandingTakenOver
from treadle.systems.collect.plans import Merge, Part, Plan, content_after, layout_after
from treadle.systems.collect.ports import LandingGate, Settled
from treadle.systems.collect.records import QUARANTINE, Landing
from treadle.systems.collect.repository import (
    DatasetRow,
    file_values,
    find_dataset,
    find_snapshot,
    snapshot_values,
    sql,
    with_files,
)

KIND = "snapshot"

_EVENTS = {"restore": "dataset.restored", "compact": "dataset.compacted"}
"""The events of landings that bring no row. A merge does: whoever waits for the dataset to land is told of it."""


class Settling:
    """Writes what a landing makes. Every method takes the caller's transaction and touches nothing else."""

    def __init__(self, events: EventLog, refs: Refs, root: Path, clock: Clock, new_id: NewId) -> None:
        self._events, self._refs, self._root = events, refs, root
        self._clock, self._new_id = clock, new_id
        self._artifacts, self._lineage, self._runs = ArtifactRows(), LineageRows(), RunRows()
        self.gate: LandingGate | None = None

    def check_open(self, reader: Reader, project: str, dataset: str) -> None:
        """Raises DatasetProtected where the name that would follow the landing is protected.

        It is asked before anything is written: what is committed to the table comes to stand, whatever is said meanwhile.
        """
        row = find_dataset(reader, project, dataset, self._root)
        head = None if row is None else self._refs.find(reader, project, row.ref)
        if head is not None and head.protection is not None:
            raise DatasetProtected(
                f"Nothing lands in {dataset!r}.",
                why=f"{head.name} is protected, and a new snapshot can have neither evidence nor approvals before it is there.",
                fix=f"Land on a branch (treadle datasets branch {dataset} NAME), or take the protection away.",
                dataset=dataset,
            )

    def files_of(self, reader: Reader, project: str, snapshot: Snapshot | None) -> dict[str, DataFile]:
        """The files of a snapshot by path."""
        return {} if snapshot is None else {file.path: file for file in with_files(reader, project, snapshot).files}

    def add(
        self, tx: Transaction, project: str, landing: Landing, run: str, part: Part, delta_version: int, reason: str
    ) -> Snapshot:
        """The snapshot that a landing makes of one dataset, with its files, head and ref."""
        row = find_dataset(tx, project, part.dataset, self._root)
        assert row is not None
        parent = find_snapshot(tx, project, row.head_snapshot) if row.head_snapshot else None
        snapshot = self._snapshot(
            row,
            parent,
            part,
            content_id=_content(parent, part),
            delta_version=delta_version,
            landing=landing.id,
            run=run,
        )
        self._store(tx, project, row, snapshot, part.added, part.removed)
        for path, blobs in part.blobs.items():
            for blob, size in blobs.items():
                named = {"project": project, "dataset": row.dataset.name, "path": path, "blob": blob, "size": size}
                tx.execute(sql.name_blob, named)
        said = reason or f"landed {landing.id}"
        self._refs.move(tx, project, row.ref, snapshot.id, actor=landing.actor, reason=said, is_due=True)
        return snapshot

    def adopt(
        self, tx: Transaction, project: str, row: DatasetRow, adoptions: Sequence[Adoption], through: int
    ) -> list[Snapshot]:
        """Snapshots of what other engines committed; the table's log counts as read through a version."""
        made = []
        for adoption in adoptions:
            fresh = find_dataset(tx, project, row.dataset.name, self._root)
            assert fresh is not None
            parent = find_snapshot(tx, project, fresh.head_snapshot) if fresh.head_snapshot else None
            inherited = parent.content_id if parent is not None and adoption.content is None else None
            snapshot = self._snapshot(
                fresh,
                parent,
                Part(
                    dataset=fresh.dataset.name,
                    columns=list(adoption.columns),
                    added=list(adoption.added),
                    removed=list(adoption.removed),
                    moves_rows=inherited is not None,
                ),
                content_id=inherited or content_after(parent, adoption.content or ""),
                delta_version=adoption.delta_version,
                landing=None,
                run=None,
            )
            self._store(tx, project, fresh, snapshot, adoption.added, adoption.removed)
            actor = f"foreign:{adoption.operation.lower()}"
            name = row.dataset.name
            self._refs.move(tx, project, row.ref, snapshot.id, actor=actor, reason="adopted", is_due=True)
            body = {
                "snapshot": snapshot.id,
                "version": snapshot.version,
                "delta_version": adoption.delta_version,
                "operation": adoption.operation,
                "rows": snapshot.rows,
            }
            self._events.append(
                tx, project=project, kind="dataset.adopted", subject=f"dataset/{name}", actor=actor, body=body
            )
            made.append(snapshot)
        if not made and through > row.head_delta_version:
            tx.execute(sql.skip_log, {"project": project, "name": row.dataset.name, "delta_version": through})
        return made

    def run_of(self, tx: Transaction, project: str, landing: Landing, origin: Mapping[str, object]) -> str:
        """The run that asked for the landing, or one of the landing's own: lineage has a maker for every snapshot."""
        if landing.run is not None:
            return landing.run
        id, host, now = self._new_id("run"), landing.owner.split("|"), self._clock()
        run = Run(
            project=project, id=id, kind="landing", name=landing.dataset, path=landing.dataset, parent=None, root=id,
            status="done", attempt=1, epoch=1, key=None, key_parts=None, code_digest=None, bundle_digest=None,
            environment_digest=None, params={"landing": landing.id, "kind": landing.kind}, seed=None, now_at=None,
            actor=landing.actor, host=host[0], pid=int(host[1]), caused_by=None, reused_from=None,
            notes={"origin": dict(origin)} if origin else None, error=None, event_at=None, recorded_at=now,
            started_at=landing.started_at, ended_at=now, lease_owner=None, lease_until=None,
        )  # fmt: skip
        self._runs.insert(tx, run)
        return id

    def finish(
        self,
        tx: Transaction,
        project: str,
        landing: Landing,
        run: str,
        plan: Plan,
        source: str,
        made: Mapping[str, Snapshot],
    ) -> None:
        """Ends the landing: its row, cursor, lineage, event, and the gate's verdict."""
        main = made.get(landing.dataset)
        now = to_micros(self._clock())
        part = next((part for part in plan.parts if part.dataset == landing.dataset), None)
        values = {
            "project": project,
            "id": landing.id,
            "content": part.content if part else None,
            "snapshot": main.id if main else None,
            "version": main.version if main else None,
            "cursor_after": plan.cursor,
            "rows_in": plan.rows_in,
            "rows_kept": plan.rows_kept,
            "rows_refused": plan.rows_refused,
            "bytes": sum(file.size for p in plan.parts for file in p.added),
            "refused_by": canonical_json(plan.refused_by).decode(),
            "origin": canonical_json(plan.origin).decode(),
            "run": run,
            "ended_at": now,
        }
        if tx.execute(sql.commit_landing, values) != 1:
            raise LandingTakenOver(f"The landing {landing.id} was settled by another process.")
        if plan.cursor is not None:
            cursor = {"dataset": landing.dataset, "source": source, "cursor": plan.cursor, "landing": landing.id}
            tx.execute(sql.move_cursor, {"project": project, **cursor, "updated_at": now})
        if plan.merge is not None and main is not None:
            self._take_over(tx, project, landing, plan.merge, main, now)
        for snapshot in made.values():
            self._trace(tx, project, run, snapshot, now)
        if landing.run is None:  # a run that asked for the landing has named its inputs itself
            uses = [
                Edge(run=run, direction="in", role=one.role, digest=one.digest, producer=one.producer)
                for one in plan.inputs
            ]
            self._lineage.record(tx, project, uses)
        self._announce(tx, project, landing, plan, made)
        if self.gate is not None:
            self.gate.record(tx, self._settled(project, landing, plan, run, made), plan.verdict)

    def _snapshot(
        self,
        row: DatasetRow,
        parent: Snapshot | None,
        part: Part,
        *,
        content_id: str,
        delta_version: int,
        landing: str | None,
        run: str | None,
    ) -> Snapshot:
        added, removed = part.added, part.removed
        rows = (parent.rows if parent else 0) + sum(f.rows for f in added) - sum(f.rows for f in removed)
        size = (parent.bytes if parent else 0) + sum(f.size for f in added) - sum(f.size for f in removed)
        return Snapshot(
            id=self._new_id("snap"),
            dataset=row.dataset.name,
            version=row.head_version + 1,
            delta_version=delta_version,
            parent=parent.id if parent else None,
            landing=landing,
            content_id=content_id,
            layout_digest=layout_after(parent, added, removed, part.columns),
            columns=tuple(part.columns),
            rows=rows,
            bytes=size,
            run=run,
            recorded_at=self._clock(),
            origin=parent.origin if part.moves_rows and parent else part.origin,
            event_from_at=_moment(part.event_from_at),
            event_to_at=_moment(part.event_to_at),
        )

    def _store(
        self,
        tx: Transaction,
        project: str,
        row: DatasetRow,
        snapshot: Snapshot,
        added: Sequence[DataFile],
        removed: Sequence[DataFile],
    ) -> None:
        name = row.dataset.name
        tx.execute(sql.insert_snapshot, snapshot_values(project, snapshot))
        gone = file_values(project, name, snapshot.version, removed)
        if row.base is not None:
            for values in gone:
                if tx.execute(sql.remove_file, values) == 0:  # it is the base's
                    tx.execute(sql.take_away_file, values)
        elif gone:
            tx.execute_many(sql.remove_file, gone)
        if added:
            tx.execute_many(sql.insert_file, file_values(project, name, snapshot.version, added, row.depth))
        head = {"version": snapshot.version, "snapshot": snapshot.id, "delta_version": snapshot.delta_version}
        if tx.execute(sql.move_head, {"project": project, "name": name, **head}) != 1:
            raise LandingTakenOver(f"The dataset {name!r} has moved on while a landing was settled.")

    def _take_over(
        self, tx: Transaction, project: str, landing: Landing, merge: Merge, main: Snapshot, now: int
    ) -> None:
        """A branch's landings become main's, and main's sources stand where the branch's stood."""
        moved = {"project": project, "main": main.dataset, "name": merge.branch}
        tx.execute(sql.take_landings, moved | {"snapshot": main.id, "version": main.version})
        for source, (cursor, by) in merge.cursors.items():
            values = {"project": project, "dataset": main.dataset, "source": source, "cursor": cursor, "landing": by}
            tx.execute(sql.move_cursor, values | {"updated_at": now})
        body = {"branch": merge.branch, "snapshot": main.id, "version": main.version}
        subject = f"dataset/{main.dataset}"
        self._events.append(tx, project=project, kind="dataset.merged", subject=subject, actor=landing.actor, body=body)

    def _trace(self, tx: Transaction, project: str, run: str, snapshot: Snapshot, now: int) -> None:
        inline = canonical_json({"snapshot": snapshot.id, "dataset": snapshot.dataset, "version": snapshot.version})
        artifact = Artifact(
            digest=snapshot.content_id,
            kind=KIND,
            codec=KIND,
            size_bytes=snapshot.bytes,
            inline=inline,
            meta={"dataset": snapshot.dataset, "rows": snapshot.rows, "version": snapshot.version},
        )
        self._artifacts.record_one(tx, project, artifact, now)
        role = f"{snapshot.dataset}{':' if '@' in snapshot.dataset else '@'}{snapshot.version}"
        edge = Edge(run=run, direction="out", role=role, digest=snapshot.content_id, producer=run)
        self._lineage.record(tx, project, [edge])

    def _announce(
        self, tx: Transaction, project: str, landing: Landing, plan: Plan, made: Mapping[str, Snapshot]
    ) -> None:
        main = made.get(landing.dataset)
        aside = made.get(landing.dataset + QUARANTINE)
        body = {
            "landing": landing.id,
            "kind": landing.kind,
            "snapshot": main.id if main else None,
            "version": main.version if main else None,
            "content_id": main.content_id if main else None,
            "quarantine": aside.id if aside else None,
            "rows_in": plan.rows_in,
            "rows_kept": plan.rows_kept,
            "rows_refused": plan.rows_refused,
        }
        kind = _EVENTS.get(landing.kind, "dataset.landed")
        event_at = main.event_to_at if main else None
        self._events.append(
            tx,
            project=project,
            kind=kind,
            subject=f"dataset/{landing.dataset}",
            actor=landing.actor,
            body=body,
            event_at=event_at,
        )

    def _settled(self, project: str, landing: Landing, plan: Plan, run: str, made: Mapping[str, Snapshot]) -> Settled:
        return Settled(
            project=project,
            landing=landing.id,
            kind=landing.kind,
            dataset=landing.dataset,
            actor=landing.actor,
            run=run,
            snapshot=made.get(landing.dataset),
            quarantine=made.get(landing.dataset + QUARANTINE),
            rows_kept=plan.rows_kept,
            rows_refused=plan.rows_refused,
            refused_by=plan.refused_by,
        )


def _content(parent: Snapshot | None, part: Part) -> str:
    if part.moves_rows and parent is not None:
        return parent.content_id
    return part.content_id or content_after(parent, part.content or "")


def _moment(micros: int | None) -> datetime | None:
    return None if micros is None else from_micros(micros)
