"""How far a window has moved from the reference, column by column, told as a z.

Every figure of a column has a z on the monitor's one scale (see `profiles`): its own mean, spread, shift, nulls and unseen
words, the correlation of the pair that moved most with it, its part in a move of all columns together, and the sum of what
it moved over many windows. A column's z is the largest of them, the window's the largest of its columns'; columns beyond
the threshold are named.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from treadle.systems.monitor import slow
from treadle.systems.monitor.bins import Counts, WindowCounts
from treadle.systems.monitor.errors import UnfitWindow
from treadle.systems.monitor.figures import (
    Family,
    Figure,
    Floats,
    Layout,
    Standardised,
    correlations,
    distance,
    stack,
    standardise,
)
from treadle.systems.monitor.profiles import LEAST_COVER, LEAST_ROWS, SHARES, Profile

FIGURES: Mapping[Family, Figure] = {
    "mean": "mean",
    "spread": "spread",
    "ranks": "shift",
    "words": "shift",
    "nulls": "nulls",
    "unseen": "unseen",
}
MOST_TOGETHER = 5
"""A move of all columns together is told of so many columns at most, and of those that make up half of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnDrift:
    """A column in a window, and the z of its figures. `z` is the largest, `figure` the one that has it.

    shift: the largest gap of cumulated shares, or for words the total variation. nulls: the change of the null share.
    unseen: the share of what the reference did not have. partner: the column whose correlation with this one moved most,
    with the correlations then and now.
    """

    column: str
    z: float
    figure: Figure
    shift: float
    nulls: float
    unseen: float
    z_by_figure: Mapping[Figure, float]
    mean: float | None = None
    """How far the mean moved, in standard deviations of the reference; None for words."""
    partner: str | None = None
    correlation: tuple[float, float] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Drift:
    """A window beside the reference. `columns` holds all of them, the furthest moved first; `score` is its z."""

    rows: int
    score: float
    threshold: float
    is_judged: bool
    """False where the window has too few rows, or spans too little of its time, to be compared with whole ones."""
    columns: tuple[ColumnDrift, ...]
    sums: slow.Sums = field(default_factory=slow.Sums)
    """Where the sums of slow drift stand after this window."""

    @property
    def moved(self) -> tuple[ColumnDrift, ...]:
        """The columns beyond the threshold; none in a window that is not judged."""
        return tuple(column for column in self.columns if self.is_judged and column.z > self.threshold)


def measure(
    reference: Profile,
    window: WindowCounts,
    *,
    false_alarms_per_window: float,
    span: float | None = None,
    before: slow.Sums | None = None,
    phase: int = 0,
) -> Drift:
    """The window beside the reference. Cost: about 0.1 ms a column.

    span: how much of the window's time its rows span, from first to last; a window that spans less than the reference's
    stretches do (a week that has only begun) is measured and not judged. before: the sums of the window before.
    phase: how many windows lie between the monitor's anchor and this one, for a reference with a rhythm.
    Raises UnfitWindow when it was counted over other bins.
    """
    layout = Layout(bins=reference.bins)
    _require_same(layout, reference, window)
    there, here = stack([reference.counts_of(phase)]), stack([window])
    found = standardise(layout, there, here)
    z = {family: values[0] for family, values in reference.z(found).items()}
    threshold = reference.threshold(false_alarms_per_window)
    is_judged = window.rows >= LEAST_ROWS and (span is None or span >= LEAST_COVER * reference.cover)
    sums, level = _slow(reference, layout, found, before or slow.Sums(), false_alarms_per_window, is_judged)
    by_column: dict[str, dict[Figure, float]] = {column.name: {} for column in layout.bins}
    for family, figure in FIGURES.items():
        for name, value in zip(layout.columns_of(family), z.get(family, ()), strict=False):
            by_column[name][figure] = float(value)
    for family, values in level.items():
        for name, value in zip(layout.columns_of(family), values.tolist(), strict=True):
            by_column[name]["slow"] = max(by_column[name].get("slow", 0.0), threshold * value)
    partners = _of_pairs(layout, z, by_column)
    _of_all(layout, found, z, by_column)
    then, now = (correlations(layout, one)[0] for one in (there, here)) if partners else (None, None)
    columns = []
    for number, column in enumerate(layout.bins):
        figures = by_column[column.name]
        furthest = max(figures, key=lambda figure: figures[figure])
        before_counts, counts = np.asarray(reference.columns[number].counts), window.columns[column.name]
        partner = partners.get(column.name)
        columns.append(
            ColumnDrift(
                column=column.name,
                z=figures[furthest],
                figure=furthest,
                shift=distance(column, before_counts, counts),
                nulls=_share(counts, (-1,)) - _share(before_counts, (-1,)),
                unseen=_share(counts[:-1], column.outside),
                z_by_figure=figures,
                mean=_moved_by(layout, found, column.name),
                partner=None if partner is None else layout.paired[partner[1]].name,
                correlation=None
                if partner is None or then is None or now is None
                else (float(then[partner]), float(now[partner])),
            )
        )
    columns.sort(key=lambda column: -column.z)
    return Drift(
        rows=window.rows,
        score=columns[0].z,
        threshold=threshold,
        is_judged=is_judged,
        columns=tuple(columns),
        sums=sums,
    )


def _slow(
    reference: Profile, layout: Layout, found: Standardised, before: slow.Sums, budget: float, is_judged: bool
) -> tuple[slow.Sums, dict[Family, Floats]]:
    """The sums after this window, and each of them as a part of its limit."""
    sides = slow.sides(layout)
    allowance = slow.allowance_for(float(found.rows["nulls"][0, 0]), reference.rows)
    spare = (allowance - slow.ALLOWANCE) * 0.4
    limit = slow.limit_for(sides / (budget * SHARES["slow"]), allowance, spare=spare)
    if not is_judged:
        return before, {family: values / limit for family, values in slow.levels(before).items()}
    z = {
        family: reference.noise[family].z(family, found.figures[family], found.rows[family], found.degrees.get(family))[
            0
        ]
        for family in slow.WATCHED
        if family in found.figures
    }
    sums = slow.advance(before, z, allowance=allowance, limit=limit)
    return sums, {family: values / limit for family, values in slow.levels(sums).items()}


def _of_pairs(
    layout: Layout, z: Mapping[Family, Floats], by_column: dict[str, dict[Figure, float]]
) -> dict[str, tuple[int, int]]:
    """Gives both columns of a pair its z where it is their largest; answers the places of that pair, own first."""
    partners: dict[str, tuple[int, int]] = {}
    if "pairs" not in z:
        return partners
    for left, right, value in zip(*layout.pairs, z["pairs"], strict=True):
        for own, other in ((int(left), int(right)), (int(right), int(left))):
            name = layout.paired[own].name
            if value > by_column[name].get("correlation", -math.inf):
                by_column[name]["correlation"], partners[name] = float(value), (own, other)
    return partners


def _of_all(
    layout: Layout, found: Standardised, z: Mapping[Family, Floats], by_column: dict[str, dict[Figure, float]]
) -> None:
    """Gives the z of all means together to the columns that make up half of it, at most five."""
    if "together" not in z:
        return
    names = layout.columns_of("mean")
    part = np.square(found.figures["mean"][0])
    order = np.argsort(-part)
    needed = int(np.searchsorted(np.cumsum(part[order]), part.sum() / 2.0)) + 1
    for place in order[: min(needed, MOST_TOGETHER)].tolist():
        by_column[names[place]]["together"] = float(z["together"][0])


def _moved_by(layout: Layout, found: Standardised, name: str) -> float | None:
    names = layout.columns_of("mean")
    if name not in names:
        return None
    place = names.index(name)
    return float(found.figures["mean"][0, place] / math.sqrt(max(found.rows["mean"][0, place], 1.0)))


def _share(counts: Counts, slots: tuple[int, ...]) -> float:
    return float(counts[list(slots)].sum()) / max(float(counts.sum()), 1.0)


def _require_same(layout: Layout, reference: Profile, window: WindowCounts) -> None:
    for column in layout.bins:
        counts = window.columns.get(column.name)
        if counts is None or counts.size != column.slots:
            raise UnfitWindow(
                f"The window was not counted over this reference's bins of {column.name!r}.", column=column.name
            )
    if window.products.shape != (len(reference.products), len(reference.products)):
        raise UnfitWindow("The window was counted without this reference's pairs of columns.")
