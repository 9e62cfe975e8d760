"""Refused rows are judged by two people and a reviewer, and every verdict has its consequence."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import polars as pl
import pytest
from late_arrival import labelling, pipelines
from late_arrival.labelling import ANNOTATORS, CANNOT_TELL, PLAUSIBLE, REVIEWER, WRONG, settlement

import treadle as td
from treadle.systems.labels import LabelsNamed
from treadle.systems.prepare.records import ListIncidents, ListQuarantine, ShowIncident

NOON = datetime(2013, 1, 1, 12, tzinfo=UTC)


@pytest.fixture
def dirty(flights: pl.DataFrame) -> pl.DataFrame:
    """Every flight that the contract refuses, and some that it does not."""
    speed = pl.col("distance") * 60 > 640 * pl.col("air_time")
    odd = (pl.col("dep_delay") > 720) | (pl.col("dep_delay") < -20) | speed | (pl.col("dest") == "LGA")
    return pl.concat([flights.filter(odd), flights.filter(~odd.fill_null(False)).head(100)])


def verdicts(*rows: tuple[str, str]) -> pl.DataFrame:
    return pl.DataFrame(
        [
            {
                "source": source,
                "verdict": said,
                "annotators": ["ada", "ben"],
                "note": "so",
                "known_at": NOON + timedelta(n),
            }
            for n, (source, said) in enumerate(rows)
        ]
    )


def test_a_plausible_row_comes_back_under_a_waiver_of_the_rules_that_held_it():
    plan = settlement(verdicts(("a", PLAUSIBLE)), {"a": ["left_within_twelve_hours"]})

    assert plan == {"waived": {"a": ["left_within_twelve_hours"]}, "mended": {}, "discarded": {}}


def test_a_wrong_reading_is_emptied_and_a_wrong_flight_is_given_up():
    held = {
        "a": ["ground_speed_possible"],
        "b": ["leaves_new_york_behind"],
        "c": ["ground_speed_possible", "left_within_twelve_hours"],
    }

    plan = settlement(verdicts(("a", WRONG), ("b", WRONG), ("c", WRONG)), held)

    assert plan["mended"] == {"a": {"air_time": None}}
    assert plan["discarded"] == {"b": "judged wrong by ada and ben: so", "c": "judged wrong by ada and ben: so"}


def test_the_newest_verdict_counts_and_doubt_leaves_a_row_where_it_is():
    held = {"a": ["left_within_twelve_hours"], "b": ["left_within_twelve_hours"]}

    plan = settlement(verdicts(("a", WRONG), ("a", PLAUSIBLE), ("b", CANNOT_TELL), ("c", WRONG)), held)

    assert plan == {"waived": {"a": held["a"]}, "mended": {}, "discarded": {}}


def test_two_annotators_have_looked_at_every_refused_record_and_the_reviewer_at_what_they_dispute():
    said = labelling.answers()
    records = {record for _, record in said}

    for record in records:
        ada, ben = (said[annotator, record].verdict for annotator in ANNOTATORS)
        assert ((REVIEWER, record) in said) == (ada != ben), record
    assert len(records) == 76
    assert all(answer.note and answer.verdict in (PLAUSIBLE, WRONG, CANNOT_TELL) for answer in said.values())


def test_a_sitting_judges_and_settles_all_that_was_refused(workspace, dirty):
    [landing] = td.dataset("flights").land(dirty)
    [incident, *_] = workspace.incidents.list(workspace.caller, ListIncidents(dataset="flights"))

    exported = labelling.judge(workspace, "flights")
    run = pipelines.settle("flights", exported)

    after = workspace.quarantine.list(workspace.caller, ListQuarantine(dataset="flights", state="all", limit=100))
    assert landing.rows_refused == 75
    assert run.value == {"released": 65, "mended": 4, "discarded": 5}
    assert (after.held, after.released, after.mended, after.discarded) == (1, 65, 4, 5)
    assert td.dataset("flights").snapshot().rows == landing.rows_kept + 69
    back = td.dataset("flights").snapshot().scan().collect()
    assert back.filter(pl.col("distance") * 60 > 640 * pl.col("air_time")).is_empty()
    [held] = [row for row in after.rows if row.state == "held"]
    assert held.values["flight_id"] == "2013-12-07/B6/97/JFK"
    mended = workspace.incidents.show(workspace.caller, ShowIncident(id=incident.id))
    assert (mended.state, mended.fixing_run) == ("resolved", run.id)
    left = {one.rule for one in workspace.incidents.list(workspace.caller, ListIncidents()) if one.severity == "error"}
    assert left == {"left_no_earlier_than_twenty_minutes"}


def test_the_annotators_agree_mostly_and_not_always(workspace, dirty):
    td.dataset("flights").land(dirty)
    labelling.judge(workspace, "flights")

    [verdict] = workspace.labels.agreement(workspace.caller, LabelsNamed(labels=labelling.PROJECT)).questions
    assert (verdict.figure, verdict.tasks) == ("cohen_kappa", 75)
    assert 0.6 < verdict.value < 0.9
    assert workspace.labels.disputes(workspace.caller, LabelsNamed(labels=labelling.PROJECT)) == []


def test_a_second_sitting_finds_nothing_to_do(workspace, dirty):
    td.dataset("flights").land(dirty)
    pipelines.settle("flights", labelling.judge(workspace, "flights"))

    assert labelling.judge(workspace, "flights") is None
    assert td.dataset(labelling.VERDICTS).snapshot().rows == 75


def test_the_hour_of_the_impossible_wind_keeps_its_other_readings(workspace, weather):
    td.dataset("weather").land(weather.filter(pl.col("month") == 2))

    run = pipelines.settle("weather", labelling.judge(workspace, "weather"))

    hour = (pl.col("origin") == "EWR") & (pl.col("time_hour") == "2013-02-12T08:00:00Z")
    [row] = td.dataset("weather").snapshot().scan().filter(hour).collect().to_dicts()
    assert run.value == {"released": 0, "mended": 1, "discarded": 0}
    assert (row["wind_speed"], row["wind_gust"], row["temp"], row["pressure"]) == (None, None, 39.02, 1008.3)
