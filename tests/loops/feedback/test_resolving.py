"""Of late, corrected, duplicated and contradictory labels the rule says which one holds, in whatever order they arrive."""

from __future__ import annotations

import random
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import treadle as td
from treadle.ground.errors import InvalidInput
from treadle.loops.feedback import TruthRule
from treadle.loops.feedback.records import Held, LabelCounts
from treadle.loops.feedback.resolving import answers_of, counts_of, history_of, holding
from treadle.loops.feedback.service import CoverageOf, GiveTruth, Label, LabelsOf, NoTruthRule, TruthAbout

NOON = datetime(2013, 3, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
SCHEMA: dict[str, Any] = {"who": pl.String, "said": pl.Float64, "at": pl.Datetime("us", "UTC"), "source": pl.String}
Row = tuple[str, float | None, int, str]
ROWS = st.lists(
    st.tuples(
        st.sampled_from("abcd"),
        st.sampled_from([0.0, 1.0, None]),
        st.integers(0, 4),
        st.sampled_from(["desk", "sensor", "guess"]),
    ),
    max_size=12,
)
HOLDS = st.sampled_from(["first", "last", "priority", "refuse"])


def rule(holds: str = "last", **more: Any) -> TruthRule:
    choices: dict[str, Any] = {"said_by": "source", "priority": ("desk", "sensor"), **more}
    return TruthRule(endpoint="e", dataset="truth", entity="who", value="said", known_at="at", holds=holds, **choices)  # type: ignore[arg-type]


def labels(rows: list[Row]) -> pl.LazyFrame:
    listed = [(who, said, NOON + at * HOUR, source) for who, said, at, source in rows]
    return pl.DataFrame(listed, schema=SCHEMA, orient="row").lazy()


def truth(rows: list[Row], holds: str, known_by: datetime | None = None) -> dict[str, float | None]:
    by = rule(holds)
    found = holding(answers_of(labels(rows), by, known_by), by).collect()
    return dict(found.select("entity", "truth").rows())


@settings(max_examples=60, deadline=None)
@given(ROWS, HOLDS, st.randoms(use_true_random=False))
def test_any_order_of_arrival_gives_the_same_truth(rows: list[Row], holds: str, chance: random.Random) -> None:
    shuffled = [*rows]
    chance.shuffle(shuffled)

    assert truth(shuffled, holds) == truth(rows, holds)


@settings(max_examples=60, deadline=None)
@given(ROWS, HOLDS)
def test_every_label_is_counted_once(rows: list[Row], holds: str) -> None:
    by = rule(holds)
    predicted = pl.Series(["a", "a", "b", None])

    counts = counts_of(answers_of(labels(rows), by).collect(), predicted, by)

    assert counts.given == len(rows)
    assert counts.given == counts.joined + counts.duplicates + counts.contradictory + counts.unknown
    assert min(counts.joined, counts.duplicates, counts.contradictory, counts.unknown) >= 0
    assert counts.unknown == sum(who in "cd" for who, *_ in rows)
    assert counts.joined == len(truth([row for row in rows if row[0] in "ab"], holds))


@settings(max_examples=60, deadline=None)
@given(ROWS, HOLDS, st.integers(0, 4))
def test_what_held_then_is_what_those_known_by_then_say(rows: list[Row], holds: str, at: int) -> None:
    """What becomes known later never changes what was held before."""
    early = [row for row in rows if row[2] <= at]

    assert truth(rows, holds, NOON + at * HOUR) == truth(early, holds)


@settings(max_examples=60, deadline=None)
@given(ROWS, HOLDS)
def test_the_rule_says_what_it_says(rows: list[Row], holds: str) -> None:
    """Held against a plain reading of the rule, wherever it leaves one answer."""
    for who, value in truth(rows, holds).items():
        mine = [row for row in rows if row[0] == who]
        if holds == "refuse":
            assert {row[1] for row in mine} == {value}
            continue
        ranks = {"desk": 0, "sensor": 1}
        if holds == "priority":
            best = min(ranks.get(row[3], 2) for row in mine)
            mine = [row for row in mine if ranks.get(row[3], 2) == best]
        end = (min if holds == "first" else max)(row[2] for row in mine)
        assert value in {row[1] for row in mine if row[2] == end}
    if holds != "refuse":
        assert truth(rows, holds).keys() == {row[0] for row in rows}


def test_a_contradiction_leaves_nothing_where_it_is_refused_and_the_history_says_so() -> None:
    by = rule("refuse")
    rows: list[Row] = [("a", 1.0, 0, "desk"), ("a", 1.0, 1, "sensor"), ("a", 0.0, 2, "guess")]
    answers = answers_of(labels(rows), by).collect()

    assert history_of(answers, by) == [
        Held(since=NOON, is_settled=True, value=1.0),
        Held(since=NOON + 2 * HOUR, is_settled=False, value=None),
    ]
    assert counts_of(answers, pl.Series(["a"]), by) == LabelCounts(
        given=3, joined=0, duplicates=0, contradictory=3, unknown=0
    )


@pytest.fixture
def home(tmp_path: Path) -> td.Workspace:
    return td.open_workspace(tmp_path / "home")


def predicted(home: td.Workspace, *entities: str) -> None:
    rows = pl.DataFrame(
        {
            "prediction_id": [f"p-{one}" for one in entities],
            "entity": list(entities),
            "event_at": [NOON + at * HOUR for at in range(len(entities))],
        }
    )
    home.datasets.land(home.caller, "predictions.shop", rows, key="-".join(entities), event_column="event_at")


def test_labels_that_are_given_land_once_and_none_is_lost(home: td.Workspace) -> None:
    predicted(home, "a", "b", "c")
    late = NOON + 10 * HOUR
    first = GiveTruth(
        endpoint="shop",
        labels=[Label(about="a", value=1, known_at=late), Label(about="stranger", value=0, known_at=late)],
        key="monday",
    )
    home.feedback.give(home.caller, first)
    home.feedback.give(home.caller, first)
    more = [Label(about="a", value=0, known_at=late + HOUR), Label(about="b", value=None, known_at=late)]
    home.feedback.give(home.caller, GiveTruth(endpoint="shop", labels=more))

    counts = home.feedback.counts(home.caller, LabelsOf(endpoint="shop"))

    assert counts == LabelCounts(given=4, joined=2, duplicates=0, contradictory=1, unknown=1)
    history = home.feedback.history(home.caller, TruthAbout(endpoint="shop", about="a"))
    assert [(one.since, one.value) for one in history] == [(late, 1.0), (late + HOUR, 0.0)]
    predicted(home, "stranger")
    assert home.feedback.counts(home.caller, LabelsOf(endpoint="shop")).unknown == 0


def test_labels_may_name_predictions_by_their_ids(home: td.Workspace) -> None:
    predicted(home, "a", "b")
    home.feedback.connect(
        home.caller,
        TruthRule(endpoint="shop", dataset="said", entity="id", value="value", known_at="known_at", by="prediction"),
    )
    home.feedback.give(home.caller, GiveTruth(endpoint="shop", labels=[Label(about="p-b", value=1)]))

    joined = home.feedback.joined(home.project, "shop", NOON, NOON + 5 * HOUR)

    assert dict(joined.select("prediction_id", "truth").rows()) == {"p-a": None, "p-b": 1.0}


def test_coverage_is_told_by_when_predictions_were_made(home: td.Workspace) -> None:
    predicted(home, *"abcdef")
    given = [
        Label(about=who, value=value, known_at=NOON + 9 * HOUR) for who, value in (("a", 1), ("b", None), ("d", 0))
    ]
    home.feedback.give(home.caller, GiveTruth(endpoint="shop", labels=given))
    window = CoverageOf(endpoint="shop", starts_at=NOON, ends_at=NOON + 5 * HOUR, cohort_s=7200)

    found = home.feedback.coverage(home.caller, window)

    told = [(one.predictions, one.known, one.without, one.median_delay_s) for one in found.cohorts]
    assert told == [(2, 1, 1, 8.5 * 3600), (2, 1, 0, 6 * 3600), (1, 0, 0, None)]
    assert sum(one.predictions for one in found.cohorts) == found.predictions == 5


def test_what_cannot_be_is_refused(home: td.Workspace) -> None:
    with pytest.raises(NoTruthRule, match="where the truth"):
        home.feedback.counts(home.caller, LabelsOf(endpoint="shop"))
    with pytest.raises(InvalidInput, match="priority"):
        home.feedback.connect(home.caller, rule("priority", priority=()))
    with pytest.raises(InvalidInput, match="No labels"):
        home.feedback.give(home.caller, GiveTruth(endpoint="shop", labels=[]))
    assert Counter(one.name for one in home.datasets.list(home.caller)) == Counter()
