"""The driver's side of the pool: hands tasks to workers, reads what they say and print, and notices their deaths.

One thread, which sleeps in `select`. A worker that dies is noticed by the end of its channel, at once; its exit status
comes from the zygote, which is its parent. A task whose time is over loses its worker, with every process that the
step has started in its group.
"""

from __future__ import annotations

import codecs
import contextlib
import glob
import json
import os
import selectors
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from treadle.ground.errors import Unavailable
from treadle.kernel.engine.pool.messages import Advanced, Answer, Done, Latest, Measured, Ready, Save, Setup, do_of
from treadle.kernel.engine.ports import ArtifactStore, Capacity, Listener
from treadle.kernel.engine.records import Failure, Outcome, Task

_PRELOADED = ("treadle.kernel.engine.pool.worker", "treadle.kernel.artifacts.service")
_STATUS_WAIT_S = 2.0
_MAX_STILLBORN = 3
_BUFFER = 1 << 16
_ERRORS = "treadle.kernel.engine.errors"


class PoolClosed(Unavailable):
    code = "engine.pool_closed"


@dataclass(slots=True, eq=False)
class _Worker:
    number: int
    channel: Connection
    streams: dict[str, int]
    decoders: dict[str, Any] = field(default_factory=dict)
    pid: int | None = None
    is_ready: bool = False
    was_ready: bool = False
    task: Task | None = None
    listener: Listener | None = None
    deadline: float | None = None
    ended_because: str | None = None
    exit_status: int | None = None
    lost_at: float | None = None


class ProcessPool:
    """Workers on this host; see the module. Safe to share between runs."""

    name = "pool"

    def __init__(
        self,
        artifacts: ArtifactStore,
        *,
        workers: int | None = None,
        preload: Iterable[str] = (),
        bundles: str | None = None,
        ignored: Iterable[str] = (),
        variables: Mapping[str, str] | None = None,
    ) -> None:
        """workers: how many at most, by default one a core. preload: modules that every worker has imported already.

        bundles: the folder where code bundles are unpacked; a temporary one when not given. ignored: folders whose
        files are nobody's input (the store). variables: of the environment, for workers, unless they are set already.
        """
        self._artifacts = artifacts
        self._limit = (
            workers or len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
        )
        self._preload = [*_PRELOADED, *preload]
        self._bundles = bundles or os.path.join(tempfile.gettempdir(), f"treadle-code-{os.getuid()}")  # noqa: PTH118
        self._ignored = tuple(ignored)
        self._variables = dict(variables or {})
        self._lock = threading.Lock()
        self._orders: deque[Callable[[], None]] = deque()
        self._queue: deque[tuple[Task, Listener]] = deque()
        self._workers: dict[int, _Worker] = {}
        self._by_task: dict[str, _Worker] = {}
        self._selector: selectors.BaseSelector | None = None
        self._zygote: subprocess.Popen[bytes] | None = None
        self._control: socket.socket | None = None
        self._control_rest = b""
        self._thread: threading.Thread | None = None
        self._wake: tuple[int, int] = (-1, -1)
        self._count = 0
        self._stillborn = 0
        self._is_closed = False

    def capacity(self) -> Capacity:
        """The cores of this process, or as many as `workers` says; the memory and the GPUs of the machine."""
        memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
        return Capacity(cpus=float(self._limit), gpus=float(_gpu_count()), memory_bytes=memory)

    def submit(self, task: Task, listener: Listener) -> None:
        """Gives a task to a worker, or lets it wait for one."""
        self._order(lambda: self._queue.append((task, listener)))

    def cancel(self, task_id: str, *, reason: str) -> None:
        """Ends the worker that runs the task, or takes the task from the queue."""
        self._order(lambda: self._cancel(task_id, reason))

    def close(self) -> None:
        """Ends all workers and waits for it."""
        with self._lock:
            if self._is_closed:
                return
            self._is_closed = True
            thread = self._thread
        if thread is not None:
            self._ring()
            thread.join()

    def worker_pids(self) -> list[int]:
        """The processes of the workers that are alive."""
        return [worker.pid for worker in list(self._workers.values()) if worker.pid is not None]

    # From other threads to ours

    def _order(self, order: Callable[[], None]) -> None:
        with self._lock:
            if self._is_closed:
                raise PoolClosed("The pool is closed.")
            self._orders.append(order)
            if self._thread is None:
                self._start()
        self._ring()

    def _ring(self) -> None:
        with contextlib.suppress(BlockingIOError, OSError):
            os.write(self._wake[1], b"!")

    def _start(self) -> None:
        self._wake = os.pipe()
        for fd in self._wake:
            os.set_blocking(fd, False)
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._wake[0], selectors.EVENT_READ, self._woken)
        self._thread = threading.Thread(target=self._work, name="treadle-pool", daemon=True)
        self._thread.start()

    def _woken(self) -> None:
        with contextlib.suppress(BlockingIOError):
            os.read(self._wake[0], _BUFFER)

    # Our thread

    def _work(self) -> None:
        assert self._selector is not None
        try:
            while not self._is_closed:
                for key, _ in self._selector.select(self._timeout()):
                    key.data()
                while self._orders:
                    self._orders.popleft()()
                self._check_deadlines()
                self._hand_out()
        finally:
            self._end_all()

    def _timeout(self) -> float | None:
        waits = [worker.deadline for worker in self._workers.values() if worker.deadline is not None]
        waits += [worker.lost_at + _STATUS_WAIT_S for worker in self._workers.values() if worker.lost_at is not None]
        return max(0.0, min(waits) - time.monotonic()) if waits else None

    def _hand_out(self) -> None:
        while self._queue:
            worker = next((w for w in self._workers.values() if w.is_ready and w.task is None), None)
            if worker is None:
                starting = sum(1 for w in self._workers.values() if not w.is_ready and w.lost_at is None)
                if starting < len(self._queue) and len(self._workers) < self._limit + self._busy_small():
                    self._make_worker()
                    continue
                return
            task, listener = self._queue.popleft()
            self._give(worker, task, listener)

    def _busy_small(self) -> int:
        """Tasks that ask for less than a core leave room for more workers than cores."""
        return sum(1 for w in self._workers.values() if w.task is not None and w.task.options.resources.cpus < 1)

    def _give(self, worker: _Worker, task: Task, listener: Listener) -> None:
        worker.task, worker.listener = task, listener
        self._by_task[task.id] = worker
        if task.options.timeout_s is not None:
            worker.deadline = time.monotonic() + task.options.timeout_s
        try:
            worker.channel.send(do_of(task))
        except (BrokenPipeError, ConnectionResetError):
            self._lost(worker)
        except Exception as error:  # pickle raises what it likes
            failure = Failure(
                kind="UnsendableArguments",
                what=f"The arguments of {task.path!r} cannot be sent to a worker.",
                why=f"{type(error).__name__}: {error}",
                fix="Pass data, or something that a module holds under a name.",
                retryable=False,
            )
            self._finish(worker, Outcome(failure=failure))

    def _make_worker(self) -> None:
        control = self._started_zygote()
        ours, theirs = socket.socketpair()
        out_r, out_w = os.pipe()
        err_r, err_w = os.pipe()
        self._count += 1
        with contextlib.suppress(OSError):  # its end is heard by the channel
            socket.send_fds(control, [self._count.to_bytes(8, "big")], [theirs.fileno(), out_w, err_w])
        theirs.close()
        os.close(out_w)
        os.close(err_w)
        worker = _Worker(self._count, Connection(ours.detach()), {"stdout": out_r, "stderr": err_r})
        self._workers[worker.number] = worker
        assert self._selector is not None
        for stream, fd in worker.streams.items():
            os.set_blocking(fd, False)
            worker.decoders[stream] = codecs.getincrementaldecoder("utf-8")("replace")
            self._selector.register(fd, selectors.EVENT_READ, lambda s=stream: self._drain(worker, s))
        self._selector.register(worker.channel, selectors.EVENT_READ, lambda: self._hear(worker))
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            worker.channel.send(Setup(list(sys.path), str(Path.cwd()), self._artifacts, self._bundles, self._ignored))

    def _started_zygote(self) -> socket.socket:
        if self._control is not None:
            return self._control
        ours, theirs = socket.socketpair()
        paths = [entry or str(Path.cwd()) for entry in sys.path]
        orders = json.dumps([paths, self._preload])
        command = [sys.executable, "-m", "treadle.kernel.engine.pool.zygote", str(theirs.fileno()), orders]
        environment = {**self._variables, **os.environ, "PYTHONPATH": os.pathsep.join(paths), "PYTHONHASHSEED": "0"}
        self._zygote = subprocess.Popen(
            command, pass_fds=(theirs.fileno(),), stdin=subprocess.DEVNULL, env=environment, start_new_session=True
        )
        theirs.close()
        self._control = ours
        assert self._selector is not None
        self._selector.register(ours, selectors.EVENT_READ, self._hear_zygote)
        return ours

    def _hear_zygote(self) -> None:
        assert self._control is not None
        try:
            data = self._control.recv(_BUFFER)
        except OSError:
            data = b""
        if not data:
            self._forget_zygote()
            return
        *lines, self._control_rest = (self._control_rest + data).split(b"\n")
        for line in lines:
            message = json.loads(line)
            if "exited" in message:
                self._exited(message["exited"], message["status"])
            elif message["number"] in self._workers:
                self._workers[message["number"]].pid = message["pid"]

    def _forget_zygote(self) -> None:
        """The zygote is gone; its workers are on their own, and the next one comes from a new zygote."""
        assert self._selector is not None
        assert self._control is not None
        self._selector.unregister(self._control)
        self._control.close()
        self._control, self._control_rest = None, b""
        if self._zygote is not None:
            self._zygote.wait()
            self._zygote = None
        for worker in list(self._workers.values()):
            if worker.lost_at is not None:
                self._bury(worker)

    def _hear(self, worker: _Worker) -> None:
        try:
            message = worker.channel.recv()
        except (EOFError, OSError):
            self._lost(worker)
            return
        except Exception:  # the step has written to the channel: nothing that comes from it can be read any more
            self._kill(worker, "it wrote into the channel to its driver")
            self._lost(worker)
            return
        task, listener = worker.task, worker.listener
        if isinstance(message, Ready):
            worker.pid, worker.is_ready = message.pid, True
            worker.was_ready = True
            self._stillborn = 0
        elif task is None or listener is None:
            return
        elif isinstance(message, Done):
            self._drain_all(worker)
            self._finish(worker, message.outcome)
        elif isinstance(message, Measured):
            listener.measured(task.id, message.points)
        elif isinstance(message, Advanced):
            listener.advanced(task.id, message.done, message.total, message.note)
        elif isinstance(message, (Save, Latest)):
            self._answer(worker, task, listener, message)

    def _answer(self, worker: _Worker, task: Task, listener: Listener, message: Save | Latest) -> None:
        try:
            if isinstance(message, Save):
                listener.saved(task.id, message.name, message.artifact)
                answer = Answer()
            else:
                answer = Answer(listener.wants_checkpoint(task.id, message.name))
        except Exception as error:  # the step is told; it decides
            answer = Answer(problem=f"{type(error).__name__}: {error}")
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            worker.channel.send(answer)

    def _drain_all(self, worker: _Worker) -> None:
        for stream in worker.streams:
            while self._drain(worker, stream):
                pass

    def _drain(self, worker: _Worker, stream: str) -> bool:
        """Reads what was printed; whether there may be more."""
        fd = worker.streams.get(stream, -1)
        if fd < 0:
            return False
        try:
            data = os.read(fd, _BUFFER)
        except BlockingIOError:
            return False
        except OSError:
            data = b""
        if not data:
            assert self._selector is not None
            self._selector.unregister(fd)
            os.close(fd)
            worker.streams[stream] = -1
            return False
        text = worker.decoders[stream].decode(data)
        if text and worker.task is not None and worker.listener is not None:
            worker.listener.printed(worker.task.id, stream, text)
        elif text:
            sys.stderr.write(text)
        return True

    def _finish(self, worker: _Worker, outcome: Outcome) -> None:
        task, listener = worker.task, worker.listener
        worker.task = worker.listener = worker.deadline = None
        if task is not None and listener is not None:
            self._by_task.pop(task.id, None)
            listener.finished(task.id, outcome)

    def _check_deadlines(self) -> None:
        now = time.monotonic()
        for worker in list(self._workers.values()):
            if worker.deadline is not None and worker.deadline <= now:
                worker.deadline = None
                self._kill(worker, "timeout")
            elif worker.lost_at is not None and worker.lost_at + _STATUS_WAIT_S <= now:
                self._bury(worker)

    def _cancel(self, task_id: str, reason: str) -> None:
        worker = self._by_task.get(task_id)
        if worker is not None:
            self._kill(worker, reason)
            return
        for waiting in list(self._queue):
            if waiting[0].id == task_id:
                self._queue.remove(waiting)
                failure = Failure(
                    kind="Cancelled", what=f"{waiting[0].path!r} was cancelled: {reason}.", retryable=False
                )
                waiting[1].finished(task_id, Outcome(failure=failure))

    def _kill(self, worker: _Worker, reason: str) -> None:
        worker.ended_because = reason
        if worker.pid is not None:
            for end in (os.killpg, os.kill):
                with contextlib.suppress(OSError):
                    end(worker.pid, signal.SIGKILL)

    def _lost(self, worker: _Worker) -> None:
        """The channel has ended: the process is gone or going. Its exit status may take a moment."""
        assert self._selector is not None
        if worker.lost_at is None:
            worker.lost_at = time.monotonic()
            self._selector.unregister(worker.channel)
            worker.channel.close()
            worker.is_ready = False
            if worker.pid is not None:  # whatever the step has left behind in its group
                with contextlib.suppress(OSError):
                    os.killpg(worker.pid, signal.SIGKILL)
        if worker.exit_status is not None or self._control is None:
            self._bury(worker)

    def _exited(self, pid: int, status: int) -> None:
        for worker in list(self._workers.values()):
            if worker.pid == pid:
                worker.exit_status = status
                if worker.lost_at is not None:
                    self._bury(worker)

    def _bury(self, worker: _Worker) -> None:
        self._drain_all(worker)
        assert self._selector is not None
        for stream, fd in worker.streams.items():
            if fd >= 0:
                self._selector.unregister(fd)
                os.close(fd)
                worker.streams[stream] = -1
        self._workers.pop(worker.number, None)
        if not worker.was_ready:
            self._stillborn += 1
            if self._stillborn >= _MAX_STILLBORN:
                self._give_up(worker)
        if worker.task is not None:
            self._finish(worker, Outcome(failure=_death(worker, worker.task)))

    def _give_up(self, worker: _Worker) -> None:
        """No worker comes to life: what waits for one is told so."""
        self._stillborn = 0
        failure = Failure(
            kind=f"{_ERRORS}.WorkerDied",
            what="No worker process can be started.",
            why=f"{_MAX_STILLBORN} of them ended before they were ready; the last one: {_status(worker.exit_status)}.",
            fix="See what they wrote to the terminal; or run in this process, without the pool.",
            retryable=False,
        )
        while self._queue:
            task, listener = self._queue.popleft()
            listener.finished(task.id, Outcome(failure=failure))

    def _end_all(self) -> None:
        for worker in list(self._workers.values()):
            self._kill(worker, "the pool was closed")
            with contextlib.suppress(OSError):
                worker.channel.close()
            for fd in worker.streams.values():
                if fd >= 0:
                    os.close(fd)
            if worker.task is not None:
                worker.ended_because = "the pool was closed"
                self._finish(worker, Outcome(failure=_death(worker, worker.task)))
        self._workers.clear()
        if self._control is not None:
            self._control.close()
        if self._zygote is not None:
            self._zygote.wait()
        if self._selector is not None:
            self._selector.close()
        for fd in self._wake:
            os.close(fd)


def _death(worker: _Worker, task: Task) -> Failure:
    """Why a worker is gone, in words."""
    if worker.ended_because == "timeout":
        return Failure(
            kind=f"{_ERRORS}.StepTimedOut",
            what=f"The step {task.path!r} took longer than its {task.options.timeout_s:g} s and was ended.",
            why="Its process was killed, and every process that it had started.",
            fix="Give it more with @td.step(timeout_s=…), or save its state with td.checkpoint.",
        )
    if worker.ended_because is not None:
        what = f"The step {task.path!r} was ended: {worker.ended_because}."
        return Failure(kind="Cancelled", what=what, retryable=False)
    return Failure(
        kind=f"{_ERRORS}.WorkerDied",
        what=f"The process that ran {task.path!r} is gone: {_status(worker.exit_status)}.",
        why=_guess(worker.exit_status),
        fix="Look at what it printed last with: treadle runs show, and use retries= for what comes and goes.",
    )


def _status(status: int | None) -> str:
    if status is None:
        return "nobody knows how it ended"
    if status >= 0:
        return f"it ended with exit status {status}"
    with contextlib.suppress(ValueError):
        return f"it was killed by {signal.Signals(-status).name} (signal {-status})"
    return f"it was killed by signal {-status}"


def _guess(status: int | None) -> str:
    if status == -signal.SIGKILL:
        return "The system ends processes this way when memory runs out; so does whoever calls kill -9."
    if status in (-signal.SIGSEGV, -signal.SIGBUS, -signal.SIGABRT, -signal.SIGILL):
        return "A library written in C has failed; the log of the step holds the Python stack at that moment."
    if status is not None and status >= 0:
        return "Something called os._exit, which ends a process without a word to anybody."
    return ""


def _gpu_count() -> int:
    chosen = os.environ.get("CUDA_VISIBLE_DEVICES")
    if chosen is not None:
        return len([each for each in chosen.split(",") if each.strip() not in ("", "-1")])
    return len(glob.glob("/dev/nvidia[0-9]*"))  # noqa: PTH207
