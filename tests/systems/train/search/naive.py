"""The grammar's meaning, said once more in plain Python: conditions and orders over records, without SQL."""

from __future__ import annotations

import math
import operator
import re
from collections.abc import Callable
from typing import Any

from tests.systems.train.search.filling import Made
from treadle.systems.train.search import syntax as s

_COMPARED: dict[str, Callable[[Any, Any], bool]] = {
    "=": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_ATTRIBUTES = {
    "run_id": "run",
    "run_name": "name",
    "status": "status",
    "user_id": "user_id",
    "start_time": "start_ms",
    "end_time": "end_ms",
}


def meets(run: Made, condition: s.Condition | None) -> bool:
    match condition:
        case None:
            return True
        case s.All(parts):
            return all(meets(run, part) for part in parts)
        case s.AnyOf(parts):
            return any(meets(run, part) for part in parts)
        case s.Not(part):
            return not meets(run, part)
        case s.Absence(left, is_negated):
            return (not present(run, left)) is not is_negated
        case s.Comparison(left, op, s.Text(text)):
            return any(matches(value, op, text) for value in values(run, left))
        case s.Comparison(left, op, right):
            if op == "!=" and isinstance(left, s.Field) and left.kind == "metric" and isinstance(right, s.Number):
                return left.key in run.metrics and run.metrics[left.key] != right.value
            one, other = number(run, left), number(run, right)
            return one is not None and other is not None and _COMPARED[op](one, other)
        case s.Membership(left, wanted, is_negated):
            return any((value in wanted) is not is_negated for value in values(run, left))
        case s.Range(left, low, high):
            found = [number(run, value) for value in (low, left, high)]
            return None not in found and found[0] <= found[1] <= found[2]  # type: ignore[operator]
    raise AssertionError(condition)


def values(run: Made, value: s.Expression) -> list[Any]:
    if isinstance(value, s.Field) and value.kind == "dataset":
        place = ("name", "digest", "context").index(value.key)
        return [found[place] for found in run.datasets if found[place] is not None]
    found = text(run, value) if isinstance(value, s.Field) and value.sort == "text" else number(run, value)
    return [] if found is None else [found]


def present(run: Made, value: s.Expression) -> bool:
    if isinstance(value, s.Field) and value.kind == "metric":
        return value.key in run.metrics
    return bool(values(run, value))


def text(run: Made, field: s.Field) -> str | None:
    if field.kind == "parameter":
        return run.params.get(field.key)
    if field.kind == "tag":
        return run.tags.get(field.key)
    return getattr(run, _ATTRIBUTES[field.key])  # type: ignore[no-any-return]


def number(run: Made, value: s.Expression | s.Text) -> float | None:
    match value:
        case s.Number(found):
            return found
        case s.Field("metric", key):
            return run.metrics.get(key)
        case s.Field(_, key):
            return getattr(run, _ATTRIBUTES[key])  # type: ignore[no-any-return]
        case s.Aggregate(_, field):
            return run.metrics.get(field.key)
        case s.Negative(operand):
            found = number(run, operand)
            return None if found is None else -found
        case s.Arithmetic(op, left, right):
            one, other = number(run, left), number(run, right)
            if one is None or other is None or (op == "/" and other == 0):
                return None
            one, other = float(one), float(other)
            found = (
                one + other if op == "+" else one - other if op == "-" else one * other if op == "*" else one / other
            )
            return None if math.isnan(found) else found
    raise AssertionError(value)


def matches(value: str, op: str, pattern: str) -> bool:
    if op in ("=", "!="):
        return (value == pattern) is (op == "=")
    if op == "RLIKE":
        return re.search(pattern, value) is not None
    wanted = "".join({"%": ".*", "_": "."}.get(letter, re.escape(letter)) for letter in pattern)
    return re.fullmatch(wanted, value, re.DOTALL | (re.IGNORECASE if op == "ILIKE" else 0)) is not None


def ordered(runs: list[Made], orders: tuple[s.Order, ...]) -> list[Made]:
    """Runs in an order: the ties first, then each term from the last to the first, each sort keeping what it finds."""
    found = sorted(runs, key=lambda run: run.run)
    found.sort(key=lambda run: (run.start_ms is None, -(run.start_ms or 0)))
    for order in reversed(orders):
        found = [*_sorted(found, order)]
    return found


def _sorted(runs: list[Made], order: s.Order) -> list[Made]:
    valued = [(run, (values(run, order.value) or [None])[0]) for run in runs]
    there = sorted(
        [(run, value) for run, value in valued if value is not None],
        key=lambda pair: pair[1],
        reverse=not order.is_ascending,
    )
    if not order.is_ascending:  # a stable sort keeps equal ones in their order only upwards
        there = sorted([pair for pair in valued if pair[1] is not None], key=lambda pair: _Backwards(pair[1]))
    missing = [run for run, value in valued if value is None]
    nan = [run for run in missing if present(run, order.value)]
    return [*(run for run, _ in there), *nan, *(run for run in missing if not present(run, order.value))]


class _Backwards:
    def __init__(self, value: Any) -> None:
        self.value = value

    def __lt__(self, other: _Backwards) -> bool:
        return bool(other.value < self.value)
