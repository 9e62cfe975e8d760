"""The verbs of canaries: begin one, look at it, stop it; and the look that a loop takes again and again.

Nothing of a rollout lives in a process: a canary is a row with its step, what it is judged on is what has landed, and
every move is one transaction of row, route, evidence and event. So whoever looks next, after whatever end, goes on.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

import polars as pl

from treadle.ground.clock import Clock
from treadle.ground.errors import TreadleError
from treadle.ground.ids import NewId
from treadle.kernel.catalog import EpochMoved, EvidenceRows, RefProtected
from treadle.kernel.events import EventLog
from treadle.kernel.governance import Caller, verb
from treadle.kernel.store import Store, Transaction
from treadle.loops.rollout.errors import BadCanary, CanaryNotFound, CanaryUnderWay
from treadle.loops.rollout.judging import Opinion, decide, signals_of
from treadle.loops.rollout.observing import Sight, calls_of, labelled_of, slow_from
from treadle.loops.rollout.records import Canary, CanaryPolicy, CanarySheet, Signal, State
from treadle.loops.rollout.repository import CanaryRows
from treadle.systems.serve import DeployEndpoint, Endpoints
from treadle.systems.serve.routing import make_room, weights_of
from treadle.systems.train import Models
from treadle.systems.train.registry.service import PromoteModel

CANARY = "canary"
"""The kind of evidence that a rollout's decisions leave."""
SETTLE_S = 3.0
"""Predictions land within a second; what is younger is left for the next look, so that no look sees another order."""
HISTORY_S = 86_400.0
_ENDS: dict[str, State] = {"promote": "promoted", "roll back": "rolled back"}
_EVENTS = {"advance": "canary.advanced", "promote": "canary.promoted", "roll back": "canary.rolled_back"}


@dataclass(frozen=True, slots=True, kw_only=True)
class StartCanary:
    """Brings a model version into an endpoint's traffic by steps. promote: the alias that it gets when it has come through.

    version: a number, an alias or `newest`.
    """

    endpoint: str
    model: str
    version: str = "newest"
    policy: CanaryPolicy = field(default_factory=CanaryPolicy)
    promote: str | None = None
    threads: int = 1
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class CanaryNamed:
    """The canary of an endpoint that is under way; its newest one when none is."""

    endpoint: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StopCanary:
    """Ends a canary by hand: what served before it serves again."""

    endpoint: str
    reason: str = ""


class Canaries:
    """Rollouts by steps."""

    def __init__(
        self,
        store: Store,
        endpoints: Endpoints,
        models: Models,
        evidence: EvidenceRows,
        events: EventLog,
        sight: Sight,
        clock: Clock,
        new_id: NewId,
    ) -> None:
        self._store, self._endpoints, self._models = store, endpoints, models
        self._evidence, self._events, self._sight = evidence, events, sight
        self._clock, self._new_id = clock, new_id
        self._rows, self._routing = CanaryRows(), endpoints.routing

    # -- verbs ------------------------------------------------------------------------------------------------------

    @verb("canaries.list", permission="endpoint.read")
    def list(self, caller: Caller) -> list[Canary]:
        """Every canary of the project, the newest first."""
        with self._store.read() as reader:
            return self._rows.all(reader, caller.project)

    @verb("canaries.get", permission="endpoint.read")
    def get(self, caller: Caller, request: CanaryNamed) -> CanarySheet:
        """A canary with what is seen of it so far. Raises CanaryNotFound."""
        canary = self._newest(caller.project, request.endpoint)
        at = canary.ended_at or self._clock()
        calls_at_step, signals = self._see(caller.project, canary, at)
        return CanarySheet(canary=canary, calls_at_step=calls_at_step, signals=signals)

    @verb("canaries.start", permission="endpoint.write", event="canary.started")
    def start(self, caller: Caller, request: StartCanary) -> Canary:
        """The canary at its first step. From here it goes on by itself while `treadle up` works, or with `canaries.look`.

        Raises BadCanary, BadDeployment, BadModel; CanaryUnderWay when the endpoint has one.
        """
        _check(request.policy)
        project, policy = caller.project, request.policy
        prepared = self._endpoints.prepare(
            caller,
            DeployEndpoint(
                endpoint=request.endpoint, model=request.model, version=request.version, threads=request.threads
            ),
        )
        slow_us = int(policy.slow_ms * 1000) if policy.slow_ms is not None else self._usual(project, request.endpoint)

        def work(tx: Transaction) -> Canary:
            if any(one.endpoint == request.endpoint for one in self._rows.under_way(tx, project)):
                raise CanaryUnderWay(
                    f"Endpoint {request.endpoint!r} has a canary already.",
                    fix=f"Wait for it, or end it: treadle canaries stop {request.endpoint}",
                )
            _, current = self._routing.current(tx, project, request.endpoint)
            number = self._endpoints.ensure_revision(tx, caller, prepared).number
            before = weights_of(current)
            if number in before:
                raise BadCanary(
                    f"{request.model} {prepared.model_version} is revision {number}, which answers already.",
                    fix="Roll it back first, or let another version be the canary.",
                )
            now = self._clock()
            canary = Canary(
                id=self._new_id("can"),
                endpoint=request.endpoint,
                revision=number,
                model=request.model,
                model_version=prepared.model_version,
                state="running",
                step=0,
                policy=policy,
                promote=request.promote,
                baseline={str(other): share for other, share in before.items()},
                slow_us=slow_us,
                reason=request.reason or f"Begins at {policy.steps[0]:.0%}.",
                evidence=None,
                actor=caller.actor,
                started_at=now,
                step_at=now,
                ended_at=None,
            )
            self._rows.add(tx, project, canary)
            self._route(tx, caller, canary, make_room(before, number, canary.share), canary.reason)
            self._tell(tx, caller, canary, "canary.started", {})
            return canary

        canary = self._store.write(work, durable=True)
        self._endpoints.publish(project, request.endpoint)
        return canary

    @verb("canaries.look", permission="endpoint.write", event="canary.advanced")
    def look(self, caller: Caller, request: CanaryNamed) -> Canary:
        """The canary after a look at it: one step on, promoted, rolled back, or as it was. Raises CanaryNotFound."""
        canary = self._newest(caller.project, request.endpoint)
        return canary if canary.is_over else self._look(caller, canary)

    @verb("canaries.stop", permission="endpoint.write", event="canary.rolled_back")
    def stop(self, caller: Caller, request: StopCanary) -> Canary:
        """The canary, rolled back by hand. One that is over stays as it is. Raises CanaryNotFound."""
        canary = self._newest(caller.project, request.endpoint)
        if canary.is_over:
            return canary
        reason = request.reason or f"Stopped by {caller.actor}."
        return self._act(caller, canary, Opinion("roll back", reason), 0, [])

    # -- the loop ---------------------------------------------------------------------------------------------------

    def tick(self, caller: Caller) -> Sequence[Canary]:
        """Looks at every canary that is under way; answers those that moved. Cost: one query where there is none."""
        with self._store.read() as reader:
            under_way = self._rows.under_way(reader, caller.project)
        looked = [(canary, self._look(caller, canary)) for canary in under_way]
        return [after for before, after in looked if after != before]

    def _look(self, caller: Caller, canary: Canary) -> Canary:
        now = self._clock()
        if not self._is_in_force(caller.project, canary):
            return self._supersede(caller, canary, now)
        calls_at_step, signals = self._see(caller.project, canary, now)
        opinion = decide(
            canary,
            signals,
            calls_at_step=calls_at_step,
            step_s=(now - canary.step_at).total_seconds(),
            elapsed_s=(now - canary.started_at).total_seconds(),
        )
        if opinion.act == "wait":
            return canary
        return self._act(caller, canary, opinion, calls_at_step, signals)

    # -- seeing -----------------------------------------------------------------------------------------------------

    def _see(self, project: str, canary: Canary, now: datetime) -> tuple[int, Sequence[Signal]]:
        """(calls of the canary since its step began, signals since it did)."""
        until = now - timedelta(seconds=SETTLE_S) if canary.ended_at is None else now
        answered = self._sight.rows(project, canary.endpoint, "predictions", canary.started_at, until)
        failed = self._sight.rows(project, canary.endpoint, "failures", canary.started_at, until)
        arms: dict[str, Any] = {"canary": canary.revision, "baseline": {int(one) for one in canary.baseline}}
        task = self._task(project, canary)
        calls = calls_of(answered, failed, **arms, slow_us=canary.slow_us, task=task)
        outcomes = pl.DataFrame()
        if not answered.is_empty():
            asked = answered.select(pl.col("prediction_id").alias("prediction"), "entity")
            outcomes = self._sight.outcomes(project, canary.endpoint, asked)
        labelled = labelled_of(answered, outcomes, **arms, task=task, scale=canary.policy.loss_scale)
        at_step = calls.filter(pl.col("is_canary") & (pl.col("at") >= canary.step_at)).height
        return at_step, signals_of(calls, labelled, canary.policy)

    def _task(self, project: str, canary: Canary) -> str:
        with self._store.read() as reader:
            revisions = self._routing.revisions.of_endpoint(reader, project, canary.endpoint)
        bundle = next(one.bundle for one in revisions if one.number == canary.revision)
        return self._routing.area(project).signature_of(bundle).task

    def _usual(self, project: str, endpoint: str) -> int:
        now = self._clock()
        rows = self._sight.rows(project, endpoint, "predictions", now - timedelta(seconds=HISTORY_S), now)
        calls = rows.unique("call_id", keep="first", maintain_order=True) if not rows.is_empty() else rows
        return slow_from(calls["latency_us"] if not calls.is_empty() else pl.Series([], dtype=pl.Int64))

    def _is_in_force(self, project: str, canary: Canary) -> bool:
        """Whether the traffic is divided as the canary's step says: a person's hand goes before it."""
        with self._store.read() as reader:
            _, document = self._routing.current(reader, project, canary.endpoint)
        before = {int(number): share for number, share in canary.baseline.items()}
        wanted = make_room(before, canary.revision, canary.share)
        found = weights_of(document)
        return found.keys() == wanted.keys() and all(abs(found[one] - wanted[one]) < 1e-9 for one in wanted)

    def _newest(self, project: str, endpoint: str) -> Canary:
        with self._store.read() as reader:
            found = self._rows.of_endpoint(reader, project, endpoint)
        if not found:
            raise CanaryNotFound(
                f"Endpoint {endpoint!r} never had a canary.",
                fix=f"Begin one with: treadle endpoints canary {endpoint} MODEL",
            )
        return next((one for one in found if not one.is_over), found[0])

    # -- acting -----------------------------------------------------------------------------------------------------

    def _act(
        self, caller: Caller, canary: Canary, opinion: Opinion, calls_at_step: int, signals: Sequence[Signal]
    ) -> Canary:
        try:
            moved = self._store.write(
                lambda tx: self._move(tx, caller, canary, opinion, calls_at_step, signals), durable=True
            )
        except RefProtected as error:
            return self._wait(caller, canary, error)
        except (EpochMoved, _Raced):
            return self._newest(caller.project, canary.endpoint)
        self._endpoints.publish(caller.project, canary.endpoint)
        return moved

    def _move(
        self,
        tx: Transaction,
        caller: Caller,
        canary: Canary,
        opinion: Opinion,
        calls_at_step: int,
        signals: Sequence[Signal],
    ) -> Canary:
        """Row, evidence, route, alias and event, in the open transaction."""
        now, project = self._clock(), caller.project
        body = {
            "act": opinion.act,
            "reason": opinion.reason,
            "share": canary.share,
            "calls_at_step": calls_at_step,
            "signals": [asdict(signal) for signal in signals],
            "canary": canary.id,
        }
        version = self._models.resolve(tx, project, canary.model, canary.model_version)
        evidence = self._evidence.add(
            tx,
            project,
            subject=version.subject,
            kind=CANARY,
            verdict="failed" if opinion.act == "roll back" else "passed",
            body=body,
            actor=caller.actor,
            digest=version.digest,
        )
        before = {int(number): share for number, share in canary.baseline.items()}
        after = replace(canary, reason=opinion.reason, evidence=evidence.id)
        if opinion.act == "advance":
            after = replace(after, step=canary.step + 1, step_at=now)
            weights = make_room(before, canary.revision, after.share)
        else:
            after = replace(after, state=_ENDS[opinion.act], ended_at=now)
            weights = {canary.revision: 1.0} if opinion.act == "promote" else before
        if not self._rows.move(tx, project, canary, after):
            raise _Raced("Another look came first.")
        if opinion.act == "promote" and canary.promote is not None:
            alias = PromoteModel(
                model=canary.model,
                version=version.number,
                alias=canary.promote,
                reason=opinion.reason,
                evidence={CANARY: evidence.id},
            )
            self._models.promote_in(tx, caller, alias)
        self._route(tx, caller, canary, weights, opinion.reason)
        self._tell(tx, caller, after, _EVENTS[opinion.act], {"evidence": evidence.id})
        return after

    def _wait(self, caller: Caller, canary: Canary, error: TreadleError) -> Canary:
        """The canary keeps its last step until its alias may move: an approval is a row that somebody will add."""
        reason = " ".join(error.sentences())
        if (canary.state, canary.reason) == ("waiting", reason):
            return canary
        after = replace(canary, state="waiting", reason=reason)

        def work(tx: Transaction) -> Canary:
            if self._rows.move(tx, caller.project, canary, after):
                self._tell(tx, caller, after, "canary.waiting", {})
            return after

        return self._store.write(work)

    def _supersede(self, caller: Caller, canary: Canary, now: datetime) -> Canary:
        """Ends a canary whose endpoint was routed otherwise meanwhile; the traffic stays as it was put."""
        reason = "The endpoint was routed otherwise meanwhile; it stays as it was put."
        after = replace(canary, state="superseded", ended_at=now, reason=reason)

        def work(tx: Transaction) -> Canary:
            if self._rows.move(tx, caller.project, canary, after):
                self._tell(tx, caller, after, "canary.superseded", {})
            return after

        return self._store.write(work, durable=True)

    def _route(self, tx: Transaction, caller: Caller, canary: Canary, weights: dict[int, float], reason: str) -> None:
        _, current = self._routing.current(tx, caller.project, canary.endpoint)
        document = self._routing.follow(tx, caller.project, current, weights=weights, is_drained=current.is_drained)
        self._routing.move(tx, caller, document, "canary", reason, "endpoint.split")

    def _tell(self, tx: Transaction, caller: Caller, canary: Canary, kind: str, more: dict[str, Any]) -> None:
        body = {
            "canary": canary.id,
            "model": f"model/{canary.model}/{canary.model_version}",
            "revision": canary.revision,
            "share": canary.share,
            "state": canary.state,
            "reason": canary.reason,
            **more,
        }
        subject = f"endpoint/{canary.endpoint}"
        self._events.append(tx, project=caller.project, kind=kind, subject=subject, actor=caller.actor, body=body)


class _Raced(Exception):
    """Another process moved this canary between our look and our act: what it did stands."""


def _check(policy: CanaryPolicy) -> None:
    steps = list(policy.steps)
    if not steps or steps != sorted(set(steps)) or not 0 < steps[0] <= steps[-1] < 1:
        raise BadCanary(
            f"The steps {steps} are no way into traffic.", fix="Give rising shares above 0 and below 1: 0.05 0.25 0.5"
        )
    if not 0 < policy.false_alarm < 1:
        raise BadCanary(f"A false-alarm probability of {policy.false_alarm} is none.", fix="Give 0.01, for example.")
    if min(policy.min_calls, 1) < 1 or min(policy.step_s, policy.max_s, policy.min_labelled) < 0:
        raise BadCanary("Counts and times of a canary are not negative, and it answers at least one call.")
    tolerances = (policy.max_error_increase, policy.max_slow_increase, policy.max_loss_increase)
    if any(not 0 <= one < 1 for one in tolerances):
        raise BadCanary("Tolerances are shares from 0 to 1.")
