"""Records of `syntax` written as a filter again: reading the text gives equal records."""

from __future__ import annotations

from treadle.systems.train.search.errors import SearchInvalid
from treadle.systems.train.search.lexing import tokens_of
from treadle.systems.train.search.syntax import (
    Absence,
    Aggregate,
    All,
    AnyOf,
    Arithmetic,
    Comparison,
    Condition,
    Expression,
    Field,
    Membership,
    Negative,
    Not,
    Number,
    Order,
    Range,
    Text,
)
from treadle.systems.train.search.vocabulary import ATTRIBUTE, unquoted

_PLURALS = {"metric": "metrics", "parameter": "params", "tag": "tags", "dataset": "datasets"}


def written(condition: Condition) -> str:
    """The condition as a filter."""
    match condition:
        case Comparison(left, operator, right):
            return f"{_value(left)} {operator} {_text(right.value) if isinstance(right, Text) else _value(right)}"
        case Membership(left, values, is_negated):
            listed = ", ".join(_listed(value) for value in values)
            return f"{_value(left)} {'NOT ' if is_negated else ''}IN ({listed})"
        case Range(left, low, high):
            return f"{_value(left)} BETWEEN {_value(low)} AND {_value(high)}"
        case Absence(left, is_negated):
            return f"{_value(left)} IS {'NOT ' if is_negated else ''}NULL"
        case Not(part):
            return f"NOT ({written(part)})"
        case All(parts):
            return " AND ".join(_part(part) for part in parts)
        case AnyOf(parts):
            return " OR ".join(_part(part) for part in parts)


def written_order(order: Order) -> str:
    """One term of an order."""
    return f"{_value(order.value)} {'ASC' if order.is_ascending else 'DESC'}"


def _part(condition: Condition) -> str:
    return f"({written(condition)})" if isinstance(condition, All | AnyOf) else written(condition)


def _value(value: Expression) -> str:
    match value:
        case Field():
            return name_of(value)
        case Aggregate(name, field):
            return f"{name}({name_of(field)})"
        case Number(number):
            return (
                repr(number)
                if number == number and abs(number) != float("inf")
                else ("-" if number < 0 else "") + "1e999"
            )
        case Negative(operand):
            return f"-({_value(operand)})"
        case Arithmetic(operator, left, right):
            return f"({_value(left)} {operator} {_value(right)})"


def name_of(field: Field) -> str:
    """A field as a filter names it."""
    prefix = "" if field.kind == ATTRIBUTE else _PLURALS.get(field.kind, field.kind) + "."
    for quoted in (field.key, f"`{field.key}`", f'"{field.key}"'):
        if unquoted(quoted) == field.key and _is_one_name(prefix + quoted):
            return prefix + quoted
    raise ValueError(f"no spelling of the key {field.key!r}")


def _is_one_name(text: str) -> bool:
    try:
        found = tokens_of(text)
    except SearchInvalid:
        return False
    return len(found) == 2 and found[0].kind in ("name", "text")


def _text(value: str) -> str:
    for quote in ("'", '"'):
        text = f"{quote}{value}{quote}"
        try:
            found = tokens_of(text)
        except SearchInvalid:
            continue
        if len(found) == 2 and found[0].text == text:
            return text
    raise ValueError(f"no spelling of the text {value!r}")


def _listed(value: str | float) -> str:
    if not isinstance(value, str):
        return _value(Number(value))
    escaped = value.encode("unicode_escape").decode("ascii").replace("'", "\\x27")
    return f"'{escaped}'"
