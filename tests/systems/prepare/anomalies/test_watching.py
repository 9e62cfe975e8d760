"""Landings of datasets are compared as they come; what is unlike them opens an incident, once."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from treadle.ground.clock import system_clock
from treadle.ground.ids import new_id
from treadle.kernel.artifacts import Artifacts, LocalBlobs
from treadle.kernel.catalog import Refs
from treadle.kernel.events import EventLog
from treadle.kernel.governance import Caller
from treadle.systems.collect import Datasets
from treadle.systems.prepare import Contracts, Incidents
from treadle.systems.prepare.anomalies.declared import watch_of
from treadle.systems.prepare.anomalies.records import Watch
from treadle.systems.prepare.anomalies.service import Anomalies, AnomaliesOf, AnomalyHistory
from treadle.systems.prepare.errors import WatchRefused
from treadle.systems.prepare.profiling.making import ProfileMaker
from treadle.systems.prepare.profiling.shelf import ProfileShelf
from treadle.systems.prepare.records import Incident, ListIncidents, PublishContract, ResolveIncident
from treadle.testing import embedded_store
from treadle.wire.odcs import decode

ADA = Caller(project="default", actor="ada")
FIRST = datetime(2024, 1, 1, 6, tzinfo=UTC)

CONTRACT = """\
apiVersion: v3.1.0
kind: DataContract
id: sales
version: 1.0.0
status: active
schema:
  - name: sales
    {table}
    properties:
      - name: amount
        {column}
"""


class Shop:
    """A dataset that lands once a day, on a clock that is told."""

    def __init__(self, folder: Path) -> None:
        self.now = FIRST
        self.rng = np.random.default_rng(1)
        store = embedded_store(folder)
        self.store = store
        events = EventLog(store, self._clock, new_id)
        refs = Refs(events, self._clock)
        artifacts = Artifacts(LocalBlobs(folder / "blobs"))
        self.datasets = Datasets(store, events, refs, folder / "tables", self._clock, new_id)
        self.contracts = Contracts(store, artifacts, events, refs, self.datasets, self._clock, new_id)
        self.incidents = Incidents(store, events, self._clock, new_id)
        maker = ProfileMaker(self.datasets, ProfileShelf(store, artifacts, system_clock))
        self.anomalies = Anomalies(
            store, self.datasets, self.datasets, maker, self.contracts, self.incidents, self._clock
        )

    def _clock(self) -> datetime:
        return self.now

    def land(self, rows: int = 300, *, nulls: float = 0.0, days: float = 1.0) -> None:
        n = max(0, rows + int(self.rng.integers(-9, 10))) if rows else 0
        amounts = pl.Series(self.rng.normal(50, 10, n)).to_frame("amount")
        lost = pl.Series(self.rng.random(n) < nulls)
        frame = amounts.with_columns(amount=pl.when(lost).then(None).otherwise("amount"))
        self.datasets.land(ADA, "sales", frame)
        self.now += timedelta(days=days)

    def check(self) -> list[str]:
        return [one.landing for one in self.anomalies.check(ADA, AnomaliesOf(dataset="sales"))]

    def history(self) -> AnomalyHistory:
        return self.anomalies.history(ADA, AnomaliesOf(dataset="sales", limit=200))

    def open(self) -> list[Incident]:
        return self.incidents.list(ADA, ListIncidents(dataset="sales"))

    def publish(self, *, table: str = "", column: str = "") -> None:
        text = CONTRACT.format(table=table, column=column)
        self.contracts.publish(ADA, PublishContract(dataset="sales", text=text))


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    made = Shop(tmp_path)
    yield made
    made.store.close()


def test_an_odd_landing_opens_one_incident_that_says_what_when_and_where(shop):
    for _ in range(20):
        shop.land()
    shop.check()

    shop.land(nulls=0.5)
    fresh = shop.check()

    assert len(fresh) == 1
    [incident] = shop.open()
    assert (incident.rule, incident.severity, incident.last_landing) == ("anomaly.missing", "warning", fresh[0])
    assert "of amount" in incident.title
    assert "expected" in incident.title
    assert "since version 21 (2024-01-21 06:00 UTC)" in incident.title


def test_a_landing_is_judged_once(shop):
    for _ in range(20):
        shop.land()
    shop.check()
    shop.land(rows=900)

    assert (len(shop.check()), len(shop.check())) == (1, 0)
    assert [incident.occurrences for incident in shop.open()] == [1]


def test_trouble_that_stays_counts_on_the_incident_that_is_open(shop):
    for _ in range(20):
        shop.land()
    shop.check()
    for _ in range(2):
        shop.land(nulls=0.5)
        shop.check()

    assert [incident.occurrences for incident in shop.open()] == [2]

    shop.incidents.resolve(ADA, ResolveIncident(id=shop.open()[0].id, note="mended"))
    shop.land(nulls=0.5)
    shop.check()
    [again] = shop.open()
    assert "since version 21" in again.title


def test_an_incident_recovers_when_landings_are_as_before(shop):
    for _ in range(20):
        shop.land()
    shop.check()
    shop.land(nulls=0.5)
    shop.check()
    for _ in range(3):
        shop.land()
        shop.check()

    assert shop.open() == []
    everything = shop.incidents.list(ADA, ListIncidents(dataset="sales", state="all"))
    assert [(one.rule, one.state) for one in everything] == [("anomaly.missing", "recovered")]


def test_a_landing_without_rows_is_seen_though_it_makes_no_snapshot(shop):
    for _ in range(20):
        shop.land()
    shop.check()

    shop.land(rows=0)
    shop.check()

    assert [(incident.rule, "seen: 0 rows" in incident.title) for incident in shop.open()] == [("anomaly.volume", True)]


def test_of_a_dataset_with_a_past_only_the_newest_landing_is_told(shop):
    for k in range(30):
        shop.land(rows=1000 if k == 20 else 300)

    assert len(shop.check()) == 30
    assert shop.open() == []
    [odd] = [one for one in shop.history().landings if one.anomalies]
    assert (odd.version, odd.is_told) == (21, True)


def test_a_landing_that_is_late_is_told_once_and_the_next_is_due_by_then(shop):
    for _ in range(20):
        shop.land()
    shop.check()
    due = shop.history().due_at
    assert due is not None
    assert FIRST + timedelta(days=20) < due < FIRST + timedelta(days=20.5)

    shop.now += timedelta(days=1)
    shop.check()
    shop.check()

    assert [(one.rule, one.occurrences) for one in shop.open()] == [("anomaly.arrival", 1)]
    assert shop.history().overdue is not None


def test_history_changes_nothing_and_shows_what_would_be_said(shop):
    for _ in range(20):
        shop.land()
    shop.land(rows=900)

    found = shop.history()

    assert [one.is_told for one in found.landings] == [False] * 21
    assert [anomaly.kind for anomaly in found.landings[-1].anomalies] == ["volume"]
    assert found.landings[-1].volume.high < 900
    assert [one.warming for one in found.landings[:15]] == [True] * 14 + [False]
    assert shop.open() == []


def test_only_so_many_landings_are_remembered(shop):
    for _ in range(125):
        shop.land(rows=30)
    shop.check()
    shop.land(rows=30)
    shop.check()

    with shop.store.read() as reader:
        kept = reader.all(*_count())
    assert kept[0][0] == 120


def _count():
    from treadle.kernel.store.sql import parse

    text = "-- name: how_many\nselect count(*) from landing_figures;"
    return parse(text)["how_many"], {}


def test_a_contract_mutes_kinds_and_columns(shop):
    shop.publish(
        table="customProperties: [{property: anomalies, value: {mute: [volume]}}]",
        column="customProperties: [{property: anomalies, value: false}]",
    )
    for _ in range(20):
        shop.land()
    shop.check()

    shop.land(rows=900, nulls=0.5)
    shop.check()

    assert shop.open() == []
    assert shop.history().muted == ["volume"]


def test_an_incident_goes_to_whom_the_contract_names(shop):
    shop.contracts.publish(
        ADA,
        PublishContract(
            dataset="sales",
            text=CONTRACT.format(table="", column="") + "team:\n  - {username: grace, role: owner}\n",
        ),
    )
    for _ in range(20):
        shop.land()
    shop.check()
    shop.land(rows=900)
    shop.check()

    assert [(incident.assignee, incident.contract is not None) for incident in shop.open()] == [("grace", True)]


@pytest.mark.parametrize(
    ("table", "watch"),
    [
        ("", Watch()),
        ("customProperties: [{property: anomalies, value: false}]", Watch(is_on=False)),
        ("customProperties: [{property: anomalies, value: {sensitivity: high}}]", Watch(false_alarms=3.0)),
        (
            "customProperties: [{property: anomalies, value: {falseAlarmsPer100Landings: 0.2, warmUpLandings: 30}}]",
            Watch(false_alarms=0.2, warm_up=30),
        ),
    ],
)
def test_a_contract_says_how_its_dataset_is_watched(table, watch):
    assert watch_of(decode(CONTRACT.format(table=table, column=""), source="test"), "sales") == watch


@pytest.mark.parametrize(
    "value",
    ["{sensitivity: extreme}", "{mute: [volumes]}", "{muted: [volume]}", "{warmUpLandings: 2}", "yes please", "{falseAlarmsPer100Landings: 0}"],
)  # fmt: skip
def test_what_a_contract_cannot_mean_is_refused_when_it_is_published(shop, value):
    with pytest.raises(WatchRefused) as refused:
        shop.publish(table=f"customProperties: [{{property: anomalies, value: {value}}}]")

    assert refused.value.fix
