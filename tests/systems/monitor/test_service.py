from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import msgspec
import numpy as np
import pyarrow as pa
import pytest

from treadle.ground.errors import NotFound
from treadle.ground.ids import new_id
from treadle.kernel.events import EventLog
from treadle.kernel.governance import Caller, PermissionDenied
from treadle.systems.monitor import AlertService, MonitorService
from treadle.systems.monitor.distributions import CompareDistributions, DistributionService
from treadle.systems.monitor.errors import (
    AlertClosed,
    AlertNotFound,
    MonitorExists,
    MonitorNotFound,
    UnfitColumn,
    UnfitMonitor,
    UnfitWindow,
)
from treadle.systems.monitor.records import Evaluation, MonitorView
from treadle.systems.monitor.requests import (
    AcknowledgeAlert,
    CheckMonitor,
    CreateMonitor,
    EvaluateMonitor,
    ListAlerts,
    ListWindows,
    RebaseMonitor,
    ResolveAlert,
    ShowAlert,
    ShowMonitor,
)
from treadle.testing import embedded_store

NOW = datetime(2014, 1, 1, tzinfo=UTC)
MONDAY = datetime(2013, 4, 1, tzinfo=UTC)
ADA = Caller(project="default", actor="ada")


@dataclass
class World:
    """A prediction log, its truth and the frames of models, in memory."""

    rng: np.random.Generator
    log: list[pa.Table] = field(default_factory=list)
    outcomes: list[pa.Table] = field(default_factory=list)
    frames: dict[str, pa.Table] = field(default_factory=dict)
    made: int = 0
    withheld: pa.Table | None = None

    def rows(
        self, starts_at: datetime, days: int, *, rows: int = 1400, temp: float = 10.0, error: float = 0.0
    ) -> pa.Table:
        at = np.sort(self.rng.random(rows)) * days * 86_400
        score = self.rng.beta(2, 5, rows)
        late = self.rng.random(rows) < np.clip(score + error, 0, 1)
        moments = [starts_at + timedelta(seconds=float(s)) for s in at]
        return pa.table(
            {
                "event_at": pa.array(moments, pa.timestamp("us", "UTC")),
                "temp": self.rng.normal(temp, 3, rows),
                "carrier": self.rng.choice(["AA", "UA", "B6"], rows),
                "score": score,
                "truth": late.astype(float),
            }
        )

    def train(self, address: str, **kind: float) -> None:
        self.frames[address] = self.rows(MONDAY - timedelta(weeks=10), 70, rows=14_000, **kind)

    def predict(
        self, starts_at: datetime, version: str = "v1", *, labelled: bool = True, days: int = 7, **kind
    ) -> None:
        rows = self.rows(starts_at, days, **kind)
        ids = [f"pred_{self.made + i}" for i in range(rows.num_rows)]
        self.made += rows.num_rows
        rows = rows.append_column("prediction", pa.array(ids))
        rows = rows.append_column("model_version", pa.array([version] * rows.num_rows))
        self.log.append(rows.drop_columns(["truth"]))
        answers = rows.select(["prediction", "truth"])
        if labelled:
            self.outcomes.append(answers)
        else:
            self.withheld = answers

    def reference(self, project: str, address: str) -> pa.Table:
        if address not in self.frames:
            raise NotFound(f"There is no frame {address!r}.")
        return self.frames[address]

    def predictions(self, project: str, endpoint: str, starts_at: datetime, ends_at: datetime) -> pa.Table:
        import pyarrow.compute as pc

        rows = pa.concat_tables(self.log)
        at = rows.column("event_at")
        return rows.filter(pc.and_(pc.greater_equal(at, pa.scalar(starts_at)), pc.less(at, pa.scalar(ends_at))))

    def next_at(self, project: str, endpoint: str, since: datetime) -> datetime | None:
        moments = pa.concat_tables(self.log).column("event_at").to_pylist()
        return min((moment for moment in moments if moment >= since), default=None)

    def truth(self, project: str, endpoint: str, predictions: pa.Table) -> pa.Table:
        empty = pa.table({"prediction": pa.array([], pa.string()), "truth": pa.array([], pa.float64())})
        return pa.concat_tables([empty, *self.outcomes])


@dataclass
class Bench:
    world: World
    monitors: MonitorService
    alerts: AlertService
    events: EventLog

    def create(self, **changes) -> None:
        values = {
            "name": "late",
            "endpoint": "late-arrival",
            "model_version": "v1",
            "training": "train",
            "validation": "train",
            "false_alarms_per_year": 0.5,
        }
        self.monitors.create(ADA, CreateMonitor(**{**values, **changes}))

    def evaluate(self, week: int):
        moment = MONDAY + timedelta(weeks=week, days=2)
        (found,) = self.monitors.evaluate(ADA, EvaluateMonitor(endpoint="late-arrival", at=moment))
        return found

    def kinds(self) -> list[str]:
        return [event.kind for event in self.events.since("default", 0)]


@pytest.fixture
def bench(tmp_path) -> Iterator[Bench]:
    store = embedded_store(tmp_path)
    events = EventLog(store, lambda: NOW, new_id)
    world = World(np.random.default_rng(1))
    world.train("train")
    for week in range(3):
        world.predict(MONDAY + timedelta(weeks=week))
    monitors = MonitorService(store, events, world, world, world, clock=lambda: NOW, new_id=new_id)
    yield Bench(world, monitors, AlertService(store, events, clock=lambda: NOW, new_id=new_id), events)
    store.close()


def week(n: int) -> datetime:
    return MONDAY + timedelta(weeks=n)


def test_a_quiet_week_is_stored_with_drift_and_performance_and_opens_nothing(bench):
    bench.create()

    found = bench.evaluate(0)

    (window,) = found.windows
    assert (found.starts_at, found.ends_at) == (week(0), week(1))
    assert (found.opened, found.resolved) == ([], [])
    assert (window.rows, window.model_version, window.performance.labelled) == (1400, "v1", 1400)
    assert {column.column for column in window.drift.columns} == {"temp", "carrier", "score"}
    assert 0.5 < window.performance.auc < 0.9
    assert bench.monitors.windows(ADA, ListWindows(name="late")) == [window]
    assert bench.kinds() == ["monitor.created", "monitor.evaluated"]


def test_drift_opens_one_alert_that_goes_on_and_ends_by_itself(bench):
    bench.create()
    for n, temp in enumerate([20.0, 22.0, 9.9, 10.0], start=3):
        bench.world.predict(week(n), temp=temp)

    found = [bench.evaluate(n) for n in range(7)]

    assert [len(one.opened) for one in found] == [0, 0, 0, 1, 0, 0, 0]
    assert [len(one.continued) for one in found] == [0, 0, 0, 0, 1, 0, 0]
    assert [len(one.resolved) for one in found] == [0, 0, 0, 0, 0, 0, 1]
    alert = bench.alerts.show(ADA, ShowAlert(alert=found[3].opened[0].id))
    assert (alert.columns, alert.kind, alert.state, alert.windows) == (("temp",), "drift", "resolved", 2)
    assert (alert.first_window_at, alert.last_window_at) == (week(3), week(4))
    assert alert.peak > found[3].opened[0].peak > alert.threshold
    (opened,) = [event for event in bench.events.since("default", 0) if event.kind == "alert.opened"]
    assert (opened.id, opened.body["alert"], opened.body["columns"]) == (alert.event, alert.id, ["temp"])
    assert opened.event_at == week(4)
    assert bench.kinds().count("alert.resolved") == 1


def test_judging_a_window_again_writes_it_again_and_opens_no_second_alert(bench):
    bench.create()
    bench.world.predict(week(3), temp=20.0, labelled=False)

    first, again = bench.evaluate(3), bench.evaluate(3)

    assert len(first.opened) == 1
    assert (again.opened, again.continued, again.resolved) == ([], [], [])
    assert len(bench.monitors.windows(ADA, ListWindows(name="late"))) == 1
    assert len(bench.alerts.list(ADA, ListAlerts())) == 1


def test_a_version_that_has_been_replaced_calls_nobody_any_more(bench):
    bench.create()
    bench.world.predict(week(3), temp=20.0)
    bench.monitors.rebase(ADA, RebaseMonitor(name="late", model_version="v2", training="train"))

    found = bench.evaluate(3)

    assert [window.model_version for window in found.windows] == ["v1"]
    assert found.opened == []


def test_late_truth_completes_a_cohort(bench):
    bench.create()
    bench.world.predict(week(3), labelled=False)

    before = bench.evaluate(3).windows[0].performance
    (last,) = bench.world.log[-1:]
    outcomes = pa.table(
        {"prediction": last.column("prediction"), "truth": pa.array([1.0] * 100 + [None] * 40 + [0.0] * 1260)}
    )
    bench.world.outcomes.append(outcomes)
    after = bench.evaluate(3).windows[0].performance

    assert (before.completeness, before.log_loss) == (0.0, None)
    assert (after.labelled, after.closed, after.completeness) == (1360, 40, 1.0)
    assert bench.monitors.windows(ADA, ListWindows(name="late"))[0].performance == after


def test_decay_without_drift_opens_a_performance_alert(bench):
    bench.create()
    for n in range(3, 8):
        bench.world.predict(week(n), error=0.25)

    found = [bench.evaluate(n) for n in range(8)]

    opened = [alert for one in found for alert in one.opened]
    assert [(alert.kind, alert.columns) for alert in opened] == [("performance", ("error_rate",))]
    assert not any(one.opened for one in found[:3])


def test_a_new_model_version_brings_its_own_reference_and_ends_old_alerts(bench):
    bench.create()
    bench.world.predict(week(3), temp=20.0)
    bench.world.predict(week(4), "v2", temp=20.0)
    bench.world.train("warm", temp=20.0)
    (alert,) = bench.evaluate(3).opened

    bench.monitors.rebase(ADA, RebaseMonitor(name="late", model_version="v2", training="warm"))
    found = bench.evaluate(4)

    assert bench.alerts.show(ADA, ShowAlert(alert=alert.id)).resolution == "v2 took over"
    assert (found.windows[0].model_version, found.opened) == ("v2", [])
    view = bench.monitors.show(ADA, ShowMonitor(name="late"))
    assert [reference.model_version for reference in view.references] == ["v1", "v2"]
    assert view.references[1].baseline is None


def test_a_window_is_shown_beside_its_reference_bin_by_bin(bench):
    bench.create()
    bench.evaluate(0)
    service = DistributionService(bench.alerts._store)

    found = service.compare(ADA, CompareDistributions(name="late", starts_at=week(0), model_version="v1"))

    assert found.columns
    for column in found.columns:
        assert len(column.labels) == len(column.reference) == len(column.current)
        assert sum(column.reference) == pytest.approx(1)
        assert sum(column.current) == pytest.approx(1)
        assert column.labels[-1] == "null"
    some = found.columns[0].column
    chosen = service.compare(
        ADA, CompareDistributions(name="late", starts_at=week(0), model_version="v1", columns=[some])
    )
    assert [one.column for one in chosen.columns] == [some]


def test_a_window_that_was_not_judged_has_no_distributions(bench):
    bench.create()

    with pytest.raises(UnfitWindow):
        DistributionService(bench.alerts._store).compare(
            ADA, CompareDistributions(name="late", starts_at=week(9), model_version="v1")
        )


def test_a_week_of_two_versions_is_judged_for_each_alone_and_a_part_of_it_raises_no_alarm(bench):
    bench.create()
    bench.world.predict(week(3), "v1", days=2, temp=20.0)
    bench.world.predict(week(3) + timedelta(days=2), "v2", days=5)

    found = bench.evaluate(3)

    assert [(window.model_version, window.drift.is_judged) for window in found.windows] == [
        ("v1", False),
        ("v2", False),
    ]
    assert found.windows[0].drift.score > found.windows[0].drift.threshold
    assert found.opened == []


def test_an_alert_is_acknowledged_then_resolved_by_hand_and_then_closed(bench):
    bench.create()
    bench.world.predict(week(3), temp=20.0)
    (alert,) = bench.evaluate(3).opened

    seen = bench.alerts.acknowledge(ADA, AcknowledgeAlert(alert=alert.id))
    over = bench.alerts.resolve(ADA, ResolveAlert(alert=alert.id, reason="summer"))

    assert (seen.state, seen.acknowledged_by) == ("acknowledged", "ada")
    assert (over.state, over.resolution, over.acknowledged_by) == ("resolved", "summer", "ada")
    assert bench.alerts.list(ADA, ListAlerts(state="unresolved")) == []
    assert bench.alerts.list(ADA, ListAlerts(endpoint="late-arrival", state="resolved")) == [over]
    with pytest.raises(AlertClosed):
        bench.alerts.resolve(ADA, ResolveAlert(alert=alert.id, reason="again"))


def test_an_acknowledged_alert_still_covers_its_columns(bench):
    bench.create()
    bench.world.predict(week(3), temp=20.0)
    bench.world.predict(week(4), temp=20.0)
    (alert,) = bench.evaluate(3).opened

    bench.alerts.acknowledge(ADA, AcknowledgeAlert(alert=alert.id))
    found = bench.evaluate(4)

    assert (len(found.opened), [one.state for one in found.continued]) == (0, ["acknowledged"])


def test_a_window_without_predictions_is_no_window(bench):
    bench.create()

    assert bench.evaluate(40).windows == []


def test_a_missing_column_is_an_error_and_leaves_nothing(bench):
    bench.create()
    bench.world.log = [rows.drop_columns(["temp"]) for rows in bench.world.log]

    with pytest.raises(UnfitColumn, match="temp"):
        bench.evaluate(0)

    assert bench.monitors.windows(ADA, ListWindows(name="late")) == []


def test_names_are_unique_and_what_is_missing_is_named(bench):
    bench.create()

    with pytest.raises(MonitorExists):
        bench.create()
    with pytest.raises(MonitorNotFound) as caught:
        bench.monitors.show(ADA, ShowMonitor(name="lat"))
    assert "'late'" in caught.value.fix
    with pytest.raises(MonitorNotFound):
        bench.monitors.evaluate(ADA, EvaluateMonitor(endpoint="late-arival", at=week(0)))
    with pytest.raises(AlertNotFound):
        bench.alerts.show(ADA, ShowAlert(alert="alert_x"))
    with pytest.raises(NotFound):
        bench.create(name="other", training="nowhere")
    assert [monitor.name for monitor in bench.monitors.list(ADA)] == ["late"]


def test_settings_without_sense_are_refused_all_at_once(bench):
    with pytest.raises(UnfitMonitor) as caught:
        bench.create(window_s=0, false_alarms_per_year=0.0, decision_threshold=1.0)

    assert all(name in caught.value.why for name in ("window_s", "false_alarms_per_year", "decision_threshold"))
    bench.create()
    with pytest.raises(UnfitWindow):
        bench.monitors.evaluate(ADA, EvaluateMonitor(endpoint="late-arrival", at=datetime(2013, 4, 1)))


def test_a_reader_may_look_and_not_touch(bench):
    bench.create()
    reader = Caller(project="default", actor="eve", permissions=frozenset({"monitor.read", "alert.read"}))

    assert bench.monitors.list(reader)
    with pytest.raises(PermissionDenied):
        bench.monitors.evaluate(reader, EvaluateMonitor(endpoint="late-arrival", at=week(0)))


def test_projects_do_not_see_each_other(bench):
    bench.create()
    other = Caller(project="other", actor="ada")

    assert bench.monitors.list(other) == []
    with pytest.raises(MonitorNotFound):
        bench.monitors.show(other, ShowMonitor(name="late"))


def test_watched_columns_can_be_named(bench):
    bench.create(columns={"temp": "numeric"})

    assert [column.column for column in bench.evaluate(0).windows[0].drift.columns] == ["temp"]


def test_every_answer_survives_the_wire(bench):
    bench.create()
    bench.world.predict(week(3), temp=20.0)

    found = bench.evaluate(3)
    view = bench.monitors.show(ADA, ShowMonitor(name="late"))

    assert msgspec.json.decode(msgspec.json.encode(found), type=Evaluation) == found
    assert msgspec.json.decode(msgspec.json.encode(view), type=MonitorView) == view
    assert view.alerts == found.opened


def test_a_window_says_what_to_expect_before_the_truth_and_where_the_model_is_weakest(bench):
    bench.create(group="carrier")
    bench.world.predict(week(3), labelled=False)
    before = bench.evaluate(3).windows[0]

    assert before.performance.error_rate is None
    assert before.estimate is not None
    assert before.estimate.error_rate_interval[0] < before.estimate.error_rate < before.estimate.error_rate_interval[1]

    bench.world.predict(week(4))
    after = bench.evaluate(4).windows[0]

    low, high = after.estimate.error_rate_interval
    assert low - 0.02 < after.performance.error_rate < high + 0.02
    assert {one.where["group"] for one in after.groups} == {"AA", "UA", "B6"}


def test_a_check_passes_over_windows_that_hold_no_prediction(bench):
    """A home that is opened again years later has a window for every week of them."""
    bench.create()
    bench.world.predict(week(30))

    found = bench.monitors.check(ADA, CheckMonitor(name="late", since=week(0), most=4))
    nothing = bench.monitors.check(ADA, CheckMonitor(name="late", since=week(0)))

    assert [one.starts_at for one in found] == [week(0), week(1), week(2), week(30)]
    assert nothing == []


def test_a_check_judges_what_has_ended_once_and_again_only_when_truth_has_come(bench):
    bench.create()
    for n in range(3):
        bench.world.predict(week(n), labelled=n != 2)

    first = bench.monitors.check(ADA, CheckMonitor(name="late", since=week(0), most=3))
    nothing = bench.monitors.check(ADA, CheckMonitor(name="late", since=week(0), most=0))
    bench.world.outcomes.append(bench.world.withheld)
    again = bench.monitors.check(ADA, CheckMonitor(name="late", most=0))

    assert [one.starts_at for one in first] == [week(0), week(1), week(2)]
    assert nothing == []
    assert [one.starts_at for one in again] == [week(2)]
    assert again[0].windows[0].performance.completeness == 1.0
