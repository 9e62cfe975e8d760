"""Training sees the truth as it was known, and the steps are plain functions outside of a pipeline."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest
from late_arrival.features import CATEGORIES, INPUTS
from late_arrival.season import PROJECT
from late_arrival.training import WATCHED, fit, floor, labelled, matrix, score_floor, score_rows, scores

import treadle as td
from treadle import design

MONDAY = datetime(2013, 3, 4, 5, tzinfo=UTC)
DAY = timedelta(days=1)
MOMENT = pl.Datetime("us", "UTC")


def rows(*flights: tuple[str, datetime]) -> pl.LazyFrame:
    """Vectors of flights that are due to leave at these moments."""
    frame = pl.DataFrame(list(flights), schema={"flight_id": pl.String, "sched_dep_at": MOMENT}, orient="row")
    return frame.with_columns(minute_of_day=pl.lit(490.0), _landing=pl.lit("land_1"), _row=pl.lit(0)).lazy()


def truth(*answers: tuple[str, float | None, datetime]) -> pl.LazyFrame:
    schema = {"flight_id": pl.String, "late": pl.Float64, "known_at": MOMENT}
    return pl.DataFrame(list(answers), schema=schema, orient="row").lazy()


def learnt(vectors: pl.LazyFrame, answers: pl.LazyFrame, known_by: datetime) -> list[tuple[str, float]]:
    found = labelled(vectors, answers, MONDAY, MONDAY + DAY, known_by)
    return found.select("flight_id", "late").rows()


def test_of_several_answers_the_one_that_became_known_last_holds():
    answers = truth(("a", 0.0, MONDAY + 2 * DAY), ("a", 1.0, MONDAY + DAY))

    assert learnt(rows(("a", MONDAY)), answers, MONDAY + DAY) == [("a", 1.0)]
    assert learnt(rows(("a", MONDAY)), answers, MONDAY + 2 * DAY) == [("a", 0.0)]


def test_a_flight_whose_answer_comes_later_and_one_that_was_cancelled_are_left_out():
    vectors = rows(("known", MONDAY), ("late truth", MONDAY), ("cancelled", MONDAY), ("unheard of", MONDAY))
    answers = truth(("known", 1.0, MONDAY), ("late truth", 1.0, MONDAY + 2 * DAY), ("cancelled", None, MONDAY))

    assert learnt(vectors, answers, MONDAY + DAY) == [("known", 1.0)]


def test_flights_belong_to_a_part_by_their_departure_and_its_end_is_not_in_it():
    vectors = rows(("before", MONDAY - timedelta(minutes=1)), ("first", MONDAY), ("after", MONDAY + DAY))
    answers = truth(*((name, 0.0, MONDAY) for name in ("before", "first", "after")))

    assert learnt(vectors, answers, MONDAY + 9 * DAY) == [("first", 0.0)]


@td.pipeline
def counted(vectors: pl.DataFrame, answers: pl.DataFrame, known_by: datetime):
    found = labelled(vectors.lazy(), answers.lazy(), MONDAY, MONDAY + DAY, known_by)
    return dict(found.metrics)


def test_every_row_of_a_part_is_accounted_for(workspace):
    vectors = rows(("known", MONDAY), ("late truth", MONDAY), ("cancelled", MONDAY), ("unheard of", MONDAY))
    answers = truth(("known", 1.0, MONDAY), ("late truth", 1.0, MONDAY + 2 * DAY), ("cancelled", None, MONDAY))

    found = counted(vectors.collect(), answers.collect(), MONDAY + DAY).value

    assert found == {"n_in": 4, "n_used": 1, "n_too_late": 1, "n_unlabelled": 2}


@pytest.fixture(scope="module")
def made() -> pl.DataFrame:
    """Vectors in which the backlog alone tells whether a flight is late."""
    rng = np.random.default_rng(5)
    columns = {name: rng.normal(size=3_000) for name in INPUTS if name not in CATEGORIES}
    texts = {name: rng.choice([*codes[:3], "??"], 3_000) for name, codes in CATEGORIES.items()}
    late = (columns["origin_backlog"] + rng.normal(size=3_000) * 0.3 > 0).astype(float)
    ids = [f"f{n}" for n in range(3_000)]
    return pl.DataFrame(
        {**columns, **texts, "late": late, "flight_id": ids, "hour": rng.integers(5, 23, 3_000)}
    ).with_columns(as_of=pl.lit(MONDAY), route_late=pl.lit(0.2))


def test_a_model_finds_what_tells_and_scores_the_same_rows_alike(made):
    model = fit(made.head(2_000), made.tail(1_000), 0.1, 7, 30)

    scored = score_rows(model, made.tail(1_000))

    assert np.corrcoef(scored["score"], made.tail(1_000)["late"])[0, 1] > 0.7
    assert scores(model, made.tail(10)).tolist() == scored["score"].tail(10).to_list()


def test_a_baseline_is_plain_data_and_predicts_from_it(made):
    spec = design.load(PROJECT / "model.toml")

    for baseline in spec.baselines:
        fitted = floor(made.head(2_000), made.tail(1_000), {**_plain(baseline)})
        score = score_floor(fitted, made.tail(1_000))["score"]
        assert score.is_between(0, 1).all()
        assert score.null_count() == 0


def test_an_unknown_category_is_missing_and_known_ones_keep_their_codes(made):
    place = INPUTS.index("carrier")
    frame = made.head(3).with_columns(carrier=pl.Series(["9E", "YV", "ZZ"]))

    codes = matrix(frame)[:, place]

    assert codes[:2].tolist() == [0.0, 15.0]
    assert np.isnan(codes[2])


def test_the_weekday_goes_into_the_model_and_is_not_watched():
    assert set(INPUTS) - set(WATCHED) == {"weekday"}


def _plain(baseline: design.Baseline) -> dict:
    return {name: getattr(baseline, name) for name in ("name", "kind", "by", "column", "count", "weight")}
