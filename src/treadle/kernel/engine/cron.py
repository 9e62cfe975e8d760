"""When a cron expression fires, in a time zone, through summer time.

Five fields (minute, hour, day of month, month, day of week) as in POSIX crontab, with lists, ranges, steps, English
names, 7 for Sunday, and the words @hourly @daily @midnight @weekly @monthly @yearly @annually. When both day fields
are restricted, either one suffices, as in Vixie cron.

Summer time follows Vixie cron 3.0 (cron(8), "special considerations"): what falls into the hour that is skipped in
spring fires at the first instant after the gap; what falls into the hour that comes twice in autumn fires once, the
first time. Only entries whose hour is `*` follow the elapsed time through both.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from treadle.kernel.engine.errors import InvalidSchedule

_WORDS = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
}
_MONTHS = {
    name: number
    for number, name in enumerate(
        ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"], 1
    )
}
_DAYS = {name: number for number, name in enumerate(["sun", "mon", "tue", "wed", "thu", "fri", "sat"])}
_FIELDS: tuple[tuple[str, int, int, dict[str, int]], ...] = (
    ("minute", 0, 59, {}),
    ("hour", 0, 23, {}),
    ("day of month", 1, 31, {}),
    ("month", 1, 12, _MONTHS),
    ("day of week", 0, 7, _DAYS),
)
_HORIZON_DAYS = 366 * 28
"""28 years hold every pairing of date and weekday that the Gregorian calendar has in this century."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cron:
    """A parsed expression; see `parse`."""

    text: str
    zone: ZoneInfo
    minutes: tuple[int, ...]
    hours: tuple[int, ...]
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]
    is_every_hour: bool
    is_any_day: bool
    is_any_weekday: bool

    def after(self, moment: datetime) -> datetime:
        """The first firing strictly after `moment` (aware), in UTC. Raises InvalidSchedule when there is none in 28 years."""
        if self.is_every_hour:
            return self._after_by_elapsed_time(moment)
        local = moment.astimezone(self.zone)
        for day in self._days_from(local.date() - timedelta(days=1)):
            for fire_at in self._firings_of(day):
                if fire_at > moment:
                    return fire_at
        raise self._never()

    def between(self, start: datetime, end: datetime) -> Iterator[datetime]:
        """The firings after `start` up to and with `end`, in order, in UTC."""
        moment = self.after(start)
        while moment <= end:
            yield moment
            moment = self.after(moment)

    def matches_day(self, day: date) -> bool:
        """Whether any firing falls on this local day."""
        if day.month not in self.months:
            return False
        by_day = day.day in self.days
        by_weekday = day.isoweekday() % 7 in self.weekdays
        if self.is_any_day or self.is_any_weekday:
            return by_day and by_weekday
        return by_day or by_weekday

    def _days_from(self, first: date) -> Iterator[date]:
        for offset in range(_HORIZON_DAYS):
            day = first + timedelta(days=offset)
            if self.matches_day(day):
                yield day

    def _firings_of(self, day: date) -> list[datetime]:
        found = {
            _instant(datetime(day.year, day.month, day.day, hour, minute, tzinfo=self.zone))
            for hour in self.hours
            for minute in self.minutes
        }
        return sorted(found)

    def _after_by_elapsed_time(self, moment: datetime) -> datetime:
        """Every hour, and so every real hour: walk the hours of UTC and look at the local clock."""
        start = moment.astimezone(UTC).replace(second=0, microsecond=0) + timedelta(minutes=1)
        local = start.astimezone(self.zone)
        for day in self._days_from(local.date()):
            midnight = datetime(day.year, day.month, day.day, tzinfo=self.zone).astimezone(UTC)
            candidate = max(start, midnight)
            while candidate.astimezone(self.zone).date() == day:
                if candidate.astimezone(self.zone).minute in self.minutes:
                    return candidate
                candidate += timedelta(minutes=1)
        raise self._never()

    def _never(self) -> InvalidSchedule:
        return InvalidSchedule(
            f"The schedule {self.text!r} never fires.",
            why="No day of the next 28 years has this month, day of month and day of week.",
            fix="Look at the day and month fields: 30 February, for instance, does not exist.",
        )


def _instant(local: datetime) -> datetime:
    """The UTC instant of a local time; one that is skipped becomes the end of the gap, of two the first is taken."""
    instant = local.replace(fold=0).astimezone(UTC)
    seen = instant.astimezone(local.tzinfo)
    if seen.replace(tzinfo=None) == local.replace(tzinfo=None):
        return instant
    before = local.replace(fold=0).utcoffset() or timedelta()
    after = local.replace(fold=1).utcoffset() or timedelta()
    low, high = instant - abs(before - after), instant
    zone = local.tzinfo
    while high - low > timedelta(seconds=1):  # the jump of the offset lies in between
        middle = low + (high - low) / 2
        if middle.astimezone(zone).utcoffset() == low.astimezone(zone).utcoffset():
            low = middle
        else:
            high = middle
    return (high + timedelta(seconds=0.5)).replace(second=0, microsecond=0)


def parse(text: str, timezone: str = "UTC") -> Cron:
    """The schedule that an expression describes. Raises InvalidSchedule, naming the field that is wrong."""
    expression = _WORDS.get(text.strip().lower(), text.strip())
    parts = expression.split()
    if len(parts) != 5:
        raise InvalidSchedule(
            f"{text!r} is no cron expression.",
            why=f"It has {len(parts)} fields; there must be five: minute, hour, day of month, month, day of week.",
            fix='For every night at three write "0 3 * * *", or use a word such as "@daily".',
        )
    try:
        zone = ZoneInfo(timezone)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise InvalidSchedule(
            f"The time zone {timezone!r} is not known here.", why=str(error), fix='Use a name such as "Europe/Berlin".'
        ) from error
    minutes, hours, days, months, weekdays = (
        _field(part, *field, text=text) for part, field in zip(parts, _FIELDS, strict=True)
    )
    return Cron(
        text=text,
        zone=zone,
        minutes=tuple(sorted(minutes)),
        hours=tuple(sorted(hours)),
        days=days,
        months=months,
        weekdays=frozenset(day % 7 for day in weekdays),
        is_every_hour=parts[1] == "*",
        is_any_day=parts[2].startswith("*"),
        is_any_weekday=parts[4].startswith("*"),
    )


def _field(part: str, name: str, low: int, high: int, names: dict[str, int], *, text: str) -> frozenset[int]:
    found: set[int] = set()
    for piece in part.split(","):
        span, slash, step_text = piece.partition("/")
        step = _number(step_text, name, 1, high, {}, text) if slash else 1
        if span == "*":
            first, last = low, 6 if name == "day of week" else high
        elif "-" in span:
            begin, _, end = span.partition("-")
            first, last = _number(begin, name, low, high, names, text), _number(end, name, low, high, names, text)
            if name == "day of week" and last == 0:
                last = 7
            if first > last:
                raise _wrong(text, name, piece, f"the range runs backwards, from {first} to {last}")
        else:
            first = _number(span, name, low, high, names, text)
            last = high if slash else first
        found.update(range(first, last + 1, step))
    return frozenset(found)


def _number(word: str, name: str, low: int, high: int, names: dict[str, int], text: str) -> int:
    if word.lower() in names:
        return names[word.lower()]
    if not word.isascii() or not word.isdigit():
        raise _wrong(text, name, word, "it is neither a number nor a name that this field knows")
    number = int(word)
    if not low <= number <= high:
        raise _wrong(text, name, word, f"it must lie between {low} and {high}")
    return number


def _wrong(text: str, name: str, piece: str, why: str) -> InvalidSchedule:
    return InvalidSchedule(
        f"{text!r} is no cron expression.",
        why=f"In the field {name!r}, {piece!r} cannot be read: {why}.",
        fix='Fields take "*", numbers, lists "1,2", ranges "1-5" and steps "*/10".',
    )
