"""The steps of training: rows with their truth, candidates, baselines, and the rows on which models meet."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import lightgbm as lgb
import numpy as np
import polars as pl

import treadle as td
from late_arrival.features import CATEGORIES, INPUTS, entities, with_inputs
from treadle import design, stats

WATCHED = [name for name in INPUTS if name != "weekday"]
"""What monitoring watches. The weekday is the calendar's: its shares hardly move from week to week, so one holiday in the
reference would widen every threshold."""

FIXED = {
    "objective": "binary",
    "min_data_in_leaf": 300,
    "feature_fraction": 0.8,
    "bagging_fraction": 0.8,
    "bagging_freq": 1,
    "lambda_l2": 5.0,
    "deterministic": True,
    "force_row_wise": True,
    "num_threads": 1,  # threads that wait for each other spin: beside one busy process, two take 4 to 20 times as long
    "verbose": -1,
}


@td.step
def asked_in_month(flights: pl.DataFrame, month: int) -> pl.DataFrame:
    """The flights of a month as the views are asked about them: their keys, and the moment of the question."""
    return entities(flights, flights.filter(pl.col("month") == month))


@td.step
def inputs_of(known: pl.DataFrame) -> pl.DataFrame:
    """The model's inputs out of what the views answered."""
    return with_inputs(known)


@td.step
def labelled(
    rows: pl.LazyFrame, truth: pl.LazyFrame, since: datetime, until: datetime, known_by: datetime
) -> pl.DataFrame:
    """The vectors of the flights that were due to leave in `[since, until)`, with the truth as it was known by `known_by`.

    Of several answers about a flight the one that became known last holds. Logs how many rows there were, and how many
    are left out: too late (the answer came after `known_by`) and unlabelled (cancelled, or no answer at all).
    """
    answers = truth.sort("known_at", maintain_order=True).select("flight_id", "late", "known_at")
    known = answers.filter(pl.col("known_at") <= known_by).unique("flight_id", keep="last", maintain_order=True)
    later = answers.filter(pl.col("known_at") > known_by).select("flight_id", is_late_truth=True).unique()
    inside = (
        rows.filter(pl.col("sched_dep_at").is_between(since, until, closed="left"))
        .drop("_landing", "_row")
        .with_columns(hour=pl.col("minute_of_day") // 60)
        .join(known, on="flight_id", how="left", maintain_order="left")
        .join(later, on="flight_id", how="left", maintain_order="left")
        .collect()
    )
    too_late = inside.filter(pl.col("known_at").is_null() & pl.col("is_late_truth").is_not_null()).height
    used = inside.filter(pl.col("late").is_not_null()).drop("is_late_truth")
    unlabelled = inside.height - used.height - too_late
    td.log_metrics({"n_in": inside.height, "n_used": used.height, "n_too_late": too_late, "n_unlabelled": unlabelled})
    return used


@td.step
def fit(
    rows: pl.DataFrame, validation: pl.DataFrame, learning_rate: float, num_leaves: int, rounds: int, seed: int = 7
) -> lgb.Booster:
    """A boosted model; logs how it does on the validation rows."""
    params = {**FIXED, "learning_rate": learning_rate, "num_leaves": num_leaves, "seed": seed % 2**31}
    data = lgb.Dataset(matrix(rows), rows["late"].to_numpy(), feature_name=INPUTS, categorical_feature=list(CATEGORIES))
    model = lgb.train(params, data, rounds)
    report(validation["late"].to_numpy(), scores(model, validation))
    return model


@td.step
def floor(rows: pl.DataFrame, validation: pl.DataFrame, baseline: dict[str, Any]) -> dict[str, Any]:
    """A baseline of the specification, fitted: plain data that `score_floor` predicts from. Logs how it does."""
    fitted = design.fit_baseline(design.Baseline(**baseline), rows, "late")
    report(validation["late"].to_numpy(), fitted.predict(validation))
    return fitted.to_json()


@td.step
def score_floor(fitted: dict[str, Any], rows: pl.DataFrame) -> pl.DataFrame:
    """What a fitted baseline says of rows."""
    return rows.select("flight_id", score=pl.Series(design.baseline_from_json(fitted).predict(rows)))


@td.step
def score_rows(model: lgb.Booster, rows: pl.DataFrame) -> pl.DataFrame:
    """What a model says of labelled rows: `score` beside `truth`, with the time, as monitoring wants it."""
    return rows.select("flight_id", event_at="as_of", truth=pl.col("late")).with_columns(
        score=pl.Series(scores(model, rows))
    )


@td.step
def reference(rows: pl.DataFrame, validation: pl.DataFrame) -> pl.DataFrame:
    """The inputs of training and validation with their time: what windows are held against."""
    return pl.concat([rows, validation]).select(*WATCHED, event_at="as_of")


@td.step
def side_by_side(challenger: pl.DataFrame, champion: pl.DataFrame) -> pl.DataFrame:
    """The same rows scored by both."""
    other = champion.select("flight_id", champion="score")
    return challenger.join(other, on="flight_id", how="inner", maintain_order="left").select(
        "truth", "champion", challenger="score"
    )


def matrix(rows: pl.DataFrame) -> np.ndarray:
    """float64 of shape (rows, inputs): categories by their fixed codes, null as NaN."""
    coded = [
        pl.col(name).replace_strict(CATEGORIES[name], list(range(len(CATEGORIES[name]))), default=None).cast(pl.Float64)
        if name in CATEGORIES
        else pl.col(name).cast(pl.Float64)
        for name in INPUTS
    ]
    return np.ascontiguousarray(rows.select(coded).to_numpy())


def scores(model: lgb.Booster, rows: pl.DataFrame) -> np.ndarray:
    """The probability that each flight is late: float64 of shape (rows,)."""
    return np.asarray(model.predict(matrix(rows), num_threads=1))


def report(truth: np.ndarray, score: np.ndarray) -> None:
    """Logs the figures by which candidates are compared, the first of them with its 95 % interval."""
    ranked = stats.auc(truth, score)
    td.log_metrics(
        {
            "auc": ranked.value,
            "auc_lower": ranked.interval[0],
            "auc_upper": ranked.interval[1],
            "log_loss": stats.log_loss(truth, score),
            "brier": stats.brier(truth, score),
            "calibration_error": stats.calibration_error(truth, score),
        }
    )
