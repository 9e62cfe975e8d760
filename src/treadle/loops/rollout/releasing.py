"""A release: gates, then a shadow, then a canary, then the alias; each stage can be left out, and none needs a process.

A release is a row with its stage. A look first brings about what the stage needs (the shadow's route, the canary) where it
is not there yet, then judges, then moves the row, with evidence and event in the same commit. So whoever looks next after
whatever end does nothing twice: the alias moves in the commit that ends its stage, and a stage that was begun is found.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from typing import Any, Literal

import msgspec

from treadle.ground.clock import Clock, from_micros, to_micros
from treadle.ground.digests import canonical_json
from treadle.ground.errors import Conflict, InvalidInput, NotFound, TreadleError
from treadle.ground.ids import NewId
from treadle.kernel.catalog import EpochMoved, EvidenceRows
from treadle.kernel.events import EventLog
from treadle.kernel.governance import Caller, verb
from treadle.kernel.store import Reader, Row, Statements, Store, Transaction
from treadle.loops.rollout.comparing import CompareShadow, ShadowReport, Shadows
from treadle.loops.rollout.records import CanaryPolicy
from treadle.loops.rollout.service import Canaries, StartCanary
from treadle.systems.serve import DeployEndpoint, EndpointNamed, ShadowTraffic, Traffic
from treadle.systems.serve.service import Endpoints
from treadle.systems.train import Models
from treadle.systems.train.registry.service import PromoteModel, VersionNamed

sql = Statements(__package__)
RELEASE = "release"
"""The kind of evidence that each decision of a release leaves."""
Stage = Literal["gates", "shadow", "canary", "promote", "deploy", "promoted", "refused", "superseded"]
_OVER = frozenset({"promoted", "refused", "superseded"})


class ReleaseUnderWay(Conflict):
    code = "release.under_way"


class ReleaseNotFound(NotFound):
    code = "release.not_found"


class BadRelease(InvalidInput):
    code = "release.bad"


@dataclass(frozen=True, slots=True, kw_only=True)
class ShadowPolicy:
    """What a shadow must show: on `min_rows` rows that were answered as well, over `min_s` seconds at least.

    max_flips: the share of rows on which its decision may differ. max_failures: the share of its calls that may fail.
    max_slowdown: how many times what answered took its model may take, at the quantile of 99 %. max_loss_increase: by how
    much its squared error may be greater for certain (two standard errors), where truth is known. After `max_s` seconds
    without so many rows it is refused.
    """

    min_rows: int = 500
    min_s: float = 600.0
    max_s: float = 7 * 86_400.0
    max_flips: float = 0.2
    max_failures: float = 0.01
    max_slowdown: float = 2.0
    max_loss_increase: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleasePolicy:
    """The stages of a release. needs: kinds of evidence whose newest verdict about the version must be `passed`, such as
    `gate` (the challenge), `verify`, or `approval`; it waits for what is missing. shadow, canary: None leaves them out.
    """

    needs: Sequence[str] = ("gate",)
    shadow: ShadowPolicy | None = field(default_factory=ShadowPolicy)
    canary: CanaryPolicy | None = field(default_factory=CanaryPolicy)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleaseRow:
    """One release. reason: the newest decision, or what it waits for. stage_at: since when it is at its stage."""

    id: str
    endpoint: str
    model: str
    model_version: str
    alias: str
    stage: Stage
    policy: ReleasePolicy
    reason: str
    evidence: str | None
    actor: str
    started_at: datetime
    stage_at: datetime
    ended_at: datetime | None

    @property
    def is_over(self) -> bool:
        return self.ended_at is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class BeginRelease:
    """Brings a version through the stages to its alias. version: a number, an alias or `newest`."""

    endpoint: str
    model: str
    version: str = "newest"
    alias: str = "champion"
    policy: ReleasePolicy = field(default_factory=ReleasePolicy)
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleaseNamed:
    """One release by its id."""

    release: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleaseSheet:
    """A release with its decisions, the oldest first: stage, verdict, and the figures that led to it."""

    release: ReleaseRow
    decisions: Sequence[dict[str, Any]]


class Releases:
    """Releases by stages."""

    def __init__(
        self,
        store: Store,
        endpoints: Endpoints,
        traffic: Traffic,
        canaries: Canaries,
        shadows: Shadows,
        models: Models,
        evidence: EvidenceRows,
        events: EventLog,
        clock: Clock,
        new_id: NewId,
    ) -> None:
        self._store, self._endpoints, self._traffic = store, endpoints, traffic
        self._canaries, self._shadows, self._models = canaries, shadows, models
        self._evidence, self._events, self._clock, self._new_id = evidence, events, clock, new_id

    @verb("releases.begin", permission="model.promote", event="release.started")
    def begin(self, caller: Caller, request: BeginRelease) -> ReleaseRow:
        """The release at its gates. It goes on by itself while `treadle up` works. Raises ReleaseUnderWay, BadRelease,
        ModelVersionNotFound and EndpointNotFound.
        """
        caller.require("endpoint.write")
        self._endpoints.get(caller, EndpointNamed(endpoint=request.endpoint))
        now = self._clock()

        def work(tx: Transaction) -> ReleaseRow:
            version = self._models.resolve(tx, caller.project, request.model, request.version)
            if self._models.holder(tx, caller.project, request.model, request.alias) == version.number:
                raise BadRelease(f"{request.model} {version.number} is the {request.alias} already.")
            if any(one.endpoint == request.endpoint for one in self._under_way(tx, caller.project)):
                raise ReleaseUnderWay(
                    f"Endpoint {request.endpoint!r} has a release under way.", fix="See: treadle releases list"
                )
            row = ReleaseRow(
                id=self._new_id("rel"),
                endpoint=request.endpoint,
                model=version.model,
                model_version=str(version.number),
                alias=request.alias,
                stage="gates",
                policy=request.policy,
                reason=request.reason or "Begins at its gates.",
                evidence=None,
                actor=caller.actor,
                started_at=now,
                stage_at=now,
                ended_at=None,
            )
            tx.put(sql.insert_release, {**_values(caller.project, row)})
            self._tell(tx, caller, row, "release.started")
            return row

        return self._store.write(work, durable=True)

    @verb("releases.list", permission="model.read")
    def list(self, caller: Caller) -> Sequence[ReleaseRow]:
        """Every release of the project, the newest first."""
        with self._store.read() as reader:
            return [_row(row) for row in reader.all(sql.all_releases, {"project": caller.project})]

    @verb("releases.get", permission="model.read")
    def get(self, caller: Caller, request: ReleaseNamed) -> ReleaseSheet:
        """A release with its decisions and their figures. Raises ReleaseNotFound."""
        row = self._find(caller.project, request.release)
        named = VersionNamed(model=row.model, version=row.model_version)
        found = self._models.get(caller, named).evidence
        decisions = [
            {"evidence": one.id, "verdict": one.verdict, **one.body}
            for one in found
            if one.kind == RELEASE and one.body.get("release") == row.id
        ]
        return ReleaseSheet(release=row, decisions=decisions)

    def tick(self, caller: Caller) -> Sequence[ReleaseRow]:
        """Looks at every release that is under way; answers those that moved. Cost: one query where there is none."""
        with self._store.read() as reader:
            under_way = self._under_way(reader, caller.project)
        looked = [(row, self._look(caller, row)) for row in under_way]
        return [after for before, after in looked if after != before]

    # -- stages -----------------------------------------------------------------------------------------------------

    def _look(self, caller: Caller, row: ReleaseRow) -> ReleaseRow:
        look = {
            "gates": self._gates,
            "shadow": self._shadow,
            "canary": self._canary,
            "promote": self._promote,
            "deploy": self._deploy,
        }[row.stage]
        try:
            return look(caller, row)
        except TreadleError as error:  # one that cannot go on is told so, and holds up none of the others
            return self._wait(caller, row, " ".join(error.sentences()))

    def _gates(self, caller: Caller, row: ReleaseRow) -> ReleaseRow:
        sheet = self._models.get(caller, VersionNamed(model=row.model, version=row.model_version))
        newest = {one.kind: one for one in sorted(sheet.evidence, key=lambda one: one.id)}
        failed = [kind for kind in row.policy.needs if kind in newest and newest[kind].verdict != "passed"]
        missing = [kind for kind in row.policy.needs if kind not in newest]
        facts = {kind: newest[kind].id for kind in row.policy.needs if kind in newest}
        if failed:
            return self._move(caller, row, "refused", f"Refused: {', '.join(failed)} did not pass.", facts)
        if missing:
            return self._wait(caller, row, f"Waits for: {', '.join(missing)}.")
        after: Stage = "shadow" if row.policy.shadow else "canary" if row.policy.canary else "promote"
        told = ", ".join(row.policy.needs) or "no gates"
        return self._move(caller, row, after, f"Passed: {told}.", facts)

    def _shadow(self, caller: Caller, row: ReleaseRow) -> ReleaseRow:
        policy = row.policy.shadow or ShadowPolicy()
        revision = self._shadowing(caller, row)
        if revision is None:
            self._traffic.shadow(caller, self._shadow_request(row, 1.0))
            revision = self._shadowing(caller, row)
        now = self._clock()
        window = CompareShadow(endpoint=row.endpoint, since=row.stage_at, until=now, revision=revision)
        report, age = self._shadows.compare(caller, window), (now - row.stage_at).total_seconds()
        if report.rows < policy.min_rows or age < policy.min_s:
            waits = f"{report.rows:,} of {policy.min_rows:,} rows, {age:,.0f} of {policy.min_s:,.0f} s as a shadow"
            if age < policy.max_s:
                return self._wait(caller, row, waits)
            wrong: Sequence[str] = [f"only {waits}"]
        else:
            wrong = faults_of(report, policy)
        facts = asdict(report)
        if wrong:
            self._traffic.shadow(caller, self._shadow_request(row, 0.0))
            return self._move(caller, row, "refused", f"Refused as a shadow: {'; '.join(wrong)}.", facts)
        if row.policy.canary is None:
            self._traffic.shadow(caller, self._shadow_request(row, 0.0))
        after: Stage = "canary" if row.policy.canary else "promote"
        return self._move(caller, row, after, f"Passed as a shadow on {report.rows:,} rows.", facts)

    def _canary(self, caller: Caller, row: ReleaseRow) -> ReleaseRow:
        mine = [
            one
            for one in self._canaries.list(caller)
            if (one.endpoint, one.model, one.model_version) == (row.endpoint, row.model, row.model_version)
            and one.started_at >= row.stage_at
        ]
        if not mine:
            request = StartCanary(
                endpoint=row.endpoint,
                model=row.model,
                version=row.model_version,
                policy=row.policy.canary or CanaryPolicy(),
                promote=row.alias,
                reason=f"of the release {row.id}",
            )
            self._canaries.start(caller, request)
            return row
        canary = mine[0]
        ends: dict[str, Stage] = {"promoted": "promoted", "rolled back": "refused", "superseded": "superseded"}
        if canary.state not in ends:
            return self._wait(caller, row, canary.reason) if canary.state == "waiting" else row
        facts = {"canary": canary.id, "evidence": canary.evidence}
        return self._move(caller, row, ends[canary.state], canary.reason, facts)

    def _promote(self, caller: Caller, row: ReleaseRow) -> ReleaseRow:
        return self._move(caller, row, "deploy", f"Promoted to {row.alias}.", {}, promotes=True)

    def _deploy(self, caller: Caller, row: ReleaseRow) -> ReleaseRow:
        endpoint = self._endpoints.get(caller, EndpointNamed(endpoint=row.endpoint)).endpoint
        mine = [
            one.number for one in endpoint.revisions if (one.model, one.model_version) == (row.model, row.model_version)
        ]
        if not any(endpoint.route.weights.get(str(number)) == 1.0 for number in mine):
            deployment = DeployEndpoint(endpoint=row.endpoint, model=row.model, version=row.model_version)
            self._endpoints.deploy(caller, replace(deployment, reason=f"of the release {row.id}"))
        return self._move(caller, row, "promoted", f"{row.alias} and deployed.", {})

    def _shadowing(self, caller: Caller, row: ReleaseRow) -> int | None:
        """The revision that looks on for a release, or None where none does."""
        endpoint = self._endpoints.get(caller, EndpointNamed(endpoint=row.endpoint)).endpoint
        mine = [one for one in endpoint.revisions if (one.model, one.model_version) == (row.model, row.model_version)]
        return next((one.number for one in mine if str(one.number) in endpoint.route.shadows), None)

    def _shadow_request(self, row: ReleaseRow, share: float) -> ShadowTraffic:
        reason = f"of the release {row.id}"
        return ShadowTraffic(
            endpoint=row.endpoint, model=row.model, version=row.model_version, share=share, reason=reason
        )

    # -- rows -------------------------------------------------------------------------------------------------------

    def _move(
        self,
        caller: Caller,
        row: ReleaseRow,
        stage: Stage,
        reason: str,
        facts: dict[str, Any],
        *,
        promotes: bool = False,
    ) -> ReleaseRow:
        """Row, evidence, alias and event in one commit; what stands where another looker came first."""
        now = self._clock()

        def work(tx: Transaction) -> ReleaseRow | None:
            version = self._models.resolve(tx, caller.project, row.model, row.model_version)
            body = {"release": row.id, "stage": row.stage, "next": stage, "reason": reason, "found": facts}
            verdict = "failed" if stage == "refused" else "passed"
            found = self._evidence.add(
                tx,
                caller.project,
                subject=version.subject,
                kind=RELEASE,
                verdict=verdict,
                body=body,
                actor=caller.actor,
                digest=version.digest,
            )
            ended = now if stage in _OVER else None
            after = replace(row, stage=stage, reason=reason, evidence=found.id, stage_at=now, ended_at=ended)
            if tx.execute(sql.move_release, {**_changes(caller.project, after), "seen": row.stage}) != 1:
                raise _Raced
            if promotes:
                promotion = PromoteModel(
                    model=row.model,
                    version=version.number,
                    alias=row.alias,
                    reason=reason,
                    evidence={RELEASE: found.id},
                )
                self._models.promote_in(tx, caller, promotion)
            self._tell(tx, caller, after, "release.moved")
            return after

        try:
            return self._store.write(work, durable=True) or row
        except (_Raced, EpochMoved):
            return self._find(caller.project, row.id)

    def _wait(self, caller: Caller, row: ReleaseRow, reason: str) -> ReleaseRow:
        """The release as it was, with what it waits for; no event, since nothing was decided."""
        if row.reason == reason:
            return row
        after = replace(row, reason=reason)
        self._store.write(
            lambda tx: tx.execute(sql.move_release, {**_changes(caller.project, after), "seen": row.stage})
        )
        return row

    def _find(self, project: str, release: str) -> ReleaseRow:
        with self._store.read() as reader:
            row = reader.find(sql.find_release, {"project": project, "id": release})
        if row is None:
            raise ReleaseNotFound(f"There is no release {release!r}.", fix="List them with: treadle releases list")
        return _row(row)

    def _under_way(self, reader: Reader, project: str) -> Sequence[ReleaseRow]:
        return [_row(row) for row in reader.all(sql.open_releases, {"project": project})]

    def _tell(self, tx: Transaction, caller: Caller, row: ReleaseRow, kind: str) -> None:
        body = {
            "release": row.id,
            "model": f"model/{row.model}/{row.model_version}",
            "stage": row.stage,
            "reason": row.reason,
            "evidence": row.evidence,
        }
        subject = f"endpoint/{row.endpoint}"
        self._events.append(tx, project=caller.project, kind=kind, subject=subject, actor=caller.actor, body=body)


class _Raced(Exception):
    """Another process moved this release between our look and our act: what it did stands."""


def faults_of(report: ShadowReport, policy: ShadowPolicy) -> Sequence[str]:
    """What keeps a shadow from going on, in words; nothing where it is within its policy."""
    faults = []
    failures = report.failed / (report.failed + report.rows)
    if failures > policy.max_failures:
        faults.append(f"{failures:.1%} of its calls failed, {policy.max_failures:.1%} may")
    if report.flips is not None and report.flips / report.rows > policy.max_flips:
        faults.append(f"decides {report.flips / report.rows:.1%} of the rows otherwise, {policy.max_flips:.1%} may")
    mine, theirs = report.latency_us["shadow"]["p99"], report.latency_us["answered"]["p99"]
    if mine > policy.max_slowdown * max(theirs, 1.0):
        faults.append(
            f"takes {mine:,.0f} us where {theirs:,.0f} us were taken, {policy.max_slowdown:g} times are allowed"
        )
    loss = report.loss
    if loss is not None and loss.difference - 2 * loss.standard_error > policy.max_loss_increase:
        faults.append(f"its loss is {loss.difference:+.4f} for certain, {policy.max_loss_increase:+.4f} is allowed")
    return faults


def _changes(project: str, row: ReleaseRow) -> dict[str, Any]:
    return {
        "project": project,
        "id": row.id,
        "stage": row.stage,
        "reason": row.reason,
        "evidence": row.evidence,
        "stage_at": to_micros(row.stage_at),
        "ended_at": None if row.ended_at is None else to_micros(row.ended_at),
    }


def _values(project: str, row: ReleaseRow) -> dict[str, Any]:
    return {
        **_changes(project, row),
        "endpoint": row.endpoint,
        "model": row.model,
        "model_version": row.model_version,
        "alias": row.alias,
        "policy": canonical_json(asdict(row.policy)).decode(),
        "actor": row.actor,
        "started_at": to_micros(row.started_at),
    }


def _row(row: Row) -> ReleaseRow:
    values: dict[str, Any] = dict(zip(ReleaseRow.__slots__, row, strict=True))
    values["policy"] = msgspec.json.decode(values["policy"], type=ReleasePolicy)
    for name in ("started_at", "stage_at", "ended_at"):
        values[name] = None if values[name] is None else from_micros(values[name])
    return ReleaseRow(**values)
