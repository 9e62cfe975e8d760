"""Truth comes late, comes twice and is corrected: of several answers the one that became known last holds."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

import treadle as td
from treadle.loops.feedback import TruthRule

NOON = datetime(2013, 3, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
ASKED = pl.DataFrame({"prediction": ["p1", "p2"], "entity": ["a", "b"]})


def answers(*rows: tuple[str, float | None, datetime]) -> pl.DataFrame:
    schema = {"flight": pl.String, "late": pl.Float64, "known_at": pl.Datetime("us", "UTC")}
    return pl.DataFrame(list(rows), schema=schema, orient="row")


@pytest.fixture
def home(tmp_path: Path) -> td.Workspace:
    workspace = td.open_workspace(tmp_path / "home")
    rule = TruthRule(endpoint="late", dataset="truth", entity="flight", value="late", known_at="known_at")
    workspace.feedback.connect(workspace.caller, rule)
    return workspace


def land(home: td.Workspace, rows: pl.DataFrame, key: str) -> None:
    home.datasets.land(home.caller, "truth", rows, key=key)


def outcomes(home: td.Workspace, known_by: datetime | None = None) -> list[tuple[str, float | None]]:
    found = home.observed.outcomes(home.project, "late", ASKED, known_by=known_by)
    return sorted(found.select("prediction", "truth").rows())


def test_a_correction_replaces_what_was_known_before_it(home):
    land(home, answers(("a", 0.0, NOON), ("b", 0.0, NOON)), "first")
    land(home, answers(("a", 1.0, NOON + HOUR)), "correction")

    assert outcomes(home) == [("p1", 1.0), ("p2", 0.0)]


def test_before_the_correction_was_known_the_first_answer_holds(home):
    land(home, answers(("a", 0.0, NOON)), "first")
    land(home, answers(("a", 1.0, NOON + HOUR)), "correction")

    assert outcomes(home, known_by=NOON) == [("p1", 0.0)]
    assert outcomes(home, known_by=NOON - HOUR) == []


def test_an_older_answer_that_lands_later_changes_nothing(home):
    land(home, answers(("a", 1.0, NOON + HOUR)), "newest")
    land(home, answers(("a", 0.0, NOON)), "straggler")

    assert outcomes(home) == [("p1", 1.0)]


def test_a_correction_may_say_that_there_is_no_answer(home):
    land(home, answers(("a", 1.0, NOON)), "first")
    land(home, answers(("a", None, NOON + HOUR)), "withdrawn")

    assert outcomes(home) == [("p1", None)]


def test_the_next_prediction_is_found_from_a_moment_on_and_trials_are_none(home):
    asked = pl.DataFrame({"request_id": ["call_1", "treadle-try-1", "call_2"]}).with_columns(
        prediction_id=pl.col("request_id"),
        event_at=pl.Series([NOON, NOON + HOUR, NOON + 2 * HOUR], dtype=pl.Datetime("us", "UTC")),
    )
    home.archive.land("late", asked.to_arrow(), "first")

    found = [home.observed.next_at(home.project, "late", NOON + n * HOUR) for n in range(4)]

    assert found == [NOON, NOON + 2 * HOUR, NOON + 2 * HOUR, None]
    assert home.observed.next_at(home.project, "unknown", NOON) is None
