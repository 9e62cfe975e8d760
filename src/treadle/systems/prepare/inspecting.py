"""The judgement of rows of any number: one pass in batches, nothing taken out, memory bounded.

Every rule about rows is a boolean column of the batch at hand; figures about the table are merged from batch to batch; keys
are noted as hashes (`keys`), and only where some came twice is there a second pass, over the key columns. What is read is
what the rules name.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from typing import Any

import polars as pl

from treadle.kernel.vocabulary.datasets import ROW_COLUMNS
from treadle.systems.prepare import python_rules, queries
from treadle.systems.prepare.checking import moment
from treadle.systems.prepare.distributions import Spread, reference_of
from treadle.systems.prepare.failing_rows import FailingRows, row_ids
from treadle.systems.prepare.judging import Lookup, RowJudge, unknown_function
from treadle.systems.prepare.keys import AT, HASHES_IN_MEMORY, ROWS_IN_MEMORY, Comparison, Ledger
from treadle.systems.prepare.records import RuleResult
from treadle.systems.prepare.rules import (
    DistributionRule,
    FreshnessRule,
    Part,
    PythonRule,
    QueryRule,
    Rule,
    TableRule,
    UniqueRule,
    VolumeRule,
)
from treadle.systems.prepare.tallying import MAX_EXAMPLES, Tally, result_of

BATCH = 1 << 17
"""Rows in a batch: large enough that its overhead is nothing, small enough to stay in the processor's caches."""

PREVIOUS = "previous"
"""How a rule names the snapshot before the one that is judged."""

Earlier = Callable[[str], pl.LazyFrame | None]
"""The rows of the dataset's own snapshot that a rule names (`previous`, a version, a tag), or None."""

_MERGES: Mapping[str, Callable[[Any, Any], Any]] = {
    "sum": lambda left, right: left + right,
    "least": min,
    "greatest": max,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What rules may ask beside the rows: other datasets, earlier snapshots, how many rows these had, the present."""

    now: datetime
    lookup: Lookup = lambda dataset: None
    earlier: Earlier = lambda at: None
    volumes: Callable[[int], Sequence[int]] = lambda count: ()
    """The rows of so many earlier snapshots, the newest last; fewer where there are fewer."""


class Inspection:
    """The rules of a contract, asked of rows.

    progress: told the number of rows after every batch. hashes_in_memory, rows_in_memory: past how many of them the keys of a
    rule go to files.
    """

    def __init__(
        self,
        rules: Sequence[Rule],
        around: Surroundings,
        *,
        batch: int = BATCH,
        progress: Callable[[int], None] = lambda rows: None,
        hashes_in_memory: int = HASHES_IN_MEMORY,
        rows_in_memory: int = ROWS_IN_MEMORY,
    ) -> None:
        self._rules, self._around, self._batch, self._progress = list(rules), around, batch, progress
        self._hashes_in_memory, self._rows_in_memory = hashes_in_memory, rows_in_memory
        self._tallies = {rule.id: Tally() for rule in rules}
        self.rows = 0

    def run(self, rows: pl.LazyFrame, failing: FailingRows | None = None) -> list[RuleResult]:
        """What every rule found, in the contract's order. `failing` is given every failing row. Raises RuleRefused."""
        with ExitStack() as stack:
            judge = stack.enter_context(RowJudge(self._rules, self._around.lookup))
            unique: dict[str, UniqueRule] = {rule.id: rule for rule in self._rules_of(UniqueRule)}
            ledgers = {
                name: stack.enter_context(Ledger(rule.columns, in_memory=self._hashes_in_memory))
                for name, rule in unique.items()
            }
            spreads = self._spreads(rows)
            parts = self._parts()
            merged: dict[str, Any] = {}
            for frame in self._batches(judge.widened(rows.select(self._needed(rows)))):
                self._judged(judge.failing(frame), frame, failing)
                for name, ledger in ledgers.items():
                    ledger.add(unique[name].asked(frame))
                for spread in spreads.values():
                    spread.add(frame)
                if parts:
                    _merge(merged, frame.select(part.measure.alias(name) for name, part in parts.items()), parts)
                self.rows += frame.height
                self._progress(self.rows)
            self._compare(rows, unique, ledgers, failing)
            self._measure(rows, merged, spreads)
            for name, why in judge.skipped.items():
                self._tallies[name].skipped = why
        return [result_of(rule, self._noted(rule)) for rule in self._rules]

    def _noted(self, rule: Rule) -> Tally:
        tally = self._tallies[rule.id]
        if tally.passed is None:
            tally.evaluated = self.rows
        return tally

    def _judged(self, failing: pl.DataFrame, frame: pl.DataFrame, sink: FailingRows | None) -> None:
        if not failing.width:
            return
        counts = [column.sum() for column in failing]
        if any(counts):
            rows = pl.DataFrame([frame[name] for name in (AT, *_row_columns(frame))])
            for column, count in zip(failing, counts, strict=True):
                if count:
                    self._note(column.name, rows[column.arg_true()], sink)

    def _note(self, name: str, rows: pl.DataFrame, sink: FailingRows | None) -> None:
        tally = self._tallies[name]
        tally.failed += rows.height
        if len(tally.examples) < MAX_EXAMPLES:
            tally.examples += row_ids(rows.head(MAX_EXAMPLES - len(tally.examples)))
        if sink is not None:
            sink.add(name, rows)

    def _compare(
        self,
        rows: pl.LazyFrame,
        unique: Mapping[str, UniqueRule],
        ledgers: Mapping[str, Ledger],
        sink: FailingRows | None,
    ) -> None:
        """The second pass: the keys themselves, of rows whose hash came more than once."""
        found = {name: repeated for name, ledger in ledgers.items() if len(repeated := ledger.repeated())}
        if not found:
            return
        names = {name for rule in found for name in unique[rule].needs}
        comparisons = {
            rule: Comparison(ledgers[rule], repeated, in_memory=self._rows_in_memory)
            for rule, repeated in found.items()
        }
        wanted = rows.select(*sorted(names), *_row_columns(rows))
        for frame in self._batches(wanted):
            for rule, comparison in comparisons.items():
                asked = unique[rule].asked(frame)
                comparison.add(asked.select(*ledgers[rule].columns, AT, *_row_columns(frame)))
        for rule, comparison in comparisons.items():
            for again in comparison.failing():
                if again.height:
                    self._note(rule, again.select(AT, *_row_columns(again)), sink)

    def _measure(self, rows: pl.LazyFrame, merged: Mapping[str, Any], spreads: Mapping[str, Spread]) -> None:
        for rule in self._rules:
            tally = self._tallies[rule.id]
            if isinstance(rule, TableRule):
                figure = rule.finish([merged.get(f"{rule.id} {at}") for at in range(len(rule.parts))], self.rows)
                tally.measured(figure, rule.holds(figure), self.rows)
            elif isinstance(rule, FreshnessRule):
                newest = moment(merged.get(f"{rule.id} 0"))
                age = None if newest is None else (self._around.now - newest).total_seconds()
                tally.measured(age, rule.holds(newest, self._around.now), self.rows)
            elif isinstance(rule, QueryRule):
                answer = queries.answer(rule.query, rows)
                tally.measured(answer, rule.holds(answer), self.rows)
            elif isinstance(rule, PythonRule) and rule.about == "table":
                self._ask_python(rule, rows, tally)
            elif isinstance(rule, VolumeRule):
                self._compare_volume(rule, tally)
            elif isinstance(rule, DistributionRule) and rule.id in spreads:
                figure, is_near = spreads[rule.id].judged()
                tally.measured(figure, is_near, self.rows)

    def _ask_python(self, rule: PythonRule, rows: pl.LazyFrame, tally: Tally) -> None:
        check = python_rules.find(rule.function)
        if check is None:
            tally.skipped = unknown_function(rule.function)
            return
        figure = check.figure(rows)
        tally.measured(figure, rule.holds(figure), self.rows)

    def _compare_volume(self, rule: VolumeRule, tally: Tally) -> None:
        earlier = list(self._around.volumes(rule.last + int(rule.added)))
        found = self.rows
        if rule.added and earlier:
            found = self.rows - earlier[-1]
            earlier = [after - before for before, after in pairwise(earlier)]
        if not earlier:
            tally.skipped = "there is no earlier snapshot to compare with"
            return
        usual = statistics.median(earlier)
        tally.measured(found, abs(found - usual) <= rule.within * abs(usual), self.rows)

    def _spreads(self, rows: pl.LazyFrame) -> dict[str, Spread]:
        schema = rows.collect_schema()
        found = {}
        for rule in self._rules_of(DistributionRule):
            earlier = None if rule.against is None else self._around.earlier(rule.against)
            if rule.against is not None and earlier is None:
                self._tallies[rule.id].skipped = f"there is no snapshot {rule.against!r} here to compare with"
                continue
            found[rule.id] = reference_of(rule, schema[rule.column], earlier)
        return found

    def _parts(self) -> dict[str, Part]:
        found = {f"{rule.id} {at}": part for rule in self._rules_of(TableRule) for at, part in enumerate(rule.parts)}
        for rule in self._rules_of(FreshnessRule):
            found[f"{rule.id} 0"] = Part(measure=pl.col(rule.columns[0]).max(), merge="greatest")
        return found

    def _needed(self, rows: pl.LazyFrame) -> list[str]:
        """The columns that rules about rows name, and those that identify a row."""
        schema = rows.collect_schema()
        named = {name for rule in self._rules if not isinstance(rule, QueryRule) for name in rule.needs}
        for rule in self._rules_of(PythonRule):
            check = python_rules.find(rule.function)
            if check is not None and rule.about == "rows":
                named.update(check.columns or schema.names())
        needed = [name for name in schema.names() if name in named or name in ROW_COLUMNS]
        return needed or schema.names()[:1]

    def _batches(self, rows: pl.LazyFrame) -> Iterator[pl.DataFrame]:
        """The rows in their order, batch by batch, numbered."""
        first = 0
        for frame in rows.collect_batches(chunk_size=self._batch, maintain_order=True):
            yield frame.with_columns(pl.int_range(first, first + frame.height, eager=True).alias(AT))
            first += frame.height

    def _rules_of(self, kind: type[Any]) -> list[Any]:
        return [rule for rule in self._rules if isinstance(rule, kind)]


def _merge(merged: dict[str, Any], found: pl.DataFrame, parts: Mapping[str, Part]) -> None:
    for name, value in found.row(0, named=True).items():
        if value is not None:
            merged[name] = value if name not in merged else _MERGES[parts[name].merge](merged[name], value)


def _row_columns(frame: pl.LazyFrame | pl.DataFrame) -> list[str]:
    names = frame.collect_schema().names() if isinstance(frame, pl.LazyFrame) else frame.columns
    return [name for name in ROW_COLUMNS if name in names]
