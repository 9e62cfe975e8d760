"""Rules as records: what can be asked of rows, and of a table.

A *row rule* is true of a row or not, so every failing row is known; with severity error it refuses the row. A *table rule*
measures something of all rows together (a count, an age, the answer of a query, a distance); it is reported and opens an
incident, and refuses nothing. A row rule that tolerates some failures counts like one and is reported like the other.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, TypeVar

import polars as pl

from treadle.systems.prepare.records import Severity

Holds = Callable[[Any], bool]
Frame = TypeVar("Frame", pl.DataFrame, pl.LazyFrame)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tolerance:
    """How many failing rows are still good: their count, or with `percent` their share of all rows in percent."""

    holds: Holds
    percent: bool = False

    def observed(self, failed: int, rows: int) -> float:
        """The figure that is judged."""
        if not self.percent:
            return failed
        return 100 * failed / rows if rows else 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """What all rules have: a name that stays, what it is about, how grave its failure is."""

    id: str
    kind: str
    severity: Severity
    dimension: str
    columns: tuple[str, ...]
    description: str = ""
    tolerance: Tolerance | None = None

    @property
    def refuses(self) -> bool:
        """Whether a row that fails is taken out where rows are taken out at all."""
        return self.severity == "error" and self.tolerance is None

    @property
    def needs(self) -> tuple[str, ...]:
        """The columns that have to be read to ask it."""
        return self.columns


@dataclass(frozen=True, slots=True, kw_only=True)
class RowRule(Rule):
    """`failing` is true for the rows that fail, and never null."""

    failing: pl.Expr


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyRule(Rule):
    """Something is asked of the values of `columns` together, where `condition` holds; rows with a null there are left out."""

    condition: pl.Expr | None = None

    @property
    def needs(self) -> tuple[str, ...]:
        more = () if self.condition is None else self.condition.meta.root_names()
        return tuple(dict.fromkeys((*self.columns, *more)))

    def asked(self, rows: Frame) -> Frame:
        """The rows with a null for every key of which nothing is asked."""
        if self.condition is None:
            return rows
        held = [pl.when(self.condition).then(pl.col(name)).alias(name) for name in self.columns]
        return rows.with_columns(held)


@dataclass(frozen=True, slots=True, kw_only=True)
class UniqueRule(KeyRule):
    """Of the rows with equal values in `columns`, all but the first fail."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReferenceRule(KeyRule):
    """Rows fail whose `columns` are in no row of the other dataset's columns."""

    dataset: str
    others: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderRule(Rule):
    """Rows fail whose value goes against the one before it, within equal values of `per`; nulls are passed over."""

    column: str
    per: tuple[str, ...] = ()
    descending: bool = False
    strict: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class PythonRule(Rule):
    """A function of the user's own, by its name: of rows (which hold), or of the table (a figure that `holds` judges)."""

    function: str
    about: Literal["rows", "table"]
    holds: Holds


@dataclass(frozen=True, slots=True, kw_only=True)
class SqlRowRule(Rule):
    """`condition` is SQL for DuckDB; rows fail of which it is false. What is unknown is no failure."""

    condition: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One figure of a batch, and how those of several batches come together."""

    measure: pl.Expr
    merge: Literal["sum", "least", "greatest"]


@dataclass(frozen=True, slots=True, kw_only=True)
class TableRule(Rule):
    """`finish` makes one figure of the merged parts and the number of rows; `holds` says whether it is good."""

    parts: tuple[Part, ...] = ()
    finish: Callable[[Sequence[Any], int], Any]
    holds: Holds


@dataclass(frozen=True, slots=True, kw_only=True)
class QueryRule(Rule):
    """`query` is SQL over the table `${table}`; it gives one number."""

    query: str
    holds: Holds


@dataclass(frozen=True, slots=True, kw_only=True)
class FreshnessRule(Rule):
    """The newest time of the column is at most so old."""

    max_age_s: float

    def holds(self, newest: datetime | None, now: datetime) -> bool:
        return newest is not None and (now - newest).total_seconds() <= self.max_age_s


@dataclass(frozen=True, slots=True, kw_only=True)
class VolumeRule(Rule):
    """The number of rows is within a share of the median of the last snapshots' (0.5: between half and half more).

    added: not all rows count, but those that came since the snapshot before.
    """

    last: int
    within: float
    added: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class DistributionRule(Rule):
    """The values are spread as in a reference, up to a distance.

    against: a snapshot of the same dataset (a version, a tag, an id, or `previous`), or None for `shares`, a fixed one:
    by value, or by `edges` in between.
    """

    column: str
    distance: Literal["psi", "js", "ks", "chi2"]
    limit: float
    bins: int
    against: str | None
    edges: tuple[float, ...] | None = None
    shares: Mapping[Any, float] | tuple[float, ...] | None = None


ROW_KINDS = (RowRule, UniqueRule, ReferenceRule, OrderRule, SqlRowRule, PythonRule)
"""The rules that know their failing rows; of PythonRule, those about rows."""
