"""Conditions and expressions as SQL: fixed fragments, and everything from outside bound.

Every comparison of a value that is not there is false or null, and `NOT` asks for `is not true`; so the two answers of a
condition are the same on both databases. Arithmetic never fails: on PostgreSQL it runs in `numeric`, where nothing
overflows, and a division by zero has no value.
"""

from __future__ import annotations

from decimal import Decimal

from treadle.systems.train.search.entities import Binder, Entity, Test
from treadle.systems.train.search.errors import SearchInvalid
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
    Range,
    Text,
)
from treadle.systems.train.search.vocabulary import ATTRIBUTE

_GLOB = str.maketrans({"%": "*", "_": "?", "*": "[*]", "?": "[?]", "[": "[[]"})
_MOST_NUMBERS = 1000
_WIDEST = 1 << 63


class Compiler:
    """Writes conditions on one entity for one statement."""

    def __init__(self, entity: Entity, bind: Binder) -> None:
        self._entity, self._bind = entity, bind
        self._is_sqlite = bind.dialect == "sqlite"

    def condition(self, condition: Condition) -> str:
        """A condition as SQL."""
        match condition:
            case Comparison(left, operator, right):
                return self._comparison(left, operator, right)
            case Membership(left, values, is_negated):
                return self._test(left, lambda value: self._member(value, values, is_negated))
            case Range(left, low, high):
                return f"({self._reckoned(left)} between {self._reckoned(low)} and {self._reckoned(high)})"
            case Absence(left, is_negated):
                return f"(not {self._absent(left)})" if is_negated else self._absent(left)
            case Not(part):
                return f"(({self.condition(part)}) is not true)"
            case All(parts):
                return joined([self.condition(part) for part in parts], "and")
            case AnyOf(parts):
                return joined([self.condition(part) for part in parts], "or")

    def _comparison(self, left: Expression, operator: str, right: Expression | Text) -> str:
        if isinstance(right, Text):
            return self._test(left, lambda value: self._matched(value, operator, right.value))
        if isinstance(left, Field | Aggregate) and isinstance(right, Number):
            has_nan = isinstance(left, Field) and self._has_nan(left)
            return self._test(left, lambda value: self._compared(value, operator, right, has_nan=has_nan))
        return f"({self._reckoned(left)} {_sql(operator)} {self._reckoned(right)})"

    def _test(self, left: Expression, test: Test) -> str:
        if isinstance(left, Field) and left.kind != ATTRIBUTE:
            return self._entity.values[left.kind].holds(left.key, test, self._bind)
        if isinstance(left, Field):
            return test(self._entity.columns[left.key].sql)
        return test(self._reckoned(left))

    def _has_nan(self, field: Field) -> bool:
        return field.kind != ATTRIBUTE and self._entity.values[field.kind].has_nan

    def _compared(self, value: str, operator: str, right: Number, *, has_nan: bool) -> str:
        compared = f"{value} {_sql(operator)} {self._bind(bounded(right.value))}"
        return f"({value} is null or {compared})" if operator == "!=" and has_nan else compared

    def _matched(self, value: str, operator: str, text: str) -> str:
        if operator in ("=", "!="):
            return f"{value} {_sql(operator)} {self._bind(text)}"
        if self._is_sqlite:
            word = {"LIKE": "glob", "ILIKE": "like", "RLIKE": "regexp"}[operator]
            return f"{value} {word} {self._bind(text.translate(_GLOB) if operator == 'LIKE' else text)}"
        if operator == "RLIKE":
            return f"{value} ~ {self._bind(_partial_newlines(text))}"
        return f"{value} {operator.lower()} {self._bind(text)} escape ''"

    def _member(self, value: str, values: tuple[str, ...] | tuple[float, ...], is_negated: bool) -> str:
        word = "not in" if is_negated else "in"
        texts = [value for value in values if isinstance(value, str)]
        if not texts:
            if len(values) > _MOST_NUMBERS:
                raise SearchInvalid(f"A list holds at most {_MOST_NUMBERS} numbers.")
            return f"{value} {word} ({', '.join(self._bind(bounded(float(number))) for number in values)})"
        member = f"{value} {self._bind.any_of(texts)}"
        return f"(not {member})" if is_negated else member

    def _absent(self, left: Expression) -> str:
        if isinstance(left, Field) and left.kind != ATTRIBUTE:
            return f"({self._entity.values[left.kind].absent(left.key, self._bind)})"
        return f"({self.value(left)} is null)"

    def _reckoned(self, value: Expression) -> str:
        """A number that may be reckoned with, null where there is none."""
        match value:
            case Number(number):
                return self._literal(number)
            case Negative(operand):
                return f"(-{self._reckoned(operand)})"
            case Arithmetic(operator, left, right):
                return self._arithmetic(operator, self._reckoned(left), self._reckoned(right))
            case Field() | Aggregate():
                found = self.value(value)
                return f"cast({found} as real)" if self._is_sqlite else f"cast(cast({found} as text) as numeric)"

    def _arithmetic(self, operator: str, left: str, right: str) -> str:
        if operator == "/":
            right = f"nullif({right}, 0)"
        found = f"({left} {operator} {right})"
        return found if self._is_sqlite else f"nullif({found}, 'NaN')"

    def _literal(self, number: float) -> str:
        number = float(number)
        return self._bind(number) if self._is_sqlite else f"cast({self._bind(Decimal(repr(number)))} as numeric)"

    def value(self, value: Expression) -> str:
        """A value by itself, null where there is none."""
        match value:
            case Field(kind, key):
                if kind == ATTRIBUTE:
                    return self._entity.columns[key].sql
                return self._entity.values[kind].scalar(key, self._bind)
            case Aggregate(name, field):
                return self._entity.values[field.kind].scalar(field.key, self._bind, name)
            case _:
                return self._reckoned(value)


def joined(parts: list[str], word: str) -> str:
    """Conditions joined as a tree that is no deeper than it must be: SQLite counts the depth."""
    if len(parts) == 1:
        return parts[0]
    half = len(parts) // 2
    return f"({joined(parts[:half], word)} {word} {joined(parts[half:], word)})"


def bounded(number: float) -> float:
    """A number that both databases take: whole ones beyond 64 bits as floats."""
    return float(number) if isinstance(number, int) and not -_WIDEST <= number < _WIDEST else number


def _sql(operator: str) -> str:
    return "<>" if operator == "!=" else operator


def _partial_newlines(text: str) -> str:
    """`.` stops at a new line, as everywhere else."""
    return "(?ip)" + text.removeprefix("(?i)") if text.startswith("(?i)") else "(?p)" + text
