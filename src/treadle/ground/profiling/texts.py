"""What the texts of a column look like: their lengths, the patterns of their characters, blanks around them.

Lengths are of all texts; patterns and blanks of a sample, evenly spaced, so a share of them is good to half a per cent.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl

from treadle.ground.profiling.frequent import Frequent, of_pairs
from treadle.ground.profiling.frequent import merged as merged_frequent
from treadle.ground.profiling.numbers import Numbers
from treadle.ground.profiling.numbers import merged as merged_numbers

SAMPLE = 5_000
"""Texts at most of one batch whose characters are looked at."""

SHOWN_CHARACTERS = 24
HEAD = 256
PATTERNS = 10
NONE = Frequent()
LENGTH_POINTS = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class Texts:
    """lengths: in characters (of a run of bytes, in bytes). seen: how many texts the sample has; of them, `padded`
    begin or end with a blank, `numeric` are written numbers. patterns: `A` for a capital letter, `a` for another, `9` for
    a digit, other signs as they are; a run of more than eight alike is written as one and `+`."""

    lengths: Numbers
    empty: int
    seen: int = 0
    padded: int = 0
    numeric: int = 0
    patterns: Frequent = NONE


def of_sample(lengths: Numbers, empty: int, sample: pl.Series) -> Texts:
    """The shape of a column from all lengths and a sample of its texts."""
    if not sample.len():
        return Texts(lengths=lengths, empty=empty)
    value = pl.col("v")
    head = sample.rename("v").to_frame()
    counted = head.select(
        padded=value.str.contains(r"^\s|\s$").sum(),
        numeric=value.str.contains(r"^[+-]?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?$").sum(),
    ).row(0, named=True)
    return Texts(
        lengths=lengths,
        empty=empty,
        seen=sample.len(),
        padded=int(counted["padded"]),
        numeric=int(counted["numeric"]),
        patterns=_patterns(head),
    )


def merged(parts: Sequence[Texts]) -> Texts:
    """The shape of all parts together."""
    if len(parts) == 1:
        return parts[0]
    return Texts(
        lengths=merged_numbers([part.lengths for part in parts], LENGTH_POINTS),
        empty=sum(part.empty for part in parts),
        seen=sum(part.seen for part in parts),
        padded=sum(part.padded for part in parts),
        numeric=sum(part.numeric for part in parts),
        patterns=_fewer(merged_frequent([part.patterns for part in parts])),
    )


def _patterns(head: pl.DataFrame) -> Frequent:
    value = pl.col("v").str.slice(0, SHOWN_CHARACTERS + 1)
    for unlike, sign in ((r"\p{Lu}", "A"), (r"[\p{L}--A]", "a"), (r"\p{Nd}", "9"), (r"\s", " ")):
        value = value.str.replace_all(unlike, sign)
    for sign in ("A", "a", "9"):
        value = value.str.replace_all(sign + "{9,}", sign + "+")
    found = head.select(value).to_series().value_counts()
    pairs = zip(found["v"].to_list(), found["count"].to_list(), strict=True)
    return _fewer(of_pairs(pairs))


def _fewer(found: Frequent) -> Frequent:
    """At most ten patterns: what is beyond is told by the slack."""
    if len(found.values) <= PATTERNS:
        return found
    cut = found.counts[PATTERNS]
    kept = [(value, count - cut) for value, count in found.pairs()[:PATTERNS] if count > cut]
    return Frequent(
        values=tuple(value for value, _ in kept),
        counts=tuple(count for _, count in kept),
        slack=found.slack + cut,
    )
