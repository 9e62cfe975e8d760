"""What a filter says, as records: values, conditions on them, and how conditions are joined.

A condition is either true or false of a row; what has no value meets no comparison. `NOT` is true wherever its
condition is false, also where a value is missing.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

Sort = Literal["text", "number"]
"""Of which sort a value is."""


@dataclass(frozen=True, slots=True)
class Field:
    """A value of a row: an attribute (`kind` is `attribute`), or the value of a key: of a metric, a parameter, a tag."""

    kind: str
    key: str
    sort: Sort


@dataclass(frozen=True, slots=True)
class Aggregate:
    """Something else that is known of a metric than its latest value: `min`, `max`, `step`, `first_step`, `last_step`."""

    name: str
    field: Field
    sort: Literal["number"] = "number"


@dataclass(frozen=True, slots=True)
class Number:
    value: float
    sort: Literal["number"] = "number"


@dataclass(frozen=True, slots=True)
class Arithmetic:
    """`left operator right`, one of + - * /. Where a side has no value, or the result is none, there is no value."""

    operator: str
    left: Expression
    right: Expression
    sort: Literal["number"] = "number"


@dataclass(frozen=True, slots=True)
class Negative:
    operand: Expression
    sort: Literal["number"] = "number"


Expression = Field | Aggregate | Number | Arithmetic | Negative


@dataclass(frozen=True, slots=True)
class Text:
    """A text in quotes, as it stands between them."""

    value: str
    sort: Literal["text"] = "text"


@dataclass(frozen=True, slots=True)
class Comparison:
    """`left operator right`: = != < <= > >= for numbers; = != LIKE ILIKE RLIKE for texts."""

    left: Expression
    operator: str
    right: Expression | Text


@dataclass(frozen=True, slots=True)
class Membership:
    """`left IN (…)` or `left NOT IN (…)`; both ask for a value."""

    left: Expression
    values: tuple[str, ...] | tuple[float, ...]
    is_negated: bool = False


@dataclass(frozen=True, slots=True)
class Range:
    """`left BETWEEN low AND high`, both ends included."""

    left: Expression
    low: Expression
    high: Expression


@dataclass(frozen=True, slots=True)
class Absence:
    """`left IS NULL`, or with `is_negated` `left IS NOT NULL`. A metric that is NaN is there."""

    left: Expression
    is_negated: bool = False


@dataclass(frozen=True, slots=True)
class Not:
    part: Condition


@dataclass(frozen=True, slots=True)
class All:
    parts: tuple[Condition, ...]


@dataclass(frozen=True, slots=True)
class AnyOf:
    parts: tuple[Condition, ...]


Condition = Comparison | Membership | Range | Absence | Not | All | AnyOf


@dataclass(frozen=True, slots=True)
class Order:
    """One term of an order. What has no value comes last in both directions; a NaN before it."""

    value: Expression
    is_ascending: bool = True


def conjuncts(condition: Condition | None) -> tuple[Condition, ...]:
    """What must all hold for the condition to hold, as far as its outermost joints say."""
    if condition is None:
        return ()
    if isinstance(condition, All):
        return tuple(found for part in condition.parts for found in conjuncts(part))
    return (condition,)


def fields_of(node: Condition | Expression | Text | None) -> Iterator[Field]:
    """Every field that a condition or an expression names, as often as it names it."""
    match node:
        case Field():
            yield node
        case Aggregate():
            yield node.field
        case Negative():
            yield from fields_of(node.operand)
        case Arithmetic() | Comparison():
            yield from fields_of(node.left)
            yield from fields_of(node.right)
        case Membership() | Absence():
            yield from fields_of(node.left)
        case Range():
            for part in (node.left, node.low, node.high):
                yield from fields_of(part)
        case Not():
            yield from fields_of(node.part)
        case All() | AnyOf():
            for one in node.parts:
                yield from fields_of(one)
        case _:
            return
