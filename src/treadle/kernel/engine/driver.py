"""Driving one pipeline run: what happens when its body calls a step.

One lookup serves resume and cache. A path that this run has recorded under the same key is answered from the record;
else any finished step of the project with that key is, as a `cached` row of this run; else the step runs. Steps run in
this thread unless the run has an executor or the step has a time limit.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from treadle.ground.errors import TreadleError
from treadle.kernel.artifacts.records import Artifact
from treadle.kernel.engine import seeds
from treadle.kernel.engine.context import StepContext
from treadle.kernel.engine.dispatch import Call, Dispatcher
from treadle.kernel.engine.errors import NotReproduced, StepFailed
from treadle.kernel.engine.execution import call_body, error_of, failure_of, keep_result, recompute_with
from treadle.kernel.engine.handles import Handle, is_pending, settled, was_seen
from treadle.kernel.engine.inputs import Binding
from treadle.kernel.engine.journal import Attempt, Finish, Recorded, as_text
from treadle.kernel.engine.keys import act_key, step_key
from treadle.kernel.engine.paths import Places, item_text
from treadle.kernel.engine.records import CodeRef, Failure, Outcome, Point, RecomputedInput, StoredInput
from treadle.kernel.engine.session import HandsOut, InlineReporter, Interrupted, Session
from treadle.kernel.engine.steps import Step, spread
from treadle.kernel.store import Transaction

_SCALARS = frozenset({str, int, bool, float, type(None)})
_MAX_SCALAR_LETTERS = 1024
_GROUP_S = 0.005
_MAX_GROUP = 64
"""Elements of a map that take less than this share their commits, up to so many."""


class Suspended(BaseException):
    """Ends the body of a run that waits. Never leaves the engine; a body that catches everything lets it pass."""

    def __init__(self, run: str) -> None:
        super().__init__(run)
        self.run = run


class RunDriver:
    """One pipeline run, nested ones included, as its body sees it."""

    is_planning = False

    def __init__(self, session: Session, run: str, path: str) -> None:
        self.session = session
        self.run, self.path = run, path
        self.places = Places(path)
        self.handles: list[Handle] = []
        self._raised: list[Handle] = []

    # What steps ask for

    def call(self, step: Step[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Handle:
        """Runs a step now, or finds it done."""
        if self._goes_to_worker(step):
            handle = self.submit(step, args, kwargs)
            settled(handle)
            return handle
        call = self._new_call(step, step.bind(args, kwargs), "")
        call.may_look_later = self.session.expects_miss and step.options.concurrency is None
        self.prepare(call)
        if is_pending(call.handle):
            self._run_here(call)
        settled(call.handle)
        return call.handle

    def submit(self, step: Step[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Handle:
        """Starts a step; where there is nobody else to run it, it runs now and a failure waits in the handle."""
        call = self._new_call(step, step.bind(args, kwargs), "")
        if self._goes_to_worker(step):
            self._dispatcher().submit(call)
            return call.handle
        self._submit_here([call])
        return call.handle

    def map(self, step: Step[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> list[Handle]:
        """Runs a step for each item."""
        calls = [self._new_call(step, step.bind(a, k), item_text(items)) for a, k, items in spread(step, args, kwargs)]
        if self._goes_to_worker(step):
            dispatcher = self._dispatcher()
            for call in calls:
                dispatcher.submit(call)
        else:
            self._submit_here(calls)
        return [call.handle for call in calls]

    def run_child(self, pipeline: Any, arguments: Mapping[str, Any]) -> Any:
        """Runs a pipeline inside this one."""
        self._note_caught()
        return self.session.run_child(self, pipeline, arguments)

    def below(self, run: str, path: str) -> RunDriver:
        """The driver of a pipeline run inside this one."""
        return RunDriver(self.session, run, path)

    def metric(self, point: Point) -> None:
        """A metric of the pipeline run itself."""
        self.session.metrics.setdefault(self.run, {})[point.name] = point.value
        self.session.pipeline_points.append((self.run, point))

    def act(
        self,
        name: str,
        effect: Callable[[Transaction], Any],
        *,
        inputs: Mapping[str, Any],
        params: Mapping[str, Any],
        durable: bool,
        preview: Callable[[], Any] | None = None,
        before: Callable[[], object] | None = None,
        makes: Callable[[Transaction, str], Mapping[str, str]] | None = None,
    ) -> Any:
        """The answer of an act that happens once in this run: `effect` commits with its row, or was recorded before."""
        recorded, attempt = self._new_act("act", name, inputs, params)
        if recorded is not None and recorded.status == "done" and recorded.artifact is not None:
            if recorded.key == attempt.key:
                return self.session.artifacts.load(recorded.artifact)
            self.session.note_change(recorded, attempt)
        if before is not None:
            before()

        def work(tx: Transaction) -> tuple[Artifact, Mapping[str, Any]]:
            if makes is not None:
                self.session.journal.made(tx, attempt.id, makes(tx, attempt.id))
            return self.session.artifacts.put(effect(tx)), {}

        artifact = self.session.journal.act(attempt, work, durable=durable)
        self.session.counts["done"] += 1
        return self.session.artifacts.load(artifact)

    def wait_until(self, kind: str, subject: str, request: Any, *, due_at: int | None, position: int | None) -> Any:
        """The answer that this run waits for, once it is there; until then the run is suspended and its process may end."""
        journal = self.session.journal
        recorded, attempt = self._new_act("wait", f"wait-{kind}", {}, {"subject": subject, "request": request})
        if recorded is None or recorded.key != attempt.key:
            self.session.settle_before_suspending()
            wait = {
                "kind": kind,
                "subject": subject,
                "request": as_text(request),
                "due_at": due_at,
                "position": position,
            }
            journal.begin_waiting(attempt, wait)
            raise Suspended(attempt.id)
        if recorded.status == "done" and recorded.artifact is not None:
            return self.session.artifacts.load(recorded.artifact)
        is_answered, answer, due = journal.find_answer(recorded.id)
        if not is_answered and due is not None and due <= journal.now():
            is_answered = True
        if not is_answered:
            self.session.settle_before_suspending()
            raise Suspended(recorded.id)
        attempt.id = recorded.id
        artifact = self.session.artifacts.put(answer)
        journal.commit((), (Finish(attempt=attempt, artifact=artifact, started_at=journal.now()),))
        return answer

    def _new_act(
        self, kind: str, name: str, inputs: Mapping[str, Any], params: Mapping[str, Any]
    ) -> tuple[Recorded | None, Attempt]:
        session = self.session
        session.check()
        self._note_caught()
        path = self.places.next(name)
        binding = Binding(self.run, session.artifacts.put)
        for role, value in {**inputs, **params}.items():
            binding.add(role, value)
        recorded = session.recorded.get(path)
        attempt = Attempt(
            id=session.journal.new_id("run"),
            name=name,
            path=path,
            parent=self.run,
            key=act_key(name, binding.forms),
            code="",
            params=as_text(binding.params),
            key_parts=self._key_parts(binding, {}),
            seed=None,
            used=binding.used,
            kind=kind,
            number=1 if recorded is None else recorded.attempt + 1,
            arguments=binding.artifacts,
        )
        return recorded, attempt

    # What handles ask for

    def wait_for(self, handle: Handle) -> None:
        """Returns when the handle is settled."""
        self._dispatcher().wait(handle)

    def load_handle(self, handle: Handle, as_type: Any) -> Any:
        """The value of a settled handle."""
        spec = self.specify(handle)
        wanted = as_type or handle_type(handle)
        if type(spec) is StoredInput:
            return self.session.artifacts.load(spec.artifact, wanted)
        return recompute_with(self.session.artifacts, self._resolve)(spec, wanted)

    def metrics_of(self, handle: Handle) -> Mapping[str, float]:
        """The newest metrics of a settled handle; those of the step that made the bytes when it was reused."""
        run = handle._reused_from or handle._run
        found = self.session.metrics.get(run)
        if found is None:
            found = self.session.metrics[run] = self.session.journal.metrics_of(run)
        return dict(found)

    def specify(self, handle: Handle) -> Any:
        """How a body gets the value of a handle: from the store, or by making it again."""
        artifact = handle._artifact
        if artifact.inline is None and artifact.blob is None:
            call: Call | None = self.session.calls.get(handle._run)
            if call is None:
                raise NotReproduced(
                    f"The value of {handle._path!r} is kept by digest alone and cannot be made again here.",
                    why="The step that made it is not part of this run.",
                    fix="Run the pipeline again, or keep the value: @td.step(keep='value').",
                )
            return RecomputedInput(
                digest=artifact.digest, code=self.session.local_ref(call.step), arguments=call.specs, path=handle._path
            )
        return StoredInput(artifact=artifact)

    # The end of the body

    def settle_all(self) -> None:
        """Waits for every step that was started. Raises the failure of one that the body never saw."""
        for handle in self.handles:
            if is_pending(handle):
                self.wait_for(handle)
        for handle in self.handles:
            if handle._error is not None and not was_seen(handle):
                raise handle._error
        self._note_caught()

    # Preparing a call

    def _new_call(self, step: Step[..., Any], arguments: dict[str, Any], item: str) -> Call:
        self.session.check()
        self._note_caught()
        path = self.places.next(step.name, item)
        handle = Handle(self, path)
        self.handles.append(handle)
        self.session.counts["asked"] += 1
        return Call(driver=self, step=step, path=path, arguments=arguments, handle=handle)

    def prepare(self, call: Call) -> None:
        """Works out the key; settles the handle when the answer is known. Raises what the arguments raise."""
        session, step = self.session, call.step
        seed = None
        arguments = call.arguments
        if step.seed_name is not None and step.seed_name not in arguments:
            seed = seeds.derive(session.seed, call.path)
        binding = Binding(self.run, session.artifacts.put)
        for name, value in arguments.items():
            binding.add(name, value)
        if seed is not None:
            binding.specs[step.seed_name or ""] = seed
        code = session.code_of(step)
        environment = self._environment(step)
        key = step_key(code, binding.forms, environment, seed)
        call.specs = binding.specs
        call.attempt = Attempt(
            id=session.journal.new_id("run"),
            name=step.name,
            path=call.path,
            parent=self.run,
            key=key,
            code=code,
            params=as_text(binding.params) if binding.params else "{}",
            key_parts=self._key_parts(binding, environment),
            seed=seed,
            used=binding.used,
            arguments=binding.artifacts,
        )
        self._look_up(call, call.attempt)

    def _environment(self, step: Step[..., Any]) -> dict[str, str]:
        if step.options.cache_scope != "platform":
            return {}
        return {"platform": self.session.platform()}

    def _key_parts(self, binding: Binding, environment: dict[str, str]) -> str:
        if not binding.used and not environment:
            return "{}"
        parts: dict[str, Any] = {}
        if binding.used:
            parts["inputs"] = {used.role: used.digest for used in binding.used}
        if environment:
            parts["environment"] = environment
        return as_text(parts)

    def _look_up(self, call: Call, attempt: Attempt) -> None:
        session, options = self.session, call.step.options
        recorded = session.recorded.get(call.path) if session.recorded else None
        if recorded is not None:
            attempt.number = recorded.attempt + 1
            if recorded.key != attempt.key:
                call.changed_since = recorded.id
                session.note_change(recorded, attempt)
            elif self._replay(call, recorded):
                return
        if not options.cache or not session.reuse or session.must_rerun(call.path):
            return
        if call.may_look_later:
            call.looks_later = True
            return
        found = session.journal.find_done(attempt.key)
        session.expects_miss = found is None
        if found is not None:
            self._take_known(call, attempt, *found)

    def _take_known(self, call: Call, attempt: Attempt, maker: str, artifact: Artifact) -> None:
        """Settles the handle with a known result, if its bytes stand."""
        session = self.session
        if not session.has_bytes(artifact) and call.step.options.keep != "digest":
            return
        session.journal.found(attempt, maker, artifact)
        session.counts["cached"] += 1
        self.resolve(call, artifact, run=attempt.id, reused_from=maker)

    def _replay(self, call: Call, recorded: Recorded) -> bool:
        """Settles the handle from what this run recorded, if that still stands."""
        session = self.session
        if session.must_rerun(call.path):
            return False
        if recorded.status in ("done", "cached") and recorded.artifact is not None:
            if not session.has_bytes(recorded.artifact) and call.step.options.keep != "digest":
                return False
            session.counts["cached"] += 1
            self.resolve(call, recorded.artifact, run=recorded.id, reused_from=recorded.reused_from)
            return True
        if recorded.status == "failed" and recorded.was_caught and recorded.error:
            failure = Failure(**recorded.error)
            self.fail(call, error_of(failure, call.path, recorded.id), run=recorded.id, replayed=True)
            return True
        return False

    # Running here

    def _submit_here(self, calls: list[Call]) -> None:
        """Runs calls one after the other; quick ones share their commits."""
        waiting: list[tuple[Call, Finish, Outcome]] = []
        for group in self._groups(calls):
            if group[0].step.options.concurrency is not None:  # its place is free again only after the commit
                self._run_here(group[0])
                continue
            attempts = [call.attempt for call in group if call.attempt is not None]
            self.session.journal.commit(attempts, [finish for _, finish, _ in waiting], self.session.parts_of)
            self._conclude_all(waiting)
            waiting = []
            for call in group:
                outcome = self._execute(call)
                if outcome.failure is not None and self.will_retry(call, outcome.failure):
                    self._commit_group(waiting)
                    waiting = []
                    self._retry_here(call, outcome)
                else:
                    waiting.append((call, self.finish_of(call, outcome), outcome))
        self._commit_group(waiting)

    def _commit_group(self, waiting: list[tuple[Call, Finish, Outcome]]) -> None:
        if waiting:
            self.session.journal.commit((), [finish for _, finish, _ in waiting])
            self._conclude_all(waiting)

    def _conclude_all(self, waiting: list[tuple[Call, Finish, Outcome]]) -> None:
        for call, _, outcome in waiting:
            self.conclude(call, outcome)

    def _groups(self, calls: list[Call]) -> Iterator[list[Call]]:
        """The calls that must run, in groups that grow while their elements are quick."""
        size = 1
        group: list[Call] = []
        for call in calls:
            self.session.check()
            try:
                self.prepare(call)
            except StepFailed as error:  # an input failed; so does what depends on it
                self.fail(call, error, run="")
            if not is_pending(call.handle):
                continue
            group.append(call)
            if len(group) >= size or call.step.options.concurrency is not None:
                begun = time.monotonic()
                yield group
                is_quick = time.monotonic() - begun < _GROUP_S
                size = min(size * 2, _MAX_GROUP) if is_quick else max(1, size // 2)
                group = []
        if group:
            yield group

    def _run_here(self, call: Call) -> None:
        """Runs a call with two commits of its own, and again as often as it may."""
        attempt = call.attempt
        assert attempt is not None
        if call.looks_later:
            call.looks_later = False
            known = self.session.journal.start_unless_known(attempt, self.session.parts_of)
            self.session.expects_miss = known is None
            if known is not None:
                self._take_known(call, attempt, *known)
                if is_pending(call.handle):
                    self._run_here(call)
                return
        else:
            self._take_slot(call)
            self.session.journal.commit((attempt,), (), self.session.parts_of)
        outcome = self._execute(call)
        if outcome.failure is not None and self.will_retry(call, outcome.failure):
            self._retry_here(call, outcome)
            return
        self.session.journal.commit((), (self.finish_of(call, outcome),))
        self.conclude(call, outcome)

    def _retry_here(self, call: Call, outcome: Outcome) -> None:
        self.session.journal.commit((), (self.finish_of(call, outcome),))
        self.session.sleep(self.pause_before_retry(call))
        self.next_attempt(call)
        self._run_here(call)

    def _take_slot(self, call: Call) -> None:
        limit = call.step.options.concurrency
        if limit is None or call.attempt is None:
            return
        while not self.session.journal.take_slot(call.attempt, limit.name, limit.limit):
            self.session.check()
            self.session.sleep(0.05 + self.session.rng.random() * 0.05)

    def _execute(self, call: Call) -> Outcome:
        """One attempt in this thread: the body, then the bytes."""
        session, attempt, step = self.session, call.attempt, call.step
        assert attempt is not None
        reporter = InlineReporter(session, attempt)
        key = f"{session.root}/{call.path}"
        context = StepContext(attempt.id, call.path, key, reporter, os.getpid(), session.variables)
        session.running[attempt.id] = reporter
        call.reporter = reporter
        started_at = session.journal.now()
        try:
            with session.interruptible():
                value, seen = session.observed(call_body, step, call.specs, context)
            artifact = keep_result(value, call.path, step.options.keep, session.artifacts)
        except Interrupted:
            session.check()
            raise
        except Exception as error:
            failure = failure_of(error, call.path)
            return Outcome(failure=failure, error=error, started_at=started_at)
        except BaseException as error:
            self._record_interruption(call, error, started_at)
            raise
        finally:
            session.running.pop(attempt.id, None)
        return Outcome(artifact=artifact, value=value, observed=seen, started_at=started_at)

    def _record_interruption(self, call: Call, error: BaseException, started_at: int) -> None:
        """Ctrl-C: the attempt failed, and the run can be resumed."""
        outcome = Outcome(failure=failure_of(error, call.path), started_at=started_at)
        finish = self.finish_of(call, outcome)
        self.session.journal.commit((), (finish,))

    # What became of a call, here or in a worker

    def finish_of(self, call: Call, outcome: Outcome) -> Finish:
        """What the journal writes at the end of an attempt."""
        assert call.attempt is not None
        finish = Finish(
            attempt=call.attempt, artifact=outcome.artifact, failure=outcome.failure, started_at=outcome.started_at
        )
        reporter = call.reporter
        if reporter is not None:
            with reporter.lock:
                if reporter.said:
                    finish.metrics, finish.logs, finish.first_metric, finish.first_log = reporter.said.take()
        if finish.metrics:
            self.session.metrics[call.attempt.id] = {
                **self.session.metrics.get(call.attempt.id, {}),
                **{point.name: point.value for point in finish.metrics},
            }
        notes: dict[str, Any] = {}
        undeclared = outcome.observed or call.undeclared
        if undeclared:
            notes["undeclared"] = sorted(undeclared)
            self.session.undeclared.update(undeclared)
        if call.changed_since is not None:
            notes["changed_since"] = call.changed_since
        finish.notes = notes or None
        return finish

    def conclude(self, call: Call, outcome: Outcome) -> None:
        """Settles the handle after the commit."""
        attempt = call.attempt
        assert attempt is not None
        if outcome.failure is not None:
            self.session.counts["failed"] += 1
            error = error_of(outcome.failure, call.path, attempt.id)
            if outcome.error is not None:
                error.__cause__ = outcome.error
                error.__notes__ = []
            self.fail(call, error, run=attempt.id)
            return
        self.session.counts["done"] += 1
        value = outcome.value
        if type(value) in _SCALARS and not (type(value) is str and len(value) > _MAX_SCALAR_LETTERS):
            call.handle._scalar = value
        self.resolve(call, outcome.artifact, run=attempt.id, reused_from=None)

    def resolve(self, call: Call, artifact: Artifact, *, run: str, reused_from: str | None) -> None:
        """Settles a handle with its artifact."""
        handle = call.handle
        handle._run, handle._reused_from = run, reused_from
        if artifact.inline is None and artifact.blob is None:
            self.session.calls[run] = call
        self.session.types[call.path] = call.step
        handle._artifact = artifact
        if handle._done is not None:
            handle._done.set()

    def fail(self, call: Call, error: BaseException, *, run: str, replayed: bool = False) -> None:
        """Settles a handle with its failure."""
        handle = call.handle
        handle._run = run
        handle._error = error
        if run and not replayed:
            self._raised.append(handle)
        if handle._done is not None:
            handle._done.set()

    def will_retry(self, call: Call, failure: Failure) -> bool:
        """Whether the call is tried again after this."""
        return failure.retryable and call.tries < call.step.options.retries

    def pause_before_retry(self, call: Call) -> float:
        """Seconds: doubles with each try, and is spread by half so that many do not come back at once."""
        base = call.step.options.backoff_s * 2.0**call.tries
        return base * (0.5 + self.session.rng.random())

    def next_attempt(self, call: Call) -> None:
        """Makes the call ready to be tried again, as an attempt of its own."""
        attempt = call.attempt
        assert attempt is not None
        call.tries += 1
        call.attempt = Attempt(
            id=self.session.journal.new_id("run"),
            name=attempt.name,
            path=attempt.path,
            parent=attempt.parent,
            key=attempt.key,
            code=attempt.code,
            params=attempt.params,
            key_parts=attempt.key_parts,
            seed=attempt.seed,
            used=attempt.used,
            arguments=attempt.arguments,
            number=attempt.number + 1,
        )

    def _note_caught(self) -> None:
        """Failures that the body has seen, and went on from, are replayed on resume."""
        if not self._raised:
            return
        still: list[Handle] = []
        for handle in self._raised:
            if was_seen(handle):
                self.session.journal.caught(handle._run)
            else:
                still.append(handle)
        self._raised = still

    def _goes_to_worker(self, step: Step[..., Any]) -> bool:
        return self.session.executor is not None or step.options.timeout_s is not None

    def _dispatcher(self) -> HandsOut:
        if self.session.dispatcher is None:
            self.session.dispatcher = Dispatcher(self.session, self.session.worker())
        return self.session.dispatcher

    def _resolve(self, code: CodeRef) -> Step[..., Any]:
        return self.session.resolve(code)


def handle_type(handle: Handle) -> Any:
    """What the step's return annotation says about the value behind a handle."""
    step = handle._owner.session.types.get(handle._path)  # type: ignore[attr-defined]
    return None if step is None else step.types.get("return")


__all__ = ["RunDriver", "TreadleError", "handle_type"]
