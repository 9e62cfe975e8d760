"""The rhythm of times: on which weekdays, at which hours (UTC), and on what step of the clock they fall."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

HOUR = 3_600_000_000
STEPS = (24 * HOUR, HOUR, 60_000_000, 1_000_000, 1)
"""Steps of the clock in microseconds: day, hour, minute, second, microsecond."""

_LOOKED_AT = 20_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Rhythm:
    """Counts by weekday (Monday first) and hour, and the coarsest step on which all the times looked at fall."""

    weekdays: tuple[int, ...]
    hours: tuple[int, ...]
    step_us: int


def of_sorted(values: NDArray[np.int64]) -> Rhythm:
    """The rhythm of ascending microseconds since 1970 (one at least)."""
    first, last = int(values[0]) // HOUR, int(values[-1]) // HOUR
    if (last - first) * 8 < values.size:  # few hours: where each begins is found faster than each time's hour
        hours = np.arange(first, last + 1, dtype=np.int64)
        ends = np.searchsorted(values, (hours + 1) * HOUR, side="left")
        counts = np.diff(ends, prepend=0)
    else:
        hours, counts = values // HOUR, np.ones(values.size, dtype=np.int64)
    by_hour = np.bincount(hours % 24, weights=counts, minlength=24)
    by_day = np.bincount((hours // 24 + 3) % 7, weights=counts, minlength=7)
    sample = values[:: max(1, values.size // _LOOKED_AT)]
    return Rhythm(
        weekdays=tuple(int(n) for n in by_day),
        hours=tuple(int(n) for n in by_hour),
        step_us=next(step for step in STEPS if not (sample % step).any()),
    )


def merged(parts: Sequence[Rhythm]) -> Rhythm:
    """The rhythm of all parts together."""
    return Rhythm(
        weekdays=tuple(sum(counts) for counts in zip(*(part.weekdays for part in parts), strict=True)),
        hours=tuple(sum(counts) for counts in zip(*(part.hours for part in parts), strict=True)),
        step_us=min(part.step_us for part in parts),
    )
