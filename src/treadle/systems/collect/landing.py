"""The landing: intent, data files, plan, the table's commit, and one transaction in which all of it comes to stand.

    intent      a row says that something is coming                        a crash here: abandoned, files deleted
    written     data files are on the disk, hashed                          a crash here: abandoned, files deleted
    planned     the intent's row holds the plan                             from here on: finished by whoever finds it
    committed   the table's log holds the landing, exactly once
    settled     snapshot, files, cursor, ref, event, lineage, verdict: one transaction

One landing of a dataset commits at a time (its *turn*), so snapshots are numbered in the order of the table's log; what
another engine has committed in between is adopted as a snapshot of its own. `at` is called with the name of each point,
so that a test can end the process there.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from treadle.ground.clock import Clock, to_micros
from treadle.ground.digests import canonical_json
from treadle.ground.errors import Corrupt
from treadle.ground.ids import NewId
from treadle.kernel.store import Store, Transaction, UniqueViolation
from treadle.kernel.vocabulary.datasets import Dataset, Snapshot
from treadle.systems.collect import plans
from treadle.systems.collect.adopting import Adoption, adoption_of
from treadle.systems.collect.data_files import BRANCHES, DATA
from treadle.systems.collect.delta_table import Table
from treadle.systems.collect.errors import LandingBusy, LandingOvertaken, LandingTakenOver
from treadle.systems.collect.intents import Intent, intents
from treadle.systems.collect.leases import LEASE_S, is_gone, owner
from treadle.systems.collect.plans import Part, Plan
from treadle.systems.collect.records import QUARANTINE, Landing
from treadle.systems.collect.repository import (
    DatasetRow,
    find_dataset,
    find_landing,
    find_landing_by_key,
    find_snapshot,
    hold_again,
    sql,
)
from treadle.systems.collect.settling import Settling

TURN_S = 60
_PAUSE_S = 0.002
_TRIES = 8

At = Callable[[str], None]
Claim = Callable[[Transaction, str], None]
"""What else must be true for a landing to go on; given the transaction that makes it certain, and the landing's id."""

_active: set[str] = set()
"""The landings that this process is carrying now: an intent of ours that is not among them was left by an error."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What is to land: where, on whose behalf, from which source, and how its plan is made."""

    project: str
    actor: str
    dataset: str
    kind: str
    source: str
    cursor: str | None
    key: str | None
    run: str | None
    origin: dict[str, Any]


class Landings:
    """Carries landings from intent to snapshot, and recovers those that a crash left behind."""

    def __init__(self, store: Store, settling: Settling, root: Path, clock: Clock, new_id: NewId, at: At) -> None:
        self._store, self._settling, self._root = store, settling, root
        self._clock, self._new_id, self._at = clock, new_id, at
        self._tables: dict[Path, Table] = {}

    def land(
        self, order: Order, write: Callable[[str, Callable[[], None]], Plan], claim: Claim | None = None
    ) -> Landing:
        """Lands what `write(landing id, heartbeat)` puts on the disk. A key that has landed is answered, not repeated.

        Cost beyond the data: three small transactions, one commit on the table, a handful of fsyncs (about 20 ms).
        """
        self.recover(order.project, order.dataset)
        landing = self._new_id("land")
        _active.add(landing)  # before anybody can see its intent, and take it for one that an error left
        try:
            earlier = self._begin(order, landing)
            return self._carry(order, landing, write, claim) if earlier is None else earlier
        finally:
            _active.discard(landing)

    def land_again(self, order: Order, write: Callable[[str, Callable[[], None]], Plan]) -> Landing:
        """As `land`, for a plan that rests on what is newest: made anew where another landing came first."""
        for _ in range(_TRIES):
            with contextlib.suppress(LandingOvertaken):
                return self.land(order, write)
        return self.land(order, write)

    def _carry(
        self,
        order: Order,
        landing: str,
        write: Callable[[str, Callable[[], None]], Plan],
        claim: Claim | None,
    ) -> Landing:
        self._at("intent")
        try:
            plan = write(landing, lambda: self._extend(order.project, landing))
            self._at("written")
            self._plan(order.project, landing, plan, claim)
        except BaseException as error:
            with contextlib.suppress(Exception):  # what could not be cleared away now, recovery clears away
                self._abandon(order.project, order.dataset, landing, str(error) or type(error).__name__)
            raise
        self._at("planned")
        return self.settle(order.project, landing)

    def settle(self, project: str, landing: str) -> Landing:
        """Brings a planned landing to its end. Whoever does it first does it; the others get the same answer."""
        with self._store.read() as reader:
            found = find_landing(reader, project, landing)
        assert found is not None
        record, extra = found
        if record.state == "committed":
            return record
        with self._turn(project, record.dataset, landing):
            self._finish(project, record, plans.decode(extra["plan"]), extra["source"])
        with self._store.read() as reader:
            found = find_landing(reader, project, landing)
        assert found is not None
        if found[0].state != "committed":
            raise LandingTakenOver(f"The landing {landing} was abandoned by recovery.", fix="Land the batch again.")
        return found[0]

    def recover(self, project: str, dataset: str | None = None) -> list[str]:
        """Completes or abandons what crashed processes left behind; answers the landings. Cost: one query when none."""
        with self._store.read() as reader:
            left = intents(reader, project, dataset)
        now = to_micros(self._clock())
        mended = []
        for intent in left:
            left_by_us = intent.owner == owner() and intent.id not in _active
            if not left_by_us and not is_gone(intent.owner, intent.lease_until, now):
                continue
            self._mend(project, intent)
            mended.append(intent.id)
        return mended

    def adopt(self, project: str, dataset: str) -> list[Snapshot]:
        """Makes snapshots of what other engines have committed to the table since the newest one."""
        turn = self._new_id("turn")
        with self._turn(project, dataset, turn):
            row = self._dataset(project, dataset)
            newest = self.table(row.dataset).version() if row.dataset.branch_of is None else None
            if newest is None or newest <= row.head_delta_version:
                return []
            adoptions = self._foreign(project, row, newest, own=None)
            return self._store.write(lambda tx: self._settling.adopt(tx, project, row, adoptions, newest))

    def table(self, dataset: Dataset) -> Table:
        """The open table of a dataset."""
        folder = Path(dataset.location)
        if folder not in self._tables:
            self._tables[folder] = Table(folder)
        return self._tables[folder]

    def _begin(self, order: Order, landing: str) -> Landing | None:
        if order.key is not None and "@" in order.dataset:
            with self._store.read() as reader:  # what has landed before the branch began is on it
                earlier = find_landing_by_key(reader, order.project, order.dataset, order.key)
            if earlier is not None:
                return earlier
        with self._store.read() as reader:
            self._settling.check_open(reader, order.project, order.dataset)
        now = to_micros(self._clock())
        values = {
            "project": order.project,
            "id": landing,
            "dataset": order.dataset,
            "kind": order.kind,
            "key": order.key,
            "source": order.source,
            "cursor_before": order.cursor,
            "origin": canonical_json(order.origin).decode(),
            "run": order.run,
            "actor": order.actor,
            "owner": owner(),
            "lease_until": now + LEASE_S * 1_000_000,
            "started_at": now,
        }
        try:
            self._store.write(lambda tx: tx.execute(sql.insert_landing, values))
        except UniqueViolation:
            assert order.key is not None
            with self._store.read() as reader:
                earlier = find_landing_by_key(reader, order.project, order.dataset, order.key)
            if earlier is None:
                raise LandingBusy(
                    f"The batch {order.key!r} is landing in {order.dataset!r} right now.",
                    fix="Wait for it; it will not land twice.",
                ) from None
            return earlier
        return None

    def _plan(self, project: str, landing: str, plan: Plan, claim: Claim | None) -> None:
        until = to_micros(self._clock()) + LEASE_S * 1_000_000
        values = {
            "project": project,
            "id": landing,
            "owner": owner(),
            "plan": plans.encode(plan),
            "lease_until": until,
        }

        def work(tx: Transaction) -> int:
            names = {part.dataset for part in plan.parts}
            if any(find_dataset(tx, project, name, self._root) is None for name in names):
                return 0  # a branch that was deleted meanwhile
            again = [file for part in plan.parts for file in part.added if landing not in file.path]
            if not hold_again(tx, project, again):
                return 0  # clean-up came first
            planned = tx.execute(sql.plan_landing, values)
            if planned and claim is not None:
                claim(tx, landing)
            return planned

        if self._store.write(work) != 1:
            raise LandingTakenOver(
                f"The landing {landing} was given up while its files were written.",
                why="Its lease ran out and recovery took it for dead, its branch was deleted, or clean-up took a file of it.",
                fix="Land the batch again.",
            )

    def _extend(self, project: str, landing: str) -> None:
        until = to_micros(self._clock()) + LEASE_S * 1_000_000
        values = {"project": project, "id": landing, "owner": owner(), "lease_until": until}
        self._store.write(lambda tx: tx.execute(sql.extend_lease, values))

    def _abandon(self, project: str, dataset: str, landing: str, error: str) -> None:
        values = {"project": project, "id": landing, "ended_at": to_micros(self._clock()), "error": error[:2000]}
        if self._store.write(lambda tx: tx.execute(sql.abandon_landing, values)) != 1:
            return  # it is planned: its files are needed
        self._unlink(project, dataset, landing)

    def _unlink(self, project: str, dataset: str, landing: str) -> None:
        """Deletes the files of a landing that came to nothing."""
        with self._store.read() as reader:
            row = find_dataset(reader, project, dataset.partition("@")[0], self._root)
        if row is None:
            return
        location = row.dataset.location
        for folder in (location, location + QUARANTINE):
            for below in (DATA, BRANCHES):
                for path in (Path(folder) / below).glob(f"{landing}-*.parquet"):
                    path.unlink(missing_ok=True)

    def _mend(self, project: str, intent: Intent) -> None:
        if intent.is_planned:
            with contextlib.suppress(LandingOvertaken):
                self.settle(project, intent.id)
        else:
            self._abandon(project, intent.dataset, intent.id, "the process ended before the data was written")

    @contextlib.contextmanager
    def _turn(self, project: str, dataset: str, turn: str) -> Iterator[None]:
        """The right to commit to a dataset and its quarantine; waits for it, and finishes what a dead holder left."""
        dataset = dataset.removesuffix(QUARANTINE)
        deadline = time.monotonic() + TURN_S
        pause = _PAUSE_S
        while not self._take_turn(project, dataset, turn):
            if time.monotonic() > deadline:
                raise LandingBusy(
                    f"Another landing of {dataset!r} has held its turn for {TURN_S} seconds.",
                    fix="Look at it with: treadle datasets landings " + dataset,
                )
            time.sleep(pause)
            pause = min(pause * 1.5, 0.05)
        try:
            yield
        finally:
            values = {"project": project, "name": dataset, "turn": turn}
            self._store.write(lambda tx: tx.execute(sql.end_turn, values))

    def _take_turn(self, project: str, dataset: str, turn: str) -> bool:
        now = to_micros(self._clock())
        until = now + TURN_S * 1_000_000
        values = {"project": project, "name": dataset, "turn": turn, "owner": owner(), "until": until}
        if self._store.write(lambda tx: tx.execute(sql.take_turn, values)) == 1:
            return True
        row = self._dataset(project, dataset)
        if row.turn is None or row.turn_owner is None or row.turn_until is None:
            return False
        if not is_gone(row.turn_owner, row.turn_until, now):
            return False
        taken = values | {"turn": row.turn, "previous": row.turn_owner}
        if self._store.write(lambda tx: tx.execute(sql.take_over_turn, taken)) == 1:
            if row.turn != turn:
                self._finish_left(project, row.turn)
                ended = {"project": project, "name": dataset, "turn": row.turn}
                self._store.write(lambda tx: tx.execute(sql.end_turn, ended))
            else:
                return True
        return False

    def _finish_left(self, project: str, landing: str) -> None:
        """Finishes the landing whose turn was taken over, if it is one."""
        with self._store.read() as reader:
            found = find_landing(reader, project, landing)
        if found is not None and found[0].state == "intent" and found[1]["plan"] is not None:
            with contextlib.suppress(LandingOvertaken):
                self._finish(project, found[0], plans.decode(found[1]["plan"]), found[1]["source"])

    def _finish(self, project: str, record: Landing, plan: Plan, source: str) -> None:
        if any(self._is_overtaken(project, record, part) for part in plan.parts):
            self._give_up(project, record)
        settled: list[tuple[DatasetRow, Part, int, Sequence[Adoption]]] = []
        for part in plan.parts:
            row = self._dataset(project, part.dataset)
            if row.dataset.branch_of is not None:  # the table's log knows nothing of branches
                settled.append((row, part, row.head_delta_version, ()))
                continue
            version = self.table(row.dataset).commit(
                record.id,
                part.columns,
                part.added,
                part.removed,
                after=row.head_delta_version,
                now_ms=to_micros(self._clock()) // 1000,
                name=part.dataset,
                changes_data=not part.moves_rows,
            )
            self._at(f"committed {'quarantine' if part.dataset.endswith(QUARANTINE) else 'main'}")
            settled.append((row, part, version, self._foreign(project, row, version, own=record.id)))
        self._store.write(lambda tx: self._settle(tx, project, record, plan, source, settled))
        self._at("settled")

    def _is_overtaken(self, project: str, record: Landing, part: Part) -> bool:
        """Whether another landing came first that the part was not made for. Asked while the turn is held."""
        if part.on is None and not part.moves_rows:
            return False
        row = self._dataset(project, part.dataset)
        table = self.table(row.dataset)
        newest = table.version() if row.dataset.branch_of is None else None
        if newest is not None and any(
            one.landing == record.id for one in table.commits(row.head_delta_version, newest)
        ):
            return False  # it is in the log already, and nothing else has landed since
        if newest is not None and newest > row.head_delta_version:
            return True  # another engine was there meanwhile
        if not part.moves_rows:
            return (row.head_snapshot or "") != part.on
        with self._store.read() as reader:
            head = find_snapshot(reader, project, row.head_snapshot) if row.head_snapshot else None
            there = self._settling.files_of(reader, project, head)
        return any(file.path not in there for file in part.removed)

    def _give_up(self, project: str, record: Landing) -> None:
        error = "another landing came first"
        values = {"project": project, "id": record.id, "ended_at": to_micros(self._clock()), "error": error}
        if self._store.write(lambda tx: tx.execute(sql.overtake_landing, values)) == 1:
            self._unlink(project, record.dataset, record.id)
        raise LandingOvertaken(
            f"Another landing of {record.dataset!r} came first, and this one was not made for it.", fix="Try again."
        )

    def _settle(
        self,
        tx: Transaction,
        project: str,
        record: Landing,
        plan: Plan,
        source: str,
        parts: list[tuple[DatasetRow, Part, int, Sequence[Adoption]]],
    ) -> None:
        found = find_landing(tx, project, record.id)
        if found is None or found[0].state != "intent":
            return  # somebody else has settled it meanwhile
        run = self._settling.run_of(tx, project, record, plan.origin)
        made = {}
        for row, part, version, adoptions in parts:
            self._settling.adopt(tx, project, row, adoptions, version - 1)
            made[part.dataset] = self._settling.add(tx, project, record, run, part, version, plan.reason)
        self._settling.finish(tx, project, record, run, plan, source, made)

    def _foreign(self, project: str, row: DatasetRow, through: int, own: str | None) -> list[Adoption]:
        """What others have committed after the newest snapshot and up to a version, ready to be adopted."""
        if through <= row.head_delta_version + 1 and own is not None:
            return []
        table = self.table(row.dataset)
        with self._store.read() as reader:
            parent = find_snapshot(reader, project, row.head_snapshot) if row.head_snapshot else None
            files = self._settling.files_of(reader, project, parent)
        adoptions = []
        for commit in table.commits(row.head_delta_version, through):
            if (commit.landing == own and own is not None) or commit.only_columns:
                continue
            adoption = adoption_of(table, commit, parent, files)
            files = {path: file for path, file in files.items() if path not in commit.removed}
            files |= {file.path: file for file in adoption.added}
            parent = replace(parent, columns=adoption.columns) if parent else None
            adoptions.append(adoption)
        return adoptions

    def _dataset(self, project: str, name: str) -> DatasetRow:
        with self._store.read() as reader:
            row = find_dataset(reader, project, name, self._root)
        if row is None:
            raise Corrupt(f"A landing names the dataset {name!r}, which is not in the store.", fix="treadle doctor")
        return row
