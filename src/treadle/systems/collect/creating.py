"""Making datasets: each has a name, a folder of its own and, once a row of it was refused, a quarantine beside it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from treadle.ground.clock import Clock, to_micros
from treadle.ground.ids import NewId
from treadle.kernel.events import EventLog
from treadle.kernel.governance import Caller
from treadle.kernel.store import Store, Transaction
from treadle.kernel.vocabulary.datasets import Snapshot
from treadle.systems.collect.errors import DatasetNameRefused
from treadle.systems.collect.lookup import Lookup
from treadle.systems.collect.records import QUARANTINE, CreateDataset
from treadle.systems.collect.repository import DatasetRow, bases_of, cursors_at, sql

_NAME = re.compile(r"^[a-z][a-z0-9_.-]{0,99}$")


class Creating:
    """Makes the rows of datasets; their tables come with the first landing."""

    def __init__(self, store: Store, events: EventLog, lookup: Lookup, clock: Clock, new_id: NewId) -> None:
        self._store, self._events, self._lookup = store, events, lookup
        self._clock, self._new_id = clock, new_id

    def ensure(self, caller: Caller, request: CreateDataset) -> DatasetRow:
        """The dataset of that name, made where there was none. Raises DatasetNameRefused."""
        row = self._lookup.find(caller.project, request.name)
        if row is None:
            if "@" in request.name:
                return self._lookup.get(caller.project, request.name)  # raises: a branch is made by its own verb
            _check_name(request.name)
            self._insert(caller, request.name, self._new_id("data"), request.description, request.event_column)
        elif request.event_column is not None and row.dataset.event_column is None:
            values = {"project": caller.project, "name": request.name, "event_column": request.event_column}
            self._store.write(lambda tx: tx.execute(sql.set_event_column, values))
        else:
            return row
        return self._lookup.get(caller.project, request.name)

    def ensure_quarantine(self, caller: Caller, row: DatasetRow) -> None:
        """The sibling that holds a dataset's refused rows."""
        name = row.dataset.name + QUARANTINE
        if self._lookup.find(caller.project, name) is not None:
            return
        folder = Path(row.dataset.location + QUARANTINE).name
        description = f"Rows that were refused for {row.dataset.name}."
        branch_of = None if row.dataset.branch_of is None else row.dataset.branch_of + QUARANTINE
        self._insert(caller, name, folder, description, row.dataset.event_column, branch_of)

    def branch(self, tx: Transaction, caller: Caller, row: DatasetRow, branch: str, base: Snapshot) -> bool:
        """Makes a branch of a dataset that begins at a snapshot of it; False where it is there already.

        Its sources stand where they stood then. Cost: a few rows, whatever the snapshot's size.
        """
        name = f"{row.dataset.name}@{branch}"
        description = f"A branch of {row.dataset.name}, from {base.dataset} version {base.version}."
        folder = Path(row.dataset.location).name
        values = self._values(caller, name, folder, description, row.dataset.event_column)
        started = {
            "branch_of": row.dataset.name,
            "base": base.id,
            "delta_version": base.delta_version,
            "depth": len(bases_of(tx, caller.project, base)) + 1,
        }
        if tx.execute(sql.insert_dataset, values | started) != 1:
            return False
        for source, (cursor, landing) in cursors_at(tx, caller.project, base).items():
            moved = {"project": caller.project, "dataset": name, "source": source, "cursor": cursor, "landing": landing}
            tx.execute(sql.move_cursor, moved | {"updated_at": values["recorded_at"]})
        self._note(tx, caller, "dataset.branched", name, {"base": base.id, "version": base.version})
        return True

    def _insert(
        self,
        caller: Caller,
        name: str,
        folder: str,
        description: str,
        event_column: str | None,
        branch_of: str | None = None,
    ) -> None:
        values = self._values(caller, name, folder, description, event_column) | {"branch_of": branch_of}

        def work(tx: Transaction) -> None:
            if tx.execute(sql.insert_dataset, values) == 1:
                body = {"dataset": folder, "event_column": event_column}
                self._note(tx, caller, "dataset.created", name, body)

        self._store.write(work)

    def _values(
        self, caller: Caller, name: str, folder: str, description: str, event_column: str | None
    ) -> dict[str, Any]:
        return {
            "project": caller.project,
            "name": name,
            "id": folder,
            "folder": folder,
            "description": description,
            "event_column": event_column,
            "recorded_at": to_micros(self._clock()),
            "branch_of": None,
            "base": None,
            "delta_version": -1,
            "depth": 0,
        }

    def _note(self, tx: Transaction, caller: Caller, kind: str, name: str, body: dict[str, Any]) -> None:
        subject = f"dataset/{name}"
        self._events.append(tx, project=caller.project, kind=kind, subject=subject, actor=caller.actor, body=body)


def _check_name(name: str) -> None:
    if not _NAME.match(name) or name.endswith(QUARANTINE):
        raise DatasetNameRefused(
            f"{name!r} cannot be a dataset's name.",
            why=f"A name has lower-case letters, digits, '_', '.' and '-', begins with a letter, has at most 100 of "
            f"them, and does not end in {QUARANTINE!r}.",
        )
