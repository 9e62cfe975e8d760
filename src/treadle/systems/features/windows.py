"""Rolling aggregates over outcomes that were known by then.

"The carrier's late rate over the last week, as of two hours before departure" may only count flights that had landed
and were reported by that moment. So an outcome belongs to the window of moment t when `event_at > t - span`,
`event_at <= t` and `known_at <= t`. Each outcome therefore counts during one stretch of moments: it lives

    from  usable_at = max(event_at, known_at)          (it has happened, and we know it)
    until event_at + span                              (it has left the window)
          or the moment when a correction of the same event is known, if that is earlier.

A rolling aggregate is then a running sum along these moments, plus at birth and minus at death: sorted once, summed
exactly (`exact.py`), read by one as-of join. "The last n events" are lives as well: an outcome dies when n newer ones
are known. The result for an entity depends on the rows and its moment, never on the other entities of the batch.
"""

from __future__ import annotations

import bisect
import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Literal

import numpy as np
import polars as pl

from treadle.systems.features import exact
from treadle.systems.features.columns import FARTHEST, micros
from treadle.systems.features.errors import InvalidFeatureView

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from treadle.systems.features.exact import Ints

    Bools = NDArray[np.bool_]

Aggregate = Literal["count", "sum", "mean", "rate"]
FOREVER = np.iinfo(np.int64).max


@dataclass(frozen=True, slots=True)
class Window:
    """An aggregate over the outcomes of the last `span`, or of the last `last` events, that were known by then.

    Made by `count`, `total`, `mean` and `rate`. where: a row-wise condition; only rows for which it is true are
    outcomes. Null values are no outcomes to sum, mean and rate. Over no outcomes at all count and sum are 0, mean and
    rate are null. A value that is NaN or infinite makes the windows that hold it NaN.
    """

    aggregate: Aggregate
    value: pl.Expr | None
    span: timedelta | None
    last: int | None
    where: pl.Expr | None


def count(
    *, days: float = 0, hours: float = 0, minutes: float = 0, last: int | None = None, where: pl.Expr | None = None
) -> Window:
    """How many outcomes there were (Int64)."""
    return Window("count", None, _span(days, hours, minutes, last), last, where)


def total(
    value: str | pl.Expr, *, days: float = 0, hours: float = 0, minutes: float = 0, last: int | None = None,
    where: pl.Expr | None = None,
) -> Window:  # fmt: skip
    """The sum of a number over the outcomes (Float64)."""
    return Window("sum", _expression(value), _span(days, hours, minutes, last), last, where)


def mean(
    value: str | pl.Expr, *, days: float = 0, hours: float = 0, minutes: float = 0, last: int | None = None,
    where: pl.Expr | None = None,
) -> Window:  # fmt: skip
    """The mean of a number over the outcomes (Float64)."""
    return Window("mean", _expression(value), _span(days, hours, minutes, last), last, where)


def rate(
    value: str | pl.Expr, *, days: float = 0, hours: float = 0, minutes: float = 0, last: int | None = None,
    where: pl.Expr | None = None,
) -> Window:  # fmt: skip
    """The share of outcomes for which a boolean is true (Float64, 0 to 1)."""
    return Window("rate", _expression(value), _span(days, hours, minutes, last), last, where)


def _expression(value: str | pl.Expr) -> pl.Expr:
    return pl.col(value) if isinstance(value, str) else value


def _span(days: float, hours: float, minutes: float, last: int | None) -> timedelta | None:
    span = timedelta(days=days, hours=hours, minutes=minutes)
    if last is not None:
        if span or last < 1:
            raise InvalidFeatureView(
                f"A window over the last {last} events cannot also say a time."
                if span
                else f"last={last} is no window.",
                fix="Give either a time (days, hours, minutes) or last=n with n of 1 or more.",
            )
        return None
    if not timedelta(0) < span or micros(span) > FARTHEST:
        raise InvalidFeatureView(
            "A window needs a length above zero.", fix="Give days, hours or minutes, or last=n for the last n events."
        )
    return span


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

    def at(self, places: Ints) -> Outcomes:
        """The outcomes at some places."""
        parts = (self.key, self.event_at, self.known_at, self.landed, self.superseded_at, self.row)
        return Outcomes(*(part[places] for part in parts))


@dataclass(frozen=True, slots=True)
class Lives:
    """Stretches of moments, `[born, dies)`, during which an outcome counts. One outcome may have several."""

    place: Ints
    """Position among the outcomes."""
    born: Ints
    dies: Ints


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

    counts: which outcomes fulfil the window's `where`; all when None. Leaving the others out changes no answer. For the last n events an outcome is out when n newer ones were known at
    `first` and none of these is corrected before `last`, since then it cannot come back.
    """
    born = np.maximum(outcomes.event_at, outcomes.known_at)
    dies = outcomes.superseded_at
    if window.span is not None:
        dies = np.minimum(dies, outcomes.event_at + micros(window.span))
    alive = (born <= last) & (dies > first) & (born < dies)
    places = np.flatnonzero(alive if counts is None else alive & counts)
    if window.last is None:
        return places
    order = places[np.lexsort((outcomes.landed[places], outcomes.event_at[places], outcomes.key[places]))]
    lasting = ((born[order] <= first) & (dies[order] > last)).astype(np.int64)
    from_here = np.cumsum(lasting[::-1])[::-1]  # lasting ones here and later, in this key and in those after it
    past = np.searchsorted(outcomes.key[order], outcomes.key[order], side="right")
    newer = from_here - lasting - np.append(from_here, 0)[past]
    return np.sort(order[newer < window.last])


def lives(outcomes: Outcomes, window: Window) -> Lives:
    """When each outcome is in the window as of a moment; outcomes that never are do not appear.

    outcomes: those that fulfil the window's `where` (see `relevant`).
    """
    born = np.maximum(outcomes.event_at, outcomes.known_at)
    dies = outcomes.superseded_at
    if window.span is not None:
        dies = np.minimum(dies, outcomes.event_at + micros(window.span))
    place = np.flatnonzero(born < dies)
    if window.last is None:
        return Lives(place, born[place], dies[place])
    return _lives_of_last(outcomes, place, born, dies, window.last)


def _lives_of_last(outcomes: Outcomes, alive: Ints, born: Ints, dies: Ints, n: int) -> Lives:
    """Stretches during which an outcome is one of the newest n known of its key."""
    order = alive[np.lexsort((outcomes.landed[alive], outcomes.event_at[alive], outcomes.key[alive]))]
    key, starts = outcomes.key[order], born[order]
    edges = np.flatnonzero(np.r_[True, key[1:] != key[:-1], True]) if len(order) else np.zeros(1, np.int64)
    pieces: list[tuple[Ints, Ints, Ints]] = []
    in_turn = np.r_[starts[1:] >= starts[:-1], True] & (dies[order] == FOREVER)
    for first, past in itertools.pairwise(edges.tolist()):
        group = order[first:past]
        if bool(in_turn[first : past - 1].all()) and dies[group[-1]] == FOREVER:
            ends = np.full(len(group), FOREVER, np.int64)
            ends[:-n] = starts[first + n : past] if len(group) > n else ends[:-n]
            pieces.append((group, starts[first:past], ends))
        else:
            pieces.append(_sweep(group, born[group], dies[group], n))
    if not pieces:
        return Lives(*(np.zeros(0, np.int64) for _ in range(3)))
    place, began, ended = (np.concatenate([piece[part] for piece in pieces]) for part in range(3))
    lasting = began < ended
    return Lives(place[lasting], began[lasting], ended[lasting])


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


@dataclass(frozen=True, slots=True)
class Values:
    """What one window sums over the outcomes: arrays as long as the outcomes."""

    counted: Ints
    """1 where the outcome has a value, else 0."""
    broken: Ints
    """1 where the value is NaN or infinite, else 0."""
    digits: exact.Digits
    """The values as exact digits; zero where there is none."""


def values_of(series: pl.Series | None, window: Window, n: int) -> Values:
    """The values that a window sums. Raises InvalidFeatureView when they are no numbers, or no booleans for a rate."""
    if series is None:
        return Values(np.ones(n, np.int64), np.zeros(n, np.int64), exact.Digits((), ()))
    numeric = series.dtype.is_numeric() or series.dtype == pl.Boolean
    if (window.aggregate == "rate" and series.dtype != pl.Boolean) or not numeric:
        wanted = "a boolean" if window.aggregate == "rate" else "a number"
        raise InvalidFeatureView(
            f"A {window.aggregate} needs {wanted}, and {series.name!r} holds {series.dtype}.",
            fix="Give an expression instead of the column, such as pl.col('arr_delay') > 15 or pl.col('x').cast(float).",
        )
    present = series.is_not_null().to_numpy()
    floats = series.cast(pl.Float64).fill_null(0.0).to_numpy()
    broken = ~np.isfinite(floats)
    digits = exact.split(np.where(broken, 0.0, floats))
    return Values(present.astype(np.int64), broken.astype(np.int64), digits)


def aggregate(
    lifetimes: Lives,
    keys: Ints,
    questions: pl.DataFrame,
    asked: Sequence[tuple[str, Window, Values]],
) -> pl.DataFrame:
    """The windows' values as of each question, in the questions' order.

    keys: the outcomes' key numbers. questions: `key` (Int64, null for one that no row has) and `as_of` (Int64).
    asked: name, window and values, all over the same lifetimes.
    Cost: one sort of the lives and one as-of join, then two running sums a window.
    """
    steps = _steps(lifetimes, keys)
    place = lifetimes.place[np.abs(steps["life"].to_numpy()) - 1] if len(steps) else np.zeros(0, np.int64)
    sign = np.sign(steps["life"].to_numpy())
    step = _latest_step(steps, questions)
    names = [name for name, _, _ in asked]
    columns = [_answer(window, values, place, sign, step) for _, window, values in asked]
    return pl.DataFrame(dict(zip(names, columns, strict=True)))


def _steps(lifetimes: Lives, keys: Ints) -> pl.DataFrame:
    """Births and deaths along the moments of each key: `key`, `at`, and `life`, the 1-based life, negative for a death.

    Every life ends, if only at FOREVER, so that a running sum over all keys is back at zero where a key begins.
    """
    key = keys[lifetimes.place]
    number = np.arange(1, len(key) + 1)
    return pl.DataFrame(
        {
            "key": np.r_[key, key],
            "at": np.r_[lifetimes.born, lifetimes.dies],
            "life": np.r_[number, -number],
        }
    ).sort("key", "at")


def _latest_step(steps: pl.DataFrame, questions: pl.DataFrame) -> Ints:
    """For each question the position of the last step at or before it, -1 without one."""
    found = np.full(len(questions), -1, np.int64)
    if not len(steps):
        return found
    asked = questions.with_columns(place=pl.int_range(pl.len(), dtype=pl.Int64)).drop_nulls("key").sort("as_of")
    read = asked.join_asof(
        steps.select("key", "at", step=pl.int_range(pl.len(), dtype=pl.Int64)),
        left_on="as_of", right_on="at", by="key", strategy="backward", check_sortedness=False,
    ).drop_nulls("step")  # fmt: skip
    found[read["place"].to_numpy()] = read["step"].to_numpy()
    return found


def _answer(window: Window, values: Values, place: Ints, sign: Ints, step: Ints) -> pl.Series:
    counts = _running(values.counted, place, sign, step)
    if window.aggregate == "count":
        return pl.Series(counts)
    digits = exact.Digits(
        values.digits.positions, tuple(_running(column, place, sign, step) for column in values.digits.columns)
    )
    sums = exact.join(digits) if digits.columns else np.zeros(len(step))
    if values.broken.any():
        sums = np.where(_running(values.broken, place, sign, step) > 0, np.nan, sums)
    if window.aggregate == "sum":
        return pl.Series(sums)
    return pl.Series(np.divide(sums, counts, out=np.zeros(len(step)), where=counts > 0)).set(
        pl.Series(counts == 0), None
    )


def _running(amounts: Ints, place: Ints, sign: Ints, step: Ints) -> Ints:
    """The running sum of signed amounts, read at the given steps; 0 before the first (step -1)."""
    sums: Ints = np.append(np.cumsum(amounts[place] * sign), 0)
    read: Ints = sums[step]
    return read
