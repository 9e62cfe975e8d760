"""The scheduler: looks at what is due, claims it, and starts a runner for it. It never imports user code.

A claim is the insert of a row whose key is the source and the moment (or, for a trigger, the event's place in the
chain). Of any number of schedulers one inserts it. A runner then makes the firing its own in the transaction that opens
its run, so a firing that is handed out twice after a crash still becomes one run.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from treadle.ground.clock import from_micros, to_micros
from treadle.ground.errors import TreadleError
from treadle.kernel.engine.admission import claim
from treadle.kernel.engine.cron import parse
from treadle.kernel.engine.errors import ProcessKeepsDying, RunIsHeld
from treadle.kernel.engine.journal import as_text, of_text, sql
from treadle.kernel.engine.leases import owner
from treadle.kernel.engine.service import Engine
from treadle.kernel.events import Event
from treadle.kernel.store import Transaction

STALE_CLAIM_S = 60
MAX_CATCH_UP = 1000
"""Missed firings are recorded, so that they can be filled in, but no more than so many of one schedule."""
FIRST_PAUSE_S, LONGEST_PAUSE_S = 5.0, 600.0
"""A run whose process died for the second time before any step was done is left alone so long, then twice as long, …"""
FRUITLESS_DEATHS = 8
"""After so many such deaths in a row the run has failed: whatever kills its process would kill the next one as well."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Firing:
    """One start of one schedule or trigger. `fire_at`: microseconds, or for a trigger the event's position.

    moment_at: the time that the run is for, in microseconds. reason: why it was refused.
    """

    id: str
    source: str
    fire_at: int
    pipeline: str
    publication: str
    params: dict[str, Any]
    state: str
    caused_by: str | None
    run: str | None
    claimed_by: str | None
    claimed_at: int | None
    moment_at: int = 0
    reason: str | None = None


class Started(Protocol):
    """A runner that was started."""

    def poll(self) -> int | None: ...
    def wait(self) -> int: ...
    def terminate(self) -> None: ...


class Starter(Protocol):
    """What starts runners: `processes.Processes`, or a team's own."""

    def start(self, firing: Firing) -> Started: ...
    def resume(self, run: str, publication: str) -> Started: ...


class Scheduler:
    """Turns due schedules, matching events and answered waits into runners."""

    def __init__(self, engine: Engine, starter: Starter, *, max_runners: int = 4) -> None:
        self._engine, self._starter, self._max_runners = engine, starter, max_runners
        self._project = engine.project
        self._owner = owner()
        self._runners: dict[str, Started] = {}

    def tick(self) -> list[Firing]:
        """Looks once; answers the firings that it started. Cost: a few queries when nothing is due."""
        self._reap()
        if len(self._runners) >= self._max_runners:
            return []
        firings = [*self._reclaimed(), *self._due(), *self._triggered()]
        for firing in firings:
            self._runners[firing.id] = self._starter.start(firing)
        self._answer_waits()
        self._resume()
        return firings

    def drain(self) -> list[Firing]:
        """Starts what is due and waits for it, until nothing more is; answers the firings. What waits stays waiting."""
        started: list[Firing] = []
        while True:
            fresh = self.tick()
            started += fresh
            for runner in self._runners.values():
                runner.wait()
            if not fresh and not self._runners:
                return started

    def stop(self) -> list[str]:
        """Ends the runners that work; answers the firings and runs that they had. A scheduler goes on with them when
        their leases have run out."""
        self._reap()
        ended = sorted(self._runners)
        for runner in self._runners.values():
            runner.terminate()
        for runner in self._runners.values():
            runner.wait()
        self._runners = {}
        return ended

    def run_until(
        self, ended: threading.Event, *, every_s: float = 1.0, report: Callable[[TreadleError], None]
    ) -> None:
        """Ticks until told to end. What goes wrong in one tick is reported, and tried again in the next."""
        while not ended.is_set():
            try:
                self.tick()
            except TreadleError as error:
                report(error)
            ended.wait(every_s)

    def _reap(self) -> None:
        self._runners = {name: runner for name, runner in self._runners.items() if runner.poll() is None}

    # What starts runs

    def _due(self) -> list[Firing]:
        now = self._engine.clock()
        at = to_micros(now)
        with self._engine.store.read() as reader:
            rows = reader.all(sql.due_schedules, {"project": self._project, "at": at})
        found = []
        for pipeline, cron, timezone, publication, params, _, next_at, _ in rows:
            schedule = parse(cron, timezone)
            times = [next_at]
            for moment in schedule.between(from_micros(next_at), now):
                times.append(to_micros(moment))
                if len(times) == MAX_CATCH_UP:
                    break
            key = {"project": self._project, "pipeline": pipeline, "cron": cron, "timezone": timezone}
            advanced = {**key, "next_at": to_micros(schedule.after(now)), "seen_at": next_at}
            source = f"schedule:{pipeline}:{cron}:{timezone}"
            claims = [self._claim(source, t, pipeline, publication, params, None, t) for t in times]
            for missed in claims[:-1]:
                missed["state"] = "missed"

            def work(
                tx: Transaction, claims: list[dict[str, Any]] = claims, advanced: dict[str, Any] = advanced
            ) -> bool:
                for missed in claims[:-1]:
                    tx.execute(sql.claim_firing, missed)
                tx.put(sql.advance_schedule, advanced)
                return claim(tx, self._engine.events, claims[-1], at=now)

            if self._engine.store.write(work):
                found.append(self._firing_of(claims[-1]))
        return found

    def _triggered(self) -> list[Firing]:
        with self._engine.store.read() as reader:
            rows = reader.all(sql.triggers, {"project": self._project})
        found = []
        for pipeline, kind, subject, publication, params, position, paused_at, *counting in rows:
            if paused_at is not None:
                continue
            events = self._engine.events.since(self._project, position, kinds=(kind,))
            key = {"project": self._project, "pipeline": pipeline, "kind": kind, "subject": subject}
            for event in events:
                fired = None
                if _matches(event, subject):
                    source, at = f"trigger:{pipeline}:{kind}:{subject}", event.event_at or event.recorded_at
                    fired = self._claim(
                        source, event.position or 0, pipeline, publication, params, event.id, to_micros(at)
                    )
                if self._take(event, key, fired, counting) and fired is not None:
                    found.append(self._firing_of(fired))
        return found

    def _take(self, event: Event, key: dict[str, Any], fired: dict[str, Any] | None, counting: list[Any]) -> bool:
        """Passes an event, once; whether the trigger fires because of it."""
        counts, at_least, share, *_ = counting
        more = int(event.body.get(counts) or 0) if counts is not None and fired is not None else 0

        def work(tx: Transaction) -> bool:
            passed = tx.execute(sql.advance_trigger, {**key, "position": event.position, "more": more})
            if passed == 0 or fired is None:
                return False
            if counts is not None:
                counted, total = tx.all(sql.counted_of_trigger, key)[0]
                if counted < (at_least if at_least is not None else max(1.0, share * total)):
                    return False
            return claim(tx, self._engine.events, fired, at=self._engine.clock(), cause=event)

        return self._engine.store.write(work)

    def _reclaimed(self) -> list[Firing]:
        """Firings that somebody claimed and did not start: its scheduler died in between."""
        at = to_micros(self._engine.clock())
        before = at - STALE_CLAIM_S * 1_000_000
        with self._engine.store.read() as reader:
            rows = reader.all(sql.stale_firings, {"project": self._project, "before": before})
        found = []
        for row in rows:
            firing = firing_of(row)
            if firing.id in self._runners:
                continue
            values = {"project": self._project, "id": firing.id, "claimed_by": self._owner, "at": at}
            values["seen_at"] = firing.claimed_at or 0
            if self._engine.store.write(lambda tx, v=values: tx.execute(sql.reclaim_firing, v)) == 1:  # type: ignore[misc]
                found.append(firing)
        return found

    def _claim(
        self,
        source: str,
        fire_at: int,
        pipeline: str,
        publication: str,
        params: str,
        caused_by: str | None,
        moment_at: int,
    ) -> dict[str, Any]:
        at = to_micros(self._engine.clock())
        return {
            "project": self._project,
            "source": source,
            "fire_at": fire_at,
            "id": self._engine.new_id("fire"),
            "pipeline": pipeline,
            "publication": publication,
            "params": params,
            "state": "claimed",
            "caused_by": caused_by,
            "claimed_by": self._owner,
            "claimed_at": at,
            "moment_at": moment_at,
            "reason": None,
            "at": at,
        }

    def _firing_of(self, values: dict[str, Any]) -> Firing:
        return firing_of([values.get(name) for name in Firing.__slots__])

    # What goes on

    def _answer_waits(self) -> None:
        at = to_micros(self._engine.clock())
        with self._engine.store.read() as reader:
            rows = reader.all(sql.open_waits, {"project": self._project})
        for run, _root, kind, subject, _request, due_at, position in rows:
            if kind == "time" and due_at is not None and due_at <= at:
                self._answer(run, None, at)
            elif kind == "event":
                wanted, _, about = subject.partition(" ")
                events = self._engine.events.since(self._project, position or 0, kinds=(wanted,))
                event = next((event for event in events if _matches(event, about)), None)
                if event is not None:
                    self._answer(run, {"id": event.id, "subject": event.subject, "body": event.body}, at)

    def _answer(self, run: str, answer: Any, at: int) -> None:
        values = {"project": self._project, "run": run, "answer": as_text(answer), "actor": "scheduler", "at": at}
        self._engine.store.write(lambda tx: tx.execute(sql.answer_waiting, values))

    def _resume(self) -> None:
        """Runs whose wait is over, and runs of firings whose runner died. Who resumes one takes its lease, so it is one."""
        at = to_micros(self._engine.clock())
        with self._engine.store.read() as reader:
            answered = [row[1] for row in reader.all(sql.answered_waits, {"project": self._project})]
            runs = {}
            for run in dict.fromkeys(answered):
                row = reader.find(sql.publication_of_run, {"project": self._project, "run": run})
                if row is not None:
                    runs[run] = row[0]
            abandoned = reader.all(sql.abandoned_runs, {"project": self._project, "at": at})
        for run, publication, lease_until, deaths in abandoned:
            if deaths >= FRUITLESS_DEATHS:
                self._give_up(run, deaths)
            elif at >= lease_until + pause_s(deaths) * 1_000_000:
                runs[run] = publication
        for run, publication in runs.items():
            if run not in self._runners:
                self._runners[run] = self._starter.resume(run, publication)

    def _give_up(self, run: str, deaths: int) -> None:
        """Ends a run whose process dies again and again before anything is done. A person can still resume it."""
        error = ProcessKeepsDying(
            f"The process of the run {run} died {deaths} times before it had done a step.",
            why="Nobody caught what killed it: out of memory, a crash in native code, or a kill from outside.",
            fix=f"Look at the runners' log. Once mended, go on with: treadle resume {run}",
            run=run,
        )
        with contextlib.suppress(RunIsHeld):  # somebody else has it, after all
            self._engine.give_up(run, error)


def pause_s(deaths: int) -> float:
    """How long a run is left alone after its lease has run out, given how often its process died in a row in vain."""
    return 0.0 if deaths < 2 else float(min(LONGEST_PAUSE_S, FIRST_PAUSE_S * 2 ** (deaths - 2)))


def firing_of(row: Sequence[Any]) -> Firing:
    """The record of a row in the order of `find_firing`."""
    values = dict(zip(Firing.__slots__, row, strict=True))
    values["params"] = of_text(values["params"])
    return Firing(**values)


def _matches(event: Event, subject: str) -> bool:
    return subject in ("*", event.subject) or (subject.endswith("*") and event.subject.startswith(subject[:-1]))
