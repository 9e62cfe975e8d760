"""What is done to runs from outside of their process: ending one, answering what one waits for.

Neither needs the run's code. Whoever works on the run hears of it by its lease; what waits goes on when it is resumed.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from treadle.ground.clock import Clock, from_micros, to_micros
from treadle.kernel.engine import leases
from treadle.kernel.engine.journal import as_text, of_text, sql
from treadle.kernel.engine.values import to_json
from treadle.kernel.events import EventLog
from treadle.kernel.store import Store, Transaction


@dataclass(frozen=True, slots=True, kw_only=True)
class Wait:
    """What a run waits for: an approval, an event, a time. `id` is what `answer` takes; `run` the root run."""

    id: str
    run: str
    kind: str
    subject: str
    request: dict[str, Any]
    due_at: datetime | None


class Control:
    """The runs of one project of a store, as `actor` changes them."""

    def __init__(self, store: Store, events: EventLog, clock: Clock, *, project: str, actor: str) -> None:
        self._store, self._events, self._clock = store, events, clock
        self._project, self._actor = project, actor

    def waits(self) -> list[Wait]:
        """What runs wait for and nobody has answered, the oldest first."""
        with self._store.read() as reader:
            rows = reader.all(sql.open_waits, {"project": self._project})
        return [
            Wait(
                id=run,
                run=root,
                kind=kind,
                subject=subject,
                request=of_text(request) or {},
                due_at=None if due_at is None else from_micros(due_at),
            )
            for run, root, kind, subject, request, due_at, _ in rows
        ]

    def answer(self, wait: str, answer: Any) -> bool:
        """Answers the wait of that id: an approval, say. False when it was answered already, or never asked."""
        values = {"project": self._project, "run": wait, "answer": as_text(to_json(answer)), "actor": self._actor}
        at = to_micros(self._clock())

        def work(tx: Transaction) -> bool:
            if tx.execute(sql.answer_waiting, {**values, "at": at}) != 1:
                return False
            self._events.append(
                tx, project=self._project, kind="wait.answered", subject=wait, actor=self._actor, body={}
            )
            return True

        return self._store.write(work)

    def cancel(self, run: str, *, reason: str = "") -> bool:
        """Asks the root of a run to stop. False when it had ended already. Raises RunNotFound."""
        root = leases.find(self._store, self._project, run).root
        at = to_micros(self._clock())

        def work(tx: Transaction) -> bool:
            if tx.execute(sql.cancel_root, {"project": self._project, "id": root, "at": at}) != 1:
                return False
            tx.put(sql.cancel_steps, {"project": self._project, "root": root, "at": at})
            body = {"run": root, "reason": reason}
            self._events.append(
                tx, project=self._project, kind="run.cancelled", subject=root, actor=self._actor, body=body
            )
            return True

        return self._store.write(work)
