"""Carrying out the steps of a cleaning, in their order, over rows that come in batches.

Steps that treat every row by itself pass the batches on; one that has to see all rows (a fit, a previous value, a
duplicate) draws them together first. A row that a step holds goes through the remaining steps all the same, so that it
comes out of quarantine clean in everything but what held it; it takes no part in fits and is never anybody's duplicate.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, get_args

import polars as pl

from treadle.ground.errors import did_you_mean
from treadle.systems.prepare.cleaning.changes import AT, DROPPED, QUARANTINED, RULES, Changes
from treadle.systems.prepare.cleaning.columnwise import change
from treadle.systems.prepare.cleaning.declared import Declared
from treadle.systems.prepare.cleaning.duplicates import SURVIVOR, repeated
from treadle.systems.prepare.cleaning.filling import filled, fitted, previous
from treadle.systems.prepare.cleaning.steps import ClusterStep, Drop, Duplicates, Fill, Hold, Similar, Step, Unit
from treadle.systems.prepare.errors import CleaningRefused
from treadle.systems.prepare.row_sql import condition

HELD = " held"
_GONE = " gone"
_MOST_STEPS = 62
"""Steps that a bit of ` held` can stand for."""

Fit = Callable[[Fill], pl.LazyFrame | None]
"""The rows that a filling is fitted on, or None for those that are being cleaned."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StepReport:
    """What one step has done. `cells` counts values that are not what they were, `rows` those rows that it took out."""

    rule: str
    kind: str
    columns: list[str]
    cells: int
    dropped: int
    quarantined: int
    added: list[str]
    clusters: int
    fitted: dict[str, Any]


class Program:
    """The steps of one cleaning. It runs once, and its log is whole when the last batch has come out."""

    def __init__(self, steps: Sequence[Declared], *, fit: Fit = lambda step: None) -> None:
        if len(steps) > _MOST_STEPS:
            raise CleaningRefused(f"{len(steps)} steps are more than the {_MOST_STEPS} that a cleaning can have.")
        self.steps, self._fit = list(steps), fit
        self.changes = Changes(steps=[one.id for one in steps])
        self.held_by = dict.fromkeys((one.id for one in steps), 0)
        self._clusters: dict[int, int] = {}

    def run(self, frames: Iterable[pl.DataFrame]) -> Iterator[pl.DataFrame]:
        """The rows, cleaned, with the columns ` at` and ` held`: a bit for each step that holds the row."""
        flow: Iterator[pl.DataFrame] = (self._begun(frame) for frame in frames)
        for place, one in enumerate(self.steps):
            flow = self._stage(place, one, flow)
        yield from flow

    def parted(self, frame: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
        """The rows of a batch that are kept, and those that are held, with the names of their steps in ` rules`."""
        held = frame.filter(pl.col(HELD) != 0)
        names = [
            pl.when((pl.col(HELD) & (1 << place)) != 0).then(pl.lit(one.id)) for place, one in enumerate(self.steps)
        ]
        rules = pl.concat_list(names).list.drop_nulls() if names else pl.lit([], pl.List(pl.String))
        held = held.with_columns(rules.alias(RULES)).drop(HELD)
        for place, one in enumerate(self.steps):
            self.held_by[one.id] += int(((frame[HELD] & (1 << place)) != 0).sum())
        return frame.filter(pl.col(HELD) == 0).drop(HELD), held

    def report(self) -> list[StepReport]:
        """What each step has done, once everything has come out and the log has ended."""
        cells: dict[int, int] = {}
        for one in self.changes.cells:
            cells[one.step] = cells.get(one.step, 0) + one.rows.height
        dropped = {one.step: one.rows.height for one in self.changes.removed if one.to == DROPPED}
        return [
            StepReport(
                rule=one.id,
                kind=one.kind,
                columns=list(one.step.columns),
                cells=cells.get(place, 0),
                dropped=dropped.get(place, 0),
                quarantined=self.held_by[one.id],
                added=self.changes.added.get(place, []),
                clusters=self._clusters.get(place, 0),
                fitted=self.changes.fitted.get(one.id, {}),
            )
            for place, one in enumerate(self.steps)
        ]

    # Stages

    def _begun(self, frame: pl.DataFrame) -> pl.DataFrame:
        return self.changes.begin(frame).with_columns(pl.lit(0, pl.Int64).alias(HELD))

    def _stage(self, place: int, one: Declared, flow: Iterator[pl.DataFrame]) -> Iterator[pl.DataFrame]:
        step = one.step
        if isinstance(step, get_args(ClusterStep)):
            return self._whole(flow, lambda rows: self._unrepeated(place, step, rows))
        if isinstance(step, Fill) and step.fit == "previous":
            return self._whole(flow, lambda rows: self._filled_from_before(place, step, rows))
        if isinstance(step, Fill):
            return self._filling(place, one.id, step, flow)
        if isinstance(step, Drop):
            return (self._dropped(place, step, frame) for frame in flow)
        if isinstance(step, Hold):
            return (self._held(place, condition(step.where, _schema(frame)), frame) for frame in flow)
        return (self._changed(place, step, frame) for frame in flow)

    def _whole(
        self, flow: Iterator[pl.DataFrame], work: Callable[[pl.DataFrame], pl.DataFrame]
    ) -> Iterator[pl.DataFrame]:
        frames = list(flow)
        if frames:
            yield work(pl.concat(frames))

    def _changed(self, place: int, step: Step, frame: pl.DataFrame) -> pl.DataFrame:
        _check_columns(step.columns, frame)
        found = {name: change(step, name, frame) for name in step.columns}
        unfit = {name: f" unfit {name}" for name, one in found.items() if one.unfit is not None}
        values = [one.value.alias(name) for name, one in found.items()]
        marks = [one.unfit.fill_null(False).alias(unfit[name]) for name, one in found.items() if one.unfit is not None]
        # lazily, since only then is what values and marks have in common computed once
        after = frame.lazy().with_columns(*values, *marks).collect()
        holding = [unfit[name] for name in unfit if found[name].otherwise == "quarantine"]
        if isinstance(step, Unit) and step.source_column is not None:
            after = self._in_one_unit(step, after)
        for name in dict.fromkeys([*found, *_also(step)]):
            self.changes.changed(place, name, frame[AT], frame[name], after[name])
        after = self._held(place, pl.any_horizontal(holding), after) if holding else after
        return after.drop(unfit.values())

    def _in_one_unit(self, step: Unit, after: pl.DataFrame) -> pl.DataFrame:
        """The column that said each row's unit says the new one, where the value was converted."""
        known = pl.all_horizontal(~pl.col(f" unfit {name}") & pl.col(name).is_not_null() for name in step.columns)
        source = str(step.source_column)
        return after.with_columns(pl.when(known).then(pl.lit(step.to)).otherwise(pl.col(source)).alias(source))

    def _held(self, place: int, where: pl.Expr, frame: pl.DataFrame) -> pl.DataFrame:
        return frame.with_columns(pl.when(where).then(pl.col(HELD) | (1 << place)).otherwise(pl.col(HELD)).alias(HELD))

    def _dropped(self, place: int, step: Drop, frame: pl.DataFrame) -> pl.DataFrame:
        where = condition(step.where, _schema(frame)) & (pl.col(HELD) == 0)
        marked = frame.with_columns(where.alias(_GONE))
        self.changes.removes(place, DROPPED, marked.filter(_GONE).drop(_GONE))
        return marked.filter(~pl.col(_GONE)).drop(_GONE)

    def _unrepeated(self, place: int, step: Duplicates | Similar, rows: pl.DataFrame) -> pl.DataFrame:
        _check_columns([*step.by, *(step.block if isinstance(step, Similar) else ())], rows)
        gone = repeated(step, rows.filter(pl.col(HELD) == 0).drop(HELD), AT)
        self._clusters[place] = gone[SURVIVOR].n_unique()
        self.changes.removes(place, DROPPED, rows.join(gone, on=AT, how="inner", maintain_order="left"))
        return rows.join(gone, on=AT, how="anti", maintain_order="left")

    def _filling(self, place: int, name: str, step: Fill, flow: Iterator[pl.DataFrame]) -> Iterator[pl.DataFrame]:
        values: dict[str, Any] | None = None
        if step.fit is not None:
            rows = self._fit(step)
            if rows is None:
                flow, rows = self._seen_whole(flow)
            _check_columns(step.columns, rows)
            values = fitted(step, rows)
        for frame in flow:
            _check_columns(step.columns, frame)
            values = fitted(step, frame.lazy()) if values is None else values
            after = frame.with_columns(filled(values, frame.schema))
            yield self._with_indicator(place, step, frame, after)
        self.changes.fitted[name] = values or {}

    def _seen_whole(self, flow: Iterator[pl.DataFrame]) -> tuple[Iterator[pl.DataFrame], pl.LazyFrame]:
        frames = list(flow)
        whole = pl.concat(frames) if frames else pl.DataFrame(schema={HELD: pl.Int64})
        return iter(frames), whole.lazy().filter(pl.col(HELD) == 0)

    def _filled_from_before(self, place: int, step: Fill, rows: pl.DataFrame) -> pl.DataFrame:
        _check_columns([*step.columns, *step.by, str(step.time)], rows)
        good = rows.filter(pl.col(HELD) == 0)
        found = rows.select(AT).join(previous(step, good, AT), on=AT, how="left", maintain_order="left")
        after = rows.with_columns(rows[name].fill_null(found[name]).alias(name) for name in step.columns)
        return self._with_indicator(place, step, rows, after)

    def _with_indicator(self, place: int, step: Fill, before: pl.DataFrame, after: pl.DataFrame) -> pl.DataFrame:
        for name in step.columns:
            self.changes.changed(place, name, before[AT], before[name], after[name])
        if not step.indicator:
            return after
        marks = {_indicator(step, name): before[name].is_null() & after[name].is_not_null() for name in step.columns}
        taken = [name for name in marks if name in before.columns]
        if taken:
            raise CleaningRefused(f"The column {taken[0]!r} is there already.", fix="Give 'indicator' another name.")
        self.changes.added[place] = list(marks)
        return after.with_columns(mark.alias(name) for name, mark in marks.items())


def _indicator(step: Fill, name: str) -> str:
    if isinstance(step.indicator, str) and len(step.columns) == 1:
        return step.indicator
    return f"{name}_was_missing"


def _also(step: Step) -> list[str]:
    return [str(step.source_column)] if isinstance(step, Unit) and step.source_column is not None else []


def _schema(frame: pl.DataFrame) -> pl.Schema:
    return pl.Schema({name: dtype for name, dtype in frame.schema.items() if name not in (AT, HELD)})


def _check_columns(names: Iterable[str], frame: pl.DataFrame | pl.LazyFrame) -> None:
    known = frame.collect_schema().names()
    for name in names:
        if name not in known:
            shown = [one for one in known if one not in (AT, HELD)]
            raise CleaningRefused(
                f"There is no column {name!r} to clean.", why=did_you_mean(name, shown), columns=shown
            )


def cleaned(
    frames: Iterable[pl.DataFrame], steps: Sequence[Declared], *, fit: Fit = lambda step: None
) -> tuple[pl.DataFrame, pl.DataFrame, Program]:
    """(rows that are kept, rows that are held with ` rules`, the program with its log) of frames that fit in memory."""
    program = Program(steps, fit=fit)
    parts = [program.parted(frame) for frame in program.run(frames)]
    kept = pl.concat([part[0] for part in parts]) if parts else pl.DataFrame()
    held = pl.concat([part[1] for part in parts]) if parts else pl.DataFrame()
    program.changes.removes(len(steps), QUARANTINED, held)
    program.changes.end()
    return kept.drop(AT, strict=False), held, program


def held_values(changes: Changes, held_by: Mapping[int, Sequence[str]]) -> dict[int, dict[str, Any]]:
    """By position, the values that a step could not make clean: what a held row said where it now says nothing."""
    wanted = pl.Series(list(held_by), dtype=pl.Int64)
    found: dict[int, dict[str, Any]] = {}
    for cells in changes.cells:
        rows = cells.rows.filter(pl.col(AT).is_in(wanted.implode()) & pl.col("after").is_null())
        for at, before in rows.select(AT, "before").iter_rows():
            if changes.steps[cells.step] in held_by[at]:
                found.setdefault(at, {})[cells.column] = before
    return found
