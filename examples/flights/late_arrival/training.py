"""The steps of training: rows with their truth, candidates, baselines, and the rows on which models meet."""

from __future__ import annotations

from datetime import datetime, timedelta

import lightgbm as lgb
import numpy as np
import polars as pl

import treadle as td
from late_arrival.features import CATEGORIES, INPUTS, vectors
from treadle import stats

VALIDATION = timedelta(days=14)
"""The newest labelled flights are kept out of training: candidates are compared on them, and champions challenged."""

HISTORY = timedelta(days=35)
"""How far back the longest window looks, with some days to spare."""

FIXED = {
    "objective": "binary",
    "min_data_in_leaf": 300,
    "feature_fraction": 0.8,
    "bagging_fraction": 0.8,
    "bagging_freq": 1,
    "lambda_l2": 5.0,
    "deterministic": True,
    "force_row_wise": True,
    "num_threads": 2,
    "verbose": -1,
}


@td.step
def vectors_of_month(flights: pl.LazyFrame, weather: pl.DataFrame, planes: pl.DataFrame, month: int) -> pl.DataFrame:
    """The inputs for every flight of a month, each as of two hours before its departure."""
    first = datetime(2013, month, 1)
    recent = flights.filter(pl.col("sched_dep_at").dt.replace_time_zone(None) >= first - HISTORY).collect()
    return vectors(recent, weather, planes, recent.filter(pl.col("month") == month))


@td.step
def labelled(rows: pl.LazyFrame, truth: pl.LazyFrame, until: datetime, since: datetime | None = None) -> pl.DataFrame:
    """The vectors of flights that were due to leave before `until`, with the truth as far as it was known by then."""
    answers = (
        truth.filter(pl.col("known_at") <= until)
        .sort("known_at")
        .unique("flight_id", keep="last", maintain_order=True)
        .select("flight_id", "late", "known_at")
    )
    wanted = pl.col("sched_dep_at") < until
    if since is not None:
        wanted &= pl.col("sched_dep_at") >= since
    return (
        rows.filter(wanted)
        .join(answers, on="flight_id", how="inner", maintain_order="left")
        .filter(pl.col("late").is_not_null())
        .drop("_landing", "_row")
        .collect()
    )


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
def base_rate(rows: pl.DataFrame, validation: pl.DataFrame) -> pl.DataFrame:
    """The first baseline: how often flights of that airport and hour were late."""
    return _history(rows, validation, ["origin", "hour"], weight=50)


@td.step
def route_history(rows: pl.DataFrame, validation: pl.DataFrame) -> pl.DataFrame:
    """The second baseline: the share of late flights of that carrier on that route over four weeks, as it was known."""
    known = validation.select("flight_id", "late", score=pl.col("route_late"))
    report(known["late"].to_numpy(), known["score"].to_numpy())
    return known


@td.step
def score_rows(model: lgb.Booster, rows: pl.DataFrame) -> pl.DataFrame:
    """What a model says of labelled rows: `score` beside `truth`, with the time, as monitoring wants it."""
    return rows.select("flight_id", event_at="as_of", truth=pl.col("late")).with_columns(
        score=pl.Series(scores(model, rows))
    )


@td.step
def reference(rows: pl.DataFrame, validation: pl.DataFrame) -> pl.DataFrame:
    """The inputs of training and validation with their time: what windows are held against."""
    return pl.concat([rows, validation]).select(*INPUTS, event_at="as_of")


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
    """Logs the figures by which candidates are compared."""
    td.log_metric("auc", stats.roc_auc(truth, score))
    td.log_metric("log_loss", stats.log_loss(truth, score))
    td.log_metric("calibration_error", stats.calibration_error(truth, score))


def _history(rows: pl.DataFrame, validation: pl.DataFrame, by: list[str], weight: float) -> pl.DataFrame:
    hour = (pl.col("minute_of_day") // 60).alias("hour")
    rates = rows.with_columns(hour).group_by(by).agg(total=pl.col("late").sum(), count=pl.len())
    overall = rows["late"].mean()
    score = (pl.col("total").fill_null(0) + weight * overall) / (pl.col("count").fill_null(0) + weight)
    known = validation.with_columns(hour).join(rates, on=by, how="left", maintain_order="left")
    known = known.select("flight_id", "late", score=score)
    report(known["late"].to_numpy(), known["score"].to_numpy())
    return known
