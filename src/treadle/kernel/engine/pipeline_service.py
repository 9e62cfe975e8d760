"""The verbs of pipelines: which there are, how they have run, what a run would do, and a run of the published code.

No code of a user is imported here. A plan and a look at parameters are made by a short-lived process; a run by a process
that a scheduler starts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from treadle.ground.clock import from_micros
from treadle.ground.errors import did_you_mean
from treadle.kernel.engine.admission import claim, policy_of
from treadle.kernel.engine.asked import BY_HAND, Asked, firing_values
from treadle.kernel.engine.errors import PipelineNotFound
from treadle.kernel.engine.journal import sql
from treadle.kernel.engine.parameters import Parameter
from treadle.kernel.engine.plan_process import PlanProcess
from treadle.kernel.engine.planner import Answer, Question
from treadle.kernel.engine.planning import PlannedStep
from treadle.kernel.engine.policies import Limits, Window
from treadle.kernel.engine.publishing import Publication, PublicationNotFound, get_publication
from treadle.kernel.engine.scheduler import Firing, firing_of
from treadle.kernel.engine.service import Engine
from treadle.kernel.engine.trigger_service import (
    FiringLine,
    TriggerLine,
    check_published,
    firing_line,
    trigger_lines,
)
from treadle.kernel.governance import Caller, verb
from treadle.kernel.store import Reader, Transaction

MARKS = 20
"""So many newest runs of each pipeline are told of in a list."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunMark:
    """A run in short. now_at: what `td.now()` said in it."""

    id: str
    status: str
    actor: str
    caused_by: str | None
    now_at: datetime | None
    recorded_at: datetime
    started_at: datetime | None
    ended_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PipelineLine:
    """A pipeline that is published, or has run here. target: `module:name` in the published code; None: not published.

    next_at: when a schedule starts it next; None where none does, or where they are paused. runs: the newest first.
    """

    name: str
    target: str | None
    triggers: Sequence[TriggerLine]
    next_at: datetime | None
    runs: Sequence[RunMark]


@dataclass(frozen=True, slots=True, kw_only=True)
class PipelineNamed:
    """One pipeline. runs: so many of its newest runs."""

    pipeline: str
    runs: int = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class PipelineSheet:
    """A pipeline with what is live of it. publication: None where it is not published."""

    name: str
    target: str | None
    publication: str | None
    published_by: str | None
    published_at: datetime | None
    bundle_digest: str | None
    environment_digest: str | None
    triggers: Sequence[TriggerLine]
    next_at: datetime | None
    limits: Limits | None
    window: Window | None
    runs: Sequence[RunMark]


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanRun:
    """What a run of a published pipeline would do. parameters: JSON by name, as its body's annotations say.

    now: what `td.now()` says; the present when None. from_step: as if this step were run again whatever is known.
    """

    pipeline: str
    parameters: Mapping[str, Any] = field(default_factory=dict)
    seed: int = 0
    now: datetime | None = None
    from_step: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanSheet:
    """What a run would do, in the order of the body, and the parameters that it could be given.

    ends_at: why the plan goes no further, where it does not.
    """

    pipeline: str
    publication: str
    parameters: Sequence[Parameter]
    steps: Sequence[PlannedStep]
    ends_at: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RunPipeline:
    """A run of a published pipeline; the fields are those of `treadle run`. reason: why, for those who come later."""

    pipeline: str
    parameters: Mapping[str, Any] = field(default_factory=dict)
    seed: int = 0
    now: datetime | None = None
    fresh: bool = False
    from_step: str | None = None
    reason: str = ""


class Pipelines:
    """The service of a store."""

    def __init__(self, engine: Engine, planner: PlanProcess) -> None:
        self._engine, self._planner = engine, planner

    @verb("pipelines.list", permission="run.read")
    def list(self, caller: Caller) -> Sequence[PipelineLine]:
        """Every pipeline that is published or has run, by name."""
        project = caller.project
        with self._engine.store.read() as reader:
            newest = _publication(reader, project)
            targets = {} if newest is None else newest.targets
            lines = trigger_lines(reader, project)
            return [
                PipelineLine(
                    name=name,
                    target=targets.get(name),
                    triggers=[line for line in lines if line.pipeline == name],
                    next_at=_next_at(lines, name),
                    runs=_marks(reader, project, name, MARKS),
                )
                for name in sorted({*targets, *_names(reader, project)})
            ]

    @verb("pipelines.get", permission="run.read")
    def get(self, caller: Caller, request: PipelineNamed) -> PipelineSheet:
        """One pipeline, what starts it, and its newest runs. Raises PipelineNotFound."""
        project, name = caller.project, request.pipeline
        with self._engine.store.read() as reader:
            newest = _publication(reader, project)
            live = newest if newest is not None and name in newest.targets else None
            runs = _marks(reader, project, name, min(max(request.runs, 0), 500))
            if live is None and not runs:
                known = {*_names(reader, project), *(newest.targets if newest is not None else ())}
                raise PipelineNotFound(
                    f"There is no pipeline {name!r}: none of that name is published, and none has run.",
                    why=did_you_mean(name, known),
                    fix="Run it with: treadle run, or publish it with: treadle publish",
                )
            lines = [line for line in trigger_lines(reader, project) if line.pipeline == name]
            limits, window = policy_of(reader, project, name)
        return PipelineSheet(
            name=name,
            target=None if live is None else live.targets[name],
            publication=None if live is None else live.id,
            published_by=None if live is None else live.actor,
            published_at=None if live is None else live.recorded_at,
            bundle_digest=None if live is None else live.bundle,
            environment_digest=None if live is None else live.environment,
            triggers=lines,
            next_at=_next_at(lines, name),
            limits=limits,
            window=window,
            runs=runs,
        )

    @verb("pipelines.plan", permission="code.run")
    def plan(self, caller: Caller, request: PlanRun) -> PlanSheet:
        """Which steps a run of the published code would run, and why, in words. Runs none, and writes nothing.

        The code is imported and the body walked in a process of its own, for at most a minute. Raises TriggerNotFound for
        what is not published, ParametersWrong, CodeUnusable.
        """
        with self._engine.store.read() as reader:
            publication = check_published(reader, caller.project, request.pipeline)
        answer = self._ask(caller, publication, request, plans=True)
        made = answer.plan
        return PlanSheet(
            pipeline=request.pipeline,
            publication=publication.id,
            parameters=answer.parameters,
            steps=[] if made is None else made.steps,
            ends_at=None if made is None else made.ends_at,
        )

    @verb("pipelines.run", permission="code.run", event="trigger.fired")
    def run(self, caller: Caller, request: RunPipeline) -> FiringLine:
        """Has a scheduler run the published code with these parameters, whatever its limits: somebody asks for it.

        The parameters are looked at first, as `pipelines.plan` looks at them. The answer's id is what the run is caused
        by; `triggers.get` tells which run it became. Raises TriggerNotFound, ParametersWrong, CodeUnusable.
        """
        engine, project = self._engine, caller.project
        with engine.store.read() as reader:
            publication = check_published(reader, project, request.pipeline)
        given = self._ask(caller, publication, request, plans=False).given
        asked = Asked(actor=caller.actor, seed=request.seed, fresh=request.fresh, from_step=request.from_step)
        at = engine.clock()
        values = firing_values(
            engine,
            project,
            BY_HAND + request.pipeline,
            request.pipeline,
            publication.id,
            moment=request.now,
            params=given,
            asked=asked,
        )

        def work(tx: Transaction) -> dict[str, Any]:
            reason = request.reason or f"run by {caller.actor}"
            claim(tx, engine.events, values, at=at, actor=caller.actor, reason=reason, ignore_limits=True)
            return values

        taken = engine.store.write(work)
        return firing_line(firing_of([taken.get(name) for name in Firing.__slots__]))

    def _ask(self, caller: Caller, publication: Publication, request: PlanRun | RunPipeline, *, plans: bool) -> Answer:
        question = Question(
            publication=publication.id,
            pipeline=request.pipeline,
            parameters=dict(request.parameters),
            plans=plans,
            seed=request.seed,
            now=request.now,
            from_step=request.from_step,
        )
        return self._planner.ask(caller.project, publication, question)


def _publication(reader: Reader, project: str) -> Publication | None:
    try:
        return get_publication(reader, project)
    except PublicationNotFound:
        return None


def _names(reader: Reader, project: str) -> list[str]:
    """Which pipelines have run; one look into the index for each, however many runs they have."""
    names: list[str] = []
    while True:
        row = reader.find(sql.next_pipeline, {"project": project, "after": names[-1] if names else ""})
        if row is None or row[0] is None:
            return names
        names.append(row[0])


def _marks(reader: Reader, project: str, name: str, limit: int) -> list[RunMark]:
    rows = reader.all(sql.newest_of_pipeline, {"project": project, "pipeline": name, "limit": limit})
    return [
        RunMark(
            id=id,
            status=status,
            actor=actor,
            caused_by=caused_by,
            now_at=None if now_at is None else from_micros(now_at),
            recorded_at=from_micros(recorded_at),
            started_at=None if started_at is None else from_micros(started_at),
            ended_at=None if ended_at is None else from_micros(ended_at),
        )
        for id, status, actor, caused_by, now_at, recorded_at, started_at, ended_at in rows
    ]


def _next_at(lines: Sequence[TriggerLine], name: str) -> datetime | None:
    times = [line.next_at for line in lines if line.pipeline == name and line.next_at and not line.is_paused]
    return min(times, default=None)
