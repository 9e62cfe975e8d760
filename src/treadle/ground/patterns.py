"""Regular expressions that take time in proportion to the text, whatever the pattern: for patterns that strangers write.

The syntax is what Python and PostgreSQL have in common: letters, `.`, `[a-z]`, `[^…]`, `\\d \\w \\s` and their opposites,
`^` and `$` (the ends of the text), groups, `|`, `*`, `+`, `?`, `{m,n}`, and `(?i)` at the start. Back references, look-around
and word boundaries are refused. A pattern becomes an automaton whose states are made as texts ask for them (Thompson,
"Regular expression search algorithm", 1968; Cox, "Regular expression matching can be simple and fast", 2007).
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from treadle.ground.errors import InvalidInput

_LONGEST = 500
_MOST_NODES = 4000
_MOST_REPEATS = 100
_DEEPEST = 40
_MOST_STATES = 2000
_SPACES = " \t\n\r\f\v"
_LITERAL_ESCAPES = {"t": "\t", "n": "\n", "r": "\r", "f": "\f", "v": "\v"}

Test = Callable[[str], bool]
"""Whether one letter fits."""


class BadPattern(InvalidInput):
    code = "pattern.invalid"


@dataclass(frozen=True, slots=True)
class _Node:
    """A node of the automaton: it takes a letter that fits, or leads on without one."""

    kind: Literal["letter", "fork", "start", "end", "match"]
    test: Test | None = None
    ways: tuple[int, ...] = ()


class Pattern:
    """A pattern, ready to search. Raises BadPattern for one that is outside of the syntax or too large."""

    def __init__(self, text: str) -> None:
        self._nodes, start = _Builder(text).build()
        self._first = self._closure({start}, at_start=True, at_end=False)
        self._again = self._closure({start}, at_start=False, at_end=False)
        self._forget()

    def search(self, text: str) -> bool:
        """Whether some part of the text matches. Time: O(len(text)) once the states are known."""
        state = self._first_state
        if state in self._accepting:
            return True
        for letter in text:
            known = self._moves[state].get(letter)
            if known is None:
                state = self._move(state, letter)
            else:
                state = known
            if state in self._accepting:
                return True
        nodes = self._sets[state]
        ended = self._closure(set(nodes), at_start=not text, at_end=True)
        return any(self._nodes[node].kind == "match" for node in ended)

    def _forget(self) -> None:
        self._sets: list[frozenset[int]] = []
        self._moves: list[dict[str, int]] = []
        self._numbers: dict[frozenset[int], int] = {}
        self._accepting: set[int] = set()
        self._first_state = self._number(self._first)

    def _number(self, nodes: frozenset[int]) -> int:
        known = self._numbers.get(nodes)
        if known is not None:
            return known
        number = self._numbers[nodes] = len(self._sets)
        self._sets.append(nodes)
        self._moves.append({})
        if any(self._nodes[node].kind == "match" for node in nodes):
            self._accepting.add(number)
        return number

    def _move(self, state: int, letter: str) -> int:
        reached = {
            self._nodes[node].ways[0]
            for node in self._sets[state]
            if (test := self._nodes[node].test) is not None and test(letter)
        }
        nodes = self._closure(reached, at_start=False, at_end=False) | self._again
        if len(self._sets) >= _MOST_STATES or len(self._moves[state]) >= _MOST_STATES:
            self._forget()
            return self._number(nodes)
        number = self._moves[state][letter] = self._number(nodes)
        return number

    def _closure(self, nodes: set[int], *, at_start: bool, at_end: bool) -> frozenset[int]:
        """The nodes, and those they lead to without a letter; `start` and `end` nodes only where they hold."""
        found, open_nodes = set(nodes), list(nodes)
        while open_nodes:
            node = self._nodes[open_nodes.pop()]
            leads = node.kind == "fork" or (node.kind == "start" and at_start) or (node.kind == "end" and at_end)
            for way in node.ways if leads else ():
                if way not in found:
                    found.add(way)
                    open_nodes.append(way)
        return frozenset(found)


@functools.lru_cache(maxsize=64)
def pattern(text: str) -> Pattern:
    """The pattern, made once. Raises BadPattern."""
    return Pattern(text)


def found_in(text: str, value: str | None) -> bool | None:
    """Whether a pattern is found in a value; None where there is no value. Raises BadPattern."""
    return None if value is None else pattern(text).search(value)


_Part = Callable[[int], int]
"""Makes the nodes of a part before the given node; answers where the part begins."""


class _Builder:
    """Reads a pattern and makes its automaton from the end backwards."""

    def __init__(self, text: str) -> None:
        if len(text) > _LONGEST:
            raise BadPattern(f"The pattern is longer than {_LONGEST} characters.")
        self._ignores_case = text.startswith("(?i)")
        self._text, self._place, self._depth = text.removeprefix("(?i)"), 0, 0
        self._nodes: list[_Node] = [_Node("match")]

    def build(self) -> tuple[list[_Node], int]:
        part = self._either()
        if self._place < len(self._text):
            raise self._bad("a parenthesis that nothing opens")
        return self._nodes, part(0)

    def _node(self, node: _Node) -> int:
        if len(self._nodes) >= _MOST_NODES:
            raise BadPattern("The pattern repeats too much.", fix="Ask for fewer repetitions.")
        self._nodes.append(node)
        return len(self._nodes) - 1

    def _either(self) -> _Part:
        ways = [self._sequence()]
        while self._accept("|"):
            ways.append(self._sequence())
        if len(ways) == 1:
            return ways[0]
        return lambda after: self._node(_Node("fork", None, tuple(way(after) for way in ways)))

    def _sequence(self) -> _Part:
        parts: list[_Part] = []
        while self._peek() not in ("", "|", ")"):
            parts.append(self._repeated())

        def make(after: int) -> int:
            for part in reversed(parts):
                after = part(after)
            return after

        return make

    def _repeated(self) -> _Part:
        part = self._one()
        while (bounds := self._bounds()) is not None:
            part = self._times(part, *bounds)
            self._accept("?")  # as few as possible: the same texts match
        return part

    def _bounds(self) -> tuple[int, int | None] | None:
        for sign, bounds in (("*", (0, None)), ("+", (1, None)), ("?", (0, 1))):
            if self._accept(sign):
                return bounds
        if self._peek() != "{":
            return None
        closing = self._text.find("}", self._place)
        low, comma, high = self._text[self._place + 1 : max(closing, 0)].partition(",")
        if closing < 0 or not low.isdecimal() or (high and not high.isdecimal()):
            raise self._bad("a brace that says no number of repetitions")
        self._place = closing + 1
        least = int(low)
        most = least if not comma else (int(high) if high else None)
        if max(least, most or 0) > _MOST_REPEATS or (most is not None and most < least):
            raise BadPattern(f"A part repeats 0 to {_MOST_REPEATS} times.")
        return least, most

    def _times(self, part: _Part, least: int, most: int | None) -> _Part:
        def make(after: int) -> int:
            if most is None:
                loop = self._node(_Node("fork"))
                self._nodes[loop] = _Node("fork", None, (part(loop), after))
                after = loop
            else:
                end = after
                for _ in range(most - least):
                    after = self._node(_Node("fork", None, (part(after), end)))
            for _ in range(least):
                after = part(after)
            return after

        return make

    def _one(self) -> _Part:
        sign = self._take()
        if sign == "(":
            return self._group()
        if sign in "*+?{":
            raise self._bad("a repetition of nothing")
        if sign == "^":
            return lambda after: self._node(_Node("start", None, (after,)))
        if sign == "$":
            return lambda after: self._node(_Node("end", None, (after,)))
        if sign == ".":
            return self._letter(lambda letter: letter != "\n")
        if sign == "[":
            return self._letter(self._set())
        if sign == "\\":
            return self._letter(self._escape())
        return self._letter(self._same(sign))

    def _group(self) -> _Part:
        if self._text.startswith("?", self._place) and not self._text.startswith("?:", self._place):
            raise self._bad("a group with a question mark; only (?:…) is known")
        if self._text.startswith("?:", self._place):
            self._place += 2
        self._depth += 1
        if self._depth > _DEEPEST:
            raise BadPattern(f"The pattern nests more than {_DEEPEST} deep.")
        part = self._either()
        if not self._accept(")"):
            raise self._bad("a group that is not closed")
        self._depth -= 1
        return part

    def _letter(self, test: Test) -> _Part:
        return lambda after: self._node(_Node("letter", test, (after,)))

    def _same(self, wanted: str) -> Test:
        if self._ignores_case:
            folded = wanted.lower()
            return lambda letter: letter.lower() == folded
        return lambda letter: letter == wanted

    def _escape(self) -> Test:
        sign = self._take()
        if sign in _LITERAL_ESCAPES:
            return self._same(_LITERAL_ESCAPES[sign])
        if sign.lower() in ("d", "w", "s"):
            return _class(sign)
        if not sign or sign.isalnum():
            raise self._bad(f"the escape \\{sign}")
        return self._same(sign)

    def _set(self) -> Test:
        is_negated = self._accept("^")
        tests: list[Test] = []
        while self._peek() != "]" or not tests:
            sign = self._take()
            if not sign:
                raise self._bad("a bracket that is not closed")
            if sign == "[":
                raise self._bad("a bracket in a bracket; write \\[")
            if sign == "\\":
                tests.append(self._escape())
            elif self._peek() == "-" and self._text[self._place + 1 : self._place + 2] not in ("]", ""):
                self._take()
                tests.append(self._between(sign, self._take()))
            else:
                tests.append(self._same(sign))
        self._take()
        found = tuple(tests)
        return lambda letter: any(test(letter) for test in found) is not is_negated

    def _between(self, low: str, high: str) -> Test:
        if high < low or high in "[\\":
            raise self._bad(f"the range {low}-{high}")
        if self._ignores_case:
            return lambda letter: low <= letter.lower() <= high or low <= letter.upper() <= high
        return lambda letter: low <= letter <= high

    def _peek(self) -> str:
        return self._text[self._place : self._place + 1]

    def _take(self) -> str:
        sign = self._peek()
        self._place += 1
        return sign

    def _accept(self, sign: str) -> bool:
        if self._peek() != sign:
            return False
        self._place += 1
        return True

    def _bad(self, what: str) -> BadPattern:
        return BadPattern(
            f"The pattern {self._text!r} has {what}.",
            fix=r"Known are letters, . [a-z] [^a-z] \d \w \s ^ $ (…) | * + ? {m,n}, and (?i) at the start.",
        )


def _class(sign: str) -> Test:
    tests: dict[str, Test] = {
        "d": lambda letter: "0" <= letter <= "9",
        "w": lambda letter: letter.isalnum() or letter == "_",
        "s": lambda letter: letter in _SPACES,
    }
    test = tests[sign.lower()]
    return test if sign.islower() else lambda letter: not test(letter)
