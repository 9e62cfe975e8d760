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
The rows of a view are brought into order once (`NewestRows`) and answer any number of pieces of entities. The tests
hold it against the two-line definition under random times.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

import numpy as np
import polars as pl

from treadle.systems.features.columns import landing_order, micros, moments
from treadle.systems.features.errors import EntityWithoutTime
from treadle.systems.features.exact import Ints
from treadle.systems.features.keys import Keys
from treadle.systems.features.timelines import Bools, Line, Questions, Ticks

KnownAt = str | timedelta
"""A column of the rows, or a delay after the event."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """Which row answers each entity, in the entities' order."""

    row: Ints
    """Position in the rows; -1 where no row was known by then."""
    n_expired: int
    """Entities whose newest known row was older than the time to live."""


@dataclass(frozen=True, slots=True)
class RowTimes:
    """The rows of a view as whole numbers; arrays as long as the rows."""

    keys: Keys
    event_at: Ints
    known_at: Ints
    landed: Ints
    """Rises in landing order."""
    dated: Bools
    """False where the event or known-at time is null: such a row can never be used."""
    delay: timedelta | None
    """The fixed delay by which all rows became known, if that is how: then what is usable later is newer, too."""

    @classmethod
    def of(
        cls, entities: pl.DataFrame, rows: pl.DataFrame, *, keys: Mapping[str, str], event_at: str, known_at: KnownAt,
        of: str,
    ) -> RowTimes:  # fmt: skip
        """keys: entity column -> row column. event_at, known_at: names of aware Datetime columns; known_at may be a
        delay. of: how errors name the rows. Raises MissingColumn, TimeWithoutZone, KeyMismatch.
        """
        numbers = Keys.of(entities, rows, keys, of)
        events = moments(rows, event_at, of, up=True)
        delay = known_at if isinstance(known_at, timedelta) else None
        knowns = moments(rows, known_at, of, up=True) if isinstance(known_at, str) else events
        dated = np.ones(len(rows), np.bool_)
        for times in (events, knowns):
            if times.null_count():
                dated &= times.is_not_null().to_numpy()
        happened = events.fill_null(0).to_numpy()
        known = happened + micros(delay) if delay is not None else knowns.fill_null(0).to_numpy()
        return cls(numbers, happened, known, landing_order(rows).to_numpy(), dated, delay)

    @property
    def n_undated(self) -> int:
        """Rows that can never be used, since their event or known-at time is null."""
        return int(len(self.dated) - self.dated.sum())

    def questions(self, entities: pl.DataFrame, as_of: Ints, orders: list[Ints] | None = None) -> Questions:
        """Entities and their moments, as what asks these rows."""
        return Questions.of(self.keys.asked(entities), as_of, orders)

    def usable(self, asked: Ints | None = None) -> Ints | None:
        """Places of the dated rows with a key, one of the asked if they are given; None when that is all of them."""
        some = self.keys.held >= 0
        some &= self.dated
        if asked is not None:
            some &= np.isin(self.keys.held, asked)
        return None if some.all() else np.flatnonzero(some)


@dataclass(frozen=True, slots=True)
class NewestRows:
    """A view's rows, in the order in which they become the newest known of their key."""

    times: RowTimes
    line: Line
    row: Ints
    """Of each item on the line its row."""

    @classmethod
    def of(cls, times: RowTimes, asked: Ints | None = None) -> NewestRows:
        """asked: the keys that will be asked for, where they are few; leaving the others out changes no answer.

        Cost: O(m log m) for m rows, about 40 bytes a row.
        """
        places = times.usable(asked)

        def at(whole: Ints) -> Ints:
            return whole if places is None else whole[places]

        key, event, known, landed = at(times.keys.held), at(times.event_at), at(times.known_at), at(times.landed)
        usable_at = known if times.delay is not None else np.maximum(event, known)
        ticks = Ticks.of(times.keys.bound, usable_at, *(() if times.delay is not None else (event,)))
        line = Line.of(ticks, key, usable_at, (landed, known, event))
        if times.delay is None:
            newest = (key * ticks.span + ticks.of_rows(event))[line.item]
            rises = newest >= np.maximum.accumulate(newest)
            line = line if rises.all() else line.at_some(rises)
        return cls(times, line, line.item if places is None else places[line.item])

    def match(self, questions: Questions, ttl: timedelta | None = None) -> Match:
        """The newest row known by each question's moment. ttl: `as_of - event_at <= ttl` must hold."""
        place = questions.last_on(self.line)
        row = np.append(self.row, -1)[place]
        return Match(row=row, n_expired=0) if ttl is None else _without_expired(self.times, questions.as_of, row, ttl)


def _without_expired(times: RowTimes, as_of: Ints, row: Ints, ttl: timedelta) -> Match:
    if not len(times.event_at):
        return Match(row=row, n_expired=0)
    expired = (row >= 0) & (as_of - times.event_at[row] > micros(ttl))
    row[expired] = -1
    return Match(row=row, n_expired=int(expired.sum()))


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
    """The newest row known by each entity's moment, as positions: no entity is lost, a miss is -1.

    keys: entity column -> row column. as_of, event_at, known_at: names of aware Datetime columns; known_at may be a
    delay. ttl: `as_of - event_at <= ttl` must hold. of: how errors name the rows.
    Raises MissingColumn, TimeWithoutZone, KeyMismatch, EntityWithoutTime.
    Cost: O((n + m) log(n + m)) time, about 40 bytes for each row and entity.
    """
    times = RowTimes.of(entities, rows, keys=keys, event_at=event_at, known_at=known_at, of=of)
    questions = times.questions(entities, as_of_moments(entities, as_of))
    return NewestRows.of(times).match(questions, ttl)


def as_of_moments(entities: pl.DataFrame, as_of: str) -> Ints:
    """The entities' moments as microseconds. Raises EntityWithoutTime where one is null."""
    times = moments(entities, as_of, "the entities", up=False)
    if times.null_count():
        raise EntityWithoutTime(
            f"{times.null_count()} of {len(times)} entity rows have no {as_of!r}.",
            why="Without a moment there is no telling what was known by then.",
            fix="Drop these rows, or give them the time of the decision that they stand for.",
            column=as_of,
        )
    found: Ints = times.to_numpy()
    return found
