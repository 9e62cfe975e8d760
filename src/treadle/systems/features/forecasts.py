"""The newest forecast for a moment T that was known by as-of: two moments ask, and neither follows from the other.

A forecast's event time is the moment that it is about, and known-at the moment at which it was made. Asked at `as_of`
about T, the rows that may answer have `event_at <= T` and `known_at <= as_of`; of those the one about the latest moment
answers (the hour that T lies in, where forecasts are hourly), and of those about the same moment the one made last.

1. Group the rows by key and the moment they are about. A group can answer from its first known-at on.
2. Along the groups of a key, in order of their moments, start at the last at or before T, and step back to the first
   one whose first known-at is not after `as_of`. Steps are doubled: the least first known-at of 1, 2, 4, … groups back
   says which leaps pass over nothing.
3. Within that group, the last row known by `as_of` answers: the plain as-of join.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

import numpy as np

from treadle.systems.features.columns import micros
from treadle.systems.features.exact import Ints
from treadle.systems.features.point_in_time import Match, RowTimes
from treadle.systems.features.timelines import Line, Questions, Ticks


@dataclass(frozen=True, slots=True)
class ForecastRows:
    """A view's rows by key, moment that they are about, and moment at which they were made."""

    times: RowTimes
    groups: Line
    """One item for each key and moment."""
    first_known: Ints
    """Of each group the least known-at, in order of the groups."""
    start: Ints
    """Of each group the first group of its key."""
    versions: Line
    """The rows along their known-at, with the group's place for a key."""
    row: Ints
    """Of each item of `versions` the row."""

    @classmethod
    def of(cls, times: RowTimes, asked: Ints | None = None) -> ForecastRows:
        """asked: the keys that will be asked for, where they are few. Cost: O(m log m) for m rows."""
        places = times.usable(asked)
        if places is None:
            places = np.arange(len(times.event_at))
        key, event, known = times.keys.held[places], times.event_at[places], times.known_at[places]
        by_event = Line.of(Ticks.of(times.keys.bound, event), key, event)
        begins = np.ones(len(places), np.bool_)
        begins[1:] = by_event.at[1:] != by_event.at[:-1]
        groups = by_event.at_some(begins)
        group = np.empty(len(places), np.int64)
        group[by_event.item] = np.cumsum(begins) - 1
        versions = Line.of(Ticks.of(max(1, len(groups.at)), known), group, known, (times.landed[places],))
        version_group = group[versions.item]
        opens = np.ones(len(places), np.bool_)
        opens[1:] = version_group[1:] != version_group[:-1]
        key_of_group = key[groups.item]
        new_key = np.ones(len(groups.at), np.bool_)
        new_key[1:] = key_of_group[1:] != key_of_group[:-1]
        start = np.maximum.accumulate(np.where(new_key, np.arange(len(new_key)), 0)) if len(new_key) else groups.at
        return cls(times, groups, known[versions.item][opens], start, versions, places[versions.item])

    def match(self, questions: Questions, targets: Ints, ttl: timedelta | None = None) -> Match:
        """The row that answers each question about its target. ttl: `target - event_at <= ttl` must hold."""
        place = Questions.of(questions.key, targets).last_on(self.groups)
        group = self._known_group(place, questions.as_of)
        version = Questions.of(group, questions.as_of).last_on(self.versions)
        row = np.append(self.row, -1)[version]
        if ttl is None or not len(self.row):
            return Match(row=row, n_expired=0)
        expired = (row >= 0) & (targets - self.times.event_at[row] > micros(ttl))
        row[expired] = -1
        return Match(row=row, n_expired=int(expired.sum()))

    def _known_group(self, place: Ints, as_of: Ints) -> Ints:
        """Of each question the last group at or before a place that was known by then, -1 without one."""
        found = place.copy()
        if not len(self.first_known):
            return found
        waiting = np.flatnonzero((found >= 0) & (self.first_known[np.maximum(found, 0)] > as_of))
        first = self.start[found[waiting]]
        for width, least in reversed(self._least_behind() if len(waiting) else []):
            here = found[waiting]
            leaps = (here >= first) & (least[np.maximum(here, 0)] > as_of[waiting])
            found[waiting] = np.where(leaps, here - width, here)
        found[waiting] = np.where(found[waiting] < first, -1, found[waiting])
        return found

    def _least_behind(self) -> list[tuple[int, Ints]]:
        """Pairs of a width 2**j and, for each group, the least first known-at of that many groups up to it."""
        levels = [(1, self.first_known)]
        width = 1
        longest = int((np.arange(len(self.start)) - self.start).max()) + 1
        while width < longest:
            least = levels[-1][1]
            wider = least.copy()
            wider[width:] = np.minimum(least[width:], least[:-width])
            width *= 2
            levels.append((width, wider))
        return levels
