"""The verbs by which runs are changed from outside: cancel, resume, answer; and what started a run and came of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from treadle.ground.clock import from_micros, to_micros
from treadle.ground.errors import did_you_mean
from treadle.kernel.engine import leases
from treadle.kernel.engine.admission import claim
from treadle.kernel.engine.asked import RESUME, Asked, firing_values
from treadle.kernel.engine.control import Control, Wait
from treadle.kernel.engine.errors import PipelineNotFound, WaitNotFound
from treadle.kernel.engine.journal import sql
from treadle.kernel.engine.scheduler import Firing, firing_of
from treadle.kernel.engine.service import Engine
from treadle.kernel.engine.trigger_service import FiringLine, check_published, firing_line
from treadle.kernel.events import Event
from treadle.kernel.governance import Caller, verb
from treadle.kernel.store import Transaction


@dataclass(frozen=True, slots=True, kw_only=True)
class CancelRun:
    """reason: why, for those who come later."""

    run: str
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cancelled:
    """is_cancelled: False when the run had ended already."""

    run: str
    is_cancelled: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ResumeRun:
    """from_step: this step runs again whatever is known, and what then differs."""

    run: str
    from_step: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerWait:
    """wait: the id, as `runs.waiting` gives it. answer: true or false for an approval, or any JSON that the body reads."""

    wait: str
    answer: Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """run: the root run that goes on."""

    wait: str
    run: str
    answer: Any


@dataclass(frozen=True, slots=True, kw_only=True)
class StoryOf:
    """A root run."""

    run: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CausedRun:
    """A run that something in another run started."""

    id: str
    name: str
    status: str
    because: str
    recorded_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class RunStory:
    """What started a run, and which runs it started.

    firings: how it was started and gone on with, the oldest first; none for a run by hand or script. event: the event
    that started it (an alert, a landing), if one did. events: what it left in the log. caused: runs that these started.
    """

    firings: Sequence[FiringLine]
    event: Event | None
    events: Sequence[Event]
    caused: Sequence[CausedRun]


class RunControl:
    """The service of a store."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    @verb("runs.cancel", permission="code.run", event="run.cancelled")
    def cancel(self, caller: Caller, request: CancelRun) -> Cancelled:
        """Asks a run to stop; its workers end within a heartbeat, and nothing of it is committed from now on.

        Of a step, its root run is stopped. Raises RunNotFound.
        """
        is_cancelled = self._control(caller).cancel(request.run, reason=request.reason)
        return Cancelled(run=request.run, is_cancelled=is_cancelled)

    @verb("runs.resume", permission="code.run", event="trigger.fired")
    def resume(self, caller: Caller, request: ResumeRun) -> FiringLine:
        """Has a scheduler go on with a run that was stopped, killed or failed, with the code that was published last.

        What it has finished is not run again. Raises RunNotFound, PipelineNotFound for what is no root run of a
        pipeline, RunIsHeld while a live process works on it, TriggerNotFound where its pipeline is not published.
        """
        engine, project = self._engine, caller.project
        held = leases.find(engine.store, project, request.run)
        if held.kind != "pipeline" or held.root != held.id:
            raise PipelineNotFound(
                f"{request.run} is not the run of a pipeline.",
                why=f"It is a {held.kind} run of {held.name!r} inside {held.root}.",
                fix=f"Resume the root run: {held.root}",
            )
        leases.check_free(held, to_micros(engine.clock()))

        def work(tx: Transaction) -> dict[str, Any]:
            publication = check_published(tx, project, held.name).id
            moment = None if held.now_at is None else from_micros(held.now_at)
            asked = Asked(actor=caller.actor, from_step=request.from_step, resumes=held.id)
            values = firing_values(
                engine, project, RESUME + held.id, held.name, publication, moment=moment, asked=asked
            )
            claim(
                tx,
                engine.events,
                values,
                at=engine.clock(),
                actor=caller.actor,
                reason=f"{held.id} resumed by {caller.actor}",
                ignore_limits=True,
            )
            return values

        values = engine.store.write(work)
        return firing_line(firing_of([values.get(name) for name in Firing.__slots__]))

    @verb("runs.waiting", permission="run.read")
    def waiting(self, caller: Caller) -> Sequence[Wait]:
        """Runs that wait for an approval, an event or a time, the oldest first."""
        return self._control(caller).waits()

    @verb("runs.answer", permission="code.run", event="wait.answered")
    def answer(self, caller: Caller, request: AnswerWait) -> Answered:
        """Answers a run that waits; a scheduler goes on with it. Raises WaitNotFound."""
        control = self._control(caller)
        known = {one.id: one for one in control.waits()}
        if request.wait not in known or not control.answer(request.wait, request.answer):
            raise WaitNotFound(
                f"Nothing waits under {request.wait!r}.",
                why=did_you_mean(request.wait, known) or "It was answered already, or never asked.",
                fix="List what waits with: treadle runs waiting",
            )
        return Answered(wait=request.wait, run=known[request.wait].run, answer=request.answer)

    @verb("runs.story", permission="run.read")
    def story(self, caller: Caller, request: StoryOf) -> RunStory:
        """What started a run, what it left in the log, and which runs came of that. Raises RunNotFound."""
        engine, project = self._engine, caller.project
        run = leases.find(engine.store, project, request.run)
        events = engine.events.about(project, run.id)
        with engine.store.read() as reader:
            rows = reader.all(sql.firing_of_run, {"project": project, "run": run.id})
            causes = {event.id: event.kind for event in events}
            caused = [
                CausedRun(id=id, name=name, status=status, because=kind, recorded_at=from_micros(at))
                for cause, kind in causes.items()
                for id, status, name, at in reader.all(sql.runs_caused_by, {"project": project, "cause": cause})
            ]
        firings = [firing_of(row) for row in rows]
        cause = next((firing.caused_by for firing in firings if firing.caused_by), None)
        return RunStory(
            firings=[firing_line(firing) for firing in firings],
            event=None if cause is None else engine.events.find(project, cause),
            events=events,
            caused=caused,
        )

    def _control(self, caller: Caller) -> Control:
        engine = self._engine
        return Control(engine.store, engine.events, engine.clock, project=caller.project, actor=caller.actor)
