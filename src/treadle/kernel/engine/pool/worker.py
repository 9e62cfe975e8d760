"""The worker: runs one step at a time, and holds one channel to its driver. It opens no store but that of bytes.

What a step prints goes to the file descriptors, whose other ends the driver reads: so nothing is lost when the process
dies, and the output of C libraries and subprocesses is kept as well.
"""

from __future__ import annotations

import contextlib
import faulthandler
import os
import sys
import threading
import time
from multiprocessing.connection import Connection
from typing import Any

from treadle.kernel.engine.code_refs import find_step
from treadle.kernel.engine.code_store import step_of_bundle
from treadle.kernel.engine.context import StepContext
from treadle.kernel.engine.execution import call_body, failure_of, keep_result
from treadle.kernel.engine.observing import observe
from treadle.kernel.engine.pool.messages import Advanced, Answer, Do, Done, Latest, Measured, Ready, Save, Setup
from treadle.kernel.engine.ports import ArtifactStore
from treadle.kernel.engine.records import CodeRef, Failure, Outcome, Point
from treadle.kernel.engine.steps import Step

_ADVANCE_S = 0.2
"""Progress is told at most so often."""


class ChannelReporter:
    """A step's reporter over the channel. Safe for the threads of a step."""

    def __init__(self, channel: Connection, artifacts: ArtifactStore) -> None:
        self._channel, self._artifacts = channel, artifacts
        self._lock = threading.Lock()
        self._advanced = 0.0

    def metric(self, point: Point) -> None:
        with self._lock:
            self._channel.send(Measured((point,)))

    def progress(self, done: float, total: float | None, note: str) -> None:
        now = time.monotonic()
        if now - self._advanced > _ADVANCE_S:
            self._advanced = now
            with self._lock:
                self._channel.send(Advanced(done, total, note))

    def save_checkpoint(self, name: str, value: Any) -> None:
        artifact = self._artifacts.put(value)
        self._ask(Save(name, artifact))

    def load_checkpoint(self, name: str, as_type: Any) -> Any:
        artifact = self._ask(Latest(name))
        return None if artifact is None else self._artifacts.load(artifact, as_type)

    def _ask(self, question: Save | Latest) -> Any:
        with self._lock:
            self._channel.send(question)
            answer: Answer = self._channel.recv()
        if answer.problem:
            raise RuntimeError(answer.problem)
        return answer.value


class Worker:
    """The loop of one worker process."""

    def __init__(self, channel: Connection) -> None:
        self._channel = channel
        setup: Setup = channel.recv()
        sys.path[:] = setup.sys_path
        with contextlib.suppress(OSError):
            os.chdir(setup.cwd)
        self._artifacts = setup.artifacts
        self._bundles, self._ignored = setup.bundles, setup.ignored
        self._pid = os.getpid()
        channel.send(Ready(self._pid))

    def work(self) -> None:
        """Runs steps until the driver closes the channel."""
        while True:
            try:
                task = self._channel.recv()
            except (EOFError, OSError):
                return
            except Exception as error:  # a message that does not unpickle: a class that only the driver knows
                self._channel.send(Done(Outcome(failure=_unreadable(error))))
                continue
            outcome = self._run(task)
            if os.getpid() != self._pid:
                os._exit(70)
            for stream in (sys.stdout, sys.stderr):
                with contextlib.suppress(Exception):
                    stream.flush()
            self._channel.send(Done(outcome))

    def _run(self, task: Do) -> Outcome:
        reporter = ChannelReporter(self._channel, self._artifacts)
        context = StepContext(task.id, task.path, task.idempotency_key, reporter, self._pid)
        started_at = time.time_ns() // 1000
        try:
            step = self._resolve(task.code)
            declared = task.declared
            with observe(declared.files, declared.variables, self._ignored) as reads:
                value = call_body(step, task.arguments, context, self._artifacts, self._resolve)
            artifact = keep_result(value, task.path, task.keep, self._artifacts)
        except Exception as error:
            return Outcome(failure=failure_of(error, task.path), started_at=started_at)
        except BaseException as error:  # KeyboardInterrupt and whatever else a body raises to end the process
            return Outcome(failure=failure_of(error, task.path), started_at=started_at)
        seen = (*reads.files, *(f"${name}" for name in reads.environment))
        return Outcome(artifact=artifact, observed=seen, started_at=started_at)

    def _resolve(self, code: CodeRef) -> Step[..., Any]:
        if code.bundle is None:
            return find_step(code)
        return step_of_bundle(code, self._artifacts, self._bundles)


def serve(channel_fd: int) -> None:
    """The life of a worker, from its channel's file descriptor; does not return before the driver lets go."""
    os.setsid()
    with contextlib.suppress(Exception):
        faulthandler.enable(file=2)
    channel = Connection(channel_fd)
    os.register_at_fork(after_in_child=channel.close)
    with contextlib.suppress(EOFError, BrokenPipeError, ConnectionResetError):
        Worker(channel).work()


def _unreadable(error: Exception) -> Failure:
    return Failure(
        kind="UnreadableArguments",
        what="A worker could not read the arguments of a step.",
        why=f"{type(error).__name__}: {error}",
        fix="Define the classes of arguments in a module that workers can import, not in the script itself.",
        retryable=False,
    )


if __name__ == "__main__":
    serve(int(sys.argv[1]))
    sys.stdout.flush()
    os._exit(0)
