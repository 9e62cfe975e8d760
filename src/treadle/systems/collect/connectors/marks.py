"""Marks: values of a column that says how far a source has come, as text with their kind, so that a cursor can hold them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any, Literal

import msgspec

from treadle.systems.collect.connectors.errors import CursorUnusable

MarkKind = Literal["integer", "float", "decimal", "text", "date", "timestamp", "timestamptz"]


class Mark(msgspec.Struct, frozen=True):
    """A value of a cursor column, as text with its kind."""

    kind: MarkKind
    text: str

    @property
    def value(self) -> Any:
        """The value as Python has it."""
        return _VALUE_OF[self.kind](self.text)

    def less(self, overlap: float) -> Mark:
        """The mark so much earlier: seconds for times (days count as such), units for numbers."""
        if not overlap:
            return self
        if self.kind == "text":
            raise CursorUnusable(
                "The cursor column holds text, which has no distance for an overlap.",
                fix="Leave `overlap` out, or take a cursor column that is a number or a time.",
            )
        if self.kind == "date":
            return mark_of(self.value - timedelta(days=-(-int(overlap) // 86_400)))
        if self.kind in ("timestamp", "timestamptz"):
            return mark_of(self.value - timedelta(seconds=overlap))
        return mark_of(self.value - type(self.value)(overlap))


_VALUE_OF: dict[MarkKind, Callable[[str], Any]] = {
    "integer": int,
    "float": float,
    "decimal": Decimal,
    "text": str,
    "date": date.fromisoformat,
    "timestamp": datetime.fromisoformat,
    "timestamptz": datetime.fromisoformat,
}


def mark_of(value: Any) -> Mark:
    """The mark that a value is. Raises CursorUnusable for what has no order that two reads agree on."""
    if isinstance(value, bool):
        value = int(value)
    kind: MarkKind | None = None
    if isinstance(value, int):
        kind = "integer"
    elif isinstance(value, float) and value == value:
        return Mark("float", repr(value))
    elif isinstance(value, Decimal) and value.is_finite():
        kind = "decimal"
    elif isinstance(value, datetime):
        return Mark("timestamptz" if value.tzinfo else "timestamp", value.isoformat())
    elif isinstance(value, date):
        return Mark("date", value.isoformat())
    elif isinstance(value, str):
        kind = "text"
    if kind is None:
        raise CursorUnusable(
            f"The cursor column holds {value!r}.",
            why="How far a source has come is said by a number, a date, a time or a text.",
            fix="Take another cursor column, or cast it in the query.",
        )
    return Mark(kind, str(value))
