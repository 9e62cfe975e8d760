"""How a file is to be read, and what came of it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Literal

import polars as pl

from treadle.systems.collect.records import Malformed

FORMATS = ("csv", "jsonl", "parquet", "arrow")
SHOWN = 5
"""How many of the lines that are no rows an error shows."""

OnMalformed = Literal["refuse", "quarantine"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """How files are read. `null_values` are cells that mean nothing; `separator` None is a tab for .tsv, else a comma."""

    format: str | None = None
    encoding: str = "utf-8"
    null_values: Sequence[str] = ("", "NA")
    separator: str | None = None
    malformed: OnMalformed = "refuse"


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """What a file held."""

    frame: pl.DataFrame
    malformed: list[Malformed]
    sha256: str
    size: int


@dataclass(slots=True, kw_only=True)
class Pieces:
    """What a large file holds, a piece at a time. The rest is known when `frames` has come to its end."""

    frames: Iterable[pl.DataFrame]
    malformed: list[Malformed] = field(default_factory=list)
    facts: dict[str, object] = field(default_factory=dict)
    """`sha256` and `bytes` of the file."""
