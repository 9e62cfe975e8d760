"""From values to places on the page: a linear scale, round ticks, and ticks of a calendar."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise


@dataclass(frozen=True, slots=True)
class Scale:
    """Maps `low`..`high` onto `start`..`end`, in a straight line."""

    low: float
    high: float
    start: float
    end: float

    def __call__(self, value: float) -> float:
        span = self.high - self.low
        share = 0.5 if span == 0 else (value - self.low) / span
        return self.start + share * (self.end - self.start)

    def clamp(self, value: float) -> float:
        """The place of a value, kept inside."""
        return self(min(max(value, self.low), self.high))


def extent(values: Iterable[float], *, margin: float = 0.06) -> tuple[float, float]:
    """The smallest and the largest with some air around them; 0 to 1 of nothing."""
    known = [value for value in values if math.isfinite(value)]
    if not known:
        return 0.0, 1.0
    low, high = min(known), max(known)
    air = (high - low) * margin or abs(high) * margin or 0.5
    return low - air, high + air


def ticks(low: float, high: float, *, about: int = 5) -> list[float]:
    """Round numbers inside of low..high, about so many: steps of 1, 2 or 5 times a power of ten."""
    if not high > low:
        return [low]
    rough = (high - low) / max(about, 1)
    power = 10.0 ** math.floor(math.log10(rough))
    step = min((factor * power for factor in (1, 2, 5, 10)), key=lambda size: abs(size - rough))
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [round(place * step, 12) for place in range(first, last + 1)]


def tick_text(value: float, all_ticks: list[float]) -> str:
    """A tick with as many decimals as its neighbours need."""
    steps = [abs(b - a) for a, b in pairwise(all_ticks)] or [abs(value) or 1.0]
    decimals = max(0, -math.floor(math.log10(min(steps)) + 1e-9))
    return f"{value:,.{decimals}f}"


def month_starts(low: float, high: float) -> list[tuple[float, str]]:
    """The first of every month between two moments (seconds since 1970), with the month's short name."""
    begin = datetime.fromtimestamp(low, UTC)
    year, month = begin.year, begin.month
    found: list[tuple[float, str]] = []
    while True:
        at = datetime(year, month, 1, tzinfo=UTC).timestamp()
        if at > high:
            return found
        if at >= low:
            found.append((at, _MONTHS[month - 1]))
        year, month = (year, month + 1) if month < 12 else (year + 1, 1)


_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
