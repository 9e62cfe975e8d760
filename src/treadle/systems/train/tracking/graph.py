"""Tracked runs on the graph: the row that a foreign client's run has among all runs, kept in the same transaction."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from treadle.ground.clock import from_micros
from treadle.ground.ids import run_id_of
from treadle.kernel.catalog import Run, RunRows
from treadle.kernel.catalog.records import RunStatus
from treadle.kernel.store import Transaction

KIND = "tracking"
PARENT_TAG = "mlflow.parentRunId"

_STATUS: dict[str, RunStatus] = {
    "RUNNING": "running",
    "SCHEDULED": "queued",
    "FINISHED": "done",
    "FAILED": "failed",
    "KILLED": "cancelled",
}
ENDED = frozenset({"FINISHED", "FAILED", "KILLED"})
STATUSES = frozenset(_STATUS)
_LAST_MS = 253_402_300_799_000


class GraphRuns:
    """Writes the rows in `run` of the runs of tracking clients."""

    def __init__(self) -> None:
        self._runs = RunRows()

    def add(
        self,
        tx: Transaction,
        project: str,
        run: str,
        *,
        name: str,
        status: str,
        parent: str | None,
        actor: str,
        recorded_at: datetime,
        start_ms: int | None,
        end_ms: int | None = None,
        params: Mapping[str, str] | None = None,
        kind: str = KIND,
    ) -> None:
        """Records a run. parent: what the tag of the parent says; a parent that is no run of this project is none."""
        made = run_id_of(run)
        assert made is not None, "the ids of tracked runs are 32 hexadecimal digits"
        above = self._parent(tx, project, parent)
        self._runs.insert(
            tx,
            Run(
                project=project,
                id=made,
                kind=kind,
                name=name,
                path=name if above is None else f"{above.path}/{name}",
                parent=None if above is None else above.id,
                root=made if above is None else above.root,
                status=_STATUS[status],
                attempt=1,
                epoch=1,
                key=None,
                key_parts=None,
                code_digest=None,
                bundle_digest=None,
                environment_digest=None,
                params=dict(params or {}),
                seed=None,
                now_at=None,
                actor=actor,
                host="",
                pid=None,
                caused_by=None,
                reused_from=None,
                notes=None,
                error=None,
                event_at=None,
                recorded_at=recorded_at,
                started_at=moment(start_ms),
                ended_at=moment(end_ms),
                lease_owner=None,
                lease_until=None,
            ),
        )

    def settle(
        self, tx: Transaction, project: str, run: str, *, status: str, name: str, ended_at: datetime | None,
        params: Mapping[str, str],
    ) -> None:  # fmt: skip
        """Brings the row up to date when a run ends, is taken up again, or gets another name."""
        made = run_id_of(run)
        if made is not None:
            self._runs.settle(
                tx, project, made, status=_STATUS[status], name=name, ended_at=ended_at, params=dict(params)
            )

    def _parent(self, tx: Transaction, project: str, parent: str | None) -> Run | None:
        above = None if parent is None else run_id_of(parent)
        return None if above is None else self._runs.find(tx, project, above)


def moment(at_ms: int | None) -> datetime | None:
    """The time of a client's milliseconds; None for none, and for what no calendar holds."""
    return from_micros(at_ms * 1000) if at_ms is not None and 0 < at_ms < _LAST_MS else None
