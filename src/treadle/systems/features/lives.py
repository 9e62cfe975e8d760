"""For how long each outcome is held by a window: its life.

An outcome belongs to a rolling window as of t when `event_at > t - span`, `event_at <= t` and `known_at <= t`. So it
counts during one stretch of moments: it lives

    from  usable_at = max(event_at, known_at)          (it has happened, and we know it)
    until event_at + span                              (it has left the window)
          or the moment when a correction of the same event is known, if that is earlier.

Every shape of window is a set of lives: tiles round the ends up to their edges, "the last n" ends a life when n newer
outcomes are known, a session begins its lives when it is known to be over. An aggregate as of t is then one over the
outcomes that are alive, whatever the shape; it depends on the rows and the moment, never on who else asks.
"""

from __future__ import annotations

import bisect
import itertools
from dataclasses import dataclass

import numpy as np

from treadle.systems.features.columns import micros
from treadle.systems.features.exact import Ints
from treadle.systems.features.timelines import Bools
from treadle.systems.features.windows import Window

FOREVER = np.iinfo(np.int64).max


@dataclass(frozen=True, slots=True)
class Outcomes:
    """Rows as the windows see them; arrays of one length."""

    key: Ints
    """A number for the entity key."""
    event_at: Ints
    known_at: Ints
    landed: Ints
    """Rises in landing order; decides between equal times."""
    superseded_at: Ints
    """The moment at which a correction of the same event is known; FOREVER without one (see `superseded_at`)."""
    row: Ints
    """Position among the rows of the snapshot."""

    def __len__(self) -> int:
        return len(self.key)

    def at(self, places: Ints) -> Outcomes:
        """The outcomes at some places."""
        parts = (self.key, self.event_at, self.known_at, self.landed, self.superseded_at, self.row)
        return Outcomes(*(part[places] for part in parts))

    @property
    def born(self) -> Ints:
        """The moments from which they can be used."""
        return np.maximum(self.event_at, self.known_at)


@dataclass(frozen=True, slots=True)
class Lives:
    """Stretches of moments, `[born, dies)`, during which an outcome counts. One outcome may have several."""

    place: Ints
    """Position among the outcomes."""
    born: Ints
    dies: Ints

    @classmethod
    def joined(cls, pieces: list[tuple[Ints, Ints, Ints]]) -> Lives:
        """Pieces of place, born and dies as one, without lives of no length."""
        if not pieces:
            return cls(*(np.zeros(0, np.int64) for _ in range(3)))
        place, born, dies = (np.concatenate([piece[part] for piece in pieces]) for part in range(3))
        lasting = born < dies
        return cls(place[lasting], born[lasting], dies[lasting])


def superseded_at(event: Ints, known_at: Ints, landed: Ints) -> Ints:
    """The moment at which the next version of the same event is known; FOREVER without one.

    event: a number for the event that a row speaks of.
    """
    until = np.full(len(known_at), FOREVER, np.int64)
    order = np.lexsort((landed, known_at, event))
    same = event[order][1:] == event[order][:-1]
    until[order[:-1][same]] = known_at[order[1:][same]]
    return until


def relevant(outcomes: Outcomes, window: Window, counts: Bools | None, first: int, last: int) -> Ints:
    """Places of the outcomes that can be in the window as of any moment from `first` to `last`: a few for a day's batch.

    counts: which outcomes fulfil the window's `where`; all when None. Leaving the others out changes no answer. For the
    last n an outcome is out when n newer ones were known at `first` and none of these is corrected before `last`, since
    then it cannot come back. A session may reach back as far as it likes, so nothing of its keys is left out but what
    is not known by `last`.
    """
    born, dies = outcomes.born, _dies(outcomes, window)
    alive = (born <= last) & (born < dies)
    if window.session is None:
        alive &= dies > first
    places = np.flatnonzero(alive if counts is None else alive & counts)
    if window.last is None:
        return places
    order = places[np.lexsort((outcomes.landed[places], outcomes.event_at[places], outcomes.key[places]))]
    lasting = ((born[order] <= first) & (dies[order] > last)).astype(np.int64)
    from_here = np.cumsum(lasting[::-1])[::-1]  # lasting ones here and later, in this key and in those after it
    past = np.searchsorted(outcomes.key[order], outcomes.key[order], side="right")
    newer = from_here - lasting - np.append(from_here, 0)[past]
    return np.sort(order[newer < window.last])


def lives(outcomes: Outcomes, window: Window, lateness: int = 0) -> Lives:
    """When each outcome is in the window as of a moment; outcomes that never are do not appear.

    outcomes: those that fulfil the window's `where` (see `relevant`). lateness: microseconds by which outcomes of a
    session may be known after they happen.
    """
    born, dies = outcomes.born, _dies(outcomes, window)
    place = np.flatnonzero(born < dies)
    if window.session is not None:
        return _lives_of_sessions(outcomes, place, micros(window.session), lateness)
    if window.last is not None:
        return _lives_of_last(outcomes, place, born, dies, window.last)
    if window.tile is not None and window.edge == "closed":
        born = _edge_after(born, micros(window.tile))
    return Lives.joined([(place, born[place], dies[place])])


def _dies(outcomes: Outcomes, window: Window) -> Ints:
    """The end of each life, as far as it does not depend on other outcomes than its corrections."""
    if window.span is None:
        return outcomes.superseded_at
    leaves = outcomes.event_at + micros(window.span)
    if window.tile is None:
        return np.minimum(outcomes.superseded_at, leaves)
    tile = micros(window.tile)
    ends = np.minimum(outcomes.superseded_at, _edge_after(leaves, tile))
    return _edge_after(ends, tile) if window.edge == "closed" else ends


def _edge_after(times: Ints, tile: int) -> Ints:
    """The first edge of a tile at or after each moment."""
    edges: Ints = -(-times // tile) * tile
    return edges


def _lives_of_last(outcomes: Outcomes, alive: Ints, born: Ints, dies: Ints, n: int) -> Lives:
    """Stretches during which an outcome is one of the newest n known of its key."""
    order = alive[np.lexsort((outcomes.landed[alive], outcomes.event_at[alive], outcomes.key[alive]))]
    key, starts = outcomes.key[order], born[order]
    if not len(order):
        return Lives.joined([])
    last_of_key = np.r_[key[1:] != key[:-1], True]
    in_turn = (last_of_key | np.r_[starts[1:] >= starts[:-1], True]) & (dies[order] == FOREVER)
    is_plain = _all_of_key(in_turn, last_of_key)
    ends = np.full(len(order), FOREVER, np.int64)
    nth = np.minimum(np.arange(len(order)) + n, len(order) - 1)
    pushed = (key[nth] == key) & (np.arange(len(order)) + n < len(order))
    ends[pushed] = starts[nth[pushed]]
    pieces = [(order[is_plain], starts[is_plain], ends[is_plain])]
    rest = order[~is_plain]
    pieces += [_sweep(group, born[group], dies[group], n) for group in _by_key(outcomes.key, rest)]
    return Lives.joined(pieces)


def _all_of_key(holds: Bools, last_of_key: Bools) -> Bools:
    """For each outcome, in order of keys, whether something holds for all outcomes of its key."""
    firsts = np.flatnonzero(np.r_[True, last_of_key[:-1]])
    sizes = np.diff(np.r_[firsts, len(holds)])
    return np.repeat(np.logical_and.reduceat(holds, firsts), sizes)


def _by_key(keys: Ints, order: Ints) -> list[Ints]:
    """Places in order of keys, one piece a key."""
    if not len(order):
        return []
    key = keys[order]
    return np.split(order, np.flatnonzero(key[1:] != key[:-1]) + 1)


def _sweep(group: Ints, born: Ints, dies: Ints, n: int) -> tuple[Ints, Ints, Ints]:
    """The stretches of one key whose outcomes came out of turn or were corrected: a walk along the moments.

    group: the key's outcomes from the oldest event to the newest. Cost: O(m log m) plus m list insertions.
    """
    known: list[int] = []  # ranks within the group, oldest event first; the last n of them count
    since: dict[int, int] = {}
    done: list[tuple[int, int, int]] = []
    acts = [(moment, 1, rank) for rank, moment in enumerate(born.tolist())]
    acts += [(moment, 0, rank) for rank, moment in enumerate(dies.tolist()) if moment != FOREVER]
    for moment, enters, rank in sorted(acts):
        at = bisect.bisect_left(known, rank)
        counted = len(known) - at <= n if not enters else len(known) - at < n
        if enters:
            known.insert(at, rank)
            if counted:
                since[rank] = moment
                if len(known) > n:
                    pushed = known[-n - 1]
                    done.append((pushed, since.pop(pushed), moment))
        else:
            known.pop(at)
            if counted:
                done.append((rank, since.pop(rank), moment))
                if len(known) >= n:
                    since[known[-n]] = moment
    done += [(rank, moment, FOREVER) for rank, moment in since.items()]
    ranks, starts, ends = np.array(done, np.int64).reshape(-1, 3).T
    return group[ranks], starts, ends


def _lives_of_sessions(outcomes: Outcomes, alive: Ints, gap: int, lateness: int) -> Lives:
    """Stretches during which an outcome belongs to the newest session of its key that is known to be over.

    Where nothing is corrected and everything is known within the lateness, a session that is over stays as it is, and
    all its outcomes live from its close until that of the next. The other keys are walked, moment by moment.
    """
    order = alive[np.lexsort((outcomes.landed[alive], outcomes.event_at[alive], outcomes.key[alive]))]
    if not len(order):
        return Lives.joined([])
    key, event = outcomes.key[order], outcomes.event_at[order]
    last_of_key = np.r_[key[1:] != key[:-1], True]
    in_time = (outcomes.known_at[order] - event <= lateness) & (outcomes.superseded_at[order] == FOREVER)
    is_plain = _all_of_key(in_time, last_of_key)
    ends_session = last_of_key | np.r_[event[1:] - event[:-1] >= gap, True]
    session = np.r_[0, np.cumsum(ends_session[:-1])]
    closes = event[ends_session] + gap + lateness
    next_closes = np.where(last_of_key[ends_session], FOREVER, np.r_[closes[1:], FOREVER])
    pieces = [(order[is_plain], closes[session][is_plain], next_closes[session][is_plain])]
    for group in _by_key(outcomes.key, order[~is_plain]):
        pieces += _walk_sessions(outcomes, group, gap, lateness)
    return Lives.joined(pieces)


def _walk_sessions(outcomes: Outcomes, group: Ints, gap: int, lateness: int) -> list[tuple[Ints, Ints, Ints]]:
    """The stretches of one key whose sessions change after the fact. Cost: O(m) for each moment of a change.

    group: the key's outcomes from the oldest event to the newest.
    """
    born, dies = outcomes.born[group], outcomes.superseded_at[group]
    changes = np.unique(np.r_[born, dies[dies != FOREVER]])
    pieces = []
    for start, end in itertools.pairwise([*changes.tolist(), FOREVER]):
        known = group[(born <= start) & (dies > start)]
        if not len(known):
            continue
        event = outcomes.event_at[known]
        ends_session = np.r_[event[1:] - event[:-1] >= gap, True]
        session = np.r_[0, np.cumsum(ends_session[:-1])]
        closes = event[ends_session] + gap + lateness
        begins = np.maximum(closes, start)
        stops = np.minimum(np.r_[closes[1:], FOREVER], end)
        seen = (begins < stops)[session]
        pieces.append((known[seen], begins[session][seen], stops[session][seen]))
    return pieces
