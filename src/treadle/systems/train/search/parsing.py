"""Filters and orders read: text -> records of `syntax`.

The grammar is MLflow's and more. As there, comparisons that follow each other without a joint are joined by AND, and an
AND too many at the ends is no error; texts stand between quotes as they are, without escapes, except in a list, where
they are read as Python reads them. Beyond it: OR, NOT, parentheses, BETWEEN, lists for everything, IS NULL for everything,
arithmetic with numbers, regular expressions, and functions of metrics.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TypeVar

from treadle.ground.patterns import pattern
from treadle.systems.train.search.errors import SearchInvalid, check_text
from treadle.systems.train.search.lexing import Token, tokens_of
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
    fields_of,
)
from treadle.systems.train.search.vocabulary import Vocabulary

T = TypeVar("T")

NUMERIC = ("=", "!=", "<", "<=", ">", ">=")
TEXTUAL = ("=", "!=", "LIKE", "ILIKE", "RLIKE")
_MATCHES = {"LIKE": "LIKE", "ILIKE": "ILIKE", "RLIKE": "RLIKE", "MATCHES": "RLIKE"}
_AFTER_VALUE = {"IN", "NOT", "IS", "BETWEEN", *_MATCHES}
_WORDS = {"AND", "OR", *_AFTER_VALUE}
_DEEPEST = 60
_MOST_CONDITIONS = 500
_LONGEST = 4_000_000
_LONGEST_PATTERN = 8_000
_WHOLE_DIGITS = 18


def parse_filter(text: str | None, vocabulary: Vocabulary) -> Condition | None:
    """The condition that a filter says, None for an empty one. Raises SearchInvalid."""
    if not text:
        return None
    if len(text) > _LONGEST:
        raise SearchInvalid(f"The filter is longer than {_LONGEST} characters.")
    check_text(text)
    if not text.strip():
        raise SearchInvalid(f"Invalid filter '{text}'. Could not be parsed.")
    return _Parser(text, vocabulary).filter()


def parse_orders(texts: Sequence[str], vocabulary: Vocabulary) -> tuple[Order, ...]:
    """The terms of an order. Raises SearchInvalid, also for a value that comes twice."""
    orders = tuple(_parse_order(text, vocabulary) for text in texts)
    if len({order.value for order in orders}) < len(orders):
        raise SearchInvalid(f"`order_by` contains duplicate fields: {list(texts)}")
    return orders


def _parse_order(text: str, vocabulary: Vocabulary) -> Order:
    check_text(text)
    return _Parser(text, vocabulary, is_order=True).order()


class _Parser:
    """Reads one filter or one term of an order."""

    def __init__(self, text: str, vocabulary: Vocabulary, *, is_order: bool = False) -> None:
        self._text, self._vocabulary, self._is_order = text, vocabulary, is_order
        self._tokens = tokens_of(text)
        self._place, self._depth, self._count = 0, 0, 0
        self._closing = _closing(self._tokens)

    # What is asked for

    def filter(self) -> Condition | None:
        if all(self._word(token) == "AND" for token in self._tokens[:-1]):
            return None
        found = self._any_of(is_top=True)
        if self._now.kind != "end":
            raise self._unexpected()
        return found

    def order(self) -> Order:
        bad = SearchInvalid(f"Invalid order_by clause '{self._text}'. Could not be parsed.")
        if self._now.kind == "end":
            raise bad
        value = self._sum()
        is_ascending = True
        if self._now.kind == "name":
            word = self._take().text.lower()
            if word not in ("asc", "desc"):
                raise SearchInvalid(f"Invalid ordering key in order_by clause '{self._text}'.")
            is_ascending = word == "asc"
        if self._place < len(self._tokens) - 1:
            raise bad
        if not any(True for _ in fields_of(value)):
            raise bad
        return Order(value, is_ascending)

    # Joints

    def _any_of(self, *, is_top: bool = False) -> Condition:
        parts = [self._all(is_top=is_top)]
        while self._accept("OR"):
            parts.append(self._all(is_top=is_top))
        return parts[0] if len(parts) == 1 else AnyOf(tuple(parts))

    def _all(self, *, is_top: bool) -> Condition:
        parts: list[Condition] = []
        while is_top and self._accept("AND"):
            pass
        while True:
            parts.append(self._part())
            has_joint = self._accept("AND")
            while is_top and self._accept("AND"):
                pass
            if is_top and self._now.kind == "end":
                break
            is_next_value = self._now.kind in ("name", "text") and self._word(self._now) not in _WORDS
            if not has_joint and not (is_top and is_next_value):
                break
        return parts[0] if len(parts) == 1 else All(tuple(parts))

    def _part(self) -> Condition:
        self._count += 1
        if self._count > _MOST_CONDITIONS:
            raise SearchInvalid(f"A filter has at most {_MOST_CONDITIONS} conditions.", fix="Use IN with a list.")
        if self._accept("NOT"):
            return Not(self._deeper(self._part))
        if self._now.text == "(" and not self._is_sum_in_parentheses():
            self._take()
            found = self._deeper(self._any_of)
            self._expect(")")
            return found
        return self._condition()

    def _is_sum_in_parentheses(self) -> bool:
        """Whether what follows the closing parenthesis can only follow a value."""
        closing = self._closing.get(self._place)
        if closing is None:
            raise self._unexpected()
        after = self._tokens[closing + 1]
        return after.kind in ("comparison", "sign") or self._word(after) in _AFTER_VALUE

    # Conditions

    def _condition(self) -> Condition:
        left = self._settled(self._sum())
        if self._now.kind == "comparison":
            return self._comparison(left, self._take().text)
        is_negated = self._accept("NOT")
        word = self._word(self._take())
        if word in _MATCHES:
            found: Condition = self._comparison(left, _MATCHES[word])
            return Not(found) if is_negated else found
        if word == "IN":
            return Membership(left, self._list(left), is_negated)
        if word == "BETWEEN":
            found = self._range(left)
            return Not(found) if is_negated else found
        if word == "IS" and not is_negated:
            return self._absence(left)
        self._place -= 1
        raise self._unexpected()

    def _settled(self, left: Expression) -> Expression:
        """A value that may be of either sort, as the sort that it is compared with."""
        if not (isinstance(left, Field) and left.kind in self._vocabulary.kinds):
            return left
        if not self._vocabulary.kinds[left.kind].is_mixed:
            return left
        following = self._tokens[min(self._place + 1, len(self._tokens) - 1)]
        is_compared = self._now.kind == "comparison" and following.kind in ("number", "sign")
        is_number = is_compared or self._now.text in ("<", "<=", ">", ">=") or self._word(self._now) == "BETWEEN"
        return replace(left, sort="number") if is_number else left

    def _comparison(self, left: Expression, operator: str) -> Comparison:
        known = NUMERIC if left.sort == "number" else TEXTUAL
        right = self._right(left)
        if operator not in known:
            raise SearchInvalid(f"Invalid comparator '{operator}' not one of '{set_of(known)}'")
        if isinstance(right, Text) and operator.endswith("LIKE"):
            _check_pattern(operator, right.value)
        return Comparison(left, operator, right)

    def _right(self, left: Expression) -> Expression | Text:
        token = self._now
        if left.sort == "text":
            if token.kind != "text":
                raise SearchInvalid(_expected_text(left, token))
            return Text(self._take().text[1:-1])
        if token.kind == "text":
            raise SearchInvalid(_expected_number(left, token))
        right = self._sum()
        if right.sort == "text":
            raise SearchInvalid(_expected_number(left, token))
        return right

    def _range(self, left: Expression) -> Range:
        if left.sort == "text":
            raise SearchInvalid("BETWEEN compares numbers.")
        low = self._numeric()
        if not self._accept("AND"):
            raise self._unexpected()
        return Range(left, low, self._numeric())

    def _absence(self, left: Expression) -> Absence:
        is_negated = self._accept("NOT")
        if self._word(self._take()) != "NULL":
            self._place -= 1
            raise self._unexpected()
        return Absence(left, is_negated)

    def _list(self, left: Expression) -> tuple[str, ...] | tuple[float, ...]:
        self._expect("(")
        if self._now.text == ")":
            raise SearchInvalid(
                "While parsing a list in the query, expected a non-empty list of string values, but got empty list"
            )
        texts: list[str] = []
        numbers: list[float] = []
        while self._now.text != ")":
            if left.sort == "text":
                texts.append(self._listed_text())
            else:
                numbers.append(self._listed_number())
            if self._now.text != ")":
                self._expect(",")
        self._take()
        return tuple(texts) if left.sort == "text" else tuple(numbers)

    def _listed_text(self) -> str:
        if self._now.kind != "text":
            raise SearchInvalid(
                "While parsing a list in the query, expected string value, punctuation, or whitespace, "
                f"but got different type in list: {self._now.text}"
            )
        parts: list[str] = []
        while self._now.kind == "text":
            raw = self._take().text
            try:
                parts.append(str(ast.literal_eval(raw)))
            except (SyntaxError, ValueError):
                raise SearchInvalid(
                    "While parsing a list in the query, expected a non-empty list of string values, "
                    "but got ill-formed list."
                ) from None
        return "".join(parts)

    def _listed_number(self) -> float:
        sign = -1 if self._accept("-") else 1
        if self._now.kind != "number":
            raise SearchInvalid(f"Expected a number in the list. Found {self._now.text or 'the end'}")
        return sign * _number(self._take().text)

    # Values

    def _numeric(self) -> Expression:
        token, found = self._now, self._sum()
        if found.sort == "text":
            raise SearchInvalid(f"Expected a number. Found {token.text}")
        return found

    def _sum(self) -> Expression:
        left = self._product()
        while self._now.text in ("+", "-") and self._now.kind == "sign":
            left = self._arithmetic(self._take().text, left, self._product)
        return left

    def _product(self) -> Expression:
        left = self._value()
        while self._now.text in ("*", "/") and self._now.kind == "sign":
            left = self._arithmetic(self._take().text, left, self._value)
        return left

    def _arithmetic(self, operator: str, left: Expression, right: Callable[[], Expression]) -> Expression:
        self._count += 1
        if self._count > _MOST_CONDITIONS:
            raise SearchInvalid(f"A filter has at most {_MOST_CONDITIONS} conditions and operators.")
        found = right()
        for side in (left, found):
            if side.sort == "text":
                raise SearchInvalid(
                    f"Arithmetic needs numbers; {_named(side)} is text.",
                    fix="A key with other signs than letters, digits, dots and _ is written in backticks: metrics.`val/loss`.",
                )
        return Arithmetic(operator, left, found)

    def _value(self) -> Expression:
        token = self._now
        if token.text == "-" and token.kind == "sign":
            self._take()
            found = self._deeper(self._value)
            if found.sort == "text":
                raise SearchInvalid(f"Arithmetic needs numbers; {_named(found)} is text.")
            return Number(-found.value) if isinstance(found, Number) else Negative(found)
        if token.text == "(":
            self._take()
            found = self._deeper(self._sum)
            self._expect(")")
            return found
        if token.kind == "number":
            return Number(_number(self._take().text))
        if token.kind in ("name", "text") and not (token.kind == "name" and self._word(token) in _WORDS):
            return self._named_value()
        raise self._unexpected()

    def _named_value(self) -> Expression:
        token = self._take()
        if self._now.text == "(" and token.kind == "name":
            return self._aggregate(token)
        return self._vocabulary.field_of(token.text, in_order=self._is_order)

    def _aggregate(self, name: Token) -> Aggregate:
        self._take()
        found = self._vocabulary.field_of(self._take().text, in_order=self._is_order)
        kind = self._vocabulary.kinds.get(found.kind)
        known = kind.aggregates if kind else ()
        word = name.text.lower()
        if word not in known:
            raise SearchInvalid(
                f"There is no function {name.text!r} of {found.kind} {found.key!r}.",
                why=f"Known: {', '.join(known)}." if known else "",
            )
        self._expect(")")
        return Aggregate(word, found)

    # Tokens

    @property
    def _now(self) -> Token:
        return self._tokens[self._place]

    def _take(self) -> Token:
        token = self._tokens[self._place]
        if token.kind != "end":
            self._place += 1
        return token

    def _word(self, token: Token) -> str:
        return token.text.upper() if token.kind == "name" else ""

    def _accept(self, text: str) -> bool:
        token = self._now
        if (self._word(token) if token.kind == "name" else token.text) != text or token.kind in ("text", "end"):
            return False
        self._place += 1
        return True

    def _expect(self, text: str) -> None:
        if not self._accept(text):
            raise self._unexpected()

    def _deeper(self, read: Callable[[], T]) -> T:
        self._depth += 1
        if self._depth > _DEEPEST:
            raise SearchInvalid(f"A filter nests at most {_DEEPEST} deep.")
        found = read()
        self._depth -= 1
        return found

    def _unexpected(self) -> SearchInvalid:
        token = self._now
        shown = "the end" if token.kind == "end" else f"'{self._text[token.start : token.start + 40]}'"
        if self._is_order:
            return SearchInvalid(f"Invalid order_by clause '{self._text}'. Could not be parsed.")
        return SearchInvalid(f"Invalid clause(s) in filter string: {shown}")


def _check_pattern(operator: str, text: str) -> None:
    if operator == "RLIKE":
        pattern(text)
    elif len(text) > _LONGEST_PATTERN:
        raise SearchInvalid(f"A pattern has at most {_LONGEST_PATTERN} characters.")


def _closing(tokens: Sequence[Token]) -> dict[int, int]:
    """The places of opening parentheses, with those of the ones that close them."""
    opened: list[int] = []
    pairs: dict[int, int] = {}
    for place, token in enumerate(tokens):
        if token.text == "(" and token.kind == "punctuation":
            opened.append(place)
        elif token.text == ")" and token.kind == "punctuation" and opened:
            pairs[opened.pop()] = place
    return pairs


def _number(text: str) -> float:
    if text.isdecimal() and len(text) <= _WHOLE_DIGITS:
        return int(text)
    return float(text)


def set_of(names: Sequence[str]) -> str:
    """Names as Python shows a set of them, in an order that holds still."""
    return "{" + ", ".join(repr(name) for name in names) + "}"


def _named(value: Expression) -> str:
    return f"{value.kind} {value.key!r}" if isinstance(value, Field) else "this value"


def _expected_text(left: Expression, token: Token) -> str:
    found = token.text or "the end"
    if isinstance(left, Field) and left.kind == "attribute":
        return f"Expected a quoted string value for attributes. Got value {found}"
    kind = left.kind if isinstance(left, Field) else "this value"
    if kind == "dataset":
        return f"Expected a quoted string value for dataset attributes. Got value {found}"
    return f"Expected a quoted string value for {kind} (e.g. 'my-value'). Got value {found}"


def _expected_number(left: Expression, token: Token) -> str:
    if isinstance(left, Field) and left.kind == "attribute":
        return f"Expected numeric value type for numeric attribute: {left.key}. Found {token.text}"
    kind = left.kind if isinstance(left, Field) else "a number"
    return f"Expected numeric value type for {kind}. Found {token.text}"
