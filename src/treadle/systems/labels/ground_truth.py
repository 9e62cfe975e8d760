"""Ground truth with a history: values that come late, come twice, contradict and are corrected.

A truth row says: of this thing (an entity key or a prediction id) the value is this; it happened at `event_at`, was
known at `known_at`, comes from `source`, and was recorded at `recorded_at`. Rows are only ever added. As of a moment, of
the rows known by then the newest wins: the greatest known-at, then the greatest recorded-at, then the last row. What it
replaced stays in the history and is counted. Pure functions on frames; the rows live in datasets.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from treadle.ground.errors import did_you_mean
from treadle.systems.labels.errors import InvalidTruth

if TYPE_CHECKING:
    import polars as pl

REQUIRED = ("value", "event_at", "known_at", "source", "recorded_at")


@dataclass(frozen=True, slots=True, kw_only=True)
class Truth:
    """What is true as of a moment.

    table: one row a key: the keys, `value`, `event_at`, `known_at`, `source`, `recorded_at`, and of how many rows it is
    the outcome: `rows`, `corrections` (earlier values that differ from the one after them), `contradicted` (another
    value was known at the very same time).
    unknown: rows left out, since they were not yet known at that moment. undated: rows without a known-at, never known.
    """

    table: pl.DataFrame
    duplicated: int
    """Rows that repeat the value before them."""
    corrected: int
    contradicted: int
    """Keys for which two values were known at the same time."""
    unknown: int
    undated: int


def truth_as_of(history: Any, keys: Sequence[str], as_of: datetime | None = None) -> Truth:
    """The newest known value of each key as of a moment; of everything known when `as_of` is None.

    history: a frame (Arrow or Polars) with the keys and the columns of REQUIRED, times with a zone.
    Raises InvalidTruth. Cost: one sort.
    """
    import polars as pl

    rows = _checked(history, keys)
    dated = rows.filter(pl.col("known_at").is_not_null())
    known = dated if as_of is None else dated.filter(pl.col("known_at") <= as_of)
    ordered = known.with_row_index("place").sort("known_at", "recorded_at", "place", nulls_last=False)
    earlier = pl.col("value").shift(1)
    per_key = ordered.with_columns(
        is_first=(pl.int_range(pl.len()) == 0).over(keys),
        changes=pl.col("value").ne_missing(earlier).over(keys),
        at_once=(pl.col("known_at") == pl.col("known_at").shift(1)).fill_null(False).over(keys),
    ).with_columns(differs=pl.col("changes") & ~pl.col("is_first"), repeats=~pl.col("changes") & ~pl.col("is_first"))
    table = per_key.group_by(keys, maintain_order=True).agg(
        *(pl.col(column).last() for column in REQUIRED),
        rows=pl.len(),
        corrections=pl.col("differs").sum(),
        contradicted=(pl.col("differs") & pl.col("at_once")).any(),
    )
    return Truth(
        table=table,
        duplicated=int(per_key["repeats"].sum()),
        corrected=int(per_key["differs"].sum()),
        contradicted=int(table["contradicted"].sum()),
        unknown=len(dated) - len(known),
        undated=len(rows) - len(dated),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Coverage:
    """How much of what was expected is known. table: `period`, `expected`, `known`, `share`, `delay_p50_s` and
    `delay_p90_s` (from event to known-at), one row a period."""

    table: pl.DataFrame
    expected: int
    known: int
    surplus: int
    """Keys with a truth that nobody expected."""


def coverage(
    expected: Any, truth: Truth, keys: Sequence[str], *, every: str = "1w", time: str = "event_at"
) -> Coverage:
    """How much of the expected is known, by period of the expected rows' own time.

    expected: a frame of the keys (each once) and an aware time column. every: a span as Polars writes it (`1d`, `1w`).
    Raises InvalidTruth.
    """
    import polars as pl

    asked = _frame(expected)
    _require(asked, [*keys, time], "the expected rows")
    if asked.select(keys).is_duplicated().any():
        raise InvalidTruth("A key is expected twice.", why="Shares would count it twice.", fix="Keep one row a key.")
    answers = truth.table.select(*keys, pl.col("known_at"), pl.lit(True).alias("is_known"), happened=pl.col("event_at"))
    joined = asked.select(*keys, pl.col(time).alias("period")).join(answers, on=list(keys), how="left")
    delays = (pl.col("known_at") - pl.coalesce("happened", "period")).dt.total_microseconds() / 1e6
    table = (
        joined.with_columns(period=pl.col("period").dt.truncate(every), delay=delays)
        .group_by("period")
        .agg(
            expected=pl.len(),
            known=pl.col("is_known").sum(),
            delay_p50_s=pl.col("delay").quantile(0.5),
            delay_p90_s=pl.col("delay").quantile(0.9),
        )
        .with_columns(share=pl.col("known") / pl.col("expected"))
        .sort("period")
        .select("period", "expected", "known", "share", "delay_p50_s", "delay_p90_s")
    )
    surplus = truth.table.join(asked, on=list(keys), how="anti")
    return Coverage(table=table, expected=len(asked), known=int(table["known"].sum()), surplus=len(surplus))


def _checked(history: Any, keys: Sequence[str]) -> pl.DataFrame:
    import polars as pl

    rows = _frame(history)
    _require(rows, [*keys, *REQUIRED], "the label set")
    for column in ("event_at", "known_at", "recorded_at"):
        dtype = rows.schema[column]
        if not isinstance(dtype, pl.Datetime) or dtype.time_zone is None:
            raise InvalidTruth(
                f"Column {column!r} of the label set holds {dtype}, which is no moment in time.",
                fix=f'Make it one: pl.col("{column}").cast(pl.Datetime("us")).dt.replace_time_zone("UTC")',
            )
    unnamed = rows.filter(pl.any_horizontal(pl.col(list(keys)).is_null()))
    if len(unnamed):
        raise InvalidTruth(f"{len(unnamed)} rows of the label set do not say what they are about.", keys=list(keys))
    return rows


def _frame(table: Any) -> pl.DataFrame:
    import polars as pl

    frame = table if isinstance(table, pl.DataFrame) else pl.from_arrow(table)
    assert isinstance(frame, pl.DataFrame)
    return frame


def _require(frame: pl.DataFrame, columns: Sequence[str], of: str) -> None:
    for column in columns:
        if column not in frame.columns:
            raise InvalidTruth(f"{of} has no column {column!r}.".capitalize(), fix=did_you_mean(column, frame.columns))
