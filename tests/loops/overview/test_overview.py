"""The loop at a glance: what flowed is counted from the log alone, and what is wrong comes first."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from treadle.ground.ids import new_id
from treadle.kernel.events import EventLog
from treadle.kernel.governance import Caller
from treadle.kernel.store import Store
from treadle.loops.overview import Overviews
from treadle.loops.overview.flowing import SYSTEMS
from treadle.loops.overview.records import OverviewOf, SystemSheet
from treadle.loops.overview.service import BadOverview
from treadle.systems.monitor import AlertService
from treadle.systems.prepare import Incidents

NOON = datetime(2026, 5, 4, 12, tzinfo=UTC)
ME = Caller(project="p", actor="ada")


class House:
    """A store with an event log whose clock is set by hand."""

    def __init__(self, store: Store) -> None:
        self.now, self.store = NOON, store
        self.log = EventLog(store, self.clock, new_id)
        alerts = AlertService(store, self.log, clock=self.clock, new_id=new_id)
        incidents = Incidents(store, self.log, self.clock, new_id)
        self.overviews = Overviews(store, self.log, alerts, incidents, self.clock)

    def clock(self) -> datetime:
        return self.now

    def happens(self, kind: str, subject: str, *, hours_ago: float = 1.0, **body: Any) -> None:
        self.now = NOON - timedelta(hours=hours_ago)
        self.store.write(
            lambda tx: self.log.append(tx, project="p", kind=kind, subject=subject, actor="ada", body=body)
        )
        self.now = NOON

    def system(self, name: str, **request: Any) -> SystemSheet:
        return next(one for one in self.overviews.get(ME, OverviewOf(**request)).systems if one.name == name)


@pytest.fixture
def house(any_store: Store) -> House:
    return House(any_store)


def flow(sheet: SystemSheet) -> dict[str, int]:
    return {one.what: one.count for one in sheet.flow}


def test_an_empty_project_is_quiet_everywhere(house: House) -> None:
    found = house.overviews.get(ME, OverviewOf())

    assert [one.name for one in found.systems] == list(SYSTEMS)
    assert {one.state for one in found.systems} == {"quiet"}
    assert (found.concerns, found.runs, found.failed, found.decided) == ([], 0, 0, 0)


def test_rows_are_counted_where_they_land(house: House) -> None:
    house.happens("dataset.landed", "dataset/orders", rows_kept=100)
    house.happens("dataset.landed", "dataset/orders", rows_kept=20)
    house.happens("dataset.landed", "dataset/predictions.churn", rows_kept=7)

    assert flow(house.system("collect")) == {"rows landed": 120, "landings": 2}
    assert flow(house.system("serve")) == {"predictions landed": 7}


def test_what_happened_before_the_window_is_not_of_it(house: House) -> None:
    for hours_ago in (50, 30, 24.5, 23, 2):
        house.happens("alert.opened", "endpoint/churn", hours_ago=hours_ago)

    assert flow(house.system("monitor")) == {"alerts opened": 2}
    assert flow(house.system("monitor", hours=48)) == {"alerts opened": 4}


def test_the_series_shows_when_it_happened(house: House) -> None:
    for hours_ago in (23.5, 0.5, 0.2):
        house.happens("model.registered", "model/churn/1", hours_ago=hours_ago)

    sheet = house.system("train", hours=24, buckets=4)

    assert sheet.series == [1, 0, 0, 2]
    assert sheet.last_at == NOON - timedelta(hours=0.2)


def test_runs_that_failed_are_told_from_those_that_ended_well(house: House) -> None:
    house.happens("run.finished", "run_1", status="done")
    house.happens("run.finished", "run_2", status="failed")

    found = house.overviews.get(ME, OverviewOf())

    assert (found.runs, found.failed) == (2, 1)


def test_the_events_of_another_project_are_not_counted(house: House) -> None:
    house.happens("dataset.landed", "dataset/orders", rows_kept=100)

    elsewhere = house.overviews.get(Caller(project="q", actor="ada"), OverviewOf())

    assert {one.state for one in elsewhere.systems} == {"quiet"}


@pytest.mark.parametrize(
    "request_", [OverviewOf(hours=0), OverviewOf(hours=745), OverviewOf(buckets=0), OverviewOf(buckets=97)]
)
def test_a_window_that_is_none_is_refused(house: House, request_: OverviewOf) -> None:
    with pytest.raises(BadOverview):
        house.overviews.get(ME, request_)
