"""The contracts refuse what cannot be and what a person has to judge, and keep all that is merely odd."""

from __future__ import annotations

import polars as pl
import pytest
import yaml
from late_arrival.season import PROJECT

import treadle as td
from treadle.systems.prepare.records import ContractText, ListIncidents, ListQuarantine

DIRT = {
    "left_within_twelve_hours": 29,
    "left_no_earlier_than_twenty_minutes": 41,
    "ground_speed_possible": 4,
    "leaves_new_york_behind": 1,
}


def refused(workspace: td.Workspace, dataset: str) -> dict[str, list[dict]]:
    found = workspace.quarantine.list(workspace.caller, ListQuarantine(dataset=dataset, limit=1_000)).rows
    by_rule: dict[str, list[dict]] = {}
    for row in found:
        by_rule.setdefault(row.rules[0], []).append(row.values)
    return by_rule


def test_of_the_year_75_flights_are_refused_and_every_row_is_somewhere(workspace, flights):
    [landing] = td.dataset("flights").land(flights)

    assert (landing.rows_in, landing.rows_refused) == (336_776, 75)
    assert landing.rows_in == landing.rows_kept + landing.rows_refused
    assert {rule: len(rows) for rule, rows in refused(workspace, "flights").items()} == DIRT
    assert td.dataset("flights").snapshot().rows == landing.rows_kept


def test_the_wind_of_1048_mph_is_the_only_observation_refused(workspace, weather):
    [landing] = td.dataset("weather").land(weather)

    [row] = refused(workspace, "weather")["wind_speed_possible"]
    assert (landing.rows_in, landing.rows_refused) == (26_115, 1)
    assert (row["origin"], round(row["wind_speed"]), row["time_hour"]) == ("EWR", 1_048, "2013-02-12T08:00:00Z")


def test_what_is_odd_is_reported_and_kept(workspace, weather, planes, flights):
    td.dataset("weather").land(weather)
    td.dataset("planes").land(planes)
    td.dataset("flights").land(flights.filter(pl.col("month") == 1))

    open_ones = workspace.incidents.list(workspace.caller, ListIncidents())
    warned = {(one.dataset, one.rule): one.rows for one in open_ones if one.severity == "warning"}
    assert warned["weather", "temp_is_there"] == 1
    assert warned["weather", "wind_speed_is_there"] == 4
    assert warned["planes", "seats_of_an_airliner"] == planes.filter(pl.col("seats") < 20).height
    assert warned["flights", "tailnum.references"] > 3_000
    assert ("weather", "pressure_is_mostly_there") not in warned  # 10 % are missing, 20 % would be too many
    assert td.dataset("planes").snapshot().rows == planes.height


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        ({"dest": "JFK"}, "leaves_new_york_behind"),
        ({"dep_delay": 721}, "left_within_twelve_hours"),
        ({"dep_delay": -21}, "left_no_earlier_than_twenty_minutes"),
        ({"air_time": 1}, "ground_speed_possible"),
        ({"origin": "BOS"}, "origin_is_in_new_york"),
        ({"state": "lost"}, "state_is_known"),
        ({"carrier": None}, "carrier.required"),
        ({"sched_dep_time": 2400}, "sched_dep_time.range"),
    ],
)
def test_each_rule_refuses_the_row_that_breaks_it(workspace, flights, change, rule):
    good = flights.filter(pl.col("flight_id") == "2013-01-01/UA/1545/EWR")
    values = {name: pl.lit(value, dtype=good.schema[name]) for name, value in change.items()}
    bad = good.with_columns(flight_id=pl.lit("bad"), **values)

    [landing] = td.dataset("flights").land(pl.concat([good, bad]))

    assert (landing.rows_kept, landing.refused_by) == (1, {rule: 1})


def test_a_flight_that_comes_twice_stays_once(workspace, flights):
    [landing] = td.dataset("flights").land(pl.concat([flights.head(3), flights.head(1)]))

    assert (landing.rows_kept, landing.refused_by) == (3, {"primary_key": 1})


@pytest.mark.parametrize("path", sorted((PROJECT / "contracts").glob("*.yaml")), ids=lambda path: path.name)
def test_a_contract_says_who_answers_for_the_data_and_how_it_is_cleaned(path):
    written = yaml.safe_load(path.read_text(encoding="utf-8"))
    [table] = written["schema"]
    rules = [*table.get("quality", []), *(rule for column in table["properties"] for rule in column.get("quality", []))]

    assert "data owner" in {member.get("role") for member in written["team"]["members"]}
    assert "How this data is cleaned, and why." in written["description"]["usage"]
    assert written["slaProperties"]
    assert all(rule["id"] and rule["severity"] and rule["description"] for rule in rules)


def test_planes_are_cleaned_for_those_who_count_them_and_every_change_can_be_taken_back(workspace, planes):
    td.dataset("planes").land(planes)

    clean = td.dataset("planes").clean()
    again = td.dataset("planes.clean").restored()

    rows = clean.scan().collect()
    assert (clean.dataset, clean.rows) == ("planes.clean", planes.height)
    assert (
        rows.filter(manufacturer="AIRBUS").height
        == planes.filter(pl.col("manufacturer").is_in(["AIRBUS", "AIRBUS INDUSTRIE"])).height
    )
    assert rows["seats"].null_count() == planes.filter(pl.col("seats") < 20).height == 40
    assert again.equals(td.dataset("planes").snapshot().scan().collect())


@pytest.mark.parametrize("path", sorted((PROJECT / "contracts").glob("*.yaml")), ids=lambda path: path.name)
def test_a_contract_leaves_nothing_unsaid(workspace, path):
    assert workspace.contracts.lint(workspace.caller, ContractText(text=path.read_text(encoding="utf-8"))) == []
