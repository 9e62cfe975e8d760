"""The verbs of triggers: what starts pipelines by itself, what it did and refused, and a start by hand."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from treadle.ground.clock import from_micros, to_micros
from treadle.ground.errors import NotFound
from treadle.kernel.engine.admission import claim, policy_of, refusal
from treadle.kernel.engine.asked import BY_HAND, firing_values
from treadle.kernel.engine.cron import parse
from treadle.kernel.engine.journal import sql
from treadle.kernel.engine.policies import Limits, Window
from treadle.kernel.engine.publishing import Publication, get_publication
from treadle.kernel.engine.scheduler import Firing, firing_of
from treadle.kernel.engine.service import Engine
from treadle.kernel.governance import Caller, verb
from treadle.kernel.store import Reader, Transaction


class TriggerNotFound(NotFound):
    code = "trigger.not_found"


@dataclass(frozen=True, slots=True, kw_only=True)
class TriggerOf:
    """What starts a published pipeline. firings: so many of its newest ones."""

    pipeline: str
    firings: int = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class FireTrigger:
    """Starts a published pipeline by hand. now: what `td.now()` says; the present when None.

    ignore_limits: whatever its cool-down and its budget say; the event says that it was so.
    """

    pipeline: str
    reason: str = ""
    now: datetime | None = None
    ignore_limits: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class TriggerLine:
    """One schedule or trigger. when: a cron expression or a kind of event; about: its time zone or subject.

    counted, wanted: of a trigger that counts, what it has and at what it fires. next_at: of a schedule.
    """

    pipeline: str
    kind: str
    when: str
    about: str
    publication: str
    counted: int | None = None
    wanted: float | None = None
    next_at: datetime | None = None
    is_paused: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class FiringLine:
    """One start, or one that was refused (`reason` says why)."""

    id: str
    source: str
    state: str
    moment: datetime
    caused_by: str | None
    run: str | None
    reason: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PauseTriggers:
    """All schedules and triggers of a pipeline."""

    pipeline: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TriggerSheet:
    """All that starts a pipeline. refused_now: why a start at this moment would be refused; None where it would not."""

    pipeline: str
    triggers: Sequence[TriggerLine]
    limits: Limits | None
    window: Window | None
    refused_now: str | None
    firings: Sequence[FiringLine]


class Triggers:
    """The service of a store."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    @verb("triggers.list", permission="run.read")
    def list(self, caller: Caller) -> Sequence[TriggerLine]:
        """Every schedule and trigger that is live, by pipeline."""
        with self._engine.store.read() as reader:
            return trigger_lines(reader, caller.project)

    @verb("triggers.get", permission="run.read")
    def get(self, caller: Caller, request: TriggerOf) -> TriggerSheet:
        """What starts a pipeline, its limits, and what they let through and refused, newest first. Raises TriggerNotFound."""
        project, now = caller.project, self._engine.clock()
        with self._engine.store.read() as reader:
            check_published(reader, project, request.pipeline)
            limits, window = policy_of(reader, project, request.pipeline)
            values = {"project": project, "pipeline": request.pipeline, "limit": request.firings}
            return TriggerSheet(
                pipeline=request.pipeline,
                triggers=[line for line in trigger_lines(reader, project) if line.pipeline == request.pipeline],
                limits=limits,
                window=window,
                refused_now=refusal(reader, project, request.pipeline, limits, now, now),
                firings=[firing_line(firing_of(row)) for row in reader.all(sql.firings_of, values)],
            )

    @verb("triggers.fire", permission="run.start", event="trigger.fired")
    def fire(self, caller: Caller, request: FireTrigger) -> FiringLine:
        """Has a scheduler start a pipeline as it was published, within its limits. Raises TriggerNotFound.

        The answer's state is `claimed`, or `refused` with the reason.
        """
        engine, project = self._engine, caller.project
        at = engine.clock()

        def work(tx: Transaction) -> dict[str, Any]:
            publication = check_published(tx, project, request.pipeline).id
            values = firing_values(
                engine, project, BY_HAND + request.pipeline, request.pipeline, publication, moment=request.now
            )
            reason = request.reason or f"by hand of {caller.actor}"
            if request.ignore_limits:
                reason += ", whatever its limits say"
            claim(
                tx, engine.events, values, at=at, actor=caller.actor, reason=reason, ignore_limits=request.ignore_limits
            )
            return values

        values = engine.store.write(work)
        return firing_line(firing_of([values.get(name) for name in Firing.__slots__]))

    @verb("triggers.pause", permission="code.run", event="trigger.paused")
    def pause(self, caller: Caller, request: PauseTriggers) -> Sequence[TriggerLine]:
        """Lets nothing start a pipeline by itself until it is resumed; by hand it still starts. Raises TriggerNotFound."""
        return self._set_paused(caller, request.pipeline, is_paused=True)

    @verb("triggers.resume", permission="code.run", event="trigger.resumed")
    def resume(self, caller: Caller, request: PauseTriggers) -> Sequence[TriggerLine]:
        """Lets a paused pipeline start by itself again, from now on: what fell due meanwhile is passed over.

        A trigger that counts has counted on. Raises TriggerNotFound.
        """
        return self._set_paused(caller, request.pipeline, is_paused=False)

    def _set_paused(self, caller: Caller, pipeline: str, *, is_paused: bool) -> Sequence[TriggerLine]:
        engine, of = self._engine, {"project": caller.project, "pipeline": pipeline}
        now = engine.clock()
        position = engine.events.head(caller.project)[0]

        def work(tx: Transaction) -> Sequence[TriggerLine]:
            _is_there(tx, caller.project, pipeline)
            paused_at = to_micros(now) if is_paused else None
            tx.put(sql.pause_schedule, {**of, "paused_at": paused_at})
            tx.put(sql.pause_trigger, {**of, "paused_at": paused_at})
            if not is_paused:
                tx.put(sql.pass_triggers, {**of, "position": position})
                for line in trigger_lines(tx, caller.project):
                    if line.pipeline == pipeline and line.kind == "schedule":
                        key = {**of, "cron": line.when, "timezone": line.about}
                        tx.put(
                            sql.pass_schedule,
                            {**key, "next_at": to_micros(parse(line.when, line.about).after(now))},
                        )
            kind = "trigger.paused" if is_paused else "trigger.resumed"
            engine.events.append(
                tx, project=caller.project, kind=kind, subject=f"pipeline/{pipeline}", actor=caller.actor, body={}
            )
            return [line for line in trigger_lines(tx, caller.project) if line.pipeline == pipeline]

        return engine.store.write(work)


def _is_there(tx: Transaction, project: str, pipeline: str) -> None:
    if not any(line.pipeline == pipeline for line in trigger_lines(tx, project)):
        raise TriggerNotFound(
            f"Nothing starts the pipeline {pipeline!r} by itself.",
            why="It has no schedule and no trigger that is live.",
            fix="Give it one in its @td.pipeline, and publish it with: treadle publish",
        )


def check_published(reader: Reader, project: str, pipeline: str) -> Publication:
    """The newest publication, which has the pipeline. Raises PublicationNotFound, TriggerNotFound."""
    newest = get_publication(reader, project)
    if pipeline not in newest.targets:
        raise TriggerNotFound(
            f"No pipeline {pipeline!r} is published.",
            why=f"The newest publication has: {', '.join(sorted(newest.targets)) or 'none'}.",
            fix="Publish it with: treadle publish",
        )
    return newest


def trigger_lines(reader: Reader, project: str) -> list[TriggerLine]:
    """Every schedule and trigger that is live, by pipeline."""
    lines = []
    for pipeline, cron, timezone, publication, _, _, next_at, paused_at in reader.all(
        sql.schedules, {"project": project}
    ):
        line = TriggerLine(
            pipeline=pipeline,
            kind="schedule",
            when=cron,
            about=timezone,
            publication=publication,
            next_at=from_micros(next_at),
            is_paused=paused_at is not None,
        )
        lines.append(line)
    for row in reader.all(sql.triggers, {"project": project}):
        pipeline, kind, subject, publication, _, _, paused_at, counts, at_least, share, counted, total = row
        wanted = None if counts is None else at_least if at_least is not None else max(1.0, share * total)
        line = TriggerLine(
            pipeline=pipeline,
            kind="event",
            when=kind,
            about=subject,
            publication=publication,
            counted=None if counts is None else counted,
            wanted=wanted,
            is_paused=paused_at is not None,
        )
        lines.append(line)
    return sorted(lines, key=lambda line: (line.pipeline, line.kind, line.when))


def firing_line(firing: Firing) -> FiringLine:
    """A firing as verbs tell of it."""
    return FiringLine(
        id=firing.id,
        source=firing.source,
        state=firing.state,
        moment=from_micros(firing.moment_at),
        caused_by=firing.caused_by,
        run=firing.run,
        reason=firing.reason,
    )
