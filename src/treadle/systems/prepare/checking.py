"""Judging frames by rules: one pass over the columns for all row rules, every failing row known by its id.

A session judges the batches of one landing one after another, and takes out of each what the rules refuse: what a rule
needs to remember between batches (keys seen, counts) is kept here, so the rows themselves need not be. Whole snapshots,
of which nothing is taken out, are judged by `inspecting`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, time
from typing import Any

import polars as pl

from treadle.systems.prepare.failing_rows import row_ids
from treadle.systems.prepare.judging import Lookup, RowJudge
from treadle.systems.prepare.keys import ExistingKeys
from treadle.systems.prepare.records import RuleResult
from treadle.systems.prepare.rules import ROW_KINDS, FreshnessRule, QueryRule, Rule, TableRule, UniqueRule
from treadle.systems.prepare.tallying import MAX_EXAMPLES, Tally, result_of

RULES = "_rules"


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
        self._unique = [rule for rule in rules if isinstance(rule, UniqueRule)]
        self._judge = RowJudge(rules, lookup, missing_reference_fails=True)
        self._refusing = refusing
        self._grave = {rule.id for rule in rules if isinstance(rule, ROW_KINDS) and rule.refuses}
        self._tallies = {rule.id: Tally() for rule in rules}
        self._seen: dict[str, pl.DataFrame] = {}
        self._there = {rule.id: found for rule in self._unique if (found := _keys_of(existing, rule))}
        self.rows = 0
        self.refused = 0

    def judge(self, frame: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
        """The rows that may stay, and those that may not with the column `_rules`; together they are all rows."""
        failing = self._judge.failing(frame)
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
        wanted = [part.measure.alias(f"{rule.id} {at}") for rule in tables for at, part in enumerate(rule.parts)]
        wanted += [pl.col(rule.columns[0]).max().alias(rule.id) for rule in fresh]
        found = lazy.select([*wanted, pl.len().alias(" rows")]).collect().row(0, named=True)
        rows = found[" rows"]
        for rule in tables:
            figure = rule.finish([found[f"{rule.id} {at}"] for at in range(len(rule.parts))], rows)
            self._tallies[rule.id].measured(figure, rule.holds(figure), rows)
        for aged in fresh:
            newest = moment(found[aged.id])
            age = None if newest is None else (now - newest).total_seconds()
            self._tallies[aged.id].measured(age, aged.holds(newest, now), rows)
        if query is not None:
            for asked in (rule for rule in self._rules if isinstance(rule, QueryRule)):
                answer = query(asked.query)
                self._tallies[asked.id].measured(answer, asked.holds(answer), rows)

    def results(self) -> list[RuleResult]:
        """What every rule found, in the contract's order; rules that nothing was asked of are left out."""
        answer = []
        for rule in self._rules:
            tally = self._tallies[rule.id]
            tally.skipped = tally.skipped or (self._judge.skipped.get(rule.id) if self.rows else None)
            if tally.evaluated or tally.passed is not None or tally.skipped:
                answer.append(result_of(rule, tally))
        return answer

    def _still_good(self, failing: pl.DataFrame) -> pl.Series | None:
        return ~self._bad(failing) if self._refusing else None

    def _bad(self, failing: pl.DataFrame) -> pl.Series:
        grave = [name for name in failing.columns if name in self._grave]
        if not grave:
            return pl.repeat(False, failing.height, dtype=pl.Boolean, eager=True)
        return failing.select(pl.any_horizontal(grave)).to_series()

    def _repeated(self, rule: UniqueRule, frame: pl.DataFrame, good: pl.Series | None) -> pl.Series:
        """Which rows repeat a key: of those that are good, all but the first, and those whose key was seen before."""
        keys = list(rule.columns)
        asked = rule.asked(frame).select(keys).with_row_index(" at")
        if good is not None:
            asked = asked.filter(good)
        asked = asked.drop_nulls(keys)
        again = asked.filter(~asked.select(pl.struct(keys).is_first_distinct()).to_series())
        marks = [again[" at"]]
        if rule.id in self._seen:
            marks.append(asked.join(self._seen[rule.id], on=keys, how="semi")[" at"])
        if rule.id in self._there:
            marks.append(self._there[rule.id].among(asked)[" at"])
        return _marked(rule.id, frame.height, *marks)

    def _remember(self, kept: pl.DataFrame) -> None:
        for rule in self._unique:
            fresh = rule.asked(kept).select(rule.columns).drop_nulls().unique()
            seen = self._seen.get(rule.id)
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
        grave = [name for name in failing.columns if name in self._grave]
        if not grave:
            return frame.clear().with_columns(pl.Series(RULES, [], dtype=pl.List(pl.String)))
        bad = failing.filter(refused)
        names = pl.concat_list(pl.when(pl.col(name)).then(pl.lit(name)) for name in grave).list.drop_nulls()
        return pl.concat([frame.filter(refused), bad.select(names.alias(RULES))], how="horizontal")


def _marked(name: str, height: int, *where: pl.Series) -> pl.Series:
    marks = pl.repeat(False, height, dtype=pl.Boolean, eager=True).alias(name)
    for rows in where:
        if rows.len():
            marks = marks.scatter(rows, True)
    return marks


def _keys_of(existing: pl.LazyFrame | None, rule: UniqueRule) -> ExistingKeys | None:
    if existing is None or not set(rule.needs) <= set(existing.collect_schema().names()):
        return None
    return ExistingKeys(rule.asked(existing), rule.columns)


def moment(value: Any) -> datetime | None:
    """A time as an aware one, a day as its beginning; what is neither is None."""
    if isinstance(value, date) and not isinstance(value, datetime):
        value = datetime.combine(value, time())
    if not isinstance(value, datetime):
        return None
    return value if value.tzinfo else value.replace(tzinfo=UTC)
