"""The heartbeat of a root run: keeps its lease, notices that it was cancelled, and commits what steps say meanwhile.

A thread that wakes once a second. It holds nothing that the run needs, so a run that is busy in C code for longer than
the lease loses the lease and not its rows: its next commit finds the fence gone.
"""

from __future__ import annotations

import threading
import time

from treadle.ground.errors import TreadleError
from treadle.kernel.engine.errors import LeaseLost, RunCancelled
from treadle.kernel.engine.journal import Journal
from treadle.kernel.engine.leases import LEASE_S, status_of
from treadle.kernel.engine.leases import renew as renew_lease
from treadle.kernel.engine.session import Session

BEAT_S = 1.0


class Heartbeat:
    """Beats until `stop`; see the module."""

    def __init__(self, session: Session, beat_s: float = BEAT_S, lease_s: float = LEASE_S) -> None:
        self._session, self._beat_s, self._lease_s = session, beat_s, lease_s
        self._ended = threading.Event()
        self._renewed = time.monotonic()
        self._thread = threading.Thread(target=self._work, name="treadle-heartbeat", daemon=True)

    def start(self) -> None:
        """Begins to beat."""
        self._thread.start()

    def stop(self) -> None:
        """Ends the thread and waits for it."""
        self._ended.set()
        self._thread.join()

    def _work(self) -> None:
        while not self._ended.wait(self._beat_s):
            try:
                self.beat()
            except LeaseLost as error:
                self._session.stop(self._reason(error))
                return
            except TreadleError:
                # The store may be busy or away for a moment; the lease lasts, and a commit will say so if it does not.
                continue

    def beat(self) -> None:
        """One beat. Raises LeaseLost when the run is no longer ours."""
        journal = self._session.journal
        status, epoch = status_of(journal.store, journal.project, journal.fence.root)
        if status != "running" or epoch != journal.fence.epoch:
            raise LeaseLost(f"The run {journal.fence.root} is no longer this process's.", run=journal.fence.root)
        if time.monotonic() - self._renewed >= self._lease_s / 3:
            if not renew_lease(journal, self._lease_s):
                raise LeaseLost(f"The lease of the run {journal.fence.root} was lost.", run=journal.fence.root)
            self._renewed = time.monotonic()
        for reporter in list(self._session.running.values()):
            reporter.flush(journal)

    def _reason(self, lost: LeaseLost) -> LeaseLost | RunCancelled:
        return reason_of(self._session.journal, lost)


def reason_of(journal: Journal, lost: LeaseLost) -> LeaseLost | RunCancelled:
    """RunCancelled when that is why the fence is gone, else the loss itself."""
    status, _ = status_of(journal.store, journal.project, journal.fence.root)
    if status == "cancelled":
        return RunCancelled(
            f"The run {journal.fence.root} was cancelled.",
            fix=f"Go on with it with: treadle resume {journal.fence.root}",
            run=journal.fence.root,
        )
    return lost
