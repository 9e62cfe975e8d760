"""The verbs of anomalies: what each landing was like beside those before it, and incidents for those that were unlike."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from treadle.ground.clock import Clock
from treadle.ground.errors import TreadleError
from treadle.ground.profiling import EMPTY, Profile, merge
from treadle.kernel.governance import Caller, verb
from treadle.kernel.store import Store, Transaction
from treadle.kernel.vocabulary.datasets import LANDING
from treadle.systems.prepare.anomalies.declared import watch_of
from treadle.systems.prepare.anomalies.figures import Figures, figures_of
from treadle.systems.prepare.anomalies.judging import Judge
from treadle.systems.prepare.anomalies.records import KINDS, Anomaly, Band, Verdict, Watch
from treadle.systems.prepare.anomalies.repository import (
    Remembered,
    forget_before,
    judge_landing,
    remember,
    remembered,
    tell_overdue,
)
from treadle.systems.prepare.contracts import Contracts, owner_of
from treadle.systems.prepare.incidents import Failure, Incidents
from treadle.systems.prepare.ports import Landed, LandingHistory, Tables
from treadle.systems.prepare.profiling.making import ProfileMaker

COMPARED = 120
"""So many of the newest landings are compared."""

CAUSE = "anomaly"


@dataclass(frozen=True, slots=True, kw_only=True)
class AnomaliesOf:
    """Asks about the newest landings of a dataset. `now` is the present that a late landing is measured against."""

    dataset: str
    limit: int = 30
    now: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgedLanding:
    """One landing: how many rows it brought and how long after the one before, with what was expected of both.

    is_told: whether it has been judged for good, and its incidents opened; otherwise this is what would be said.
    """

    landing: str
    version: int | None
    landed_at: datetime
    rows: int
    warming: bool
    is_told: bool
    anomalies: Sequence[Anomaly]
    volume: Band | None
    gap: Band | None


@dataclass(frozen=True, slots=True, kw_only=True)
class AnomalyHistory:
    """The newest landings of a dataset, oldest first. `overdue` says what has not come, and `due_at` when it should."""

    dataset: str
    false_alarms: float
    warm_up: int
    is_on: bool
    muted: Sequence[str]
    landings: Sequence[JudgedLanding]
    due_at: datetime | None
    overdue: Anomaly | None


class Anomalies:
    """Compares landings with those before them."""

    def __init__(
        self,
        store: Store,
        tables: Tables,
        landings: LandingHistory,
        maker: ProfileMaker,
        contracts: Contracts,
        incidents: Incidents,
        clock: Clock,
    ) -> None:
        self._store, self._tables, self._landings, self._maker = store, tables, landings, maker
        self._contracts, self._incidents, self._clock = contracts, incidents, clock

    @verb("anomalies.history", permission="incident.read")
    def history(self, caller: Caller, request: AnomaliesOf) -> AnomalyHistory:
        """What each of the newest landings was like beside those before it. Nothing is reported."""
        watch, _, _ = self._watch(caller.project, request.dataset)
        landed, known, judge, verdicts = self._judged(caller.project, request.dataset, watch)
        now = (request.now or self._clock()).timestamp()
        late = judge.overdue(now)
        told = [_told(landing, one, verdict) for landing, one, verdict in zip(landed, known, verdicts, strict=True)]
        return AnomalyHistory(
            dataset=request.dataset,
            false_alarms=watch.false_alarms,
            warm_up=watch.warm_up,
            is_on=watch.is_on,
            muted=sorted(watch.muted),
            landings=told[-max(1, request.limit) :],
            due_at=_moment(judge.due_at()),
            overdue=late,
        )

    @verb("anomalies.check", permission="incident.write", event="incident.opened")
    def check(self, caller: Caller, request: AnomaliesOf) -> list[JudgedLanding]:
        """Judges the landings that nobody has judged yet, opens incidents, and answers those landings.

        Of a dataset that is looked at for the first time, only the newest landing can open one. It may be called again
        and again: each landing is judged once.
        """
        project, dataset = caller.project, request.dataset
        watch, contract, owner = self._watch(project, dataset)
        landed, known, judge, verdicts = self._judged(project, dataset, watch)
        is_first = all(one.verdict is None for one in known)
        fresh = []
        for place, (landing, one, verdict) in enumerate(zip(landed, known, verdicts, strict=True)):
            if one.verdict is not None:
                continue
            is_loud = not is_first or place == len(known) - 1
            since = _since(landed, verdicts, place)

            def tell(tx: Transaction, landing: Landed = landing, verdict: Verdict = verdict, loud: bool = is_loud,
                     since: dict[str, Landed] = since) -> bool:  # fmt: skip
                if not judge_landing(tx, project, dataset, landing.id, verdict):
                    return False
                for anomaly in verdict.anomalies if loud else ():
                    self._open(tx, project, dataset, anomaly, landing.id, since[anomaly.kind], contract, owner)
                if not verdict.warming:
                    odd = {anomaly.kind for anomaly in verdict.anomalies}
                    clean = [(_rule(kind), CAUSE) for kind in KINDS if kind not in odd]
                    self._incidents.passed(tx, project, dataset, clean, landing.id)
                return True

            if self._store.write(tell):
                fresh.append(_told(landing, replace(one, verdict=verdict), verdict))
        if fresh and len(known) == COMPARED:
            self._store.write(lambda tx: forget_before(tx, project, dataset, known[0].landing))
        self._tell_late(project, dataset, watch, judge, known, (request.now or self._clock()), contract, owner)
        return fresh

    def due_at(self, project: str, dataset: str) -> float | None:
        """Until when the next landing should have come, in seconds since 1970; None where nobody can say."""
        watch, _, _ = self._watch(project, dataset)
        return self._judged(project, dataset, watch)[2].due_at()

    def _tell_late(
        self, project: str, dataset: str, watch: Watch, judge: Judge, known: Sequence[Remembered], now: datetime,
        contract: str | None, owner: str | None,
    ) -> None:  # fmt: skip
        late = judge.overdue(now.timestamp())
        if late is None or not watch.is_on or watch.is_muted(late.kind, None) or known[-1].told_overdue:
            return

        def tell(tx: Transaction) -> None:
            if tell_overdue(tx, project, dataset, known[-1].landing, now):
                self._open(tx, project, dataset, late, None, None, contract, owner)

        self._store.write(tell)

    def _judged(
        self, project: str, dataset: str, watch: Watch
    ) -> tuple[list[Landed], list[Remembered], Judge, list[Verdict]]:
        """The newest landings, what is remembered of each, and what is (or would be) said of it."""
        found = self._landings.newest_appends(project, dataset, COMPARED)
        with self._store.read() as reader:
            known = {one.landing: one for one in remembered(reader, project, dataset, COMPARED)}
        pairs = []
        for landing in found:
            one = known.get(landing.id) or self._look_at(project, dataset, landing)
            if one is not None:
                pairs.append((landing, one))
        judge, verdicts = Judge.after([one.figures for _, one in pairs], watch)
        said = [one.verdict or verdict for (_, one), verdict in zip(pairs, verdicts, strict=True)]
        return [landing for landing, _ in pairs], [one for _, one in pairs], judge, said

    def _look_at(self, project: str, dataset: str, landing: Landed) -> Remembered | None:
        """The figures of a landing from its profile, kept; None where its files are gone."""
        try:
            profile = self._profile(project, dataset, landing)
        except TreadleError:
            return None
        figures = figures_of(profile, arrived_at=landing.started_at.timestamp())
        self._store.write(lambda tx: remember(tx, project, dataset, landing.id, figures, self._clock()))
        return Remembered(landing=landing.id, figures=figures, verdict=None, told_overdue=False)

    def _profile(self, project: str, dataset: str, landing: Landed) -> Profile:
        if landing.version is None or not landing.rows_kept:
            return EMPTY
        snapshot = self._tables.snapshot(project, dataset, str(landing.version))
        own = [file for file in snapshot.files if list(file.stats.get(LANDING, ())) == [landing.id, landing.id]]
        return merge([self._maker.of_file(project, snapshot, file) for file in own])

    def _watch(self, project: str, dataset: str) -> tuple[Watch, str | None, str | None]:
        found = self._contracts.find(project, dataset)
        if found is None:
            return Watch(), None, None
        digest, contract = found
        return watch_of(contract, dataset), digest, owner_of(contract)

    def _open(
        self, tx: Transaction, project: str, dataset: str, anomaly: Anomaly, landing: str | None, since: Landed | None,
        contract: str | None, owner: str | None,
    ) -> None:  # fmt: skip
        self._incidents.failed(
            tx,
            project,
            Failure(
                dataset=dataset,
                rule=_rule(anomaly.kind),
                cause=CAUSE,
                severity="warning",
                title=title_of(dataset, anomaly, since),
                rows=0,
                landing=landing,
                contract=contract,
                assignee=owner,
            ),
        )


def _rule(kind: str) -> str:
    return f"anomaly.{kind}"


def title_of(dataset: str, anomaly: Anomaly, since: Landed | None) -> str:
    """What was expected, what was seen, in which columns, since when."""
    columns = ", ".join(anomaly.columns[:5]) + (", …" if len(anomaly.columns) > 5 else "")
    where = f" of {columns}" if columns else ""
    when = ""
    if since is not None:
        version = f"version {since.version}" if since.version is not None else since.id
        when = f", since {version} ({since.started_at:%Y-%m-%d %H:%M} UTC)"
    return f"{dataset}: unusual {anomaly.kind}{where}: expected {anomaly.expected}, seen: {anomaly.seen}{when}"


def _since(landed: Sequence[Landed], verdicts: Sequence[Verdict], place: int) -> dict[str, Landed]:
    """For each kind of anomaly of a landing, the first landing of the unbroken run that ends with it."""
    found = {}
    for anomaly in verdicts[place].anomalies:
        first = place
        while first > 0 and any(one.kind == anomaly.kind for one in verdicts[first - 1].anomalies):
            first -= 1
        found[str(anomaly.kind)] = landed[first]
    return found


def _told(landing: Landed, one: Remembered, verdict: Verdict) -> JudgedLanding:
    figures: Figures = one.figures
    return JudgedLanding(
        landing=landing.id,
        version=landing.version,
        landed_at=landing.started_at,
        rows=figures.rows,
        warming=verdict.warming,
        is_told=one.verdict is not None,
        anomalies=list(verdict.anomalies),
        volume=verdict.volume,
        gap=verdict.gap,
    )


def _moment(seconds: float | None) -> datetime | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)
