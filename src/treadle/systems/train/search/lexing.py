"""A filter cut into tokens.

A name keeps its raw text (``metrics.`a b` ``), a text its quotes: what they mean depends on where they stand. Inside of
quotes a doubled quote and one behind a backslash do not end the text, and both stay in it as written.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from treadle.systems.train.search.errors import SearchInvalid

Kind = Literal["name", "text", "number", "comparison", "sign", "punctuation", "end"]

_PART = r"""(?: \w[\w$\#]* | `(?:``|[^`])*` | "(?:""|\\"|[^"])*" )"""
_TOKEN = re.compile(
    rf"""
    (?P<space> \s+ )
  | (?P<number> (?: \d+(?:\.\d*)? | \.\d+ ) (?:[eE][+-]?\d+)? (?![\w.]) )
  | (?P<name> {_PART} (?: \.{_PART} )+ | `(?:``|[^`])*` | \w[\w$\#]* )
  | (?P<text> '(?:''|\\'|[^'])*' | "(?:""|\\"|[^"])*" )
  | (?P<comparison> [<>=!~]+ )
  | (?P<sign> [-+*/] )
  | (?P<punctuation> [(),] )
    """,
    re.VERBOSE,
)
_NEAR = 20


@dataclass(frozen=True, slots=True)
class Token:
    kind: Kind
    text: str
    start: int


def tokens_of(text: str) -> list[Token]:
    """The tokens of a filter, an `end` last. Raises SearchInvalid at what belongs to none."""
    found: list[Token] = []
    place = 0
    while place < len(text):
        match = _TOKEN.match(text, place)
        if match is None:
            raise SearchInvalid(
                f"Invalid clause(s) in filter string: '{text[place : place + _NEAR]}'",
                why=_unclosed(text[place]),
            )
        if match.lastgroup != "space":
            kind: Kind = match.lastgroup  # type: ignore[assignment]
            found.append(Token(kind, match[0], place))
        place = match.end()
    found.append(Token("end", "", len(text)))
    return found


def _unclosed(letter: str) -> str:
    return f"The text that {letter} opens is not closed." if letter in "'\"`" else ""
