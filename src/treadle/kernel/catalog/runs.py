"""Reading runs. The engine writes its own in the journal; what is not the engine's run is recorded here as a whole."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import msgspec

from treadle.ground.clock import from_micros, to_micros
from treadle.ground.digests import canonical_json
from treadle.ground.errors import did_you_mean
from treadle.kernel.catalog.errors import RunNotFound
from treadle.kernel.catalog.records import Run, RunStatus
from treadle.kernel.store import Reader, Row, Statements, Transaction
from treadle.kernel.vocabulary.pages import Page

sql = Statements(__package__)

_TIMES = ("now_at", "event_at", "recorded_at", "started_at", "ended_at", "lease_until")
_JSON = ("key_parts", "params", "notes", "error")
_COLUMNS = (
    "project", "id", "kind", "name", "path", "parent", "root", "status", "attempt", "epoch", "key", "key_parts",
    "code_digest", "bundle_digest", "environment_digest", "params", "seed", "now_at", "actor", "host", "pid",
    "caused_by", "reused_from", "notes", "error", "event_at", "recorded_at", "started_at", "ended_at", "lease_owner",
    "lease_until",
)  # fmt: skip


class RunRows:
    """Finds runs, and records those that are over when they become known (landings, acts, foreign clients)."""

    def find(self, reader: Reader, project: str, run_id: str) -> Run | None:
        """The run, or None."""
        row = reader.find(sql.find_run, {"project": project, "id": run_id})
        return None if row is None else run_of(row)

    def get(self, reader: Reader, project: str, run_id: str) -> Run:
        """The run. Raises RunNotFound, with the newest ones."""
        found = self.find(reader, project, run_id)
        if found is None:
            newest = [run.id for run in self.top(reader, project, limit=20).items]
            raise RunNotFound(
                f"There is no run {run_id!r}.",
                why=did_you_mean(run_id, newest),
                fix="List them with: treadle runs list",
                run=run_id,
            )
        return found

    def top(
        self,
        reader: Reader,
        project: str,
        *,
        kinds: Sequence[str] = ("pipeline",),
        status: str | None = None,
        name: str | None = None,
        after: str | None = None,
        limit: int = 50,
    ) -> Page[Run]:
        """Runs of these kinds that no other run holds, newest first; of this status, and with this in their name.

        Cost: one walk of an index for each kind, as far as the page; with a filter until the page is full.
        """
        values: dict[str, Any] = {"project": project, "before": after or "~", "limit": limit + 1}
        statement = sql.top_runs
        if status or name:
            statement = sql.top_runs_like
            values |= {"status": status or "", "name": f"%{_literally((name or '').lower())}%"}
        rows = [row for kind in kinds for row in reader.all(statement, {**values, "kind": kind})]
        found = sorted(map(run_of, rows), key=lambda run: run.id, reverse=True)
        items = found[:limit]
        return Page(items=items, next=items[-1].id if len(found) > limit else None)

    def children(self, reader: Reader, project: str, root: str) -> list[Run]:
        """Every run inside a root run, in the order in which they were recorded; without the root itself."""
        return [run_of(row) for row in reader.all(sql.runs_of_root, {"project": project, "root": root})]

    def insert(self, tx: Transaction, run: Run) -> None:
        """Records a run as it is."""
        tx.put(sql.insert_run, values_of(run))

    def settle(
        self,
        tx: Transaction,
        project: str,
        run_id: str,
        *,
        status: RunStatus,
        name: str,
        ended_at: datetime | None,
        params: dict[str, Any],
    ) -> None:
        """Brings a foreign client's run up to date: only it knows when it ends, and with which parameters."""
        values = {
            "project": project,
            "id": run_id,
            "status": status,
            "name": name,
            "ended_at": None if ended_at is None else to_micros(ended_at),
            "params": canonical_json(params).decode(),
        }
        tx.put(sql.settle_run, values)


def _literally(text: str) -> str:
    """The text as `like` finds it, escaped by `!`."""
    return text.replace("!", "!!").replace("%", "!%").replace("_", "!_")


def run_of(row: Row) -> Run:
    """The record of a row whose columns are in the record's order."""
    values: dict[str, Any] = dict(zip(_COLUMNS, row, strict=True))
    for name in _TIMES:
        if values[name] is not None:
            values[name] = from_micros(values[name])
    for name in _JSON:
        if values[name] is not None:
            values[name] = msgspec.json.decode(values[name])
    return Run(**values)


def values_of(run: Run) -> dict[str, Any]:
    """The parameters of `insert_run`."""
    values = {name: getattr(run, name) for name in _COLUMNS}
    for name in _TIMES:
        if values[name] is not None:
            values[name] = to_micros(values[name])
    for name in _JSON:
        if values[name] is not None:
            values[name] = canonical_json(values[name]).decode()
    return values
