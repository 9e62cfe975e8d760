"""Expressions that are true of the rows that fail: ranges, lengths, patterns, sets, multiples, items.

Each takes the value as an expression and its type, so that the same words ask a column, a member of an object and the
items of a list. What is null is unknown, and unknown is no failure: only a rule about nulls fails on one. NaN is outside of
every range and of every set that does not name it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import UTC, date, datetime, time
from typing import Any

import polars as pl
from polars.exceptions import PolarsError

from treadle.systems.prepare.errors import RuleRefused
from treadle.wire.odcs import TypeOptions

FORMATS = {
    "uuid": r"^[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}$",
    "email": r"^[^@\s]+@[^@\s]+\.[^@\s]+$",
    "ipv4": r"^(?:(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)(?:\.|$)){4}$",
    "ipv6": r"^[0-9a-fA-F:.]*:[0-9a-fA-F:.]*$",
    "hostname": r"^[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?(\.[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?)*$",
    "uri": r"^[a-zA-Z][a-zA-Z0-9+.-]*:\S+$",
    "date": r"^\d{4}-\d\d-\d\d$",
    "date-time": r"^\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d(:\d\d(\.\d+)?)?([Zz]|[+-]\d\d:?\d\d)?$",
}
"""What the well-known formats of text look like; of another format nothing is asked."""

_WIDTHS: dict[str, pl.DataType] = {
    "i8": pl.Int8(), "i16": pl.Int16(), "i32": pl.Int32(), "i64": pl.Int64(), "i128": pl.Int128(),
    "u8": pl.UInt8(), "u16": pl.UInt16(), "u32": pl.UInt32(), "u64": pl.UInt64(),
}  # fmt: skip

_SLACK = 1e-9


def outside(value: pl.Expr, dtype: pl.DataType, options: TypeOptions, name: str) -> pl.Expr | None:
    """Whether the value is beyond its bounds; None when there are none. Raises RuleRefused for bounds of another type."""
    low, high = options.minimum, options.maximum
    strict_low, strict_high = options.exclusive_minimum is True, options.exclusive_maximum is True
    found = [_below(value, dtype, low, name, strict_low), _above(value, dtype, high, name, strict_high)]
    if not isinstance(options.exclusive_minimum, bool):
        found.append(_below(value, dtype, options.exclusive_minimum, name, True))
    if not isinstance(options.exclusive_maximum, bool):
        found.append(_above(value, dtype, options.exclusive_maximum, name, True))
    if options.format in _WIDTHS and dtype.is_integer():
        width = _WIDTHS[options.format]
        found += [_below(value, dtype, _least(width), name, False), _above(value, dtype, _greatest(width), name, False)]
    given = [condition for condition in found if condition is not None]
    if not given:
        return None
    answer = given[0]
    for condition in given[1:]:
        answer = answer | condition
    # Polars orders NaN above all numbers, so an upper bound finds it
    has_upper = found[1] is not None or (len(found) > 3 and found[3] is not None)
    return answer if has_upper or not dtype.is_float() else answer | value.is_nan()


def _below(value: pl.Expr, dtype: pl.DataType, bound: Any, name: str, strict: bool) -> pl.Expr | None:
    if bound is None:
        return None
    if dtype.is_integer():
        number = _number(bound, name)
        least = math.floor(number) + 1 if strict else math.ceil(number)
        return None if least <= _least(dtype) else value < _whole(least, dtype, beyond=True)
    literal = _literal(bound, dtype, name)
    return value <= literal if strict else value < literal


def _above(value: pl.Expr, dtype: pl.DataType, bound: Any, name: str, strict: bool) -> pl.Expr | None:
    if bound is None:
        return None
    if dtype.is_integer():
        number = _number(bound, name)
        greatest = math.ceil(number) - 1 if strict else math.floor(number)
        return None if greatest >= _greatest(dtype) else value > _whole(greatest, dtype, beyond=False)
    literal = _literal(bound, dtype, name)
    return value >= literal if strict else value > literal


def _whole(bound: int, dtype: pl.DataType, *, beyond: bool) -> pl.Expr:
    """The bound in the column's own type; one that lies beyond the type is beyond every value."""
    if beyond and bound > _greatest(dtype):
        return pl.lit(float("inf"))
    if not beyond and bound < _least(dtype):
        return pl.lit(float("-inf"))
    return pl.lit(bound, dtype=dtype)


def _number(bound: Any, name: str) -> int | float:
    try:
        return bound if isinstance(bound, int | float) else float(bound)
    except ValueError as error:
        raise RuleRefused(f"{name}: the bound {bound!r} is no number.", column=name) from error


def _least(dtype: pl.DataType) -> int:
    return int(pl.select(dtype.min()).item())  # type: ignore[attr-defined]


def _greatest(dtype: pl.DataType) -> int:
    return int(pl.select(dtype.max()).item())  # type: ignore[attr-defined]


def _literal(bound: Any, dtype: pl.DataType, name: str) -> pl.Expr:
    if dtype.is_numeric():
        return pl.lit(float(_number(bound, name)))
    text = str(bound)
    try:
        if dtype == pl.Time:
            return pl.lit(time.fromisoformat(text))
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise RuleRefused(f"{name}: the bound {bound!r} is no time, such as 2013-01-01.", column=name) from error
    if dtype == pl.Date:
        return pl.lit(moment.date())
    if not isinstance(dtype, pl.Datetime):
        raise RuleRefused(f"{name}: values of type {dtype} have no order with {bound!r}.", column=name)
    if dtype.time_zone is None:
        return pl.lit(moment.replace(tzinfo=None), dtype=pl.Datetime(dtype.time_unit))
    literal = pl.lit(moment.replace(tzinfo=None), dtype=pl.Datetime(dtype.time_unit))
    zone = str(moment.tzinfo) if moment.tzinfo else dtype.time_zone
    if moment.tzinfo is not None:
        literal = pl.lit(moment.astimezone(UTC).replace(tzinfo=None), dtype=pl.Datetime(dtype.time_unit))
        zone = "UTC"
    return literal.dt.replace_time_zone(zone).dt.convert_time_zone(dtype.time_zone)


def range_text(name: str, options: TypeOptions) -> str:
    """The bounds in words."""
    low = options.minimum if options.minimum is not None else options.exclusive_minimum
    high = options.maximum if options.maximum is not None else options.exclusive_maximum
    if isinstance(low, bool) or isinstance(high, bool) or (low is None and high is None):
        return f"{name} fits in {options.format}" if options.format in _WIDTHS else f"{name} is within its bounds"
    above = "above" if options.minimum is None or options.exclusive_minimum is True else "at least"
    below = "below" if options.maximum is None or options.exclusive_maximum is True else "at most"
    if high is None:
        return f"{name} is {above} {low}"
    if low is None:
        return f"{name} is {below} {high}"
    if (above, below) == ("at least", "at most"):
        return f"{name} is from {low} to {high}"
    return f"{name} is {above} {low} and {below} {high}"


def among(value: pl.Expr, dtype: pl.DataType, values: Sequence[Any], name: str) -> pl.Expr:
    """Whether the value is one of these. Raises RuleRefused for values of another type."""
    wanted = [_in_type(item, dtype) for item in values if item is not None]
    try:
        series = pl.Series(wanted, dtype=dtype, strict=True) if wanted else pl.Series([], dtype=dtype)
    except (PolarsError, TypeError, OverflowError) as error:
        raise RuleRefused(
            f"{name}: the values {list(values)[:5]!r} are not of the column's type {dtype}.", column=name
        ) from error
    return value.is_in(series.implode())


def _in_type(item: Any, dtype: pl.DataType) -> Any:
    """What YAML gives as text or number, as the column's type has it; what does not fit is left to fail."""
    if isinstance(item, str) and dtype.is_temporal():
        try:
            moment = datetime.fromisoformat(item)
        except ValueError:
            return item
        return moment.date() if dtype == pl.Date else moment
    if dtype.is_float() and isinstance(item, int) and not isinstance(item, bool):
        return float(item)
    if dtype.is_integer() and isinstance(item, float) and item.is_integer():
        return int(item)
    if isinstance(item, str) and dtype.is_numeric():
        try:
            return float(item) if dtype.is_float() else int(item)
        except ValueError:
            return item
    if dtype == pl.String and isinstance(item, int | float) and not isinstance(item, bool):
        return str(item)
    return item.isoformat() if dtype == pl.String and isinstance(item, date) else item


def unlike(value: pl.Expr, dtype: pl.DataType, pattern: str, name: str) -> pl.Expr:
    """Whether the pattern is nowhere in the value's text. Raises RuleRefused for a pattern of another kind."""
    try:
        pl.Series([""]).str.contains(pattern)
    except PolarsError as error:
        raise RuleRefused(
            f"{name}: the pattern {pattern!r} cannot be matched.",
            why="Look-around and back-references are not supported: they can take exponential time.",
            fix="Write it without them.",
            column=name,
        ) from error
    text = value if dtype == pl.String else value.cast(pl.String)
    return ~text.str.contains(pattern)


def wrong_length(value: pl.Expr, options: TypeOptions) -> pl.Expr | None:
    """Whether a text has too few or too many characters; None when nothing is asked."""
    length = value.str.len_chars()
    low, high = options.min_length, options.max_length
    if low is not None and high is not None:
        return ~length.is_between(low, high)
    if low is not None:
        return length < low
    return None if high is None else length > high


def length_text(name: str, options: TypeOptions) -> str:
    """The bounds of a length in words."""
    low, high = options.min_length, options.max_length
    if low is not None and high is not None:
        return f"{name} has {low} characters" if low == high else f"{name} has {low} to {high} characters"
    return f"{name} has at least {low} characters" if low is not None else f"{name} has at most {high} characters"


def no_multiple(value: pl.Expr, dtype: pl.DataType, step: float) -> pl.Expr:
    """Whether a number is no multiple of the step; of fractions, beyond what rounding explains."""
    if dtype.is_integer() and float(step).is_integer():
        return value % int(step) != 0
    rest = value / step
    return ((rest - rest.round()).abs() > _SLACK) | ~rest.is_finite()


def wrong_items(value: pl.Expr, options: TypeOptions) -> pl.Expr | None:
    """Whether a list has too few or too many items, or one of them twice."""
    items = value.list.len()
    bounds = [items < options.min_items] if options.min_items is not None else []
    bounds += [items > options.max_items] if options.max_items is not None else []
    bounds += [value.list.n_unique() < items] if options.unique_items else []
    return pl.any_horizontal(bounds) if bounds else None
