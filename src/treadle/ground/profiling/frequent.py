"""The most frequent values, with a bound on what the count of each may lack.

Up to 64 different values are all kept and counted exactly. Beyond, the 32 most frequent stay (Misra and Gries): what a
count lacks is at most `slack`, which is never more than a 33rd of the rows, after any merges in any order.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

KEPT = 64
FREQUENT = 32

Value = str | int | float


@dataclass(frozen=True, slots=True, kw_only=True)
class Frequent:
    """Values by falling count. A value occurs at least its count and at most count + slack times.

    slack: what a count may lack; a value that is not here occurs at most so often. 0: the values are all there are.
    """

    values: tuple[Value, ...] = ()
    counts: tuple[int, ...] = ()
    slack: int = 0

    @property
    def is_complete(self) -> bool:
        """Whether these are all values there are, with their exact counts."""
        return self.slack == 0

    def pairs(self) -> list[tuple[Value, int]]:
        """Values with their counts, most frequent first."""
        return list(zip(self.values, self.counts, strict=True))


def of_pairs(pairs: Iterable[tuple[Value, int]], largest_left_out: int = 0) -> Frequent:
    """The frequent ones of values with exact counts; `largest_left_out` is the count of the most frequent not given.

    Every value with a larger count must be given.
    """
    return _reduced(sorted(pairs, key=_order), largest_left_out, 0)


def merged(parts: Sequence[Frequent]) -> Frequent:
    """The frequent values of all parts together."""
    if len(parts) == 1:
        return parts[0]
    total: Counter[Value] = Counter()
    for part in parts:
        for value, count in zip(part.values, part.counts, strict=True):
            total[value] += count
    return _reduced(sorted(total.items(), key=_order), 0, sum(part.slack for part in parts))


def without(frequent: Frequent, unwanted: Iterable[Value]) -> Frequent:
    """Without some values; what they counted becomes slack, so that every bound still holds."""
    gone = set(unwanted)
    if not gone:
        return frequent
    left = [(value, count) for value, count in frequent.pairs() if value not in gone]
    most = max((count for value, count in frequent.pairs() if value in gone), default=0)
    return Frequent(
        values=tuple(value for value, _ in left),
        counts=tuple(count for _, count in left),
        slack=frequent.slack + most,
    )


def as_floats(frequent: Frequent) -> Frequent:
    """The same with every number a float: what an integer column says once it is merged with one of floats."""
    return Frequent(values=tuple(float(v) for v in frequent.values), counts=frequent.counts, slack=frequent.slack)


def _reduced(pairs: list[tuple[Value, int]], left_out: int, slack: int) -> Frequent:
    if len(pairs) > (FREQUENT if slack or left_out else KEPT):
        left_out = max(left_out, pairs[FREQUENT][1])
        pairs = pairs[:FREQUENT]
    kept = [(value, count - left_out) for value, count in pairs if count > left_out]
    return Frequent(
        values=tuple(value for value, _ in kept), counts=tuple(count for _, count in kept), slack=slack + left_out
    )


def _order(pair: tuple[Value, int]) -> tuple[int, bool, Value]:
    value, count = pair
    return -count, isinstance(value, str), value
