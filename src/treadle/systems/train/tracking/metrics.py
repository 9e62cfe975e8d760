"""The verbs of metrics: their histories, whole, paged, sampled or drawn."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from treadle.kernel.governance import Caller, verb
from treadle.kernel.store import Statements, Store
from treadle.systems.train.tracking import sampling
from treadle.systems.train.tracking.errors import TrackedRunNotFound
from treadle.systems.train.tracking.histories import Histories
from treadle.systems.train.tracking.metric_rows import MetricKeys
from treadle.systems.train.tracking.repository import TrackedRunRows

if TYPE_CHECKING:
    from treadle.systems.train.tracking.packing import Columns

sql = Statements(__package__)

_LEAST, _MOST = -(2**63), 2**63 - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricsOfRun:
    """A run by its 32 hexadecimal digits."""

    run: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricSummary:
    """What is known of one metric of a run without reading its history. A value that is no number is None."""

    key: str
    value: float | None
    step: int
    at_ms: int
    low: float | None
    high: float | None
    first_step: int
    last_step: int


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricHistory:
    """One metric of a run between two steps. points: about how many to answer, every peak and dip among them; None: all."""

    run: str
    key: str
    first_step: int | None = None
    last_step: int | None = None
    points: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """Points of one metric, column by column, by step and time. count: how many there are before any are left out."""

    key: str
    count: int
    steps: list[int]
    times_ms: list[int]
    values: list[float | None]


class Metrics:
    """See the module."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._runs, self._keys, self._histories = TrackedRunRows(), MetricKeys(), Histories(store)

    @verb("metrics.list", permission="run.read")
    def of_run(self, caller: Caller, request: MetricsOfRun) -> list[MetricSummary]:
        """The metrics of a run by name: latest value, range of values and of steps. Raises TrackedRunNotFound."""
        with self._store.read() as reader:
            number = self._runs.numbers(reader, caller.project, [request.run]).get(request.run)
            if number is None:
                raise TrackedRunNotFound(f"Run with id={request.run} not found")
            rows = reader.all(sql.series_of_run, {"project": caller.project, "number": number})
        return [
            MetricSummary(
                key=key,
                value=None if is_nan else value,
                step=step,
                at_ms=at_ms,
                low=low,
                high=high,
                first_step=first_step,
                last_step=last_step,
            )
            for key, value, is_nan, at_ms, step, low, high, first_step, last_step in rows
        ]

    @verb("metrics.history", permission="run.read")
    def history(self, caller: Caller, request: MetricHistory) -> Series:
        """A metric of a run by step, exact or with fewer points for a chart. A metric without points is an empty one."""
        first = _LEAST if request.first_step is None else request.first_step
        last = _MOST if request.last_step is None else request.last_step
        points = self.columns(caller, request.run, request.key, steps=(first, last))
        if points is None:
            return Series(key=request.key, count=0, steps=[], times_ms=[], values=[])
        ordered = sampling.by_step(points)
        shown = ordered if request.points is None else sampling.with_extremes(ordered, request.points)
        return Series(
            key=request.key,
            count=len(points),
            steps=shown.steps.tolist(),
            times_ms=shown.times.tolist(),
            values=numbers(shown),
        )

    def columns(self, caller: Caller, run: str, key: str, *, steps: tuple[int, int] | None = None) -> Columns | None:
        """The points of a metric by time, step and value, between two steps where it says so; None where there are none.

        For faces that write them out themselves. A run of many chunks is put in order on the way.
        """
        caller.require("run.read")
        first, last = steps or (_LEAST, _MOST)
        with self._store.read() as reader:
            number = self._runs.numbers(reader, caller.project, [run]).get(run)
            found = self._keys.find(reader, caller.project, key)
            if number is None or found is None:
                return None
            points = self._histories.points(reader, caller.project, number, found, first_step=first, last_step=last)
        self._keys.remember(caller.project, {key: found})
        self._histories.tidy(caller.project, number)
        return points

    def sampled(
        self, caller: Caller, runs: Sequence[str], key: str, most: int, *, steps: tuple[int, int] | None = None
    ) -> list[tuple[str, Columns]]:
        """At most `most` points of each run, evenly spaced by rank, its last one among them."""
        found = []
        for run in runs:
            points = self.columns(caller, run, key, steps=steps)
            if points is not None and len(points):
                found.append((run, sampling.evenly(sampling.by_step(points), most)))
        return found


def numbers(points: Columns) -> list[float | None]:
    """The values as a list, with None for what is no number."""
    values: list[float | None] = points.values.tolist()
    for place in np.flatnonzero(np.isnan(points.values)).tolist():
        values[place] = None
    return values
