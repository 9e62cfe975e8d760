"""What all the pipeline runs of one root run share: journal, seed, executor, fingerprints, and whether it may go on."""

from __future__ import annotations

import contextlib
import random
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from typing import Any, Protocol

from treadle.ground.errors import TreadleError
from treadle.kernel.artifacts.records import Artifact
from treadle.kernel.engine.code_refs import CodeRefs
from treadle.kernel.engine.context import StepContext
from treadle.kernel.engine.errors import InvalidStep, LeaseLost, RunCancelled
from treadle.kernel.engine.handles import is_pending
from treadle.kernel.engine.inputs import declared_in
from treadle.kernel.engine.journal import Attempt, Journal, Recorded
from treadle.kernel.engine.paths import is_at
from treadle.kernel.engine.ports import ArtifactStore, Executor
from treadle.kernel.engine.records import CodeRef, Declared, Point
from treadle.kernel.engine.reporting import Said
from treadle.kernel.engine.secrets import redacted
from treadle.kernel.engine.steps import Step


class Interrupted(BaseException):
    """Raised inside a body that runs in the driver when its run was cancelled or lost. Never leaves the engine."""


class HandsOut(Protocol):
    """Whoever hands a session's calls to workers: told to end when the run does."""

    def submit(self, call: Any) -> None: ...
    def wait(self, handle: Any) -> None: ...
    def stop(self, error: LeaseLost | RunCancelled) -> None: ...
    def close(self) -> None: ...


class InlineReporter:
    """The reporter of a step that runs in the driver's own process."""

    __slots__ = ("_session", "attempt", "done", "lock", "note", "said", "total")

    def __init__(self, session: Session, attempt: Attempt) -> None:
        self._session, self.attempt = session, attempt
        self.lock = threading.Lock()
        self.said = Said()
        self.done = 0.0
        self.total: float | None = None
        self.note = ""

    def metric(self, point: Point) -> None:
        with self.lock:
            self.said.point(point)

    def printed(self, stream: str, text: str) -> None:
        with self.lock:
            self.said.printed(stream, text)

    def progress(self, done: float, total: float | None, note: str) -> None:
        self.done, self.total, self.note = done, total, note

    def save_checkpoint(self, name: str, value: Any) -> None:
        artifact = self._session.artifacts.put(value)
        self._session.journal.save_checkpoint(self.attempt.id, self.attempt.path, name, artifact)

    def load_checkpoint(self, name: str, as_type: Any) -> Any:
        artifact = self._session.journal.find_checkpoint(self.attempt.path, name)
        return None if artifact is None else self._session.artifacts.load(artifact, as_type)

    def flush(self, journal: Journal) -> None:
        """Commits what was said so far; called by the heartbeat."""
        with self.lock:
            if self.said:
                points, logs, first_metric, first_log = self.said.take()
                try:
                    journal.live(self.attempt, points, logs, first_metric, first_log)
                except BaseException:
                    self.said.give_back(points, logs)
                    raise


class Session:
    """One root run in this process."""

    def __init__(
        self,
        journal: Journal,
        artifacts: ArtifactStore,
        *,
        seed: int,
        now_at: int,
        recorded: dict[str, Recorded],
        fingerprint: Callable[..., Any],
        executor: Executor | None,
        worker_executor: Callable[[], Executor],
        sleep: Callable[[float], None],
        rng: random.Random,
        platform: Callable[[], str],
        variables: Mapping[str, str],
        observe: Callable[..., AbstractContextManager[Any]] | None,
        code_refs: CodeRefs,
        run_child: Callable[..., Any],
        reuse: bool = True,
        rerun_from: str | None = None,
    ) -> None:
        self.journal, self.artifacts = journal, artifacts
        self.root = journal.fence.root
        self.seed, self.recorded = seed, recorded
        self.executor = executor
        self._worker_executor = worker_executor
        self.sleep, self.rng, self.platform, self.variables = sleep, rng, platform, variables
        self.reuse, self.rerun_from = reuse, rerun_from
        self.expects_miss = False
        """The last look for a key found nothing, so the next one is made where the step begins."""
        self.running: dict[str, InlineReporter] = {}
        self.drivers: list[Any] = []
        self.now_at = now_at
        self.metrics: dict[str, dict[str, float]] = {}
        self.calls: dict[str, Any] = {}
        self.types: dict[str, Step[..., Any]] = {}
        self.pipeline_points: list[tuple[str, Point]] = []
        self.changes: list[str] = []
        self.undeclared: set[str] = set()
        self.counts = {"done": 0, "cached": 0, "failed": 0, "asked": 0}
        self.stopped: TreadleError | None = None
        self.dispatcher: HandsOut | None = None
        self._observe = observe
        self._code_refs = code_refs
        self.run_child = run_child
        self._fingerprint = fingerprint
        self._fingerprints: dict[Step[..., Any], Any] = {}
        self._code_parts: dict[str, Mapping[str, str]] = {}
        self._body_lock = threading.Lock()
        self._body_thread: int | None = None

    def code_of(self, step: Step[..., Any]) -> str:
        """The digest of what a step's code reaches; worked out once per run."""
        found = self._fingerprints.get(step)
        if found is None:
            found = self._fingerprint(step.function, version=step.options.version, depends_on=step.options.depends_on)
            self._fingerprints[step] = found
            self._code_parts[found.digest] = found.parts
        return str(found.digest)

    def parts_of(self, digest: str) -> Mapping[str, str]:
        """The parts of a code digest that `code_of` gave."""
        return self._code_parts.get(digest, {})

    def code_ref(self, step: Step[..., Any]) -> CodeRef:
        """Where a worker finds the step. Raises InvalidStep for one that only this process can reach."""
        return self._code_refs.of(step)

    def local_ref(self, step: Step[..., Any]) -> CodeRef:
        """Where to find the step: for workers, if they can, else for this process."""
        try:
            return self._code_refs.of(step)
        except InvalidStep:
            return self._code_refs.local(step)

    def resolve(self, code: CodeRef) -> Step[..., Any]:
        """The step behind a reference that `code_ref` gave."""
        return self._code_refs.step(code)

    def must_rerun(self, path: str) -> bool:
        """Whether a partial re-run asks for this step; what depends on it follows by its keys."""
        return self.rerun_from is not None and is_at(path, self.rerun_from)

    def note_change(self, recorded: Recorded, attempt: Attempt) -> None:
        """Keeps for the report that a path was asked for with another key than the run has recorded."""
        why = "its code changed" if recorded.code != attempt.code else "its inputs or parameters changed"
        self.changes.append(f"{attempt.path}: {why} since {recorded.id}")

    def declared_by(self, step: Step[..., Any], specs: Mapping[str, Any]) -> Declared:
        """What a call may read: what the step's code declares, and the declared files and variables among its arguments."""
        self.code_of(step)
        found = self._fingerprints[step]
        files, variables = declared_in(specs.values())
        return Declared(files=(*found.files, *files), variables=(*found.variables, *variables))

    def observed(
        self, body: Callable[..., Any], step: Step[..., Any], specs: Mapping[str, Any], context: StepContext
    ) -> tuple[Any, tuple[str, ...]]:
        """The body's answer, and what it read without declaring it."""
        if self._observe is None:
            return body(step, specs, context, self.artifacts, self.resolve), ()
        declared = self.declared_by(step, specs)
        with self._observe(files=declared.files, variables=declared.variables) as reads:
            value = body(step, specs, context, self.artifacts, self.resolve)
        if not reads.files and not reads.environment:
            return value, ()
        return value, (*reads.files, *(f"${name}" for name in reads.environment))

    def echo(self, path: str, stream: str, text: str) -> None:
        """Shows what a worker printed, in this process's own streams."""
        target = getattr(sys, stream, None)
        if target is not None:
            target.write(redacted(text))

    def settle_before_suspending(self) -> None:
        """Lets the steps that were started come to their ends: nothing may run for a run that nobody holds."""
        for driver in self.drivers:
            for handle in driver.handles:
                if is_pending(handle):
                    driver.wait_for(handle)

    def has_bytes(self, artifact: Artifact) -> bool:
        """Whether the artifact can be loaded; one kept by digest alone cannot."""
        if artifact.inline is None and artifact.blob is None:
            return False
        return self.artifacts.stands(artifact)

    def worker(self) -> Executor:
        """An executor with processes, for steps that must not run here."""
        return self.executor or self._worker_executor()

    def check(self) -> None:
        """Raises LeaseLost or RunCancelled once the run is no longer ours."""
        if self.stopped is not None:
            raise self.stopped

    def stop(self, error: LeaseLost | RunCancelled) -> None:
        """Says that the run must end: from now on nothing starts, and a body that runs here is interrupted."""
        if self.stopped is not None:
            return
        self.stopped = error
        if self.dispatcher is not None:
            self.dispatcher.stop(error)
        with self._body_lock:
            if self._body_thread is not None:
                _raise_in(self._body_thread, Interrupted)

    @contextlib.contextmanager
    def interruptible(self) -> Iterator[None]:
        """While a body runs here, `stop` may interrupt it between two byte codes."""
        with self._body_lock:
            self._body_thread = threading.get_ident()
        try:
            yield
        finally:
            with self._body_lock:
                thread, self._body_thread = self._body_thread, None
                if self.stopped is not None and thread is not None:
                    _take_back()


class _Nothing(BaseException):
    """What takes the place of an interruption that was not delivered."""


def _raise_in(thread: int, kind: type[BaseException]) -> None:
    """CPython's way to interrupt another thread."""
    import ctypes

    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread), ctypes.py_object(kind))


def _take_back() -> None:
    """Takes back an interruption of this thread that was not delivered yet.

    Something else is delivered in its place. To say that there is nothing to deliver leaves the interpreter's flag set for
    good (CPython 3.11): every byte code looks for a reason from then on, and a traced call never begins.
    """
    with contextlib.suppress(_Nothing):
        _raise_in(threading.get_ident(), _Nothing)
        for _ in range(1000):  # it comes between two of these byte codes
            pass
