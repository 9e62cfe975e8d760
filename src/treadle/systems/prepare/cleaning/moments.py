"""Dates and moments out of text and clock times: formats, zones, and the hours that a clock shows twice or never."""

from __future__ import annotations

import zoneinfo
from datetime import timedelta

import polars as pl

from treadle.systems.prepare.cleaning.steps import Time
from treadle.systems.prepare.errors import CleaningRefused

_ISO = ("%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%dT%H:%M", "%Y-%m-%d %H:%M", "%Y-%m-%d")
_ISO_ZONED = r"(?:Z|[+-]\d{2}:?\d{2})$"
_FAR = timedelta(days=1)
"""Far enough from a change of the clocks that the local time beside it is certain: no place changes twice in two days."""


def moments(step: Time, name: str, dtype: pl.DataType) -> tuple[pl.Expr, pl.Expr]:
    """What each value becomes (a date, or a moment in UTC), and which values cannot be read.

    Text without a zone of its own is a time of the clock in `zone`. Without `zone` it is unfit, since nobody can say which
    moment it means; a date needs none. Raises CleaningRefused.
    """
    column = pl.col(name)
    if isinstance(dtype, pl.Datetime) and dtype.time_zone is not None:
        value = column.dt.convert_time_zone("UTC")
        value = value.dt.cast_time_unit("us")
        return (
            value if step.to == "timestamp" else value.dt.convert_time_zone(_zone(step) or "UTC").dt.date()
        ), pl.lit(False)
    if dtype == pl.Date and step.to == "date":
        return column, pl.lit(False)
    if dtype.is_numeric() and step.unit is not None:
        moment = _counted(column, dtype, step.unit)
        value = moment if step.to == "timestamp" else moment.dt.convert_time_zone(_zone(step) or "UTC").dt.date()
        return value, column.is_not_null() & moment.is_null()
    if dtype == pl.String:
        clock, exact = _read(step, column)
    elif isinstance(dtype, (pl.Datetime, pl.Date)):
        clock, exact = column.cast(pl.Datetime("us")), None
    elif isinstance(dtype, pl.Null):
        return pl.lit(None, pl.Date if step.to == "date" else pl.Datetime("us", "UTC")), pl.lit(False)
    else:
        raise CleaningRefused(
            f"{name}: a column of {dtype} holds no times.",
            fix="Say what its numbers count since 1970, such as unit: s."
            if dtype.is_numeric()
            else "Cast it to text first.",
            column=name,
        )
    if step.to == "date":
        day = clock.dt.date() if exact is None else pl.coalesce(_day_of(step, exact), clock.dt.date())
        return day, column.is_not_null() & day.is_null()
    zone = _zone(step)
    placed, decided = _placed(step, clock, zone) if zone else (pl.lit(None, pl.Datetime("us", "UTC")), pl.lit(False))
    value = placed if exact is None else pl.coalesce(exact, placed)
    return value, column.is_not_null() & value.is_null() & ~decided


def _counted(column: pl.Expr, dtype: pl.DataType, unit: str) -> pl.Expr:
    """The moments that numbers count since 1970; null beyond the years 1 to 9999, and of what is no number.

    Whole numbers are exact; of others the nearest microsecond, which a float64 of seconds tells apart until the year 2255.
    """
    per_us = {"s": 1_000_000, "ms": 1_000, "us": 1}
    first, last = -62_135_596_800_000_000, 253_402_300_799_999_999
    if unit == "ns":
        ticks = column // 1_000 if dtype.is_integer() else (column / 1_000).round()
        inside = ticks.is_between(first, last)
    else:
        factor = per_us[unit]
        inside = column.is_between(first / factor, last / factor)
        held = pl.when(inside).then(column)
        ticks = held.cast(pl.Int64) * factor if dtype.is_integer() else (held * factor).round()
    whole = pl.when(inside).then(ticks).cast(pl.Int64, strict=False)
    return whole.cast(pl.Datetime("us")).dt.replace_time_zone("UTC")


def _read(step: Time, column: pl.Expr) -> tuple[pl.Expr, pl.Expr]:
    """(times of the clock, moments that name their own zone) out of text."""
    text = column.str.strip_chars()
    plain = [one for one in step.formats or _ISO if "%z" not in one and "%:z" not in one and "%Z" not in one]
    zoned = [one for one in step.formats if one not in plain]
    clock = [_parsed(text, one) for one in plain]
    exact = [text.str.to_datetime(one, time_unit="us", time_zone="UTC", strict=False) for one in zoned]
    if not step.formats:
        iso = pl.when(text.str.contains(_ISO_ZONED)).then(text.str.replace(" ", "T", literal=True))
        exact.append(iso.str.to_datetime("%+", time_unit="us", time_zone="UTC", strict=False))
    none = pl.lit(None, pl.Datetime("us"))
    return pl.coalesce(clock or [none]), pl.coalesce(exact or [none.dt.replace_time_zone("UTC")])


def _parsed(text: pl.Expr, form: str) -> pl.Expr:
    if any(mark in form for mark in ("%H", "%I", "%T", "%R", "%s", "%r", "%c", "%X")):
        return text.str.to_datetime(form, time_unit="us", strict=False)
    return text.str.to_date(form, strict=False).cast(pl.Datetime("us"))


def _zone(step: Time) -> str | None:
    if step.zone is not None:
        try:
            zoneinfo.ZoneInfo(step.zone)
        except (zoneinfo.ZoneInfoNotFoundError, ValueError) as error:
            raise CleaningRefused(
                f"The time zone {step.zone!r} is not known.", fix="Write it as the tz database does: America/New_York."
            ) from error
    return step.zone


def _day_of(step: Time, exact: pl.Expr) -> pl.Expr:
    return exact.dt.convert_time_zone(_zone(step) or "UTC").dt.date()


def _placed(step: Time, clock: pl.Expr, zone: str) -> tuple[pl.Expr, pl.Expr]:
    """Moments of a zone's clock, and where the rule itself decided that there is none."""
    first, last = (_localised(clock, zone, ambiguous=which) for which in ("earliest", "latest"))
    is_twice = (first != last).fill_null(False)
    never = clock.is_not_null() & first.is_null()
    twice = {"earliest": first, "latest": last}.get(step.ambiguous, pl.lit(None, pl.Datetime("us", "UTC")))
    jumps = {"forward": _FAR, "backward": -_FAR}
    absent = pl.lit(None, pl.Datetime("us", "UTC"))
    if step.missing in jumps:
        # "forward" reckons with the offset from before the change: 02:30 becomes 03:30 of the new time
        far = jumps[step.missing]
        offset = (clock - far).dt.replace_time_zone("UTC") - _localised(clock - far, zone, ambiguous="earliest")
        absent = (clock - offset).dt.replace_time_zone("UTC")
    value = pl.when(is_twice).then(twice).when(never).then(absent).otherwise(first)
    decided = (is_twice & pl.lit(step.ambiguous == "null")) | (never & pl.lit(step.missing == "null"))
    return value, decided


def _localised(clock: pl.Expr, zone: str, *, ambiguous: str) -> pl.Expr:
    local = clock.dt.replace_time_zone(zone, ambiguous=ambiguous, non_existent="null")  # type: ignore[arg-type]
    return local.dt.convert_time_zone("UTC")
