"""What every rule takes from its place in a contract: name, severity, operator, units of time."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import Any

from treadle.ground.errors import did_you_mean
from treadle.systems.prepare.errors import RuleRefused
from treadle.systems.prepare.records import Severity
from treadle.systems.prepare.rules import Holds, Tolerance
from treadle.wire.odcs import Quality

SEVERITIES: dict[str, Severity] = {
    "error": "error", "critical": "error", "blocker": "error", "high": "error", "major": "error",
    "warning": "warning", "warn": "warning", "medium": "warning", "minor": "warning", "low": "warning",
    "info": "info", "information": "info", "informational": "info",
}  # fmt: skip

UNITS_S = {"s": 1, "sec": 1, "second": 1, "m": 60, "min": 60, "minute": 60, "h": 3600, "hr": 3600, "hour": 3600}
UNITS_S |= {"d": 86400, "day": 86400, "w": 604800, "wk": 604800, "week": 604800, "y": 31557600, "year": 31557600}

_AGE = re.compile(r"^\s*(\d+(?:\.\d+)?)\s*([a-z]+)\s*$")

_OPERATORS = {
    "must_be": "is", "must_not_be": "is not", "must_be_greater_than": "is above",
    "must_be_greater_or_equal_to": "is at least", "must_be_less_than": "is below",
    "must_be_less_or_equal_to": "is at most", "must_be_between": "is from", "must_not_be_between": "is not from",
}  # fmt: skip


def facts_of(
    quality: Quality, column: str | None, kind: str, dimension: str, columns: tuple[str, ...], said: str
) -> dict[str, Any]:
    """The fields that all rules have; `said` is used where the contract has no description."""
    return {
        "id": quality.id or quality.name or f"{column or 'table'}.{kind}",
        "kind": kind,
        "severity": severity_of(quality.severity),
        "dimension": quality.dimension or dimension,
        "columns": columns,
        "description": quality.description or said,
    }


def severity_of(text: str | None) -> Severity:
    """The severity that a contract's word stands for; without a word, error. Raises RuleRefused."""
    if text is None:
        return "error"
    found = SEVERITIES.get(text.lower())
    if found is None:
        raise RuleRefused(
            f"The severity {text!r} is not known.", why=did_you_mean(text.lower(), ("error", "warning", "info"))
        )
    return found


def tolerance_of(quality: Quality) -> Tolerance | None:
    """How many failures a metric still takes for good; None for none at all."""
    operators = quality.operators()
    none: tuple[dict[str, Any], ...] = ({}, {"must_be": 0}, {"must_be_less_or_equal_to": 0})
    if operators in none or (quality.unit != "percent" and operators == {"must_be_less_than": 1}):
        return None
    return Tolerance(holds=holds_of(quality), percent=quality.unit == "percent")


def holds_of(quality: Quality) -> Holds:
    """The operator of a rule as a test of one figure; without an operator, the figure must be 0."""
    operators: dict[str, Any] = quality.operators() or {"must_be": 0}
    [(name, wanted), *_] = operators.items()
    tests: dict[str, Holds] = {
        "must_be": lambda found: _equal(found, wanted),
        "must_not_be": lambda found: not _equal(found, wanted),
        "must_be_greater_than": lambda found: found > wanted,
        "must_be_greater_or_equal_to": lambda found: found >= wanted,
        "must_be_less_than": lambda found: found < wanted,
        "must_be_less_or_equal_to": lambda found: found <= wanted,
        "must_be_between": lambda found: wanted[0] <= found <= wanted[1],
        "must_not_be_between": lambda found: not wanted[0] <= found <= wanted[1],
    }
    return lambda found: found is not None and bool(tests[name](found))


def operator_text(quality: Quality) -> str:
    """The operator in words: `is at most 5 percent`."""
    name, wanted = next(iter(quality.operators().items()), ("must_be", 0))
    unit = f" {quality.unit}" if quality.unit else ""
    if isinstance(wanted, Sequence) and not isinstance(wanted, str):
        return f"{_OPERATORS[name]} {wanted[0]:g} to {wanted[1]:g}{unit}"
    return f"{_OPERATORS[name]} {wanted}{unit}"


def seconds_of(text: Any) -> float:
    """`6h`, `1 day`, `90min` in seconds. Raises RuleRefused."""
    match = _AGE.match(str(text).lower())
    unit = unit_s(match[2]) if match else None
    if match is None or unit is None:
        raise RuleRefused(f"{text!r} is no length of time.", fix="Write it as 30min, 6h or 2d.")
    return float(match[1]) * unit


def unit_s(name: str | None) -> int | None:
    """The seconds of a unit of time, however it is written: d, day, days; None when it is none."""
    word = (name or "d").lower()
    return UNITS_S.get(word) or UNITS_S.get(word.removesuffix("s"))


def _equal(found: Any, wanted: Any) -> bool:
    if isinstance(found, (int, float)) and isinstance(wanted, (int, float)):
        return math.isclose(found, wanted, rel_tol=1e-12)
    return bool(found == wanted)
