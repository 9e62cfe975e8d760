"""The point-in-time join: for each entity, the newest row that was known by then.

A row speaks of the moment `event_at` and was known from `known_at` on. As of a moment t a row may be used when
`event_at <= t` and `known_at <= t`; of those, the newest is the one with the greatest event time, then the greatest
known-at (a correction is a later row of the same event), then the one that landed last. With a time to live, the
newest row must not be older than that, or there is none.

Two conditions and one order look like a join over two dimensions; they are one, because:

1. A row may be used from `usable_at = max(event_at, known_at)` on. That covers rows that came late
   (known after the event) and forecasts (known before it).
2. A row that becomes usable after a newer one is never the answer. Along `usable_at`, only the rows that raise the
   greatest event time so far matter; the others are dropped, and what remains rises in both times.
3. On what remains, the newest usable row is the last with `usable_at <= t`: the plain as-of join.

For equal event times, `usable_at` rises with known-at, or is the event time for both, and then the sort decides.

Keys are numbers (`keys.py`). Where number and time fit into 63 bits together they are packed into one integer: key
after key lies on one long line, so that the sort, the greatest event time so far and the as-of join all run over a
single column and need no grouping. Times that are whole seconds or milliseconds take less room; where nothing helps,
the same steps run by group. The tests hold both ways against the two-line definition under random times.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

import numpy as np
import polars as pl

from treadle.systems.features.columns import landing_order, micros, moments
from treadle.systems.features.errors import EntityWithoutTime
from treadle.systems.features.keys import key_numbers

KnownAt = str | timedelta
"""A column of the rows, or a delay after the event."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """Which row answers each entity, in the entities' order."""

    row: pl.Series
    """UInt32 position in the rows; null where no row was known by then."""
    event_at: pl.Series
    """Int64 microseconds: the event time of that row."""
    known_at: pl.Series
    """Int64 microseconds: the known-at time of that row."""
    n_expired: int
    """Entities whose newest known row was older than the time to live."""
    n_undated: int
    """Rows that can never be used, since their event or known-at time is null."""


@dataclass(frozen=True, slots=True)
class Keyed:
    """Entities and rows as whole numbers.

    questions: `key`, `as_of`, one row an entity. rows: `key`, `event_at`, `known_at`, `landed` (rises in landing
    order), one row a row. n_keys: bound of the keys. in_turn: what is usable later is newer, too (a fixed delay).
    """

    questions: pl.DataFrame
    rows: pl.DataFrame
    n_keys: int
    in_turn: bool


def keyed_times(
    entities: pl.DataFrame,
    rows: pl.DataFrame,
    *,
    keys: Mapping[str, str],
    as_of: str,
    event_at: str,
    known_at: KnownAt,
    of: str = "the rows",
) -> Keyed:
    """Entities and rows as the join needs them.

    keys: entity column -> row column. as_of, event_at, known_at: names of aware Datetime columns; known_at may be a
    delay. of: how errors name the rows.
    Raises MissingColumn, TimeWithoutZone, KeyMismatch, EntityWithoutTime.
    """
    asked, held, n_keys = key_numbers(entities, rows, keys, of)
    events, knowns = dated(rows, event_at, known_at, of)
    return Keyed(
        pl.DataFrame({"key": asked, "as_of": as_of_moments(entities, as_of)}),
        pl.DataFrame({"key": held, "event_at": events, "known_at": knowns, "landed": landing_order(rows)}),
        n_keys,
        isinstance(known_at, timedelta),
    )


def newest_known(
    entities: pl.DataFrame,
    rows: pl.DataFrame,
    *,
    keys: Mapping[str, str],
    as_of: str,
    event_at: str,
    known_at: KnownAt,
    ttl: timedelta | None = None,
    of: str = "the rows",
) -> Match:
    """The newest row known by each entity's moment, as positions: no entity is lost, a miss is null.

    ttl: `as_of - event_at <= ttl` must hold. For the rest see `keyed_times`.
    Cost: O((n + m) log(n + m)) time, about 40 bytes for each row and entity.
    """
    keyed = keyed_times(entities, rows, keys=keys, as_of=as_of, event_at=event_at, known_at=known_at, of=of)
    return newest_of(keyed, ttl=ttl)


def newest_of(keyed: Keyed, *, ttl: timedelta | None = None) -> Match:
    """As `newest_known`, of entities and rows that are keyed already."""
    questions, rows = keyed.questions, keyed.rows
    events, knowns = rows["event_at"], rows["known_at"]
    timeline = _usable(rows)
    packing = _Packing.of(timeline, questions, keyed.n_keys)
    if packing is None:
        answers = _join_by_group(questions, timeline, keyed.in_turn)
    else:
        answers = _join_packed(questions, timeline, keyed.in_turn, packing)
    row = _in_order(answers, len(questions))
    n_expired = 0
    if ttl is not None:
        expired = (questions["as_of"] - events.gather(row) > micros(ttl)).fill_null(False)
        n_expired = int(expired.sum())
        row = row.set(expired, None)
    return Match(
        row=row,
        event_at=events.gather(row),
        known_at=knowns.gather(row),
        n_expired=n_expired,
        n_undated=int((events.is_null() | knowns.is_null()).sum()),
    )


def as_of_moments(entities: pl.DataFrame, as_of: str) -> pl.Series:
    """The entities' moments as Int64 microseconds. Raises EntityWithoutTime where one is null."""
    times = moments(entities, as_of, "the entities", up=False)
    if times.null_count():
        raise EntityWithoutTime(
            f"{times.null_count()} of {len(times)} entity rows have no {as_of!r}.",
            why="Without a moment there is no telling what was known by then.",
            fix="Drop these rows, or give them the time of the decision that they stand for.",
            column=as_of,
        )
    return times


def dated(rows: pl.DataFrame, event_at: str, known_at: KnownAt, of: str) -> tuple[pl.Series, pl.Series]:
    """The event and known-at times of the rows as Int64 microseconds, null where unknown."""
    events = moments(rows, event_at, of, up=True)
    if isinstance(known_at, timedelta):
        return events, events + micros(known_at)
    return events, moments(rows, known_at, of, up=True)


def _usable(rows: pl.DataFrame) -> pl.DataFrame:
    """The dated rows with a key: `key`, `usable_at`, `event_at`, `row`, in the order that decides between equals."""
    rows = rows.with_columns(row=pl.int_range(pl.len(), dtype=pl.UInt32))
    if rows["key"].null_count() or rows["event_at"].null_count() or rows["known_at"].null_count():
        rows = rows.drop_nulls(["key", "event_at", "known_at"])
    by = [] if rows["landed"].is_sorted() else ["landed"]
    if (rows["known_at"] < rows["event_at"]).any():  # only then can rows be usable at once and known apart
        by = ["known_at", *by]
    if by:
        rows = rows.sort(by, maintain_order=True)
    return rows.select("key", "event_at", "row", usable_at=pl.max_horizontal("event_at", "known_at"))


@dataclass(frozen=True, slots=True)
class _Packing:
    """How a key and a time become one integer: `key * span + (time - start) // unit`."""

    start: int
    unit: int
    span: int

    @classmethod
    def of(cls, timeline: pl.DataFrame, questions: pl.DataFrame, n_keys: int) -> _Packing | None:
        """The packing that holds all rows' times exactly, or None when 63 bits do not suffice."""
        if not len(timeline):
            return cls(0, 1, 1)
        start, last = timeline["event_at"].min(), timeline["usable_at"].max()
        assert isinstance(start, int)
        assert isinstance(last, int)
        for unit in (1, 1_000, 1_000_000):
            span = (last - start) // unit + 2
            if n_keys * span <= LONGEST_LINE:
                times = (timeline["event_at"] - start, timeline["usable_at"] - start)
                exact = unit == 1 or not any((time % unit != 0).any() for time in times)
                return cls(start, unit, span) if exact else None
        return None

    def line(self, time: str) -> pl.Expr:
        """Places on the line of keys and times. Times are rounded down, which decides nothing: rows' times are exact."""
        since = (pl.col(time) - self.start) // self.unit if self.unit > 1 else pl.col(time) - self.start
        return pl.col("key") * self.span + since


LONGEST_LINE = 1 << 62


def _join_packed(questions: pl.DataFrame, timeline: pl.DataFrame, in_turn: bool, packing: _Packing) -> pl.DataFrame:
    """The newest usable row of each question, by one column on both sides."""
    line = timeline.select("row", at=packing.line("usable_at"), newest=packing.line("event_at"))
    line = line.sort("at", maintain_order=True)
    if not in_turn:
        line = line.filter(pl.col("newest") >= pl.col("newest").cum_max())
    end = packing.start + (packing.span - 1) * packing.unit
    asked = questions.with_columns(place=pl.int_range(pl.len(), dtype=pl.UInt32)).filter(
        pl.col("key").is_not_null() & (pl.col("as_of") >= packing.start)
    )
    asked = asked.with_columns(pl.col("as_of").clip(upper_bound=end))
    asked = asked.select("place", at=packing.line("as_of"), first=pl.col("key") * packing.span).sort("at")
    answers = asked.join_asof(
        line.select("row", "at", found="at"), on="at", strategy="backward", check_sortedness=False
    )
    return answers.filter(pl.col("found") >= pl.col("first")).select("place", "row")


def _join_by_group(questions: pl.DataFrame, timeline: pl.DataFrame, in_turn: bool) -> pl.DataFrame:
    """As `_join_packed`, key by key."""
    line = timeline.sort("usable_at", maintain_order=True)
    if not in_turn:
        line = line.filter(pl.col("event_at") >= pl.col("event_at").cum_max().over("key"))
    asked = questions.with_columns(place=pl.int_range(pl.len(), dtype=pl.UInt32)).drop_nulls("key").sort("as_of")
    answers = asked.join_asof(
        line, left_on="as_of", right_on="usable_at", by="key", strategy="backward", check_sortedness=False
    )
    return answers.select("place", "row").drop_nulls("row")


def _in_order(answers: pl.DataFrame, n_entities: int) -> pl.Series:
    """The answers' rows in the entities' order, null where an entity has none."""
    row = np.full(n_entities, -1, np.int64)
    row[answers["place"].to_numpy()] = answers["row"].to_numpy()
    series = pl.Series("row", row)
    return series.set(series < 0, None).cast(pl.UInt32)
