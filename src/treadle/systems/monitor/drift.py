"""How far a window has moved from the reference, column by column, told as a z.

The z of a figure is how many standard deviations it lies above what is normal for the reference (see `profiles`). A
column's z is the largest of its figures', the window's the largest of its columns'; columns beyond the threshold are
named, the furthest moved first.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from treadle.systems.monitor.bins import WindowCounts
from treadle.systems.monitor.errors import UnfitWindow
from treadle.systems.monitor.figures import Figure, figures_of, judged
from treadle.systems.monitor.profiles import LEAST_COVER, LEAST_ROWS, ColumnProfile, Profile, effective_rows


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnDrift:
    """A column in a window: its three figures, and their z. `z` is the largest, `figure` the one that has it."""

    column: str
    z: float
    figure: Figure
    shift: float
    nulls: float
    unseen: float
    z_by_figure: Mapping[Figure, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Drift:
    """A window beside the reference. `columns` holds all of them, the furthest moved first; `score` is its z."""

    rows: int
    score: float
    threshold: float
    is_judged: bool
    """False where the window has too few rows, or spans too little of its time, to be compared with whole ones."""
    columns: tuple[ColumnDrift, ...]

    @property
    def moved(self) -> tuple[ColumnDrift, ...]:
        """The columns beyond the threshold; none in a window that is not judged."""
        return tuple(column for column in self.columns if self.is_judged and column.z > self.threshold)


def measure(
    reference: Profile, window: WindowCounts, *, false_alarms_per_window: float, span: float | None = None
) -> Drift:
    """The window beside the reference. Cost: about 0.1 ms a column.

    span: how much of the window's time its rows span, from first to last; a window that spans less than the reference's
    stretches do (a week that has only begun) is measured and not judged.
    Raises UnfitWindow when it was counted over other bins.
    """
    found = [_column_drift(column, window, reference.rows) for column in reference.columns]
    found.sort(key=lambda column: -column.z)
    return Drift(
        rows=window.rows,
        score=found[0].z,
        threshold=reference.threshold(false_alarms_per_window),
        is_judged=window.rows >= LEAST_ROWS and (span is None or span >= LEAST_COVER * reference.cover),
        columns=tuple(found),
    )


def _column_drift(column: ColumnProfile, window: WindowCounts, rows: int) -> ColumnDrift:
    name = column.bins.name
    counts = window.columns.get(name)
    if counts is None or counts.size != column.bins.slots:
        raise UnfitWindow(f"The window was not counted over this reference's bins of {name!r}.", column=name)
    figures = figures_of(column.bins, np.asarray(column.counts), counts)
    opened = judged(figures)
    effective = effective_rows(max(window.rows, 1), rows)
    z = {figure: float(noise.z(opened[figure], effective)) for figure, noise in column.noise.items()}
    furthest = max(z, key=lambda figure: z[figure])
    return ColumnDrift(
        column=name,
        z=z[furthest],
        figure=furthest,
        shift=float(figures["shift"]),
        nulls=float(figures["nulls"]),
        unseen=float(figures["unseen"]),
        z_by_figure=z,
    )
