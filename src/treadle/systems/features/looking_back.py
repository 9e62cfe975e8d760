"""The windows of a view, grouped by the lives that they share, ready to answer pieces of entities."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import numpy as np
import polars as pl

from treadle.systems.features.columns import micros
from treadle.systems.features.errors import InvalidFeatureView
from treadle.systems.features.exact import Digits, Ints
from treadle.systems.features.lives import FOREVER, Lives, Outcomes, lives, relevant, superseded_at
from treadle.systems.features.point_in_time import RowTimes
from treadle.systems.features.ranging import Ranges, extreme_of, lists_of, quantile_of
from treadle.systems.features.summing import Steps, Values, answer, check_type, lives_of_values, summed, values_of
from treadle.systems.features.timelines import Bools, Questions
from treadle.systems.features.views import FeatureView
from treadle.systems.features.windows import Window

Compute = Callable[[pl.DataFrame, Mapping[str, pl.Expr]], pl.DataFrame]
"""Expressions of a view on some of its rows."""

SUMMED = ("count", "sum", "mean", "rate", "std")
RANGED = ("min", "max", "quantile", "values", "duration")


def groups_of(
    view: FeatureView, rows: pl.DataFrame, times: RowTimes, only: Ints | None, span: tuple[int, int], compute: Compute
) -> list[WindowGroup]:
    """The windows of a view over the outcomes that matter to questions of these keys in this span of moments.

    only: the keys that will be asked for, or None for any.
    """
    outcomes = _outcomes(view, rows, times, only, span)
    return [
        _Grouping(view, rows, outcomes, times.keys.bound, span, compute).group(windows)
        for windows in _by_lives(view.window_features)
    ]


def _outcomes(
    view: FeatureView, rows: pl.DataFrame, times: RowTimes, only: Ints | None, span: tuple[int, int]
) -> Outcomes:
    """The rows of the asked keys that happened and were known by the last question."""
    until = _superseded(view, rows, times)
    places = times.usable(only)
    if places is None:
        places = np.arange(len(rows))
    places = places[np.maximum(times.event_at[places], times.known_at[places]) <= span[1]]
    whole = Outcomes(times.keys.held, times.event_at, times.known_at, times.landed, until, np.arange(len(rows)))
    return whole.at(places)


def _superseded(view: FeatureView, rows: pl.DataFrame, times: RowTimes) -> Ints:
    """When a later version of each row's event became known.

    Over all rows, not only those of the asked keys: a correction may move an event to another key.
    """
    until = np.full(len(rows), FOREVER, np.int64)
    if not view.event_key:
        return until
    event = rows.select(pl.struct(view.event_key).rank("dense").cast(pl.Int64)).to_series().to_numpy()
    places = np.flatnonzero(times.dated)
    until[places] = superseded_at(event[places], times.known_at[places], times.landed[places])
    return until


def _by_lives(asked: Mapping[str, Window]) -> list[dict[str, Window]]:
    """Windows that hold the same outcomes, together: their lives are computed once."""
    groups: dict[tuple[Any, ...], dict[str, Window]] = {}
    for name, window in asked.items():
        where = None if window.where is None else window.where.meta.serialize(format="json")
        shape = (window.span, window.last, window.tile, window.edge, window.session, window.lateness, where)
        groups.setdefault(shape, {})[name] = window
    return list(groups.values())


@dataclass(frozen=True, slots=True)
class WindowGroup:
    """Windows over the same lives."""

    windows: Mapping[str, Window]
    outcomes: Outcomes
    lifetimes: Lives
    n_keys: int
    series: Mapping[str, pl.Series]
    """Of each window that aggregates a value, the values of the outcomes."""
    _steps: dict[str, Steps] = field(default_factory=dict)
    _sums: dict[str, Values] = field(default_factory=dict)

    def values(self, questions: Questions, wanted: Sequence[str]) -> dict[str, pl.Series]:
        """Those of the wanted windows that are in this group, as of each question."""
        found: dict[str, pl.Series] = {}
        asked = {name: window for name, window in self.windows.items() if name in wanted}
        sums = {name: window for name, window in asked.items() if window.aggregate in SUMMED}
        if sums:
            steps = self._step("", self.lifetimes)
            at = questions.last_on(steps.line)
            found |= {name: answer(steps, at, window, self._sums_of(name, steps)) for name, window in sums.items()}
        for name, window in asked.items():
            if window.aggregate == "distinct":
                found[name] = self._distinct(name, questions)
        ranged = {name: window for name, window in asked.items() if window.aggregate in RANGED}
        if ranged:
            ranges = self.ranges(questions)
            found |= {name: self._ranged(name, window, ranges, len(questions)) for name, window in ranged.items()}
        return found

    def ranges(self, questions: Questions) -> Ranges:
        """Which questions each life covers."""
        return Ranges.of(self.lifetimes, self.outcomes.key, questions, self.n_keys)

    def _step(self, name: str, lifetimes: Lives) -> Steps:
        if name not in self._steps:
            self._steps[name] = Steps.of(lifetimes, self.outcomes.key, self.n_keys)
        return self._steps[name]

    def _sums_of(self, name: str, steps: Steps) -> Values:
        if name not in self._sums:
            values = values_of(self.series.get(name), self.windows[name], len(self.outcomes))
            self._sums[name] = summed(steps, values)
        return self._sums[name]

    def _distinct(self, name: str, questions: Questions) -> pl.Series:
        if name not in self._steps:
            self._step(name, lives_of_values(self.lifetimes, self.outcomes.key, self.series[name]))
            ones = np.ones(len(self.outcomes), np.int64)
            nothing = Digits((), ())
            self._sums[name] = summed(self._steps[name], Values(ones, np.zeros(0, np.int64), nothing, nothing))
        steps = self._steps[name]
        return pl.Series(steps.read(self._sums[name].counted, questions.last_on(steps.line)))

    def _ranged(self, name: str, window: Window, ranges: Ranges, n: int) -> pl.Series:
        if window.aggregate == "duration":
            event = pl.Series(self.outcomes.event_at)
            ends = [extreme_of(ranges, event, n, greatest=greatest) for greatest in (True, False)]
            return (ends[0] - ends[1]) / 1e6
        series = self.series[name]
        if window.aggregate == "values":
            newest = np.lexsort((self.outcomes.landed, self.outcomes.event_at)).argsort()
            return lists_of(ranges, series, n, newest)
        check_type(series, window)
        if window.aggregate == "quantile":
            assert window.q is not None
            return quantile_of(ranges, series, n, window.q)
        return extreme_of(ranges, series, n, greatest=window.aggregate == "max")


@dataclass(frozen=True, slots=True)
class _Grouping:
    """What groups of windows are made from."""

    view: FeatureView
    rows: pl.DataFrame
    outcomes: Outcomes
    n_keys: int
    span: tuple[int, int]
    compute: Compute

    def group(self, windows: Mapping[str, Window]) -> WindowGroup:
        """The outcomes that these windows may hold for the questions, and their lives."""
        window = next(iter(windows.values()))
        counts = None if window.where is None else self._condition(window.where)
        some = self.outcomes.at(relevant(self.outcomes, window, counts, *self.span))
        values = {name: each.value for name, each in windows.items() if each.value is not None}
        held = self._rows_at(list(values.values()), some.row)
        series = {name: self.compute(held, {name: value})[name] for name, value in values.items()}
        return WindowGroup(windows, some, lives(some, window, self._lateness(window)), self.n_keys, series)

    def _lateness(self, window: Window) -> int:
        if window.lateness is not None:
            return micros(window.lateness)
        return micros(self.view.known_at) if isinstance(self.view.known_at, timedelta) else 0

    def _condition(self, where: pl.Expr) -> Bools:
        found = self.compute(self._rows_at([where], self.outcomes.row), {"where": where})["where"]
        if found.dtype != pl.Boolean:
            raise InvalidFeatureView(
                f"A window of view {self.view.name!r} has a condition that gives {found.dtype}, not true or false.",
                fix="Compare: pl.col('delay') > 15, for example.",
            )
        return found.fill_null(False).to_numpy()

    def _rows_at(self, expressions: Sequence[pl.Expr], places: Ints) -> pl.DataFrame:
        """The rows at some places, with the columns that the expressions read."""
        needed = {name for expression in expressions for name in expression.meta.root_names()}
        return self.rows.select(sorted(needed) or [self.view.event_time]).select(pl.all().gather(pl.Series(places)))
