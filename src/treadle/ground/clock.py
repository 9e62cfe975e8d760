"""The clock as an argument, and the one form in which times are stored.

Times are aware UTC datetimes in the code and whole microseconds since 1970 in the store, so that both databases order
and compare them alike.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

Clock = Callable[[], datetime]
"""Answers the present as an aware UTC datetime."""

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def system_clock() -> datetime:
    """The time of this machine, in UTC."""
    return datetime.fromtimestamp(time.time_ns() // 1000 / 1_000_000, UTC)


def to_micros(moment: datetime) -> int:
    """Whole microseconds since 1970 UTC. Raises ValueError for a naive datetime, which has no place in time."""
    if moment.tzinfo is None:
        raise ValueError("a time without a zone cannot be stored; use an aware datetime")
    return (moment - EPOCH) // timedelta(microseconds=1)


def from_micros(micros: int) -> datetime:
    """The aware UTC datetime of whole microseconds since 1970."""
    return EPOCH + timedelta(microseconds=micros)
