"""Several servers on one port, looked after: one that dies is started again, and one signal stops them all.

This process holds the ports without listening, so that they stay ours while a worker is away; the system divides new
connections among the workers that listen. Each worker is the server as it would run alone, with a log folder of its own.
"""

from __future__ import annotations

import contextlib
import logging
import os
import selectors
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from treadle.ground.errors import InvalidInput, Unavailable
from treadle.systems.serve.runtime.announcement import Announcement

FIRST_BACK_OFF_S, LONGEST_BACK_OFF_S = 0.1, 30.0
STEADY_AFTER_S = 10.0
"""A worker that lived so long is started again at once; one that died sooner waits twice as long as before."""
_log = logging.getLogger("treadle.serve")


class WorkersFailed(Unavailable):
    """A worker ended before all of them had answered for the first time."""

    code = "serve.workers_failed"


def reserve(host: str, port: int) -> socket.socket:
    """A socket that keeps a port for those who share it, and takes no connection itself. Raises InvalidInput."""
    if not hasattr(socket, "SO_REUSEPORT"):
        raise InvalidInput("This system does not let several servers share a port.", fix="Start one worker.")
    kept = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM)
    kept.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    kept.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    try:
        kept.bind((host, port))
    except OSError as error:
        kept.close()
        raise InvalidInput(
            f"Port {port} on {host} cannot be listened on: {error.strerror}.",
            fix="Choose another, or 0 for a free one.",
        ) from None
    return kept


@dataclass(slots=True)
class _Worker:
    """One place in the row; `process` is None while it waits for its next life."""

    process: subprocess.Popen[bytes] | None = None
    begun_at: float = 0.0
    back_off_s: float = FIRST_BACK_OFF_S
    due_at: float = 0.0
    ready: int | None = None
    said: Announcement | None = None


@dataclass(slots=True)
class Workers:
    """Keeps `count` servers running. arguments: what each is told beside the port.

    tied: a descriptor whose end stops all. on_ready: called once, when every worker has answered.
    """

    count: int
    arguments: Sequence[str]
    drain_s: float
    tied: int | None = None
    ready_descriptor: int | None = None
    port_file: Path | None = None
    _workers: list[_Worker] = field(default_factory=list)
    _selector: selectors.DefaultSelector = field(default_factory=selectors.DefaultSelector)
    _tie: tuple[int, int] = (-1, -1)
    _is_stopping: bool = False
    _is_announced: bool = False

    def run(self) -> None:
        """Until SIGTERM or SIGINT, or the end of what this is tied to; then every worker drains. Raises WorkersFailed."""
        woken, wakes = os.pipe()
        for descriptor in (woken, wakes):
            os.set_blocking(descriptor, False)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGCHLD):
            signal.signal(number, self._told)
        signal.set_wakeup_fd(wakes)
        self._tie = os.pipe()
        self._selector.register(woken, selectors.EVENT_READ, "signal")
        if self.tied is not None:
            self._selector.register(self.tied, selectors.EVENT_READ, "tied")
        self._workers = [_Worker() for _ in range(self.count)]
        try:
            while not self._is_stopping:
                self._look_after_all()
                self._wait(woken)
        finally:
            self._stop_all()
            signal.set_wakeup_fd(-1)

    def _told(self, number: int, _: object) -> None:
        if number != signal.SIGCHLD:
            self._is_stopping = True

    def _look_after_all(self) -> None:
        now = time.monotonic()
        for worker in self._workers:
            if worker.process is not None and worker.process.poll() is not None:
                self._bury(worker, now)
            if worker.process is None and now >= worker.due_at:
                self._start(worker)

    def _bury(self, worker: _Worker, now: float) -> None:
        assert worker.process is not None
        status = worker.process.returncode
        if worker.ready is not None:
            self._take_word(worker, b"")
        if not self._is_announced:
            raise WorkersFailed(f"A worker ended with status {status} while it started.", fix="Its words are above.")
        steady = now - worker.begun_at >= STEADY_AFTER_S
        worker.due_at = now if steady else now + worker.back_off_s
        worker.back_off_s = FIRST_BACK_OFF_S if steady else min(LONGEST_BACK_OFF_S, worker.back_off_s * 2)
        _log.error(
            "worker %d ended with status %d; the next begins in %.1f s", worker.process.pid, status, worker.due_at - now
        )
        worker.process = None

    def _start(self, worker: _Worker) -> None:
        readable, writable = os.pipe()
        command = [sys.executable, "-m", "treadle.systems.serve.runtime", *self.arguments]
        command += ["--ready-fd", str(writable), "--tied-fd", str(self._tie[0])]
        try:
            worker.process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, pass_fds=(writable, self._tie[0]), start_new_session=True
            )
        finally:
            os.close(writable)
        worker.begun_at, worker.ready = time.monotonic(), readable
        self._selector.register(readable, selectors.EVENT_READ, worker)

    def _wait(self, woken: int) -> None:
        due = [worker.due_at for worker in self._workers if worker.process is None]
        for key, _ in self._selector.select(max(0.0, min(due) - time.monotonic()) if due else None):
            if key.data == "tied":
                self._is_stopping = True
            elif key.data == "signal":
                with contextlib.suppress(BlockingIOError):
                    os.read(woken, 4096)
            else:
                self._take_word(key.data, os.read(key.fd, 4096))

    def _take_word(self, worker: _Worker, line: bytes) -> None:
        """What a worker said once it answered; nothing when it ended before."""
        assert worker.ready is not None
        self._selector.unregister(worker.ready)
        os.close(worker.ready)
        worker.ready = None
        if line:
            worker.said = msgspec.json.decode(line, type=Announcement)
            if not self._is_announced and all(one.said is not None for one in self._workers):
                self._announce(worker.said)

    def _announce(self, said: Announcement) -> None:
        self._is_announced = True
        document = msgspec.json.encode(msgspec.structs.replace(said, server="workers", pid=os.getpid()))
        if self.port_file is not None:
            aside = self.port_file.with_name(f".incoming-{os.getpid()}")
            self.port_file.parent.mkdir(parents=True, exist_ok=True)
            aside.write_bytes(document)
            aside.replace(self.port_file)
        if self.ready_descriptor is not None:
            os.write(self.ready_descriptor, document + b"\n")
            os.close(self.ready_descriptor)

    def _stop_all(self) -> None:
        living = [worker.process for worker in self._workers if worker.process is not None]
        for process in living:
            with contextlib.suppress(ProcessLookupError):
                process.terminate()
        ends_at = time.monotonic() + self.drain_s + 5
        for process in living:
            try:
                process.wait(max(0.0, ends_at - time.monotonic()))
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        for descriptor in self._tie:
            os.close(descriptor)
