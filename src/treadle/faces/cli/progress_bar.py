"""The line that a person sees while a pipeline runs: how many steps are done, and what runs now.

Shown on a terminal only, and only when a run takes longer than a blink; Rich is imported then and not before.
"""

from __future__ import annotations

import sys
import threading
from typing import Any

from treadle.kernel.engine.session import Session

DELAY_S = 0.7
REFRESH_S = 0.2


class ProgressBar:
    """Draws until `stop`. Give `shown` to an Engine as `show`."""

    def __init__(self, session: Session, name: str, *, console: Any = None, delay_s: float = DELAY_S) -> None:
        self._session, self._name, self._console, self._delay_s = session, name, console, delay_s
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._work, name="treadle-progress", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Takes the line away, and waits until it is gone."""
        self._ended.set()
        self._thread.join()

    def line(self) -> str:
        """What is shown: `retrain  12 of 20 steps  8 reused  fit[rate=0.1] 40%`."""
        counts = self._session.counts
        over = counts["done"] + counts["cached"] + counts["failed"]
        words = [self._name, f"{over} of {counts['asked']} steps"]
        words += [f"{counts['cached']} reused"] if counts["cached"] else []
        words += [f"{counts['failed']} failed"] if counts["failed"] else []
        running = list(self._session.running.values())
        for reporter in running[:2]:
            share = f" {reporter.done / reporter.total:.0%}" if reporter.total else ""
            words.append(
                reporter.attempt.path.partition("/")[2] + share + (f" {reporter.note}" if reporter.note else "")
            )
        words += [f"and {len(running) - 2} more"] if running[2:] else []
        return "  ".join(words)

    def _work(self) -> None:
        if self._ended.wait(self._delay_s):
            return
        from rich.console import Console
        from rich.live import Live
        from rich.spinner import Spinner
        from rich.text import Text

        spinner = Spinner("dots", Text(self.line()))
        console = self._console or Console(stderr=True)
        # Rich would put itself before sys.stdout, and what steps print would then miss their logs.
        with Live(spinner, console=console, transient=True, redirect_stdout=False, redirect_stderr=False):
            while not self._ended.wait(REFRESH_S):
                spinner.update(text=Text(self.line()))


def shown(session: Session, name: str) -> ProgressBar | None:
    """A progress bar where somebody can see it; None where output goes to a file, a pipe or a notebook."""
    try:
        is_terminal = sys.stderr is not None and sys.stderr.isatty()
    except ValueError:
        return None
    return ProgressBar(session, name) if is_terminal else None
