"""The value of each prediction, and the figures over many: pure functions on frames.

Frames hold predictions as they were logged, with `truth` and `known_at` beside them, as feedback joins them.
"""

from __future__ import annotations

import math
from datetime import datetime, timedelta
from typing import Any

import polars as pl

from treadle.ground.stats.distributions import normal_quantile
from treadle.loops.value.errors import UnfitValueRule
from treadle.loops.value.records import ValueFigure, ValueRule
from treadle.systems.prepare.row_sql import expression, of_one_row
from treadle.systems.serve.prediction_tables import INPUT_PREFIX

CLASS, SCORE, TRUTH = "class", "score", "truth"
MOMENT = pl.Datetime("us", "UTC")


def require_sense(rule: ValueRule) -> None:
    """Raises UnfitValueRule for a rule that cannot give values, whatever the predictions."""
    given = [name for name in ("matrix", "expression", "dataset") if getattr(rule, name) is not None]
    if len(given) != 1:
        raise UnfitValueRule(
            f"The value of {rule.endpoint!r} is declared by {' and '.join(given) or 'nothing'}.",
            fix="Give exactly one: a matrix, an expression, or a dataset of outcomes.",
        )
    if rule.matrix is not None:
        size = len(rule.matrix)
        if size < 2 or any(len(row) != size for row in rule.matrix):
            raise UnfitValueRule(
                "The matrix is not square, or holds fewer than two classes.", why="It is matrix[truth][class]."
            )
        if not all(math.isfinite(value) for row in rule.matrix for value in row):
            raise UnfitValueRule("The matrix holds a value that is no number.")
    if rule.expression is not None:
        of_one_row(rule.expression, UnfitValueRule)
    if not math.isfinite(rule.decision_threshold):
        raise UnfitValueRule("The decision threshold is no number.")


def valued(rows: pl.DataFrame, rule: ValueRule) -> pl.Series:
    """The value of each row, null where it is not known. Raises UnfitValueRule for an expression over other columns.

    rows: `output`, `outputs`, `truth`, and the inputs as `in_<name>`.
    """
    if rule.matrix is not None:
        return _by_matrix(rows, rule, rule.matrix)
    return _by_expression(rows, rule, rule.expression or "null")


def columns_for(rule: ValueRule, names: list[str]) -> list[str]:
    """Which of the logged columns the rule reads."""
    wanted = ["output", "outputs"]
    if rule.expression is not None:
        wanted += [name for name in names if name.startswith(INPUT_PREFIX)]
    return wanted


def expression_schema(logged: pl.Schema) -> pl.Schema:
    """The columns that an expression may name, from those of the log."""
    inputs = {name.removeprefix(INPUT_PREFIX): kind for name, kind in logged.items() if name.startswith(INPUT_PREFIX)}
    return pl.Schema({**inputs, SCORE: pl.Float64(), TRUTH: pl.Float64(), CLASS: pl.Int64()})


def amounts(rows: pl.LazyFrame, rule: ValueRule, known_by: datetime | None) -> pl.DataFrame:
    """An outcome stream as `key` (text) and `value`, one row a key: the newest, or the sum, of what was known by then."""
    found = rows.select(
        key=pl.col(rule.key).cast(pl.String),
        value=pl.col(rule.amount).cast(pl.Float64),
        known_at=pl.col(rule.known_at).cast(MOMENT),
    ).filter(pl.col("key").is_not_null())
    if known_by is not None:
        found = found.filter(pl.col("known_at") <= known_by)
    if rule.combine == "sum":
        some = pl.col("value").is_not_null().any()
        return found.group_by("key").agg(value=pl.when(some).then(pl.col("value").sum())).collect()
    newest = found.sort("known_at", maintain_order=True).unique("key", keep="last")
    return newest.select("key", "value").collect()


def figure(rows: pl.DataFrame, name: str, starts_at: datetime | None = None) -> ValueFigure:
    """The figures of rows with `value`, `truth`, `known_at`, `entity` and `prediction_id`."""
    known = rows.filter(pl.col("value").is_not_null())
    closed = pl.col("value").is_null() & pl.col("known_at").is_not_null() & pl.col("truth").is_null()
    mean, interval = _mean(known)
    return ValueFigure(
        name=name,
        predictions=rows.height,
        valued=known.height,
        without=rows.filter(closed).height,
        total=float(known["value"].sum()),
        mean=mean,
        interval=interval,
        starts_at=starts_at,
    )


def by_window(rows: pl.DataFrame, window_s: int, anchor_at: datetime) -> list[ValueFigure]:
    """The figures window by window, oldest first; windows without predictions are left out."""
    since = (pl.col("event_at") - pl.lit(anchor_at)).dt.total_microseconds()
    parts = rows.with_columns(window=since.floordiv(window_s * 1_000_000)).partition_by("window", as_dict=True)
    found = []
    for (number,), part in sorted(parts.items(), key=lambda item: int(item[0][0])):
        starts_at = anchor_at + timedelta(seconds=window_s) * int(number)
        found.append(figure(part, f"{starts_at:%Y-%m-%d}", starts_at))
    return found


def by_revision(rows: pl.DataFrame) -> list[ValueFigure]:
    """The figures by the number of the revision, with its model version."""
    parts = rows.partition_by("revision", as_dict=True)
    return [figure(part, revision_name(part)) for _, part in sorted(parts.items(), key=lambda item: int(item[0][0]))]


def revision_name(part: pl.DataFrame) -> str:
    """`3 (late-arrival 7)`: a revision's number, and the model version behind it."""
    first: dict[str, Any] = part.row(0, named=True)
    return f"{first['revision']} ({first['model']} {first['model_version']})"


def _by_matrix(rows: pl.DataFrame, rule: ValueRule, matrix: list[list[float]]) -> pl.Series:
    size = len(matrix)
    cells = pl.Series([value for row in matrix for value in row], dtype=pl.Float64)
    placed = rows.select(place=pl.col(TRUTH) * size + _class(rows, rule), truth=TRUTH)
    whole = pl.col(TRUTH).is_between(0, size - 1) & (pl.col(TRUTH) == pl.col(TRUTH).floor())
    if stray := placed.filter(pl.col(TRUTH).is_not_null() & ~whole).height:
        raise UnfitValueRule(
            f"{stray} predictions have a truth that is no class of the matrix.",
            why=f"The matrix has {size} classes, 0 to {size - 1}.",
            fix="Use an expression over `score` and `truth` for a model that predicts a number.",
        )
    return placed.select(pl.lit(cells).gather(pl.col("place").cast(pl.Int64))).to_series()


def _by_expression(rows: pl.DataFrame, rule: ValueRule, text: str) -> pl.Series:
    value = expression(text, expression_schema(rows.schema), pl.Float64(), refusal=UnfitValueRule)
    inputs = [name for name in rows.columns if name.startswith(INPUT_PREFIX)]
    asked = rows.select(
        *(
            pl.col(name).alias(plain)
            for name in inputs
            if (plain := name.removeprefix(INPUT_PREFIX)) not in (SCORE, TRUTH, CLASS)
        ),
        pl.col("output").alias(SCORE),
        pl.col(TRUTH),
        _class(rows, rule).alias(CLASS),
    )
    # A literal gives one row; it is spread over all.
    return asked.with_columns(value_=value.fill_nan(None))["value_"]


def _class(rows: pl.DataFrame, rule: ValueRule) -> pl.Expr:
    if not rows.filter(pl.col("outputs").list.len() > 2).is_empty():
        return pl.col("outputs").list.arg_max().cast(pl.Int64)
    return (pl.col("output") >= rule.decision_threshold).cast(pl.Int64)


def _mean(known: pl.DataFrame) -> tuple[float | None, tuple[float, float] | None]:
    """The mean and its interval, by the linearised variance over entities. Source: Cochran, Sampling Techniques, 1977, 9A."""
    if known.is_empty():
        return None, None
    mean = float(known["value"].mean())  # type: ignore[arg-type]
    surplus = (pl.col("value") - mean).sum()
    whose = pl.coalesce("entity", "prediction_id")
    clusters = known.group_by(whose).agg(surplus=surplus)["surplus"]
    count = clusters.len()
    if count < 2:
        return mean, None
    spread = math.sqrt(float(clusters.pow(2).sum()) * count / (count - 1)) / known.height
    reach = normal_quantile(0.975) * spread
    return mean, (mean - reach, mean + reach)
