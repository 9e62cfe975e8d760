"""The process that workers are forked from: small, with the engine imported, and with one thread.

A driver has threads, and a fork of it would copy locks that nobody will ever open; so the driver starts this process
once and asks it for workers, with the ends of their channels. What has been imported here, every worker has. Where a
fork would not be safe (macOS, or when a preloaded module has started threads), workers are started afresh instead.

When the driver is gone, however it went, this process ends all workers and itself.
"""

from __future__ import annotations

import contextlib
import gc
import json
import os
import selectors
import signal
import socket
import subprocess
import sys
from importlib import import_module
from pathlib import Path

_BUFFER = 1 << 16


class Zygote:
    """See the module."""

    def __init__(self, control: socket.socket) -> None:
        self._control = control
        self._workers: set[int] = set()
        self._can_fork = sys.platform != "darwin"

    def serve(self) -> None:
        """Answers the driver until it lets go."""
        wake_r, wake_w = os.pipe()
        os.set_blocking(wake_r, False)
        os.set_blocking(wake_w, False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.set_wakeup_fd(wake_w)
        self._wake = (wake_r, wake_w)
        selector = selectors.DefaultSelector()
        selector.register(self._control, selectors.EVENT_READ)
        selector.register(wake_r, selectors.EVENT_READ)
        while True:
            for key, _ in selector.select():
                if key.fileobj is not self._control:
                    with contextlib.suppress(BlockingIOError):
                        os.read(wake_r, _BUFFER)
                elif not self._answer():
                    self._end_all()
                    return
            self._reap()

    def prepare(self, sys_path: list[str], modules: list[str]) -> None:
        """Imports what every worker shall have."""
        sys.path[:] = sys_path
        for name in modules:
            with contextlib.suppress(Exception):  # whoever runs the step reports it, with the step's name
                import_module(name)
        self._can_fork = self._can_fork and _thread_count() == 1
        gc.freeze()

    def _answer(self) -> bool:
        """Makes the worker that is asked for. The file descriptors keep one message from running into the next."""
        try:
            message, fds, _, _ = socket.recv_fds(self._control, 8, 3)
        except ConnectionError:  # the driver was killed while it had something unread from here
            return False
        if not message:
            return False
        self._make(int.from_bytes(message, "big"), *fds)
        return True

    def _make(self, number: int, channel: int, out: int, err: int) -> None:
        pid = self._fork(channel, out, err) if self._can_fork else self._spawn(channel, out, err)
        self._workers.add(pid)
        for fd in (channel, out, err):
            os.close(fd)
        self._tell({"number": number, "pid": pid})

    def _fork(self, channel: int, out: int, err: int) -> int:
        pid = os.fork()
        if pid != 0:
            return pid
        status = 1
        try:
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            signal.signal(signal.SIGINT, signal.default_int_handler)
            self._control.close()
            for fd in self._wake:
                os.close(fd)
            nothing = os.open(os.devnull, os.O_RDONLY)
            os.dup2(nothing, 0)
            os.dup2(out, 1)
            os.dup2(err, 2)
            for fd in (nothing, out, err):
                os.close(fd)
            from treadle.kernel.engine.pool.worker import serve

            serve(channel)
            status = 0
        finally:
            with contextlib.suppress(Exception):
                sys.stdout.flush()
                sys.stderr.flush()
            os._exit(status)

    def _spawn(self, channel: int, out: int, err: int) -> int:
        command = [sys.executable, "-m", "treadle.kernel.engine.pool.worker", str(channel)]
        process = subprocess.Popen(command, pass_fds=(channel,), stdin=subprocess.DEVNULL, stdout=out, stderr=err)
        process.returncode = 0  # this loop reaps it
        return process.pid

    def _reap(self) -> None:
        for pid in list(self._workers):
            with contextlib.suppress(ChildProcessError):
                found, status = os.waitpid(pid, os.WNOHANG)
                if found == pid:
                    self._workers.discard(pid)
                    self._tell({"exited": pid, "status": os.waitstatus_to_exitcode(status)})

    def _tell(self, message: dict[str, int]) -> None:
        with contextlib.suppress(OSError):
            self._control.sendall(json.dumps(message).encode() + b"\n")

    def _end_all(self) -> None:
        for pid in self._workers:
            with contextlib.suppress(OSError):
                os.killpg(pid, signal.SIGKILL)
            with contextlib.suppress(OSError):
                os.kill(pid, signal.SIGKILL)


def _thread_count() -> int:
    try:
        return sum(1 for _ in Path("/proc/self/task").iterdir())
    except OSError:
        import threading

        return threading.active_count()


if __name__ == "__main__":
    zygote = Zygote(socket.socket(fileno=int(sys.argv[1])))
    zygote.prepare(*json.loads(sys.argv[2]))
    zygote.serve()
