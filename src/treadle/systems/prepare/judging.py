"""What the rules about rows say of one frame: a boolean column for each rule, true where the row fails.

Shared by the gate, which takes rows out batch by batch, and by the check of whole snapshots. What a rule must remember
from one batch to the next (the value before) is kept here.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import polars as pl

from treadle.systems.prepare import python_rules
from treadle.systems.prepare.queries import RowConditions
from treadle.systems.prepare.rules import OrderRule, PythonRule, ReferenceRule, RowRule, Rule, SqlRowRule

Lookup = Callable[[str], pl.LazyFrame | None]
"""The rows of another dataset's newest snapshot, or None when there is none."""

_AT = " order"


class RowJudge:
    """Judges frames that come one after another, by all rules about rows but uniqueness.

    Rules that cannot be asked here are in `skipped`, with the reason. Use it as a context when it may hold SQL conditions.
    """

    def __init__(self, rules: Sequence[Rule], lookup: Lookup, *, missing_reference_fails: bool = False) -> None:
        self.skipped: dict[str, str] = {}
        self._expressions = [rule for rule in rules if isinstance(rule, RowRule)]
        self._orders = [Order(rule) for rule in rules if isinstance(rule, OrderRule)]
        self._references = [
            found
            for rule in rules
            if isinstance(rule, ReferenceRule) and (found := self._reference(rule, lookup, missing_reference_fails))
        ]
        conditions = {rule.id: rule.condition for rule in rules if isinstance(rule, SqlRowRule)}
        self._conditions = RowConditions(conditions) if conditions else None
        self._python = [rule for rule in rules if isinstance(rule, PythonRule) and rule.about == "rows"]
        for rule in self._python:
            if python_rules.find(rule.function) is None:
                self.skipped[rule.id] = unknown_function(rule.function)
        self._python = [rule for rule in self._python if rule.id not in self.skipped]

    def __enter__(self) -> RowJudge:
        return self

    def __exit__(self, *_: object) -> None:
        if self._conditions is not None:
            self._conditions.close()

    def widened(self, rows: pl.LazyFrame) -> pl.LazyFrame:
        """The rows with a column for each reference that says whether it was found: one join, whatever the batches."""
        for reference in self._references:
            rows = reference.widened(rows)
        return rows

    def failing(self, frame: pl.DataFrame) -> pl.DataFrame:
        """A boolean column for each rule that was asked, never null, as high as the frame."""
        # the row numbers give the height to a selection of literals (a column that is not there is null everywhere)
        wanted = [pl.int_range(pl.len()).alias(_AT), *(rule.failing.alias(rule.id) for rule in self._expressions)]
        wanted += [reference.failing for reference in self._references if reference.mark in frame.columns]
        found = frame.select(wanted).drop(_AT)
        more = [reference.looked_up(frame) for reference in self._references if reference.mark not in frame.columns]
        more += [order.failing(frame) for order in self._orders]
        more += [self._of_python(rule, frame) for rule in self._python]
        if self._conditions is not None:
            more += self._conditions.failing(frame)
        if not found.width and not more:
            return pl.DataFrame(height=frame.height)
        return found.with_columns(more) if found.width else pl.DataFrame(more)

    def _of_python(self, rule: PythonRule, frame: pl.DataFrame) -> pl.Series:
        check = python_rules.find(rule.function)
        assert check is not None
        return (~check.passing(frame)).fill_null(False).alias(rule.id)

    def _reference(self, rule: ReferenceRule, lookup: Lookup, missing_fails: bool) -> Reference | None:
        rows = lookup(rule.dataset)
        if rows is None and not missing_fails:
            self.skipped[rule.id] = f"there is no dataset {rule.dataset!r} here to look in"
            return None
        return Reference(rule, rows)


class Reference:
    """The keys of another dataset."""

    def __init__(self, rule: ReferenceRule, rows: pl.LazyFrame | None) -> None:
        self.rule, self.mark = rule, f" known {rule.id}"
        self._keys = list(rule.columns)
        self._known = None if rows is None else self._keys_of(rows)
        asked = pl.all_horizontal(pl.col(name).is_not_null() for name in self._keys)
        if rule.condition is not None:
            asked = asked & rule.condition.fill_null(False)
        self.failing = (asked & pl.col(self.mark).is_null()).alias(rule.id)

    def widened(self, rows: pl.LazyFrame) -> pl.LazyFrame:
        """The rows, with the mark where their key is known."""
        if self._known is None:
            return rows.with_columns(pl.lit(None, dtype=pl.Boolean).alias(self.mark))
        schema = rows.collect_schema()
        known = self._in_types_of(schema)
        return rows.join(known.lazy(), on=self._keys, how="left", maintain_order="left")

    def looked_up(self, frame: pl.DataFrame) -> pl.Series:
        """Which rows of a frame fail."""
        widened = self.widened(frame.lazy().select(self.rule.needs)).select(self.failing)
        return widened.collect().to_series()

    def _keys_of(self, rows: pl.LazyFrame) -> pl.DataFrame:
        chosen = [pl.col(other).alias(own) for own, other in zip(self._keys, self.rule.others, strict=True)]
        return rows.select(chosen).drop_nulls().unique().collect(engine="streaming")

    def _in_types_of(self, schema: pl.Schema) -> pl.DataFrame:
        """The known keys in the types of the rows that are looked up; a key that has no such form is none of theirs."""
        assert self._known is not None
        wanted = {name: schema[name] for name in self._keys if schema[name] != self._known.schema[name]}
        if wanted:
            self._known = self._known.cast(wanted, strict=False).drop_nulls().unique()  # type: ignore[arg-type]
        return self._known.with_columns(pl.lit(True).alias(self.mark))


class Order:
    """The values before, by group."""

    def __init__(self, rule: OrderRule) -> None:
        self.rule = rule
        self._last: pl.DataFrame | None = None

    def failing(self, frame: pl.DataFrame) -> pl.Series:
        """Which rows of a batch go against the value before."""
        rule, per = self.rule, list(self.rule.per)
        value, before = pl.col(rule.column), pl.col(" before")
        asked = frame.select(rule.column, *per).with_row_index(_AT).drop_nulls(rule.column)
        if per:
            asked = asked.with_columns(value.shift().over(per).alias(" before"))
        else:
            asked = asked.with_columns(value.shift().alias(" before"))
        if self._last is not None and asked.height:
            asked = self._continued(asked, per)
        bad = value > before if rule.descending else value < before
        if rule.strict:
            bad = bad | (value == before)
        where = asked.filter(bad.fill_null(False))[_AT]
        self._remember(asked, per)
        marks = pl.repeat(False, frame.height, dtype=pl.Boolean, eager=True).alias(rule.id)
        return marks.scatter(where, True) if where.len() else marks

    def _continued(self, asked: pl.DataFrame, per: Sequence[str]) -> pl.DataFrame:
        assert self._last is not None
        if not per:
            return asked.with_columns(pl.col(" before").fill_null(self._last[self.rule.column][0]))
        last = self._last.rename({self.rule.column: " last"})
        joined = asked.join(last, on=list(per), how="left", nulls_equal=True, maintain_order="left")
        return joined.with_columns(pl.coalesce(" before", " last").alias(" before")).drop(" last")

    def _remember(self, asked: pl.DataFrame, per: Sequence[str]) -> None:
        if not asked.height:
            return
        if not per:
            self._last = asked.select(pl.col(self.rule.column).last())
            return
        new = asked.group_by(per).agg(pl.col(self.rule.column).last())
        if self._last is not None:
            new = pl.concat([new, self._last.join(new, on=list(per), how="anti", nulls_equal=True)])
        self._last = new


def unknown_function(name: str) -> str:
    """Why a Python rule is not asked."""
    return f"no function {name!r} is registered in this process; import the module that marks it with @td.rule"
