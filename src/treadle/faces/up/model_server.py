"""The model server as a child of `treadle up`: started again when it dies, later each time when it keeps dying."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from treadle.ground.errors import TreadleError
from treadle.systems.serve import ServerProcess

FIRST_PAUSE_S, MAX_PAUSE_S = 0.5, 30.0
STEADY_S = 60.0
"""A server that lived so long has not died of how it was started: the pauses begin anew."""


class ModelServer:
    """Keeps one server alive. `look` is called by a loop."""

    def __init__(self, start: Callable[[], ServerProcess], log: Any) -> None:
        self._start, self._log = start, log
        self._process: ServerProcess | None = None
        self._started = self._next_try = 0.0
        self._pause_s = FIRST_PAUSE_S

    @property
    def url(self) -> str | None:
        """Where it answers; None while it does not."""
        return None if self._process is None or not self._process.is_running else self._process.url

    @property
    def grpc_address(self) -> str | None:
        """Where it answers gRPC; None while it does not."""
        return None if self.url is None or self._process is None else self._process.grpc_address

    def look(self) -> None:
        """Starts the server where none runs and its pause is over."""
        now = time.monotonic()
        if self._process is not None:
            if self._process.is_running:
                return
            self._log.error("the model server died", status=self._process.process.returncode)
            self._process.stop()
            self._process = None
            self._pause_s = FIRST_PAUSE_S if now - self._started > STEADY_S else self._pause_s
            self._wait_longer(now)
        if now >= self._next_try:
            self._begin()

    def stop(self) -> None:
        """Ends it after it has answered what is in flight."""
        if self._process is not None:
            self._process.stop()
            self._process = None

    def _begin(self) -> None:
        try:
            self._process = self._start()
        except TreadleError as error:
            self._wait_longer(time.monotonic())
            self._log.error("the model server did not start", problem=" ".join(error.sentences()))
            return
        self._started = time.monotonic()
        grpc = {"grpc": address} if (address := self._process.grpc_address) is not None else {}
        self._log.info("the model server answers", url=self._process.url, pid=self._process.process.pid, **grpc)

    def _wait_longer(self, now: float) -> None:
        self._next_try = now + self._pause_s
        self._pause_s = min(MAX_PAUSE_S, self._pause_s * 2)
