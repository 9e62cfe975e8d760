"""Judging frames by rules: one pass over the columns for all row rules, every failing row known by its id.

A session judges the batches of one landing, or of one snapshot, one after another: what a rule needs to remember between
batches (keys seen, counts, sums of measures) is kept here, so the rows themselves need not be.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import polars as pl

from treadle.kernel.vocabulary.datasets import LANDING, ROW
from treadle.systems.prepare.records import RuleResult
from treadle.systems.prepare.rules import (
    FreshnessRule,
    QueryRule,
    ReferenceRule,
    RowRule,
    Rule,
    TableRule,
    UniqueRule,
)

MAX_EXAMPLES = 5
RULES = "_rules"

Lookup = Callable[[str], pl.LazyFrame | None]
"""The rows of another dataset's newest snapshot, or None when there is none."""


@dataclass(slots=True)
class _Tally:
    evaluated: int = 0
    failed: int = 0
    examples: list[str] = field(default_factory=list)
    observed: Any = None
    passed: bool | None = None


class Session:
    """Judges frames by rules.

    lookup: finds the datasets that references point at. existing: rows that are there already, whose keys new rows must
    not repeat. refusing: whether rows are taken out; uniqueness is then asked only of rows that nothing else refuses, so
    that a refused row never makes a good one look like a repetition.
    """

    def __init__(
        self,
        rules: Sequence[Rule],
        *,
        lookup: Lookup = lambda dataset: None,
        existing: pl.LazyFrame | None = None,
        refusing: bool = False,
    ) -> None:
        self._rules = list(rules)
        self._row_rules = [rule for rule in rules if isinstance(rule, RowRule)]
        self._unique = [rule for rule in rules if isinstance(rule, UniqueRule)]
        self._references = [rule for rule in rules if isinstance(rule, ReferenceRule)]
        self._refusing = refusing
        self._tallies = {rule.id: _Tally() for rule in rules}
        self._seen = {rule.id: _keys_of(existing, rule.columns) for rule in self._unique}
        self._known = {rule.id: self._targets(rule, lookup) for rule in self._references}
        self.rows = 0
        self.refused = 0

    def judge(self, frame: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
        """The rows that may stay, and those that may not with the column `_rules`; together they are all rows."""
        # the row numbers give the height to a selection of literals (a column that is not there is null everywhere)
        numbered = [pl.int_range(pl.len()).alias(" at"), *(rule.failing.alias(rule.id) for rule in self._row_rules)]
        failing = frame.select(numbered).drop(" at")
        failing = failing if failing.width else pl.DataFrame(height=frame.height)
        failing = failing.with_columns(self._unreferenced(rule, frame) for rule in self._references)
        failing = failing.with_columns(self._repeated(rule, frame, self._still_good(failing)) for rule in self._unique)
        refused = self._bad(failing)
        self._count(frame, failing)
        self._remember(frame.filter(~refused))
        self.rows += frame.height
        self.refused += int(refused.sum())
        return frame.filter(~refused), self._with_rules(frame, failing, refused)

    def measure(self, frame: pl.LazyFrame | pl.DataFrame, *, now: datetime, query: Callable[[str], Any] | None) -> None:
        """Carries out the rules about the table; without `query`, those of SQL are left out of the results."""
        lazy = frame.lazy()
        tables = [rule for rule in self._rules if isinstance(rule, TableRule)]
        fresh = [rule for rule in self._rules if isinstance(rule, FreshnessRule)]
        wanted = [rule.measure.alias(rule.id) for rule in tables]
        wanted += [pl.col(rule.columns[0]).max().alias(rule.id) for rule in fresh]
        found = lazy.select([*wanted, pl.len().alias(" rows")]).collect().row(0, named=True) if wanted else {}
        for rule in tables:
            self._measured(rule, found[rule.id], rule.holds(found[rule.id]), found[" rows"])
        for aged in fresh:
            newest = _moment(found[aged.id])
            age = None if newest is None else (now - newest).total_seconds()
            self._measured(aged, age, aged.holds(newest, now), found[" rows"])
        if query is not None:
            for asked in (rule for rule in self._rules if isinstance(rule, QueryRule)):
                answer = query(asked.query)
                self._measured(asked, answer, asked.holds(answer), found.get(" rows", 0))

    def results(self) -> list[RuleResult]:
        """What every rule found, in the contract's order; rules that nothing was asked of are left out."""
        return [
            RuleResult(
                rule=rule.id,
                kind=rule.kind,
                severity=rule.severity,
                dimension=rule.dimension,
                columns=rule.columns,
                evaluated=tally.evaluated,
                failed=tally.failed,
                passed=tally.failed == 0 if tally.passed is None else tally.passed,
                observed=tally.observed,
                examples=tuple(tally.examples),
                description=rule.description,
            )
            for rule in self._rules
            if (tally := self._tallies[rule.id]).evaluated or tally.passed is not None
        ]

    def _measured(self, rule: Rule, observed: Any, passed: bool, rows: int) -> None:
        tally = self._tallies[rule.id]
        tally.observed, tally.passed, tally.failed, tally.evaluated = observed, passed, int(not passed), rows

    def _still_good(self, failing: pl.DataFrame) -> pl.Series | None:
        return ~self._bad(failing) if self._refusing else None

    def _bad(self, failing: pl.DataFrame) -> pl.Series:
        grave = [rule.id for rule in self._rules if rule.severity == "error" and rule.id in failing.columns]
        if not grave:
            return pl.repeat(False, failing.height, dtype=pl.Boolean, eager=True)
        return failing.select(pl.any_horizontal(grave)).to_series()

    def _repeated(self, rule: UniqueRule, frame: pl.DataFrame, good: pl.Series | None) -> pl.Series:
        """Which rows repeat a key: of those that are good, all but the first, and those whose key was seen before."""
        keys = list(rule.columns)
        asked = frame.select(keys).with_row_index(" at")
        if good is not None:
            asked = asked.filter(good)
        asked = asked.drop_nulls(keys)
        again = asked.filter(~asked.select(pl.struct(keys).is_first_distinct()).to_series())
        seen = self._seen[rule.id]
        before = asked.join(seen, on=keys, how="semi") if seen is not None else asked.clear()
        return _marked(rule.id, frame.height, again[" at"], before[" at"])

    def _unreferenced(self, rule: ReferenceRule, frame: pl.DataFrame) -> pl.Series:
        known = self._known[rule.id]
        asked = frame.select(rule.columns).with_row_index(" at").drop_nulls(list(rule.columns))
        if known is None:
            return _marked(rule.id, frame.height, asked[" at"])
        return _marked(rule.id, frame.height, asked.join(known, on=list(rule.columns), how="anti")[" at"])

    def _targets(self, rule: ReferenceRule, lookup: Lookup) -> pl.DataFrame | None:
        rows = lookup(rule.dataset)
        if rows is None:
            return None
        chosen = [pl.col(other).alias(own) for own, other in zip(rule.columns, rule.others, strict=True)]
        return rows.select(chosen).unique().collect()

    def _remember(self, kept: pl.DataFrame) -> None:
        for rule in self._unique:
            fresh = kept.select(rule.columns).drop_nulls().unique()
            seen = self._seen[rule.id]
            self._seen[rule.id] = fresh if seen is None else pl.concat([seen, fresh])

    def _count(self, frame: pl.DataFrame, failing: pl.DataFrame) -> None:
        for name in failing.columns:
            tally = self._tallies[name]
            tally.evaluated += frame.height
            count = int(failing[name].sum())
            tally.failed += count
            if count and len(tally.examples) < MAX_EXAMPLES:
                where = failing[name].arg_true().head(MAX_EXAMPLES - len(tally.examples))
                tally.examples += row_ids(frame[where])

    def _with_rules(self, frame: pl.DataFrame, failing: pl.DataFrame, refused: pl.Series) -> pl.DataFrame:
        grave = [rule.id for rule in self._rules if rule.severity == "error" and rule.id in failing.columns]
        if not grave:
            return frame.clear().with_columns(pl.Series(RULES, [], dtype=pl.List(pl.String)))
        bad = failing.filter(refused)
        names = pl.concat_list(pl.when(pl.col(name)).then(pl.lit(name)) for name in grave).list.drop_nulls()
        return pl.concat([frame.filter(refused), bad.select(names.alias(RULES))], how="horizontal")


def row_ids(frame: pl.DataFrame) -> list[str]:
    """The ids of rows as text; of a frame without ids, nothing can be said."""
    if LANDING not in frame.columns or ROW not in frame.columns:
        return []
    return [f"{landing}:{row}" for landing, row in frame.select(LANDING, ROW).iter_rows()]


def _marked(name: str, height: int, *where: pl.Series) -> pl.Series:
    marks = pl.repeat(False, height, dtype=pl.Boolean, eager=True).alias(name)
    for rows in where:
        if rows.len():
            marks = marks.scatter(rows, True)
    return marks


def _keys_of(existing: pl.LazyFrame | None, columns: Sequence[str]) -> pl.DataFrame | None:
    if existing is None or not set(columns) <= set(existing.collect_schema().names()):
        return None
    return existing.select(columns).drop_nulls().unique().collect()


def _moment(value: Any) -> datetime | None:
    if value is None or not isinstance(value, datetime):
        return None
    return value if value.tzinfo else value.replace(tzinfo=UTC)
