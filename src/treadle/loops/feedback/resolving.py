"""Which of several answers about one thing holds: pure functions on the rows of labels.

Nothing rests on the order in which rows arrive: they are put in order by when they were known, then by source and value.
So a correction that lands before what it corrects changes nothing, and what held at any time can be worked out later.
"""

from __future__ import annotations

from datetime import UTC, datetime

import polars as pl

from treadle.loops.feedback.records import Held, LabelCounts, TruthRule

_MOMENT = pl.Datetime("us", "UTC")


def answers_of(rows: pl.LazyFrame, rule: TruthRule, known_by: datetime | None = None) -> pl.LazyFrame:
    """The labels of a dataset: `entity`, `truth`, `known_at`, `rank` of their source (0 is the best), in their order.

    known_by: without what became known later.
    """
    source = pl.lit("") if rule.said_by is None else pl.col(rule.said_by).cast(pl.String).fill_null("")
    ranks = {name: at for at, name in enumerate(rule.priority)}
    rank = pl.lit(0, pl.Int64)
    if rule.holds == "priority":
        rank = source.replace_strict(ranks, default=len(ranks), return_dtype=pl.Int64)
    answers = rows.select(
        entity=pl.col(rule.entity).cast(pl.String),
        truth=pl.col(rule.value).cast(pl.Float64),
        known_at=pl.col(rule.known_at).cast(_MOMENT),
        source=source,
        rank=rank,
    )
    if known_by is not None:
        answers = answers.filter(pl.col("known_at") <= known_by.astimezone(UTC))
    return answers.sort("known_at", "source", "truth", nulls_last=True)


def holding(answers: pl.LazyFrame, rule: TruthRule) -> pl.LazyFrame:
    """One row for each entity whose truth is settled: `entity`, `truth`, `known_at`.

    answers: of `answers_of`. Where contradictions are refused, an entity with two different answers has none.
    """
    columns = ("entity", "truth", "known_at")
    if rule.holds == "first":
        return answers.unique("entity", keep="first", maintain_order=True).select(columns)
    if rule.holds == "refuse":
        agreed = answers.filter(pl.col("truth").n_unique().over("entity") == 1)
        return agreed.unique("entity", keep="first", maintain_order=True).select(columns)
    if rule.holds == "priority":
        answers = answers.filter(pl.col("rank") == pl.col("rank").min().over("entity"))
    return answers.unique("entity", keep="last", maintain_order=True).select(columns)


def counts_of(answers: pl.DataFrame, predicted: pl.Series, rule: TruthRule) -> LabelCounts:
    """What became of each label; see `LabelCounts`. predicted: the entities that there is a prediction of."""
    known = answers.filter(pl.col("entity").is_in(predicted.drop_nulls().unique().implode()))
    held = holding(known.lazy(), rule).collect().select("entity", held="truth", settled=pl.lit(value=True))
    beside = known.join(held, on="entity", how="left", maintain_order="left")
    is_same = pl.col("settled").fill_null(value=False) & pl.col("truth").eq_missing(pl.col("held"))
    same = beside.filter(is_same).height
    return LabelCounts(
        given=answers.height,
        joined=held.height,
        duplicates=same - held.height,
        contradictory=known.height - same,
        unknown=answers.height - known.height,
    )


def history_of(answers: pl.DataFrame, rule: TruthRule) -> list[Held]:
    """What held of one entity, and from when: a line each time that the truth became another. answers: of that entity."""
    lines: list[Held] = []
    for moment in answers["known_at"].unique().sort().to_list():
        so_far = answers.lazy().filter(pl.col("known_at") <= moment)
        row = holding(so_far, rule).collect()
        standing = (not row.is_empty(), None if row.is_empty() else row["truth"][0])
        if not lines or (lines[-1].is_settled, lines[-1].value) != standing:
            lines.append(Held(since=moment, is_settled=standing[0], value=standing[1]))
    return lines
