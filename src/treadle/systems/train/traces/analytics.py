"""Session, tokens and cost: said as metadata, kept in columns, so that search and sums need no JSON.

The metadata that clients read back is made from the columns again, with the keys in a fixed order.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any

from treadle.systems.train.traces.errors import TraceInvalid
from treadle.systems.train.traces.records import (
    COST,
    COST_COLUMNS,
    SESSION,
    TOKEN_COLUMNS,
    USAGE,
    Trace,
)

_LONGEST_SESSION = 250
_MOST_TOKENS = 2**63
_CORE_TOKENS = TOKEN_COLUMNS[:3]
_CACHE_TOKENS = TOKEN_COLUMNS[3:5]
COLUMN_METADATA = (SESSION, USAGE, COST)
"""Metadata that is kept in columns."""


def columns_of(metadata: Mapping[str, str]) -> dict[str, Any]:
    """The columns that some metadata sets. Raises TraceInvalid for a session's name that is too long."""
    columns: dict[str, Any] = {}
    if SESSION in metadata:
        columns["session"] = session_name(metadata[SESSION])
    usage = json_object(metadata.get(USAGE))
    columns |= {name: count_or_none(usage[name]) for name in TOKEN_COLUMNS if name in usage}
    cost = json_object(metadata.get(COST))
    columns |= {name: finite_or_none(cost[name]) for name in COST_COLUMNS if name in cost}
    return columns


def metadata_of(trace: Trace) -> dict[str, str]:
    """The metadata that the columns of a trace stand for."""
    found: dict[str, str] = {}
    if trace.session is not None:
        found[SESSION] = trace.session
    for key, names in ((USAGE, TOKEN_COLUMNS), (COST, COST_COLUMNS)):
        known = {name: value for name in names if (value := getattr(trace, name)) is not None}
        if known:
            found[key] = json.dumps(known)
    return found


def is_account(key: str, value: str) -> bool:
    """Whether metadata says tokens or cost. It is kept beside its columns: what a client said itself, spans do not change."""
    return key in (USAGE, COST) and bool(json_object(value))


def session_name(text: str) -> str:
    """The name of a session. Raises TraceInvalid when it is too long."""
    if len(text) > _LONGEST_SESSION:
        raise TraceInvalid(f"'Session ID' exceeds the maximum length of {_LONGEST_SESSION} characters")
    return text


def json_object(value: Any) -> dict[str, Any]:
    """A dictionary, or the one that a text of JSON holds; an empty one for anything else."""
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except ValueError:
            return {}
    return value if isinstance(value, dict) else {}


def count_or_none(value: Any) -> int | None:
    """A whole number of 64 bits, or None for what is none."""
    if value is None or isinstance(value, bool):
        return None
    try:
        number = Decimal(str(value))
    except InvalidOperation:
        return None
    if not number.is_finite() or number != number.to_integral_value() or not -_MOST_TOKENS <= number < _MOST_TOKENS:
        return None
    return int(number)


def finite_or_none(value: Any) -> float | None:
    """A real number, or None for what is none."""
    if value is None or isinstance(value, bool):
        return None
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None


def number_of(value: Any) -> tuple[float | None, bool]:
    """What an assessment's value counts as in a mean, and whether it is a number: yes and true are 1, no and false 0."""
    if isinstance(value, bool):
        return float(value), False
    if isinstance(value, int | float):
        number = finite_or_none(value)
        return number, number is not None
    if isinstance(value, str) and value.strip().lower() in ("yes", "no"):
        return (1.0 if value.strip().lower() == "yes" else 0.0), False
    return None, False


@dataclass(slots=True)
class Node:
    """A span as a sum over the tree sees it: what it says of itself (and of all below it), if it says so."""

    span: str
    parent: str | None
    said: dict[str, Any]


def tokens_of(nodes: Iterable[Node]) -> dict[str, Any]:
    """The tokens of a trace; empty when no span tells any. See `_summed`."""
    return _summed(list(nodes), _CORE_TOKENS, _CACHE_TOKENS)


def costs_of(nodes: Iterable[Node]) -> dict[str, Any]:
    """The costs of a trace; empty when no span tells any. See `_summed`."""
    return _summed(list(nodes), COST_COLUMNS, ())


def _summed(nodes: list[Node], names: tuple[str, ...], optional: tuple[str, ...]) -> dict[str, Any]:
    """Sums over the tree; a span below one that tells a number is not counted, for it is in that number already."""
    known = {node.span for node in nodes}
    children: dict[str, list[Node]] = {}
    waiting: list[Node] = []
    for node in nodes:
        if node.parent and node.parent in known:
            children.setdefault(node.parent, []).append(node)
        else:
            waiting.append(node)
    totals: dict[str, Any] = {}
    while waiting:
        node = waiting.pop()
        if not node.said:
            waiting += children.get(node.span, ())
            continue
        for name in names:
            totals[name] = totals.get(name, 0) + (finite_or_none(node.said.get(name)) or 0)
        for name in optional:
            if name in node.said:
                totals[name] = totals.get(name, 0) + (finite_or_none(node.said[name]) or 0)
    return totals
