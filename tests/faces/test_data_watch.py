"""What `treadle up` does when something has landed, and when something has not."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from treadle.assembly import Workspace
from treadle.faces.up.data_watch import DataWatch
from treadle.ground.errors import Corrupt
from treadle.ground.settings import load
from treadle.systems.prepare.records import ListIncidents


class Log:
    """Keeps what was said of trouble."""

    def __init__(self) -> None:
        self.errors: list[dict[str, Any]] = []

    def error(self, _event: str, **context: Any) -> None:
        self.errors.append(context)


class House:
    """A workspace on a clock that is told, and its watch."""

    def __init__(self, folder: Path) -> None:
        self.now = datetime(2024, 1, 1, 6, tzinfo=UTC)
        settings = load({"home": str(folder)}, environ={}, folder=folder)
        self.workspace = Workspace(settings, actor="ada", clock=lambda: self.now)
        self.log = Log()
        self.watch = DataWatch(self.workspace, self.log)
        self.position = 0

    def land(self, rows: int = 100) -> None:
        start = int(self.now.timestamp())
        frame = pl.DataFrame({"n": range(start, start + rows)})
        self.workspace.datasets.land(self.workspace.caller, "daily", frame)
        self.now += timedelta(days=1)

    def tell(self) -> None:
        for event in self.workspace.events.since(self.workspace.project, self.position):
            self.position = event.position or self.position
            self.watch.notice(event)

    def incidents(self) -> list[str]:
        found = self.workspace.incidents.list(self.workspace.caller, ListIncidents(dataset="daily"))
        return [incident.rule for incident in found]


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    made = House(tmp_path)
    yield made
    made.workspace.close()


def test_what_lands_is_compared_in_the_next_round(house):
    for _ in range(18):
        house.land()
    house.tell()
    house.watch.look()
    house.land(rows=900)
    house.tell()

    house.watch.look()

    assert house.incidents() == ["anomaly.volume"]


def test_what_does_not_land_in_time_is_told_once(house):
    for _ in range(18):
        house.land()
    house.tell()
    house.watch.look()

    house.now += timedelta(days=2)
    house.watch.look()
    house.watch.look()

    assert house.incidents() == ["anomaly.arrival"]


def test_a_new_start_looks_at_what_was_watched_before(house):
    for _ in range(18):
        house.land()
    house.tell()
    house.watch.look()
    house.land(rows=900)

    DataWatch(house.workspace, house.log).look()

    assert house.incidents() == ["anomaly.volume"]


def test_a_home_without_datasets_is_left_alone(house):
    house.watch.look()

    assert house.log.errors == []


def test_trouble_with_one_dataset_keeps_no_other_from_being_looked_at(house, monkeypatch):
    for _ in range(18):
        house.land()
    house.workspace.datasets.land(house.workspace.caller, "broken", pl.DataFrame({"n": [1]}))
    house.land(rows=900)
    house.tell()
    judge = house.workspace.anomalies.check

    def check(caller: Any, request: Any) -> Any:
        if request.dataset == "broken":
            raise Corrupt("broken")
        return judge(caller, request)

    monkeypatch.setattr(house.workspace.anomalies, "check", check)
    house.watch.look()

    assert house.incidents() == ["anomaly.volume"]
    assert [context["dataset"] for context in house.log.errors] == ["broken"]
