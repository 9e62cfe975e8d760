"""Windows: which outcomes an aggregate looks back on, and what it makes of them.

"The carrier's late rate over the last week, as of two hours before departure" may only count flights that had landed
and were reported by that moment. Every window holds only outcomes that have happened and are known by the moment that
asks, and of corrected ones the version known then. Which of these it holds is its shape:

rolling    `days=7`: those of the last seven days, `event_at > t - span`.
tiled      `days=7, tile=timedelta(hours=1)`: the same, with edges that move once an hour. With `edge="closed"` (the
           default) the answer is that of the last tile's end: constant within a tile, so that it can be kept ready.
           With `edge="open"` outcomes enter at once, and only the far edge moves by tiles. On the edge of a tile,
           rolling and both tiled windows agree. Tiles are aligned to 1970-01-01 UTC.
last       `last=5`: the newest five.
session    `session=timedelta(minutes=30)`: those of the newest session that is known to be over. A session ends with a
           pause of that length, and is known to be over once the pause has passed and so has the time by which
           outcomes may come late (`lateness`, or the view's own known-at delay).

How long each outcome is held is the matter of `lives.py`; the sums are in `summing.py`, the rest in `ranging.py`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Literal, TypedDict, Unpack

import polars as pl

from treadle.systems.features.columns import FARTHEST, micros
from treadle.systems.features.errors import InvalidFeatureView

Aggregate = Literal["count", "sum", "mean", "rate", "min", "max", "std", "distinct", "quantile", "values", "duration"]
Edge = Literal["closed", "open"]

MOST_VALUES = 1_000
"""Values that one list may hold."""


class Shape(TypedDict, total=False):
    """Which outcomes: a time (days, hours, minutes; perhaps with tile and edge), or last, or session; and a condition."""

    days: float
    hours: float
    minutes: float
    tile: timedelta
    edge: Edge
    last: int
    session: timedelta
    lateness: timedelta
    where: pl.Expr


@dataclass(frozen=True, slots=True)
class Window:
    """An aggregate over the outcomes of a shape. Made by `count`, `total`, `mean` and the other functions below.

    where: a row-wise condition; only rows for which it is true are outcomes. Null values are no outcomes, but to count.
    Over no outcomes at all count, sum and distinct are 0, the others are null. A value that is NaN or infinite makes
    sum, mean, std, min, max and quantile of the windows that hold it NaN.
    """

    aggregate: Aggregate
    value: pl.Expr | None
    span: timedelta | None
    last: int | None
    where: pl.Expr | None
    tile: timedelta | None = None
    edge: Edge = "closed"
    session: timedelta | None = None
    lateness: timedelta | None = None
    q: float | None = None


def count(**shape: Unpack[Shape]) -> Window:
    """How many outcomes there were (Int64)."""
    return _window("count", None, shape)


def total(value: str | pl.Expr, **shape: Unpack[Shape]) -> Window:
    """The sum of a number over the outcomes (Float64)."""
    return _window("sum", value, shape)


def mean(value: str | pl.Expr, **shape: Unpack[Shape]) -> Window:
    """The mean of a number over the outcomes (Float64)."""
    return _window("mean", value, shape)


def rate(value: str | pl.Expr, **shape: Unpack[Shape]) -> Window:
    """The share of outcomes for which a boolean is true (Float64, 0 to 1)."""
    return _window("rate", value, shape)


def least(value: str | pl.Expr, **shape: Unpack[Shape]) -> Window:
    """The least number, date or time among the outcomes, in its own type."""
    return _window("min", value, shape)


def greatest(value: str | pl.Expr, **shape: Unpack[Shape]) -> Window:
    """The greatest number, date or time among the outcomes, in its own type."""
    return _window("max", value, shape)


def std(value: str | pl.Expr, **shape: Unpack[Shape]) -> Window:
    """The standard deviation of a sample (Float64; divided by n - 1, null below two values).

    Values beyond 1e140 count as not finite, since their squares are.
    """
    return _window("std", value, shape)


def distinct(value: str | pl.Expr, **shape: Unpack[Shape]) -> Window:
    """How many different values there were (Int64), exactly."""
    return _window("distinct", value, shape)


def quantile(value: str | pl.Expr, q: float, **shape: Unpack[Shape]) -> Window:
    """The value below which a share q of the outcomes lies (Float64), exactly, with linear interpolation.

    Costs as much as there are pairs of an entity and an outcome that its window holds; so does `values`.
    """
    if not 0 <= q <= 1:
        raise InvalidFeatureView(f"q={q} is no quantile.", fix="Give a share between 0 and 1; 0.5 is the median.")
    return _window("quantile", value, shape, q)


def values(value: str | pl.Expr, *, last: int, where: pl.Expr | None = None) -> Window:
    """The newest values as a list, the newest first; nulls stay in it."""
    if last > MOST_VALUES:
        raise InvalidFeatureView(
            f"A list of the last {last} values is longer than {MOST_VALUES}.", fix="Ask for fewer."
        )
    return _window("values", value, Shape(last=last) if where is None else Shape(last=last, where=where))


def duration(*, session: timedelta, lateness: timedelta | None = None, where: pl.Expr | None = None) -> Window:
    """Seconds from the first to the last outcome of the newest session that is known to be over (Float64)."""
    shape = Shape(session=session)
    if lateness is not None:
        shape["lateness"] = lateness
    if where is not None:
        shape["where"] = where
    return _window("duration", None, shape)


def _window(aggregate: Aggregate, value: str | pl.Expr | None, shape: Shape, q: float | None = None) -> Window:
    unknown = set(shape) - set(Shape.__annotations__)
    if unknown:
        raise TypeError(f"a window knows no {', '.join(sorted(unknown))}; it knows {', '.join(Shape.__annotations__)}")
    span = timedelta(days=shape.get("days", 0), hours=shape.get("hours", 0), minutes=shape.get("minutes", 0))
    last, session, tile = shape.get("last"), shape.get("session"), shape.get("tile")
    _check_one_length(span, last, session)
    _check_tile(span, tile, "edge" in shape)
    lateness = shape.get("lateness")
    if lateness is not None and (session is None or lateness < timedelta(0)):
        raise InvalidFeatureView(
            "Only a session has a lateness, and it is not negative.", fix="Leave it out, or give session= with it."
        )
    return Window(
        aggregate=aggregate,
        value=pl.col(value) if isinstance(value, str) else value,
        span=span or None,
        last=last,
        where=shape.get("where"),
        tile=tile,
        edge=shape.get("edge", "closed"),
        session=session,
        lateness=lateness,
        q=q,
    )


def _check_one_length(span: timedelta, last: int | None, session: timedelta | None) -> None:
    given = [what for what, is_given in (("a time", bool(span)), ("last", last is not None), ("session", session is not None)) if is_given]  # fmt: skip
    if len(given) != 1:
        raise InvalidFeatureView(
            f"A window has one length, and this one says {' and '.join(given) if given else 'none'}.",
            fix="Give a time (days, hours, minutes), or last=n for the last n outcomes, or session= for a pause.",
        )
    if last is not None and last < 1:
        raise InvalidFeatureView(f"last={last} is no window.", fix="Give 1 or more.")
    for length in (span or None, session):
        if length is not None and (length < timedelta(0) or micros(length) > FARTHEST):
            raise InvalidFeatureView(f"A window of {length} has no length.", fix="Give one above zero.")


def _check_tile(span: timedelta, tile: timedelta | None, has_edge: bool) -> None:
    if tile is None:
        if has_edge:
            raise InvalidFeatureView(
                "An edge is the edge of tiles, and the window has none.", fix="Give tile= with it."
            )
        return
    if tile <= timedelta(0) or span <= timedelta(0) or span % tile:
        raise InvalidFeatureView(
            f"A window of {span} cannot be laid with tiles of {tile}.",
            fix="Give a time (days, hours, minutes) that is a whole number of tiles.",
        )
