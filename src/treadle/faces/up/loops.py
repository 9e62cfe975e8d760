"""Work that is done again and again in a thread, and survives what it stumbles over."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from treadle.ground.errors import TreadleError

MAX_PAUSE_S = 30.0


class Loop:
    """Calls `work` every so often until told to stop; after an error it waits longer each time, half a minute at most."""

    def __init__(self, name: str, work: Callable[[], object], *, every_s: float, log: Any) -> None:
        self.name, self._work, self._every_s, self._log = name, work, every_s, log
        self._ended = threading.Event()
        self._failures = 0
        self._thread = threading.Thread(target=self._run, name=f"treadle-{name}", daemon=True)

    def start(self) -> None:
        """Begins; the first round is at once."""
        self._thread.start()

    def stop(self, timeout_s: float | None = None) -> None:
        """Lets the round that is under way come to its end. May be called twice, and before `start`."""
        self._ended.set()
        if self._thread.is_alive():
            self._thread.join(timeout_s)

    def once(self) -> None:
        """One round; what goes wrong is said in the log, the same thing once and not every second."""
        try:
            self._work()
        except TreadleError as error:
            self._stumbled(" ".join(error.sentences()))
        except Exception as error:  # the outermost loop of a worker: it has to outlive whatever its work raises
            self._stumbled(f"{type(error).__name__}: {error}", traceback=self._failures == 0)
        else:
            if self._failures:
                self._log.info(f"{self.name} works again", after_failures=self._failures)
            self._failures = 0

    def pause_s(self) -> float:
        """How long to wait before the next round."""
        return self._every_s if not self._failures else min(MAX_PAUSE_S, self._every_s * 2.0**self._failures)

    def _stumbled(self, problem: str, *, traceback: bool = False) -> None:
        self._failures += 1
        self._log.error(f"{self.name} failed", problem=problem, next_try_in_s=self.pause_s(), exc_info=traceback)

    def _run(self) -> None:
        while not self._ended.is_set():
            self.once()
            self._ended.wait(self.pause_s())
