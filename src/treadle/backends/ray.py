"""Ray as an executor: steps on a local Ray, or on a cluster. Ray is imported when the first step is submitted.

Ray carries no data here: arguments and results go by digest through the artifact store, so a lost object costs nothing
and the journal stays the driver's alone. What a step says on the way (logs, metrics, checkpoints) passes through one
small actor, the mailbox, which the driver empties.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
import threading
import time
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from treadle.ground.errors import MissingExtra, Unavailable
from treadle.kernel.artifacts.records import Artifact
from treadle.kernel.engine.code_refs import find_step
from treadle.kernel.engine.code_store import step_of_bundle
from treadle.kernel.engine.context import StepContext
from treadle.kernel.engine.execution import call_body, failure_of, keep_result
from treadle.kernel.engine.pool.messages import Do, Setup, do_of
from treadle.kernel.engine.ports import ArtifactStore, Capacity, Listener
from treadle.kernel.engine.records import CodeRef, Failure, Outcome, Point, Task
from treadle.kernel.engine.steps import Step

_ERRORS = "treadle.kernel.engine.errors"
_POLL_S = 0.2


class ArtifactsNotShared(Unavailable):
    code, retryable = "ray.artifacts_not_shared", False


@dataclass(slots=True, eq=False)
class _Flying:
    """A task that Ray has."""

    task: Task
    listener: Listener
    ref: Any
    deadline: float | None = None
    ended_because: str | None = None


class Mailbox:
    """The actor between workers and driver: letters in order, and answers to the questions among them."""

    def __init__(self) -> None:
        self._letters: list[tuple[Any, ...]] = []
        self._arrived = asyncio.Event()
        self._answers: dict[str, asyncio.Future[Any]] = {}

    async def post(self, letter: tuple[Any, ...]) -> None:
        """Leaves a letter for the driver."""
        self._letters.append(letter)
        self._arrived.set()

    async def ask(self, token: str, letter: tuple[Any, ...]) -> Any:
        """Leaves a question and waits for the driver's answer."""
        future = self._answers[token] = asyncio.get_running_loop().create_future()
        await self.post((*letter, token))
        return await future

    async def answer(self, token: str, value: Any, problem: str) -> None:
        """The driver's answer to a question."""
        future = self._answers.pop(token, None)
        if future is not None and not future.done():
            future.set_result((value, problem))

    async def take(self, wait_s: float) -> list[tuple[Any, ...]]:
        """All letters so far; waits a while for the first."""
        if not self._letters:
            with contextlib.suppress(asyncio.TimeoutError):
                await asyncio.wait_for(self._arrived.wait(), wait_s)
        letters, self._letters = self._letters, []
        self._arrived.clear()
        return letters


class RayExecutor:
    """Steps as Ray tasks. `address` names a cluster; without one, the one that Ray finds, or a local one of its own."""

    name = "ray"

    def __init__(self, artifacts: ArtifactStore, *, address: str | None = None, **options: Any) -> None:
        """options: for `ray.init`, where this starts or joins Ray."""
        self._artifacts, self._address, self._options = artifacts, address, options
        self._lock = threading.Lock()
        self._flying: dict[str, _Flying] = {}
        self._cancelled: deque[tuple[str, str]] = deque()
        self._ray: Any = None
        self._mailbox: Any = None
        self._remote: Any = None
        self._thread: threading.Thread | None = None
        self._is_closed = False
        self._started_ray = False
        self._connected = threading.Event()
        self._problem: Exception | None = None

    def capacity(self) -> Capacity:
        """Whatever the cluster has: Ray queues what does not fit."""
        return Capacity(cpus=float(1 << 20), is_elastic=True)

    def submit(self, task: Task, listener: Listener) -> None:
        """Hands a task to Ray. Raises MissingExtra, ArtifactsNotShared."""
        with self._lock:
            if self._thread is None:
                self._connected.clear()
                self._problem = None
                self._connect()
        needs = task.options.resources
        do = do_of(task)
        setup = Setup([entry or os.getcwd() for entry in sys.path], os.getcwd(), self._artifacts, _bundle_folder())  # noqa: PTH109
        remote = self._remote.options(
            num_cpus=needs.cpus, num_gpus=needs.gpus, memory=needs.memory_bytes or None, name=task.path
        )
        with self._lock:
            self._flying[task.id] = _Flying(task, listener, remote.remote(do, setup, self._mailbox))

    def cancel(self, task_id: str, *, reason: str) -> None:
        """Ends the worker of a task by force."""
        self._cancelled.append((task_id, reason))

    def close(self) -> None:
        """Ends what flies; a Ray that this has started is stopped."""
        with self._lock:
            self._is_closed = True
        if self._thread is not None:
            self._thread.join()

    def _connect(self) -> None:
        """Starts or joins Ray, in our own thread: Ray's processes end with the *thread* that started them (PDEATHSIG),
        and the thread that submits the first step ends with its run."""
        self._thread = threading.Thread(target=self._live, name="treadle-ray", daemon=True)
        self._thread.start()
        self._connected.wait()
        if self._problem is not None:
            self._thread.join()
            self._thread = None
            raise self._problem

    def _live(self) -> None:
        try:
            self._open()
        except Exception as error:  # handed to whoever submits
            self._problem = error
            return
        finally:
            self._connected.set()
        try:
            self._work()
        finally:
            self._shut()

    def _open(self) -> None:
        try:
            import ray
        except ImportError as error:
            raise MissingExtra.of("ray", "ray", "Running steps on Ray") from error
        if not ray.is_initialized():
            options = {"include_dashboard": False, "log_to_driver": False, "configure_logging": False, **self._options}
            ray.init(address=self._address, **options)
            self._started_ray = True
        self._check_artifacts(ray)
        self._mailbox = ray.remote(Mailbox).options(num_cpus=0, max_concurrency=1000).remote()
        self._remote = ray.remote(max_retries=0)(run_task)
        self._ray = ray

    def _shut(self) -> None:
        for flying in list(self._flying.values()):
            self._ray.cancel(flying.ref, force=True)
        self._ray.kill(self._mailbox)
        if self._started_ray:
            self._ray.shutdown()

    def _check_artifacts(self, ray: Any) -> None:
        """A folder of this host is no place for bytes that other nodes must read."""
        nodes = [node for node in ray.nodes() if node.get("Alive")]
        root = getattr(getattr(self._artifacts, "blobs", None), "root", None)
        if len(nodes) > 1 and root is not None:
            raise ArtifactsNotShared(
                f"Ray has {len(nodes)} nodes, and the artifacts are in a folder of this one.",
                why=f"Steps on other nodes could not read {root}.",
                fix="Name an object store with TREADLE_ARTIFACTS, such as s3://bucket/prefix.",
            )

    # Our thread

    def _work(self) -> None:
        ray = self._ray
        taking = self._mailbox.take.remote(_POLL_S)
        while not self._is_closed:
            with self._lock:
                refs = {flying.ref: flying for flying in self._flying.values()}
            ready, _ = ray.wait([taking, *refs], num_returns=1, timeout=_POLL_S)
            if taking in ready:
                taking = self._read(taking)
            over = [ref for ref in ready if ref in refs]
            if over:  # everything that the step has said was posted before it ended
                taking = self._read(taking)
            for ref in over:
                self._end(refs[ref])
            while self._cancelled:
                task_id, reason = self._cancelled.popleft()
                self._stop(task_id, reason)
            now = time.monotonic()
            for flying in list(self._flying.values()):
                if flying.deadline is not None and flying.deadline <= now:
                    flying.deadline = None
                    self._stop(flying.task.id, "timeout")

    def _read(self, taking: Any) -> Any:
        for letter in self._ray.get(taking):
            kind, task_id, *content = letter
            flying = self._flying.get(task_id)
            if flying is not None:
                self._deliver(flying, kind, content)
        return self._mailbox.take.remote(_POLL_S)

    def _deliver(self, flying: _Flying, kind: str, content: list[Any]) -> None:
        listener, task = flying.listener, flying.task
        if kind == "begun" and task.options.timeout_s is not None:
            flying.deadline = time.monotonic() + task.options.timeout_s
        elif kind == "printed":
            listener.printed(task.id, *content)
        elif kind == "metric":
            listener.measured(task.id, tuple(content))
        elif kind == "progress":
            listener.advanced(task.id, *content)
        elif kind in ("save", "latest"):
            *question, token = content
            value, problem = None, ""
            try:
                if kind == "save":
                    listener.saved(task.id, *question)
                else:
                    value = listener.wants_checkpoint(task.id, *question)
            except Exception as error:  # the step is told; it decides
                problem = f"{type(error).__name__}: {error}"
            self._mailbox.answer.remote(token, value, problem)

    def _stop(self, task_id: str, reason: str) -> None:
        flying = self._flying.get(task_id)
        if flying is not None:
            flying.ended_because = reason
            self._ray.cancel(flying.ref, force=True)

    def _end(self, flying: _Flying) -> None:
        try:
            outcome: Outcome = self._ray.get(flying.ref)
        except Exception as error:  # Ray has a dozen kinds for a task that did not come back
            outcome = Outcome(failure=_lost(flying, error))
        with self._lock:
            self._flying.pop(flying.task.id, None)
        flying.listener.finished(flying.task.id, outcome)


class MailReporter:
    """A step's reporter, by letters to the mailbox."""

    def __init__(self, ray: Any, mailbox: Any, task_id: str, artifacts: ArtifactStore) -> None:
        self._ray, self._mailbox, self._task, self._artifacts = ray, mailbox, task_id, artifacts
        self._sent: Any = None

    def post(self, kind: str, *content: Any) -> None:
        """Sends a letter; returns at once."""
        self._sent = self._mailbox.post.remote((kind, self._task, *content))

    def flush(self) -> None:
        """Returns when all letters have arrived."""
        if self._sent is not None:
            self._ray.get(self._sent)

    def metric(self, point: Point) -> None:
        self.post("metric", point)

    def progress(self, done: float, total: float | None, note: str) -> None:
        self.post("progress", done, total, note)

    def save_checkpoint(self, name: str, value: Any) -> None:
        self._ask("save", name, self._artifacts.put(value))

    def load_checkpoint(self, name: str, as_type: Any) -> Any:
        artifact: Artifact | None = self._ask("latest", name)
        return None if artifact is None else self._artifacts.load(artifact, as_type)

    def _ask(self, kind: str, *question: Any) -> Any:
        token = os.urandom(12).hex()
        value, problem = self._ray.get(self._mailbox.ask.remote(token, (kind, self._task, *question)))
        if problem:
            raise RuntimeError(problem)
        return value


def run_task(do: Do, setup: Setup, mailbox: Any) -> Outcome:
    """What runs in Ray's worker: the body, with what it prints and says sent to the mailbox."""
    import ray

    for entry in reversed(setup.sys_path):
        if entry not in sys.path:
            sys.path.insert(0, entry)
    artifacts = setup.artifacts
    reporter = MailReporter(ray, mailbox, do.id, artifacts)
    context = StepContext(do.id, do.path, do.idempotency_key, reporter, os.getpid())

    def resolve(code: CodeRef) -> Step[..., Any]:
        return find_step(code) if code.bundle is None else step_of_bundle(code, artifacts, setup.bundles)

    started_at = time.time_ns() // 1000
    reporter.post("begun")
    try:
        with _printing_to(reporter):
            value = call_body(resolve(do.code), do.arguments, context, artifacts, resolve)
        artifact = keep_result(value, do.path, do.keep, artifacts)
    except Exception as error:
        return Outcome(failure=failure_of(error, do.path), started_at=started_at)
    finally:
        reporter.flush()
    return Outcome(artifact=artifact, started_at=started_at)


@contextlib.contextmanager
def _printing_to(reporter: MailReporter) -> Iterator[None]:
    """Sends what is written to the file descriptors 1 and 2, binary garbage included, while the body runs."""
    readers: list[tuple[int, int, int, threading.Thread]] = []
    for fd, stream in ((1, "stdout"), (2, "stderr")):
        kept = os.dup(fd)
        read, write = os.pipe()
        os.dup2(write, fd)
        os.close(write)
        thread = threading.Thread(target=_forward, args=(read, stream, reporter), daemon=True)
        thread.start()
        readers.append((fd, kept, read, thread))
    try:
        yield
    finally:
        for stream_object in (sys.stdout, sys.stderr):
            with contextlib.suppress(Exception):
                stream_object.flush()
        for fd, kept, read, thread in readers:
            os.dup2(kept, fd)
            os.close(kept)
            thread.join(timeout=1.0)
            if not thread.is_alive():
                os.close(read)


def _forward(read: int, stream: str, reporter: MailReporter) -> None:
    import codecs

    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    while data := os.read(read, 1 << 16):
        text = decoder.decode(data)
        if text:
            reporter.post("printed", stream, text)


def _lost(flying: _Flying, error: Exception) -> Failure:
    path = flying.task.path
    if flying.ended_because == "timeout":
        return Failure(
            kind=f"{_ERRORS}.StepTimedOut",
            what=f"The step {path!r} took longer than its {flying.task.options.timeout_s:g} s and was ended.",
            why="Its Ray worker was killed.",
            fix="Give it more with @td.step(timeout_s=…), or save its state with td.checkpoint.",
        )
    if flying.ended_because is not None:
        what = f"The step {path!r} was ended: {flying.ended_because}."
        return Failure(kind="Cancelled", what=what, retryable=False)
    return Failure(
        kind=f"{_ERRORS}.WorkerDied",
        what=f"The Ray worker that ran {path!r} is gone: {type(error).__name__}.",
        why=str(error).strip().splitlines()[0] if str(error).strip() else "",
        fix="Look at the node's memory and at Ray's own logs; retries= helps with what comes and goes.",
    )


def _bundle_folder() -> str:
    import tempfile

    return os.path.join(tempfile.gettempdir(), "treadle-code")  # noqa: PTH118
