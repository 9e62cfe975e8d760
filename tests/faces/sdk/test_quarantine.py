"""Refused rows are settled from a pipeline once in its run, whatever kills it in between."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest

import treadle as td
from treadle.systems.prepare.records import DiscardRows, ListIncidents, ListQuarantine, PublishContract

CONTRACT = """\
apiVersion: v3.1.0
kind: DataContract
id: weather
version: 1.0.0
status: active
schema:
  - name: weather
    properties:
      - {name: hour, logicalType: integer, primaryKey: true}
      - {name: wind, logicalType: number, logicalTypeOptions: {minimum: 0, maximum: 200}}
      - {name: temp, logicalType: number, logicalTypeOptions: {minimum: -50, maximum: 130}}
"""


class Struck(Exception):
    """Stands for whatever ends a process."""


@td.pipeline
def settle(waived: dict[str, list[str]], mended: dict[str, dict[str, float | None]], lost: list[str], strikes: bool):
    refused = td.quarantine("weather")
    before = refused.held()
    still = refused.release([*waived, *mended], reason="looked at", waived=waived, mended=mended)
    if lost:
        refused.discard(lost, reason="no such weather")
    if strikes:
        raise Struck
    return {"before": before, "still": still, "resolved": refused.resolve_incidents("settled")}


@pytest.fixture
def home(tmp_path: Path) -> Iterator[td.Workspace]:
    with td.open_workspace(tmp_path / "home") as workspace, td.use(workspace):
        workspace.contracts.publish(workspace.caller, PublishContract(dataset="weather", text=CONTRACT))
        rows = {"hour": [1, 2, 3, 4], "wind": [9.0, 1048.0, 300.0, 5.0], "temp": [50.0, 50.0, 50.0, 999.0]}
        td.dataset("weather").land(pl.DataFrame(rows))
        yield workspace


def landed(home: td.Workspace) -> list[tuple[int, float | None]]:
    rows = td.dataset("weather").snapshot().scan().sort("hour").select("hour", "wind").collect()
    return rows.rows()


def test_held_rows_come_with_the_rules_that_refused_them(home):
    assert list(td.quarantine("weather").held().values()) == [["wind.range"], ["wind.range"], ["temp.range"]]
    assert td.quarantine("nothing").held() == {}


def test_rows_come_back_waived_or_mended_and_the_run_is_on_the_incident(home):
    first, second, third = td.quarantine("weather").held()

    run = settle({first: ["wind.range"]}, {second: {"wind": None}}, [third], False)

    assert landed(home) == [(1, 9.0), (2, 1048.0), (3, None)]
    assert run.value["still"] == {}
    incidents = home.incidents.list(home.caller, ListIncidents(state="resolved"))
    assert {one.fixing_run for one in incidents} == {run.id}
    assert sorted(one.rule for one in incidents) == ["temp.range", "wind.range"]


def test_an_incident_stays_open_while_a_row_of_it_is_held(home):
    first, _, third = td.quarantine("weather").held()

    run = settle({first: ["wind.range"]}, {}, [third], False)

    [left] = home.incidents.list(home.caller, ListIncidents())
    assert (left.rule, len(run.value["resolved"])) == ("wind.range", 1)


def test_a_row_that_still_fails_is_answered_with_its_rules(home):
    first, *_ = td.quarantine("weather").held()

    assert td.quarantine("weather").release([first], reason="as it is") == {first: ["wind.range"]}


def test_a_run_that_was_ended_goes_on_without_doing_anything_twice(home):
    first, second, third = td.quarantine("weather").held()
    with pytest.raises(Struck):
        settle({first: ["wind.range"]}, {second: {"wind": 1.0}}, [third], True)
    before = td.dataset("weather").snapshot().id

    again = settle({first: ["wind.range"]}, {second: {"wind": 1.0}}, [third], False)

    assert again.value["still"] == {}
    assert td.dataset("weather").snapshot().id == before
    found = home.quarantine.list(home.caller, ListQuarantine(dataset="weather", state="all"))
    assert (found.held, found.released, found.mended, found.discarded) == (0, 1, 1, 1)


def test_what_somebody_has_decided_meanwhile_stays(home):
    first, second, _ = td.quarantine("weather").held()
    home.quarantine.discard(home.caller, DiscardRows(dataset="weather", rows=[first], reason="mine"))

    td.quarantine("weather").release(
        [first, second], reason="looked at", waived={first: ["wind.range"], second: ["wind.range"]}
    )

    assert landed(home) == [(1, 9.0), (3, 300.0)]
