"""Steps that run elsewhere: admitted as resources allow, committed in groups as they end.

One thread per root run. Whatever arrives while it works (steps that became ready, outcomes of workers, timers) is taken
together: their ends and the next beginnings are one commit. Its effort follows what is ready, never all that there is.
"""

from __future__ import annotations

import heapq
import queue
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Protocol

from treadle.ground.errors import TreadleError
from treadle.kernel.artifacts.records import Artifact
from treadle.kernel.engine.errors import InvalidStep, LeaseLost, RunCancelled
from treadle.kernel.engine.handles import Handle, is_pending
from treadle.kernel.engine.journal import Attempt, Finish
from treadle.kernel.engine.ports import Executor
from treadle.kernel.engine.records import Failure, Outcome, Point, Task
from treadle.kernel.engine.session import InlineReporter, Session
from treadle.kernel.engine.steps import Each, Step

_SLOT_PAUSE_S = 0.05


class CallOwner(Protocol):
    """The driver of the run that a call belongs to, as far as whoever hands calls to workers needs it."""

    def prepare(self, call: Call) -> None: ...
    def finish_of(self, call: Call, outcome: Outcome) -> Finish: ...
    def conclude(self, call: Call, outcome: Outcome) -> None: ...
    def fail(self, call: Call, error: BaseException, *, run: str) -> None: ...
    def will_retry(self, call: Call, failure: Failure) -> bool: ...
    def pause_before_retry(self, call: Call) -> float: ...
    def next_attempt(self, call: Call) -> None: ...


@dataclass(slots=True, eq=False)
class Call:
    """One call of a step on its way through the engine."""

    driver: CallOwner
    step: Step[..., Any]
    path: str
    arguments: dict[str, Any]
    handle: Handle
    attempt: Attempt | None = None
    specs: dict[str, Any] = field(default_factory=dict)
    reporter: InlineReporter | None = None
    tries: int = 0
    waits_for: int = 0
    changed_since: str | None = None
    undeclared: tuple[str, ...] = ()
    may_look_later: bool = False
    looks_later: bool = False


class Dispatcher:
    """Gives the calls of one root run to an executor; is its listener."""

    def __init__(self, session: Session, executor: Executor) -> None:
        self._session, self._executor = session, executor
        capacity = executor.capacity()
        self._capacity = capacity
        self._free_cpus, self._free_gpus, self._free_memory = capacity.cpus, capacity.gpus, capacity.memory_bytes
        self._messages: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._ready: deque[Call] = deque()
        self._running: dict[str, Call] = {}
        self._blocked: dict[Handle, list[Call]] = {}
        self._timers: list[tuple[float, int, Call]] = []
        self._arrived: list[tuple[Call, Outcome]] = []
        self._outstanding: set[Call] = set()
        self._lock = threading.Lock()
        self._count = 0
        self._thread: threading.Thread | None = None
        self._is_stopped: TreadleError | None = None

    # From the body's thread

    def submit(self, call: Call) -> None:
        """Takes a call. Its handle settles when it is over."""
        call.handle._done = threading.Event()
        pending = [handle for handle in handles_in(call.arguments.values()) if is_pending(handle)]
        if not pending and not self._prepare(call):
            return
        with self._lock:
            stopped = self._is_stopped
            if stopped is None:
                self._outstanding.add(call)
        if stopped is not None:  # its thread has ended, and nobody would take the call
            call.driver.fail(call, stopped, run="")
            return
        if pending:
            self._messages.put(lambda: self._block(call, pending))
        else:
            self._messages.put(lambda: self._ready.append(call))
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, name="treadle-dispatch", daemon=True)
            self._thread.start()

    def wait(self, handle: Handle) -> None:
        """Returns when the handle is settled."""
        if handle._done is not None:
            handle._done.wait()

    def stop(self, error: TreadleError) -> None:
        """Ends what runs, and settles every handle with the error. Returns at once."""
        self._messages.put(lambda: self._abandon(error))

    def close(self) -> None:
        """Ends the thread; nothing may be outstanding."""
        if self._thread is not None:
            self._messages.put(None)
            self._thread.join()

    # The listener: called from the executor's thread

    def printed(self, task_id: str, stream: str, text: str) -> None:
        call = self._running.get(task_id)
        if call is not None and call.reporter is not None:
            call.reporter.printed(stream, text)
            self._session.echo(call.path, stream, text)

    def measured(self, task_id: str, points: tuple[Point, ...]) -> None:
        call = self._running.get(task_id)
        if call is not None and call.reporter is not None:
            for point in points:
                call.reporter.metric(point)

    def advanced(self, task_id: str, done: float, total: float | None, note: str) -> None:
        call = self._running.get(task_id)
        if call is not None and call.reporter is not None:
            call.reporter.progress(done, total, note)

    def saved(self, task_id: str, name: str, artifact: Artifact) -> None:
        call = self._running.get(task_id)
        if call is not None:
            self._session.journal.save_checkpoint(task_id, call.path, name, artifact)

    def wants_checkpoint(self, task_id: str, name: str) -> Artifact | None:
        call = self._running.get(task_id)
        return None if call is None else self._session.journal.find_checkpoint(call.path, name)

    def finished(self, task_id: str, outcome: Outcome) -> None:
        self._messages.put(lambda: self._arrive(task_id, outcome))

    # The thread

    def _work(self) -> None:
        try:
            while self._take_messages():
                self._turn()
        except BaseException as error:  # the outermost loop of a thread: nobody may be left waiting
            self._abandon(error if isinstance(error, TreadleError) else _broken(error))
            if not isinstance(error, TreadleError):
                raise

    def _take_messages(self) -> bool:
        """Waits for something to do and takes all of it. False at the end."""
        timeout = max(0.0, self._timers[0][0] - time.monotonic()) if self._timers else None
        try:
            message = self._messages.get(timeout=timeout)
            while True:
                if message is None:
                    return False
                message()
                message = self._messages.get_nowait()
        except queue.Empty:
            pass
        while self._timers and self._timers[0][0] <= time.monotonic():
            self._ready.append(heapq.heappop(self._timers)[2])
        return True

    def _turn(self) -> None:
        arrived, self._arrived = self._arrived, []
        if self._is_stopped is not None:
            self._drop(arrived)
            return
        finishes: list[Finish] = []
        for call, outcome in arrived:
            finishes.append(call.driver.finish_of(call, outcome))
            self._release(call)
        starts = self._admit()
        if not finishes and not starts:
            return
        try:
            attempts = [call.attempt for call in starts if call.attempt is not None]
            self._session.journal.commit(attempts, finishes, self._session.parts_of)
        except LeaseLost as error:
            self._drop(arrived)
            self._session.stop(error)
            self._abandon(error)
            return
        for call in starts:
            self._start(call)
        for call, outcome in arrived:
            self._conclude(call, outcome)

    def _admit(self) -> list[Call]:
        """The calls that begin now, in order, as far as there is room; what does not fit waits without blocking others."""
        admitted: list[Call] = []
        for _ in range(len(self._ready)):
            if not self._capacity.is_elastic and self._free_cpus <= 0:
                break
            call = self._ready.popleft()
            if not self._fits(call):
                self._ready.append(call)
                continue
            limit = call.step.options.concurrency
            attempt = call.attempt
            if limit and attempt and not self._session.journal.take_slot(attempt, limit.name, limit.limit):
                self._later(call, _SLOT_PAUSE_S)
                continue
            self._occupy(call, 1)
            if call.attempt is not None:
                call.reporter = InlineReporter(self._session, call.attempt)
                self._session.running[call.attempt.id] = call.reporter
                self._running[call.attempt.id] = call
            admitted.append(call)
        return admitted

    def _fits(self, call: Call) -> bool:
        if self._capacity.is_elastic:
            return True
        needs = call.step.options.resources
        cpus = min(needs.cpus, self._capacity.cpus)
        return (
            cpus <= self._free_cpus
            and needs.gpus <= self._free_gpus
            and needs.memory_bytes <= max(self._free_memory, 0)
        )

    def _occupy(self, call: Call, sign: int) -> None:
        needs = call.step.options.resources
        self._free_cpus -= sign * min(needs.cpus, self._capacity.cpus)
        self._free_gpus -= sign * needs.gpus
        self._free_memory -= sign * needs.memory_bytes

    def _start(self, call: Call) -> None:
        attempt, step = call.attempt, call.step
        assert attempt is not None
        task = Task(
            id=attempt.id,
            path=call.path,
            code=self._session.code_ref(step),
            arguments=call.specs,
            idempotency_key=f"{self._session.root}/{call.path}",
            options=step.options,
            declared=self._session.declared_by(step, call.specs),
        )
        self._executor.submit(task, self)

    def _arrive(self, task_id: str, outcome: Outcome) -> None:
        call = self._running.pop(task_id, None)
        if call is not None:
            self._session.running.pop(task_id, None)
            self._arrived.append((call, outcome))

    def _release(self, call: Call) -> None:
        self._occupy(call, -1)

    def _conclude(self, call: Call, outcome: Outcome) -> None:
        if outcome.failure is not None and call.driver.will_retry(call, outcome.failure):
            pause = call.driver.pause_before_retry(call)
            call.driver.next_attempt(call)
            self._later(call, pause)
            return
        call.driver.conclude(call, outcome)
        self._settle(call)

    def _settle(self, call: Call) -> None:
        with self._lock:
            self._outstanding.discard(call)
        for waiting in self._blocked.pop(call.handle, ()):
            waiting.waits_for -= 1
            if waiting.waits_for == 0:
                self._unblock(waiting)

    def _block(self, call: Call, pending: list[Handle]) -> None:
        for handle in pending:
            if is_pending(handle):
                call.waits_for += 1
                self._blocked.setdefault(handle, []).append(call)
        if call.waits_for == 0:
            self._unblock(call)

    def _unblock(self, call: Call) -> None:
        if self._prepare(call):
            self._ready.append(call)
            self._messages.put(_nothing)
        else:
            self._settle(call)

    def _prepare(self, call: Call) -> bool:
        """Whether the call has to run. Otherwise its handle is settled: with a hit, or with what went wrong."""
        try:
            self._check_fits(call.step)
            self._session.code_ref(call.step)
            call.driver.prepare(call)
        except Exception as error:
            call.driver.fail(call, error, run="")
        return is_pending(call.handle)

    def _check_fits(self, step: Step[..., Any]) -> None:
        needs, has = step.options.resources, self._capacity
        if has.is_elastic or (needs.gpus <= has.gpus and needs.memory_bytes <= has.memory_bytes):
            return
        raise InvalidStep(
            f"The step {step.name!r} can never start here.",
            why=f"It asks for {needs.gpus:g} GPUs and {needs.memory_bytes:,} bytes of memory; "
            f"the executor {self._executor.name!r} has {has.gpus:g} and {has.memory_bytes:,}.",
            fix="Ask for less with td.Resources, or run where there is more.",
        )

    def _later(self, call: Call, seconds: float) -> None:
        self._count += 1
        heapq.heappush(self._timers, (time.monotonic() + seconds, self._count, call))

    def _drop(self, arrived: list[tuple[Call, Outcome]]) -> None:
        error = self._is_stopped or RunCancelled("The run has ended.")
        for call, _ in arrived:
            call.driver.fail(call, error, run="")
            self._settle(call)

    def _abandon(self, error: TreadleError) -> None:
        """Ends everything by force."""
        if self._is_stopped is None:
            self._is_stopped = error
        for task_id in list(self._running):
            self._executor.cancel(task_id, reason="the run has ended")
        self._ready.clear()
        self._timers.clear()
        self._blocked.clear()
        with self._lock:
            outstanding, self._outstanding = self._outstanding, set()
        for call in outstanding:
            if is_pending(call.handle):
                call.driver.fail(call, error, run="")


def handles_in(values: Any) -> Iterator[Handle]:
    """The handles among values, also inside lists, tuples and dictionaries."""
    for value in values:
        kind = type(value)
        if kind is Handle:
            yield value
        elif kind is list or kind is tuple or kind is Each:
            yield from handles_in(value)
        elif kind is dict:
            yield from handles_in(value.values())


def _nothing() -> None:
    """Wakes the thread."""


def _broken(error: BaseException) -> TreadleError:
    broken = TreadleError(f"The engine failed while it handed out steps: {type(error).__name__}: {error}")
    broken.__cause__ = error
    return broken
