"""Patterns find what Python's own find, in time that grows with the text alone."""

from __future__ import annotations

import re
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from treadle.ground.patterns import BadPattern, Pattern

_ATOMS = st.sampled_from(["a", "b", "c", ".", "[ab]", "[^a]", "[a-c]", r"\d", r"\w", r"\S", "^", "$", r"\.", "-"])
_PATTERNS = st.recursive(
    _ATOMS,
    lambda inner: st.one_of(
        st.tuples(inner, inner).map("".join),
        st.tuples(inner, inner).map(lambda pair: f"({pair[0]}|{pair[1]})"),
        st.tuples(inner, st.sampled_from(["*", "+", "?", "{2}", "{0,2}", "{1,}", "*?"])).map(
            lambda pair: f"(?:{pair[0]}){pair[1]}"
        ),
    ),
    max_leaves=8,
)


@settings(max_examples=300, deadline=None)
@given(text=_PATTERNS, value=st.text(alphabet="abcd1.- ", max_size=12), ignores_case=st.booleans())
def test_a_pattern_finds_what_python_finds(text: str, value: str, ignores_case: bool) -> None:
    written = f"(?i){text}" if ignores_case else text

    found = Pattern(written).search(value)

    assert found is (re.search(written, value) is not None)


@pytest.mark.parametrize(
    ("text", "value", "is_found"),
    [
        ("resnet(18|50)", "my-resnet50-v2", True),
        ("^resnet(18|50)$", "my-resnet50", False),
        ("(?i)^RES", "resnet", True),
        ("a{2,3}b", "ab aab", True),
        ("[]x]", "]", True),
        ("[^]x]", "]", False),
        ("a.c", "a\nc", False),
        ("", "anything", True),
        ("^$", "", True),
        ("^$", "x", False),
        (r"\$\{x\}", "${x}", True),
        ("[a-]", "-", True),
    ],
)
def test_examples_of_patterns(text: str, value: str, is_found: bool) -> None:
    assert Pattern(text).search(value) is is_found


@pytest.mark.parametrize(
    "text",
    [
        "(",
        ")",
        "a**b)",
        "*",
        "[a",
        "(?=a)",
        r"(a)\1",
        r"\b",
        "a{2",
        "a{3,1}",
        "a{1000}",
        "((a{99}){99}){99}",
        "[[:alpha:]]",
    ],
)
def test_what_is_outside_of_the_syntax_is_refused(text: str) -> None:
    with pytest.raises(BadPattern):
        Pattern(text)


@pytest.mark.parametrize("text", ["(a+)+$", "(a|a)*$", "(a*)*b", "a*a*a*a*a*b", "(.*a){10}$"])
def test_patterns_that_defeat_backtracking_take_time_in_proportion_to_the_text(text: str) -> None:
    pattern = Pattern(text)
    began = time.perf_counter()

    pattern.search("a" * 50_000 + "!")

    assert time.perf_counter() - began < 5
