"""The verbs of monitoring: create a monitor, move its reference, judge a window, and look after alerts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from treadle.ground.clock import Clock, from_micros
from treadle.ground.errors import did_you_mean
from treadle.ground.ids import NewId
from treadle.kernel.events import EventLog
from treadle.kernel.events.outbox import Outbox
from treadle.kernel.governance import Caller, verb
from treadle.kernel.store import Reader, Store, Transaction
from treadle.systems.monitor.alerting import Alerting, Changed
from treadle.systems.monitor.alerts import Verdict
from treadle.systems.monitor.cohorts import Cohort, cohorts_of, known_rows
from treadle.systems.monitor.errors import (
    MonitorExists,
    MonitorNotFound,
    UnfitMonitor,
    UnfitWindow,
)
from treadle.systems.monitor.estimating import calibrate, error_curve
from treadle.systems.monitor.judging import (
    baseline_of,
    drift_verdict,
    impact_of,
    judge,
    performance_verdict,
    profile_of,
    scored,
    shared_budget,
    window_of,
    windows_due,
)
from treadle.systems.monitor.ports import PredictionReader, ReferenceReader, TruthReader
from treadle.systems.monitor.records import (
    Evaluation,
    Monitor,
    MonitorReference,
    MonitorView,
    MonitorWindow,
    ReferenceSummary,
)
from treadle.systems.monitor.repository import AlertRows, MonitorRows, WindowRows
from treadle.systems.monitor.requests import (
    CheckMonitor,
    CreateMonitor,
    EvaluateMonitor,
    ListWindows,
    RebaseMonitor,
    ShowMonitor,
)

Monitors = list[Monitor]
Windows = list[MonitorWindow]
Evaluations = list[Evaluation]
Verdicts = list[Verdict]
Moments = list[datetime]

LATE_WINDOWS = 8
"""So many of the newest windows are looked at again for truth that came late."""


class MonitorService:
    """Monitors and the windows that they judge.

    Frames are read and figures computed outside the transaction; the windows, the alerts that follow and their events
    are committed together, so that a window never stands without its alert.
    """

    def __init__(
        self,
        store: Store,
        events: EventLog,
        references: ReferenceReader,
        predictions: PredictionReader,
        truth: TruthReader,
        *,
        clock: Clock,
        new_id: NewId,
        outbox: Outbox | None = None,
    ) -> None:
        self._store, self._events, self._clock, self._new_id = store, events, clock, new_id
        self._references, self._predictions, self._truth = references, predictions, truth
        self._monitors, self._windows, self._alerts = MonitorRows(), WindowRows(), AlertRows()
        self._alerting = Alerting(self._alerts, events, clock, new_id, outbox)

    @verb("monitors.create", permission="monitor.write", event="monitor.created")
    def create(self, caller: Caller, request: CreateMonitor) -> Monitor:
        """A new monitor of an endpoint, with its first reference.

        Raises MonitorExists, UnfitReference, UnfitColumn. Cost: one pass over the reference's rows.
        """
        _require_sense(request)
        monitor = Monitor(
            id=self._new_id("mon"),
            name=request.name,
            endpoint=request.endpoint,
            window_s=request.window_s,
            anchor_at=request.anchor_at,
            false_alarms_per_year=request.false_alarms_per_year,
            decision_threshold=request.decision_threshold,
            loss_increase=request.loss_increase,
            kinds=request.columns,
            task=request.task,
            group=request.group,
            recorded_at=self._clock(),
        )
        reference = self._profile(
            caller, monitor, request.model_version, request.training, request.validation, request.importance
        )

        def commit(tx: Transaction) -> None:
            if not self._monitors.insert(tx, caller.project, monitor):
                raise MonitorExists(
                    f"There is a monitor named {monitor.name!r} already.",
                    fix="Choose another name, or give this one a new reference (monitors.rebase).",
                    monitor=monitor.name,
                )
            self._monitors.put_reference(tx, caller.project, reference)
            self._leave(tx, caller, "monitor.created", monitor, _about(reference))

        self._store.write(commit)
        return monitor

    @verb("monitors.rebase", permission="monitor.write", event="monitor.rebased")
    def rebase(self, caller: Caller, request: RebaseMonitor) -> Monitor:
        """The monitor, whose windows of a model version are held against this reference from now on.

        Alerts about other model versions are resolved: what they said was about another reference.
        Raises MonitorNotFound, UnfitReference, UnfitColumn.
        """
        with self._store.read() as reader:
            monitor = self._get(reader, caller.project, request.name)
        reference = self._profile(
            caller, monitor, request.model_version, request.training, request.validation, request.importance
        )

        def commit(tx: Transaction) -> None:
            self._monitors.put_reference(tx, caller.project, reference)
            self._leave(tx, caller, "monitor.rebased", monitor, _about(reference))
            for alert in self._alerts.unresolved(tx, caller.project, monitor.id):
                if alert.model_version != request.model_version:
                    self._alerting.resolve(tx, caller, alert, f"{request.model_version} took over")

        self._store.write(commit)
        return monitor

    @verb("monitors.list", permission="monitor.read")
    def list(self, caller: Caller) -> Monitors:
        """Every monitor, by name."""
        with self._store.read() as reader:
            return self._monitors.all(reader, caller.project)

    @verb("monitors.show", permission="monitor.read")
    def show(self, caller: Caller, request: ShowMonitor) -> MonitorView:
        """A monitor with its references, its unresolved alerts and its newest windows. Raises MonitorNotFound."""
        with self._store.read() as reader:
            monitor = self._get(reader, caller.project, request.name)
            references = self._monitors.references(reader, caller.project, monitor.id)
            return MonitorView(
                monitor=monitor,
                references=[_summary(monitor, reference) for reference in references],
                alerts=self._alerts.unresolved(reader, caller.project, monitor.id),
                windows=self._windows.newest(reader, caller.project, monitor.id, request.windows),
            )

    @verb("monitors.windows", permission="monitor.read")
    def windows(self, caller: Caller, request: ListWindows) -> Windows:
        """The windows of a monitor, oldest first. Raises MonitorNotFound."""
        with self._store.read() as reader:
            monitor = self._get(reader, caller.project, request.name)
            found = self._windows.all(reader, caller.project, monitor.id)
        return [window for window in found if request.model_version in (None, window.model_version)]

    @verb("monitors.evaluate", permission="monitor.write", event="monitor.evaluated")
    def evaluate(self, caller: Caller, request: EvaluateMonitor) -> Evaluations:
        """Judges the window that holds a moment, by every monitor of the endpoint; opens, carries on and ends alerts.

        Judging a window again, when more truth has come, writes it again and opens no second alert.
        Raises MonitorNotFound when the endpoint has none, UnfitColumn when the log lacks a watched column.
        """
        with self._store.read() as reader:
            monitors = self._monitors.of_endpoint(reader, caller.project, request.endpoint)
            references = {m.id: self._monitors.references(reader, caller.project, m.id) for m in monitors}
        if not monitors:
            raise self._unwatched(caller, request.endpoint)
        return [self._evaluate(caller, monitor, references[monitor.id], request) for monitor in monitors]

    @verb("monitors.check", permission="monitor.write", event="monitor.evaluated")
    def check(self, caller: Caller, request: CheckMonitor) -> Evaluations:
        """Judges every window that has ended and was not judged, oldest first, and anew those whose truth has come since.

        Windows that hold no prediction are passed over, and do not count among the most that are judged at once. Nothing due is an empty answer, and leaves no event. Raises MonitorNotFound, UnfitColumn.
        """
        now = self._clock()
        with self._store.read() as reader:
            monitor = self._get(reader, caller.project, request.name)
            references = self._monitors.references(reader, caller.project, monitor.id)
            newest = self._windows.newest(reader, caller.project, monitor.id, LATE_WINDOWS)
        due = self._due(caller, monitor, windows_due(monitor, request.since or monitor.recorded_at, now), request.most)
        late = [
            start for start in {one.starts_at for one in newest} if self._has_more_truth(caller, monitor, start, newest)
        ]
        return [
            self._evaluate(caller, monitor, references, EvaluateMonitor(endpoint=monitor.endpoint, at=at))
            for at in sorted({*due, *late})
        ]

    def _due(self, caller: Caller, monitor: Monitor, ended: Sequence[datetime], most: int) -> Moments:
        """The first `most` of some windows, by their starts in order, that hold a prediction.

        An endpoint that nobody asks for years has a window for every day of them: the log says where the next one begins.
        """
        found: Moments = []
        at = ended[0] if ended else None
        while at is not None and at <= ended[-1] and len(found) < most:
            first = self._predictions.next_at(caller.project, monitor.endpoint, at)
            if first is None or (start := window_of(monitor, first)[0]) > ended[-1]:
                break
            found.append(start)
            at = window_of(monitor, start)[1]
        return found

    def _has_more_truth(
        self, caller: Caller, monitor: Monitor, starts_at: datetime, windows: Sequence[MonitorWindow]
    ) -> bool:
        """Whether more is known of a window's truth than when it was judged; a complete one is not asked again."""
        judged = [one for one in windows if one.starts_at == starts_at]
        if all(one.performance.is_complete for one in judged):
            return False
        predictions = self._predictions.predictions(caller.project, monitor.endpoint, starts_at, judged[0].ends_at)
        truth = self._truth.truth(caller.project, monitor.endpoint, predictions)
        known = sum(one.performance.labelled + one.performance.closed for one in judged)
        return known_rows(predictions, truth) > known

    def _evaluate(
        self, caller: Caller, monitor: Monitor, references: Sequence[MonitorReference], request: EvaluateMonitor
    ) -> Evaluation:
        if request.at.tzinfo is None:
            raise UnfitWindow("The moment to judge has no time zone.", fix="Write it like 2013-04-08T00:00:00Z.")
        starts_at, ends_at = window_of(monitor, request.at)
        predictions = self._predictions.predictions(caller.project, monitor.endpoint, starts_at, ends_at)
        truth = self._truth.truth(caller.project, monitor.endpoint, predictions)
        by_version = {reference.model_version: reference for reference in references}
        judged = [
            (self._judge(caller, monitor, cohort, reference, starts_at), reference)
            for cohort in cohorts_of(predictions, truth, window_s=monitor.window_s)
            for reference in [by_version.get(cohort.model_version, references[-1])]
        ]

        def commit(tx: Transaction) -> Changed:
            total = Changed()
            self._monitors.judged(tx, caller.project, monitor, ends_at)
            for window, reference in judged:
                self._windows.put(tx, caller.project, window)
                if window.model_version in by_version and window.model_version != references[-1].model_version:
                    continue  # it serves no longer: late truth completes its windows, and nobody is called
                for verdict in self._verdicts(tx, caller, monitor, window, reference):
                    total += self._alerting.apply(tx, caller, monitor, window.model_version, verdict, judged_at=ends_at)
            scores = {window.model_version: window.drift.score for window, _ in judged}
            if judged:  # an endpoint that nobody asks has years of empty windows, and nothing to tell of them
                self._leave(tx, caller, "monitor.evaluated", monitor, {"starts_at": starts_at, "scores": scores})
            return total

        changed = self._store.write(commit)
        return Evaluation(
            monitor=monitor.name,
            starts_at=starts_at,
            ends_at=ends_at,
            windows=[window for window, _ in judged],
            opened=changed.opened,
            continued=changed.continued,
            resolved=changed.resolved,
        )

    def _judge(
        self, caller: Caller, monitor: Monitor, cohort: Cohort, reference: MonitorReference, starts_at: datetime
    ) -> MonitorWindow:
        with self._store.read() as reader:
            before = self._windows.sums_before(reader, caller.project, reference, cohort.model_version, starts_at)
        return judge(monitor, cohort, reference, starts_at, self._clock(), before)

    def _verdicts(
        self, tx: Transaction, caller: Caller, monitor: Monitor, window: MonitorWindow, reference: MonitorReference
    ) -> Verdicts:
        found = [drift_verdict(window, reference)]
        if reference.baseline is not None:
            rows = self._windows.cohorts(tx, caller.project, monitor.id, window.model_version)
            cohorts = [(from_micros(at), labelled, errors, share) for at, labelled, errors, share in rows]
            found.append(performance_verdict(monitor, reference.baseline, cohorts))
        return [verdict for verdict in found if verdict is not None]

    def _profile(
        self,
        caller: Caller,
        monitor: Monitor,
        model_version: str,
        training: str,
        validation: str | None,
        importance: Mapping[str, float] | None,
    ) -> MonitorReference:
        rows = self._references.reference(caller.project, training)
        validated = None if validation is None else self._references.reference(caller.project, validation)
        profile, is_regression = profile_of(monitor, rows), monitor.task == "regression"
        return MonitorReference(
            monitor=monitor.id,
            model_version=model_version,
            training=training,
            validation=validation,
            profile=profile,
            baseline=None if validated is None or is_regression else baseline_of(monitor, validated),
            calibration=None if validated is None or is_regression else calibrate(*scored(validated)),
            error_curve=None if validated is None or not is_regression else error_curve(*scored(validated)),
            impact=impact_of(monitor, profile, validated, dict(importance or {})),
            recorded_at=self._clock(),
        )

    def _get(self, reader: Reader, project: str, name: str) -> Monitor:
        found = self._monitors.find(reader, project, name)
        if found is None:
            known = [monitor.name for monitor in self._monitors.all(reader, project)]
            raise MonitorNotFound(f"There is no monitor {name!r}.", fix=did_you_mean(name, known), monitor=name)
        return found

    def _unwatched(self, caller: Caller, endpoint: str) -> MonitorNotFound:
        with self._store.read() as reader:
            known = [monitor.endpoint for monitor in self._monitors.all(reader, caller.project)]
        return MonitorNotFound(
            f"No monitor watches the endpoint {endpoint!r}.", fix=did_you_mean(endpoint, known), endpoint=endpoint
        )

    def _leave(self, tx: Transaction, caller: Caller, kind: str, monitor: Monitor, facts: dict[str, object]) -> None:
        self._events.append(
            tx,
            project=caller.project,
            kind=kind,
            subject=f"endpoint/{monitor.endpoint}",
            actor=caller.actor,
            body={"monitor": monitor.id, **facts},
        )


def _about(reference: MonitorReference) -> dict[str, object]:
    return {
        "model_version": reference.model_version,
        "training": reference.training,
        "validation": reference.validation,
    }


def _summary(monitor: Monitor, reference: MonitorReference) -> ReferenceSummary:
    return ReferenceSummary(
        model_version=reference.model_version,
        training=reference.training,
        validation=reference.validation,
        rows=reference.profile.rows,
        blocks=reference.profile.blocks,
        threshold=reference.profile.threshold(shared_budget(monitor, reference.baseline)),
        baseline=reference.baseline,
        recorded_at=reference.recorded_at,
    )


def _require_sense(request: CreateMonitor) -> None:
    wrong = [
        text
        for is_wrong, text in (
            (request.window_s <= 0, "window_s must be above 0"),
            (request.false_alarms_per_year <= 0, "false_alarms_per_year must be above 0"),
            (not 0 < request.decision_threshold < 1, "decision_threshold lies between 0 and 1"),
            (not 0 < request.loss_increase < 1, "loss_increase lies between 0 and 1"),
            (request.anchor_at.tzinfo is None, "anchor_at needs a time zone"),
        )
        if is_wrong
    ]
    if wrong:
        raise UnfitMonitor("The monitor cannot be made as asked.", why="; ".join(wrong) + ".")
