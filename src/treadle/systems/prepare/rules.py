"""Rules as records: what can be asked of rows, and of a table.

A *row rule* is true of a row or not, so every failing row is known; with severity error it refuses the row. A *table rule*
measures something of all rows together (a count, a share, an age, the answer of a query); it is reported and opens an
incident, and refuses nothing. A metric of the library that tolerates some failures is a table rule.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import polars as pl

from treadle.systems.prepare.records import Severity


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """What all rules have: a name that stays, what it is about, how grave its failure is."""

    id: str
    kind: str
    severity: Severity
    dimension: str
    columns: tuple[str, ...]
    description: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RowRule(Rule):
    """`failing` is true for the rows that fail, and never null."""

    failing: pl.Expr


@dataclass(frozen=True, slots=True, kw_only=True)
class UniqueRule(Rule):
    """Of the rows with equal values in `columns`, all but the first fail; rows with a null there are not compared."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReferenceRule(Rule):
    """Rows fail whose `columns` are in no row of the other dataset's columns; rows with a null there are not looked up."""

    dataset: str
    others: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class TableRule(Rule):
    """`measure` gives one number over all rows; `holds` says whether it is good."""

    measure: pl.Expr
    holds: Callable[[Any], bool]


@dataclass(frozen=True, slots=True, kw_only=True)
class QueryRule(Rule):
    """`query` is SQL over the table `${table}`; it gives one number."""

    query: str
    holds: Callable[[Any], bool]


@dataclass(frozen=True, slots=True, kw_only=True)
class FreshnessRule(Rule):
    """The newest time of the column is at most so old."""

    max_age_s: float

    def holds(self, newest: datetime | None, now: datetime) -> bool:
        return newest is not None and (now - newest).total_seconds() <= self.max_age_s
