"""Looks at what has landed: profiles it, compares it with what landed before, and notices what has not landed in time.

It begins when something lands: a home without datasets imports no data frames for it. Whatever was judged is judged no
second time, so a kill loses nothing but the time until the next start.
"""

from __future__ import annotations

import threading
from typing import Any

from treadle.assembly import Workspace
from treadle.ground.errors import TreadleError
from treadle.kernel.events import Event
from treadle.systems.prepare.anomalies.watched import watched_datasets

_LANDED = "dataset.landed"
_PREFIX = "dataset/"


class DataWatch:
    """The datasets that are to be looked at, and when each one's next landing should have come."""

    def __init__(self, workspace: Workspace, log: Any) -> None:
        self._workspace, self._log = workspace, log
        self._waiting: set[str] = set()
        self._due: dict[str, float | None] = {}
        self._lock = threading.Lock()

    def notice(self, event: Event) -> None:
        """A dataset into which something landed is looked at in the next round."""
        if event.kind == _LANDED and event.subject.startswith(_PREFIX):
            with self._lock:
                self._waiting.add(event.subject.removeprefix(_PREFIX))

    def look(self) -> None:
        """One round. The first one looks at every dataset that was watched before."""
        for dataset in self._take():
            try:
                self._look_at(dataset)
            except TreadleError as error:  # of one dataset; the others are looked at all the same
                self._log.error("a dataset could not be compared", dataset=dataset, problem=" ".join(error.sentences()))
                self._due[dataset] = None

    def _take(self) -> list[str]:
        now = self._workspace.clock().timestamp()
        with self._lock:
            waiting, self._waiting = self._waiting, set()
        late = {dataset for dataset, due in self._due.items() if due is not None and due < now}
        return sorted(waiting | late | (self._known() if not self._due else set()))

    def _known(self) -> set[str]:
        with self._workspace.store.read() as reader:
            return set(watched_datasets(reader, self._workspace.project))

    def _look_at(self, dataset: str) -> None:
        from treadle.systems.prepare.anomalies.service import AnomaliesOf

        workspace = self._workspace
        workspace.anomalies.check(workspace.caller, AnomaliesOf(dataset=dataset))
        due = workspace.anomalies.due_at(workspace.project, dataset)
        # Told once that it is late; a landing brings it back.
        self._due[dataset] = due if due is not None and due > workspace.clock().timestamp() else None
