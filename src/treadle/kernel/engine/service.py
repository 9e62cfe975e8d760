"""The engine: runs pipelines, resumes them, ends them, and records acts.

It is made by `assembly` with everything that it needs: a store, artifacts, a clock, ids, and what fingerprints code.
It holds no state of runs; that is in the store, and any engine on the same store may go on where another left off.
"""

from __future__ import annotations

import contextlib
import os
import random
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from treadle.ground.clock import Clock, from_micros, system_clock, to_micros
from treadle.ground.errors import InvalidInput, TreadleError, did_you_mean
from treadle.ground.ids import NewId, new_id
from treadle.kernel.artifacts.records import Artifact
from treadle.kernel.engine import capture, leases
from treadle.kernel.engine.code_refs import Bundler, CodeRefs
from treadle.kernel.engine.context import current_driver
from treadle.kernel.engine.control import Control, Wait
from treadle.kernel.engine.driver import RunDriver, Suspended
from treadle.kernel.engine.errors import LeaseLost, PipelineNotFound, RunCancelled, UnkeyableArgument
from treadle.kernel.engine.execution import failure_of
from treadle.kernel.engine.handles import Handle
from treadle.kernel.engine.heartbeat import BEAT_S, Heartbeat, reason_of
from treadle.kernel.engine.inputs import Used
from treadle.kernel.engine.journal import Attempt, Fence, Journal, RunRow, as_text
from treadle.kernel.engine.pipelines import Pipeline, PipelineRun
from treadle.kernel.engine.planning import DryArtifacts, Plan, plan
from treadle.kernel.engine.ports import ArtifactStore, Executor
from treadle.kernel.engine.session import Session
from treadle.kernel.engine.values import NotAParameter, canonical, from_json, to_json
from treadle.kernel.events import EventLog
from treadle.kernel.store import Store, Transaction

if TYPE_CHECKING:
    from treadle.kernel.engine.environment import PendingDiff

INPROCESS = "inprocess"


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What a run records of where it runs; each is asked once a run. None: not recorded.

    diff: asks for the uncommitted changes when the run begins; the answer is waited for when it ends.
    environment: given these changes, records the description of interpreter, libraries and machine; answers its digest.
    bundle: records the source of the project's modules; answers the digest, or None when there is none.
    platform: the machine type, for steps with `cache_scope="platform"`.
    variables: of the environment, set while a step runs unless the person has set them.
    """

    diff: Callable[[], PendingDiff] | None = None
    environment: Callable[[str | None], str] | None = None
    bundle: Callable[[Pipeline[..., Any]], str | None] | None = None
    platform: Callable[[], str] = lambda: " ".join(os.uname()[i] for i in (0, 4))
    variables: Mapping[str, str] = field(default_factory=dict)


class Engine:
    """See the module. Safe to use from several threads; one root run each."""

    def __init__(
        self,
        store: Store,
        artifacts: ArtifactStore,
        *,
        project: str = "default",
        actor: str = "local",
        clock: Clock = system_clock,
        new_id: NewId = new_id,
        fingerprint: Callable[..., Any],
        executors: Mapping[str, Callable[[], Executor]] | None = None,
        executor: str = INPROCESS,
        observe: Callable[..., Any] | None = None,
        surroundings: Surroundings | None = None,
        bundler: Bundler | None = None,
        sleep: Callable[[float], None] = time.sleep,
        rng: random.Random | None = None,
        beat_s: float = BEAT_S,
        lease_s: float = leases.LEASE_S,
        show: Callable[[Session, str], Any] | None = None,
    ) -> None:
        """executors: by name, what makes them; "pool" is used for steps with a time limit. executor: the default one.

        beat_s: how often a run gives a sign of life, looks whether it was cancelled, and writes what its steps said.
        lease_s: how long a run without one is believed to be alive. show: called when a run begins; what it gives is
        stopped (`stop()`) when the run ends.
        """
        self.store, self.artifacts, self.project, self.actor = store, artifacts, project, actor
        self.clock, self.new_id = clock, new_id
        self.events = EventLog(store, clock, new_id)
        self.fingerprint = fingerprint
        self.surroundings = surroundings or Surroundings()
        self._executor_makers = dict(executors or {})
        self._default_executor = executor
        self._executors: dict[str, Executor] = {}
        self._observe, self._bundler, self._sleep = observe, bundler, sleep
        self._rng = rng or random.Random()  # noqa: S311 -- jitter of retries, no secret
        self._beat_s, self.lease_s, self._show = beat_s, lease_s, show
        self._lock = threading.Lock()

    # Runs

    def run(
        self,
        pipeline: Pipeline[..., Any],
        arguments: Mapping[str, Any],
        *,
        seed: int = 0,
        now: datetime | None = None,
        executor: str | None = None,
        caused_by: str | None = None,
        firing: str | None = None,
        fresh: bool = False,
        from_step: str | None = None,
    ) -> PipelineRun[Any]:
        """Runs a pipeline to its end, or until it waits. An error that ended it is in the answer, not raised.

        arguments: by name, as `pipeline.bind` gives them. now: what `td.now()` says; by default the present.
        fresh: uses nothing that is known. from_step: runs this step again whatever is known, and what then differs.
        Raises UnkeyableArgument for an argument that cannot be recorded, Conflict for a firing that is taken.
        """
        params = self._params(pipeline, arguments)
        run_id = self.new_id("run")
        journal = self._journal(Fence(run_id, 1))
        at = journal.now()
        now_at = at if now is None else to_micros(now)
        row = RunRow(
            id=run_id,
            kind="pipeline",
            name=pipeline.name,
            path=pipeline.name,
            parent=None,
            params=params,
            seed=seed,
            now_at=now_at,
            lease_owner=leases.owner(),
            lease_until=leases.until(at, self.lease_s),
            caused_by=caused_by,
            notes=as_text({"target": target_of(pipeline)}),
        )
        session = self._session(journal, pipeline, seed, now_at, executor, reuse=not fresh, rerun_from=from_step)
        journal.open_root(row, firing)
        return self._drive(session, pipeline, arguments)

    def resume(
        self,
        run_id: str,
        pipeline: Pipeline[..., Any],
        *,
        executor: str | None = None,
        from_step: str | None = None,
        firing: str | None = None,
    ) -> PipelineRun[Any]:
        """Goes on with a run: its body runs again, what it has recorded is not. A finished run is only looked at again.

        firing: the one that asked for it. Raises RunNotFound, RunIsHeld while a live process works on it, Conflict for a
        firing that is taken, PipelineNotFound for another pipeline's run.
        """
        held = leases.find(self.store, self.project, run_id)
        if held.kind != "pipeline" or held.root != held.id or held.name != pipeline.name:
            raise PipelineNotFound(
                f"The run {run_id} is not one of the pipeline {pipeline.name!r}.",
                why=f"It is a {held.kind} run of {held.name!r} inside {held.root}.",
                fix=f"Resume the root run: treadle resume {held.root}",
            )
        arguments = self.arguments_of(pipeline, held.params)
        self._executor_of(pipeline, executor)  # what is wrong is found before the run is ours
        epoch = leases.take_over(self.store, self.project, held, to_micros(self.clock()), self.lease_s, firing=firing)
        journal = self._journal(Fence(run_id, epoch))
        session = self._session(
            journal, pipeline, held.seed or 0, held.now_at or 0, executor, resumed=True, rerun_from=from_step
        )
        return self._drive(session, pipeline, arguments, was_done=held.status == "done")

    def give_up(self, run_id: str, error: TreadleError) -> None:
        """Ends a run that nobody works on as failed, for this reason. Raises RunNotFound, RunIsHeld."""
        held = leases.find(self.store, self.project, run_id)
        epoch = leases.take_over(self.store, self.project, held, to_micros(self.clock()), self.lease_s)
        self._journal(Fence(run_id, epoch)).close_run(run_id, "failed", failure=failure_of(error, held.name))

    def plan(
        self,
        pipeline: Pipeline[..., Any],
        arguments: Mapping[str, Any],
        *,
        seed: int = 0,
        now: datetime | None = None,
        from_step: str | None = None,
    ) -> Plan:
        """What a run with these arguments would do, and why. Runs no step and writes nothing.

        now: what `td.now()` says; by default the present.
        """
        journal = self._journal(Fence("", 0))
        now_at = journal.now() if now is None else to_micros(now)
        session = self._session(journal, pipeline, seed, now_at, INPROCESS, rerun_from=from_step)
        session.artifacts = DryArtifacts(self.artifacts)
        return plan(session, pipeline, arguments)

    def waits(self) -> list[Wait]:
        """What runs wait for and nobody has answered, the oldest first."""
        return self._control(self.actor).waits()

    def answer(self, run_id: str, answer: Any, *, actor: str | None = None) -> bool:
        """Answers the wait of that id (see `waits`): an approval, say. False when it was answered already.

        The run goes on when it is resumed, which a scheduler does by itself.
        """
        return self._control(actor or self.actor).answer(run_id, answer)

    def cancel(self, run_id: str, *, reason: str = "") -> bool:
        """Asks a run to stop: nothing of it is committed from now on, and its workers end within a heartbeat.

        False when it had ended already. Raises RunNotFound.
        """
        return self._control(self.actor).cancel(run_id, reason=reason)

    def backfill(
        self, pipeline: Pipeline[..., Any], parameter: str, values: Iterable[Any], **arguments: Any
    ) -> list[PipelineRun[Any]]:
        """One run for each value of one parameter (days, months, partitions), in order; what is known is not computed again.

        Every value is tried; each answer says how its run ended. A `datetime` value is also what `td.now()` says in its run.
        """
        if parameter not in pipeline.signature.parameters:
            raise InvalidInput(
                f"The pipeline {pipeline.name!r} has no parameter {parameter!r}.",
                fix=did_you_mean(parameter, pipeline.signature.parameters),
            )
        runs = []
        for value in values:
            now = value if isinstance(value, datetime) and value.tzinfo is not None else None
            runs.append(self.run(pipeline, pipeline.bind((), {**arguments, parameter: value}), now=now))
        return runs

    def act(
        self,
        name: str,
        effect: Callable[[Transaction], Any],
        *,
        inputs: Mapping[str, Any] | None = None,
        params: Mapping[str, Any] | None = None,
        durable: bool = False,
        preview: Callable[[], Any] | None = None,
        before: Callable[[], object] | None = None,
        makes: Callable[[Transaction, str], Mapping[str, str]] | None = None,
    ) -> Any:
        """What `effect` answers, as JSON gives it back: its writes and the journal's row of them are one commit.

        Inside a pipeline the act happens once in its run: on resume the recorded answer comes back and `effect` is not
        called. `effect` may run more than once before its commit, so it touches nothing but its transaction.
        inputs: values or handles that become lineage; params: what else tells this act from another.
        durable: waits until it survives a power cut. preview: what `plan` takes for the answer; without one, what depends
        on the answer is unknown to the plan. before: what has to be done outside of the transaction and ahead of it, such
        as landing a batch; it is called only where the act is not recorded, and has to bear being called again after a
        crash. makes: what the act makes beside its answer, for lineage; called in the transaction, ahead of `effect`, with
        the id of the act's run, it answers digests of recorded artifacts by role. Outside of pipelines the act is a run of
        its own.
        """
        driver = current_driver.get()
        if isinstance(driver, RunDriver):
            return driver.act(
                name,
                effect,
                inputs=inputs or {},
                params=params or {},
                durable=durable,
                preview=preview,
                before=before,
                makes=makes,
            )
        if before is not None:
            before()
        return self._act_alone(name, effect, inputs or {}, params or {}, durable, makes)

    def executor(self, name: str) -> Executor:
        """The executor of that name, made when first asked for. Raises InvalidInput."""
        with self._lock:
            found = self._executors.get(name)
            if found is None:
                maker = self._executor_makers.get(name)
                if maker is None:
                    raise InvalidInput(
                        f"There is no executor {name!r}.", why=did_you_mean(name, [INPROCESS, *self._executor_makers])
                    )
                found = self._executors[name] = maker()
            return found

    def close(self) -> None:
        """Ends the workers. The store stays open: it is not the engine's."""
        with self._lock:
            executors, self._executors = self._executors, {}
        for executor in executors.values():
            executor.close()

    def arguments_of(self, pipeline: Pipeline[..., Any], params: Mapping[str, Any]) -> dict[str, Any]:
        """The arguments of a recorded run, as its body takes them. Parameters that the body gained since have defaults."""
        arguments: dict[str, Any] = {}
        for name, form in params.items():
            if isinstance(form, dict) and set(form) == {"$artifact"}:
                artifact = self._find_artifact(form["$artifact"])
                arguments[name] = self.artifacts.load(artifact, pipeline.types.get(name))
            else:
                arguments[name] = from_json(form)
        for name, parameter in pipeline.signature.parameters.items():
            if name not in arguments and parameter.default is not parameter.empty:
                arguments[name] = parameter.default
        known = set(pipeline.signature.parameters)
        return {name: value for name, value in arguments.items() if name in known}

    # Inside

    def _drive(
        self,
        session: Session,
        pipeline: Pipeline[..., Any],
        arguments: Mapping[str, Any],
        driver: RunDriver | None = None,
        *,
        was_done: bool = False,
    ) -> PipelineRun[Any]:
        journal = session.journal
        run = PipelineRun[Any](id=session.root, path=pipeline.name, counts=session.counts)
        driver = driver or RunDriver(session, session.root, pipeline.name)
        heartbeat = Heartbeat(session, self._beat_s, self.lease_s)
        held = contextlib.ExitStack()
        held.enter_context(leases.driving(session.root, journal.fence.epoch))
        capture.install()
        heartbeat.start()
        diff = self.surroundings.diff() if self.surroundings.diff is not None else None
        shown = self._show(session, pipeline.name) if self._show is not None else None
        try:
            value = self._body(driver, pipeline, arguments)
            self._record_surroundings(session, pipeline, diff)
            journal.close_run(
                run.id,
                "done",
                made=made_by(value),
                points=[point for owner, point in session.pipeline_points if owner == run.id],
                notes=self._notes(session, pipeline),
                is_news=not was_done or session.counts["done"] > 0,
            )
            run._value, run.status = value, "done"
        except Suspended:
            journal.suspend()
            run.status = "waiting"
        except LeaseLost as error:
            reason = reason_of(journal, error)
            run.error, run.status = reason, "cancelled" if isinstance(reason, RunCancelled) else "lost"
        except RunCancelled as error:
            run.error, run.status = error, "cancelled"
        except Exception as error:
            self._end_failed(session, pipeline, run, error, "failed", diff)
        except BaseException as error:
            self._end_failed(session, pipeline, run, error, "interrupted", diff)
            raise
        finally:
            if shown is not None:
                shown.stop()
            heartbeat.stop()
            if diff is not None:
                diff.result(0)  # of a run that waits, or was lost: nobody asks for it any more
            if session.dispatcher is not None:
                session.dispatcher.close()
            capture.uninstall()
            held.close()
        run.changes, run.undeclared = session.changes, sorted(session.undeclared)
        return run

    def _body(self, driver: RunDriver, pipeline: Pipeline[..., Any], arguments: Mapping[str, Any]) -> Any:
        driver.session.drivers.append(driver)
        token = current_driver.set(driver)
        try:
            value = pipeline.call_with(arguments)
            driver.settle_all()
            return value
        finally:
            current_driver.reset(token)

    def _end_failed(
        self,
        session: Session,
        pipeline: Pipeline[..., Any],
        run: PipelineRun[Any],
        error: BaseException,
        status: str,
        diff: PendingDiff | None,
    ) -> None:
        if session.dispatcher is not None:
            session.dispatcher.stop(RunCancelled("The run has ended, since another step of it failed."))
        run.error, run.status = error, status
        error.add_note(f"This was the run {run.id}. Once mended, go on with: treadle resume {run.id}")
        try:
            self._record_surroundings(session, pipeline, diff)
        except Exception as second:  # the failure itself is worth more than where it happened
            error.add_note(f"Environment and code of the run could not be recorded: {second}")
        try:
            session.journal.close_run(run.id, status, failure=failure_of(error, run.path))
        except LeaseLost as lost:
            run.error = reason_of(session.journal, lost)
            run.status = "cancelled" if isinstance(run.error, RunCancelled) else "lost"
        except TreadleError as second:  # the store is what failed: the run is found again by its lease
            error.add_note(f"That could not be recorded: {second}")

    def _record_surroundings(self, session: Session, pipeline: Pipeline[..., Any], diff: PendingDiff | None) -> None:
        """Describes environment and code, as they are when all that the body needs has been imported."""
        ways = self.surroundings
        changes = None if diff is None else diff.result()
        environment = ways.environment(changes) if ways.environment is not None else None
        bundle = ways.bundle(pipeline) if ways.bundle is not None else None
        if environment is not None or bundle is not None:
            session.journal.note_surroundings(environment, bundle)

    def _notes(self, session: Session, pipeline: Pipeline[..., Any]) -> dict[str, Any]:
        notes: dict[str, Any] = {"target": target_of(pipeline)}
        if session.undeclared:
            notes["undeclared"] = sorted(session.undeclared)
        if session.changes:
            notes["changes"] = session.changes
        return notes

    def _session(
        self,
        journal: Journal,
        pipeline: Pipeline[..., Any],
        seed: int,
        now_at: int,
        executor: str | None,
        *,
        resumed: bool = False,
        reuse: bool = True,
        rerun_from: str | None = None,
    ) -> Session:
        return Session(
            journal,
            self.artifacts,
            seed=seed,
            now_at=now_at,
            recorded=journal.recorded() if resumed else {},
            fingerprint=self.fingerprint,
            executor=self._executor_of(pipeline, executor),
            worker_executor=lambda: self.executor("pool"),
            sleep=self._sleep,
            rng=self._rng,
            platform=self.surroundings.platform,
            variables=self.surroundings.variables,
            observe=self._observe,
            code_refs=CodeRefs(self._bundler),
            run_child=self._run_child,
            reuse=reuse,
            rerun_from=rerun_from,
        )

    def _executor_of(self, pipeline: Pipeline[..., Any], chosen: str | None) -> Executor | None:
        name = chosen or pipeline.executor or self._default_executor
        return None if name == INPROCESS else self.executor(name)

    def _run_child(
        self, parent: RunDriver, pipeline: Pipeline[..., Any], arguments: Mapping[str, Any]
    ) -> PipelineRun[Any]:
        """A pipeline called in the body of another: a run of its own, under the same lease."""
        session = parent.session
        session.check()
        path = parent.places.next(pipeline.name)
        recorded = session.recorded.get(path)
        run_id = self.new_id("run")
        row = RunRow(
            id=run_id,
            kind="pipeline",
            name=pipeline.name,
            path=path,
            parent=parent.run,
            params=self._params(pipeline, arguments),
            seed=session.seed,
            now_at=session.now_at,
            notes=None if recorded is None else as_text({"continues": recorded.id}),
        )
        session.journal.open_child(row)
        run = PipelineRun[Any](id=run_id, path=path)
        try:
            run._value = self._body(parent.below(run_id, path), pipeline, arguments)
        except Exception as error:
            if not isinstance(error, LeaseLost | RunCancelled):
                session.journal.close_run(run_id, "failed", failure=failure_of(error, path))
            raise
        session.journal.close_run(run_id, "done", made=made_by(run._value))
        run.status = "done"
        return run

    def _act_alone(
        self,
        name: str,
        effect: Callable[[Transaction], Any],
        inputs: Mapping[str, Any],
        params: Mapping[str, Any],
        durable: bool,
        makes: Callable[[Transaction, str], Mapping[str, str]] | None = None,
    ) -> Any:
        run_id = self.new_id("run")
        journal = self._journal(Fence(run_id, 1))
        at = journal.now()
        text = as_text({role: to_json(value) for role, value in params.items()})
        row = RunRow(id=run_id, kind="act", name=name, path=name, parent=None, params=text, seed=0, now_at=at)

        def work(tx: Transaction) -> Any:
            journal._insert_run(tx, row, at)
            if makes is not None:
                journal.made(tx, run_id, makes(tx, run_id))
            answer = effect(tx)
            self._finish_act(tx, journal, row, answer, inputs, at)
            return answer

        return from_json(to_json(self.store.write(work, durable=durable)))

    def _finish_act(
        self, tx: Transaction, journal: Journal, row: RunRow, answer: Any, inputs: Mapping[str, Any], at: int
    ) -> None:
        used = [Used(role, value.digest, _producer_of(value)) for role, value in inputs.items()]
        journal.finish_alone(tx, row, self.artifacts.put(answer), used, at)

    def _control(self, actor: str) -> Control:
        return Control(self.store, self.events, self.clock, project=self.project, actor=actor)

    def _journal(self, fence: Fence) -> Journal:
        return Journal(
            self.store, self.events, self.clock, self.new_id, project=self.project, actor=self.actor, fence=fence
        )

    def _params(self, pipeline: Pipeline[..., Any], arguments: Mapping[str, Any]) -> str:
        """The arguments as the run row keeps them; large ones as artifacts, recorded at once."""
        forms: dict[str, Any] = {}
        for name, value in arguments.items():
            try:
                if len(canonical(value)) <= 1 << 20:
                    forms[name] = to_json(value)
                    continue
            except NotAParameter:
                pass
            forms[name] = {"$artifact": self._keep_argument(pipeline, name, value).digest}
        return as_text(forms)

    def _keep_argument(self, pipeline: Pipeline[..., Any], name: str, value: Any) -> Artifact:
        try:
            artifact = self.artifacts.put(value)
        except TreadleError as error:
            raise UnkeyableArgument(
                f"The argument {name!r} of the pipeline {pipeline.name!r} cannot be recorded.",
                why=f"It is a {type(value).__qualname__}: {error}",
                fix="Pass what it is made from, so that the run can be resumed.",
            ) from error
        journal = self._journal(Fence("", 0))
        at = journal.now()
        self.store.write(lambda tx: journal.record(tx, artifact, at))
        return artifact

    def _find_artifact(self, digest: str) -> Artifact:
        journal = self._journal(Fence("", 0))
        with self.store.read() as reader:
            return journal.artifact(reader, digest)

    def now_of(self, driver: RunDriver) -> datetime:
        """What `td.now()` says in a run."""
        return from_micros(driver.session.now_at)


def target_of(pipeline: Pipeline[..., Any]) -> str:
    """`module:name`, by which a runner finds the pipeline."""
    return f"{pipeline.function.__module__}:{pipeline.function.__qualname__}"


def made_by(value: Any, role: str = "result") -> list[Used]:
    """The edges of what a body returned."""
    if type(value) is Handle:
        return [Used(role, value.digest, value.run)]
    if isinstance(value, (list, tuple)):
        return [used for place, item in enumerate(value) for used in made_by(item, f"{role}[{place}]")]
    if isinstance(value, dict):
        return [used for key, item in value.items() for used in made_by(item, f"{role}[{key}]")]
    return []


def _producer_of(value: Any) -> str | None:
    """The run that made what an act outside of pipelines uses: a handle, or a value that says so itself."""
    return (
        value.run if type(value) is Handle else value.treadle_producer() if hasattr(value, "treadle_producer") else None
    )


__all__ = ["Attempt", "Engine", "Surroundings", "Wait", "made_by", "target_of"]
