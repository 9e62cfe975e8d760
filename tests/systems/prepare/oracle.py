"""The rules again, row by row in plain Python: what the vectorised ones must agree with."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Hashable, Sequence
from typing import Any

Row = dict[str, Any]
Judge = Callable[[Sequence[Row]], set[int]]


def alike(value: Any) -> Hashable:
    """Values by which equality is told: every NaN is one value, and so are both zeros."""
    if isinstance(value, float):
        return "NaN" if math.isnan(value) else value + 0.0
    return value


def each(fails: Callable[[Row], bool]) -> Judge:
    return lambda rows: {at for at, row in enumerate(rows) if fails(row)}


def null(name: str) -> Judge:
    return each(lambda row: row[name] is None)


def outside(name: str, low: float | None, high: float | None) -> Judge:
    def fails(row: Row) -> bool:
        value = row[name]
        if value is None:
            return False
        if isinstance(value, float) and math.isnan(value):
            return True
        return (low is not None and value < low) or (high is not None and value > high)

    return each(fails)


def not_among(name: str, values: Sequence[Any]) -> Judge:
    return each(lambda row: row[name] is not None and alike(row[name]) not in {alike(value) for value in values})


def unlike(name: str, pattern: str) -> Judge:
    return each(lambda row: row[name] is not None and re.search(pattern, row[name]) is None)


def wrong_length(name: str, low: int, high: int) -> Judge:
    return each(lambda row: row[name] is not None and not low <= len(row[name]) <= high)


def repeated(*names: str) -> Judge:
    def judge(rows: Sequence[Row]) -> set[int]:
        seen: set[Hashable] = set()
        failing = set()
        for at, row in enumerate(rows):
            key = tuple(alike(row[name]) for name in names)
            if any(row[name] is None for name in names):
                continue
            if key in seen:
                failing.add(at)
            seen.add(key)
        return failing

    return judge


def unknown(names: Sequence[str], others: Sequence[Row], there: Sequence[str]) -> Judge:
    known = {tuple(alike(other[name]) for name in there) for other in others}
    return each(
        lambda row: (
            all(row[name] is not None for name in names) and tuple(alike(row[name]) for name in names) not in known
        )
    )


def falls(name: str, per: str | None = None, *, strict: bool = False) -> Judge:
    def judge(rows: Sequence[Row]) -> set[int]:
        before: dict[Hashable, Any] = {}
        failing = set()
        for at, row in enumerate(rows):
            value, group = row[name], alike(row[per]) if per else None
            if value is None:
                continue
            if group in before and (value < before[group] or (strict and value == before[group])):
                failing.add(at)
            before[group] = value
        return failing

    return judge


def no_multiple(name: str, step: int) -> Judge:
    return each(lambda row: row[name] is not None and row[name] % step != 0)
