"""What a person sees of a run where no line can change: one line as each step begins, goes on and ends (`-v`)."""

from __future__ import annotations

import sys
import threading
import time
from typing import IO

from treadle.faces.cli.rendering import duration
from treadle.kernel.catalog import Run, RunRows
from treadle.kernel.engine.session import InlineReporter, Session

LOOK_S = 0.1
TELL_S = 5.0
"""A step that goes on is mentioned again after so long."""


class ProgressLines:
    """Writes until `stop`. It reads the journal, as anybody may, and the reporters of steps that work now."""

    def __init__(self, session: Session, name: str, stream: IO[str]) -> None:
        self._session, self._name, self._stream = session, name, stream
        self._told: set[str] = set()
        self._begun: dict[str, float] = {}
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._work, name="treadle-progress", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Says what is left to say, and waits until it is said."""
        self._ended.set()
        self._thread.join()

    def _work(self) -> None:
        while not self._ended.wait(LOOK_S):
            self._look()
        self._look()

    def _look(self) -> None:
        journal = self._session.journal
        now = time.monotonic()
        for id, reporter in list(self._session.running.items()):
            if id not in self._begun:
                self._say("runs", reporter.attempt.path, "")
            elif now - self._begun[id] < TELL_S:
                continue
            else:
                self._say("runs", reporter.attempt.path, _how_far(reporter))
            self._begun[id] = now
        with journal.store.read() as reader:
            steps = RunRows().children(reader, journal.project, journal.fence.root)
        for step in steps:
            if step.ended_at is not None and step.id not in self._told:
                self._told.add(step.id)
                self._say(step.status, step.path, _ending(step))

    def _say(self, state: str, path: str, beside: str) -> None:
        self._stream.write(f"{state:<9} {path}{f'  {beside}' if beside else ''}\n")
        self._stream.flush()


def shown(session: Session, name: str) -> ProgressLines:
    """Lines on stderr."""
    return ProgressLines(session, name, sys.stderr)


def _how_far(reporter: InlineReporter) -> str:
    share = f"{reporter.done / reporter.total:.0%}" if reporter.total else ""
    return "  ".join(part for part in (share, reporter.note) if part)


def _ending(step: Run) -> str:
    if step.status == "cached":
        return f"known from {step.reused_from}" if step.reused_from else ""
    if step.error:
        return str(step.error.get("what", ""))
    seconds = (step.ended_at - step.started_at).total_seconds() if step.started_at and step.ended_at else None
    return "" if seconds is None else duration(seconds)
