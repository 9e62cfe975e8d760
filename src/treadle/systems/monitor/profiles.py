"""What a monitor keeps of a reference: counts over its bins, and how much they move when nothing has changed.

One budget covers the whole monitor. Every figure becomes the point of a standard normal that chance passes as seldom
(`noise` says what chance does, from the reference's own stretches of time, which is what keeps a weekly rhythm from
raising an alarm); each family of figures has its share of the budget, and its figures share that. So the z of all figures
stand on one scale with one threshold, which a window without drift passes as seldom as the budget says.

Where the reference shows that a window resembles those of the same phase (the same day of the week, the same hour of the
day) more than the rest, a window is held against these alone; what the rhythm hides from a test is then found as well.

The promise is then tried on the reference itself: each of its stretches is judged by the others, and where they pass
more often than promised, the threshold is raised to what they show.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from treadle.ground.stats import chi_square_tail
from treadle.ground.stats.tails import log_normal_tail, normal_point
from treadle.systems.monitor.bins import ColumnBins, Kind, WindowCounts, count, fix_bins
from treadle.systems.monitor.errors import UnfitReference
from treadle.systems.monitor.figures import Family, Floats, Layout, Standardised, stack, standardise
from treadle.systems.monitor.noise import UNTIMED, Noise, no_noise, noise_of, squares

if TYPE_CHECKING:
    import pyarrow as pa

DAY_S = 86_400
OUTSIDE = np.iinfo(np.int64).min
FAMILIES: tuple[Family, ...] = ("mean", "spread", "ranks", "words", "nulls", "unseen", "pairs", "together")

LEAST_ROWS = 100
"""Below so many rows a window is too thin to judge."""

LEAST_COVER = 0.9
"""The last stretch counts only when the reference covers so much of it: a week without its Sunday is no week."""

LEAST_BLOCKS = 4
"""Below so many stretches of time the reference cannot show how it moves, and independence must do."""

MOST_PHASES = 28
"""A profile keeps counts for each phase of a rhythm: the days of a week, the hours of a day."""

LEAST_PERIODS = 2
"""A rhythm is believed when every phase was seen so often."""

RHYTHM_GAIN = 1.3
"""A rhythm is believed when it explains so much: the variance between stretches without it, over that with it."""

SURPRISED = 0.01
"""The reference's own stretches raise the threshold where chance would have them pass as often this seldom."""

SHARES: Mapping[Family | str, float] = {
    "mean": 0.16, "spread": 0.08, "ranks": 0.13, "words": 0.10, "nulls": 0.10, "unseen": 0.04, "pairs": 0.14,
    "together": 0.10, "slow": 0.15,
}  # fmt: skip
"""What part of the budget each family of figures may use; they add up to 1."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tail:
    """The upper end of the largest z without drift: exponential above `start`, which `share` of windows pass.

    `scale` is the mean excess of only `n` values, so a next value is drawn from a heavier tail than the one fitted:
    P(z > start + x) = share * (1 + x / (n * scale)) ** -n, which is exponential once n is large.
    """

    start: float
    share: float
    scale: float
    n: int

    def beyond(self, probability: float) -> float:
        """The z that is passed with this probability; `start` where it is passed less often anyway."""
        odds = max(1.0, self.share / probability)
        return self.start + self.n * self.scale * math.expm1(math.log(odds) / self.n)


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnProfile:
    """A column of the reference: its bins, and its counts over them."""

    bins: ColumnBins
    counts: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Phase:
    """The reference's stretches of one phase of its rhythm: counts by column, in the order of the profile's columns."""

    rows: int
    counts: tuple[tuple[int, ...], ...]
    products: tuple[tuple[float, ...], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """All that a monitor keeps of a reference: about 2 kB a column, and no rows."""

    rows: int
    window_s: int
    blocks: int
    cover: float
    """How much of a stretch its rows span, from first to last: less than 1 where nights are quiet."""
    columns: tuple[ColumnProfile, ...]
    products: tuple[tuple[float, ...], ...]
    noise: Mapping[Family, Noise]
    phases: tuple[Phase, ...] = ()
    """What windows of each phase are held against, where the reference has a rhythm; else nothing."""
    tail: Tail | None = None
    """How far the reference's own stretches lie from each other, where that is further than promised."""

    def threshold(self, false_alarms_per_window: float) -> float:
        """The z that a window without drift passes as seldom as asked."""
        level = float(normal_point(math.log(false_alarms_per_window / self.figures)))
        return level if self.tail is None else max(level, self.tail.beyond(false_alarms_per_window))

    @property
    def figures(self) -> int:
        """How many comparisons a window is judged by, so many that the z of a single one says little."""
        return sum(len(noise.extra) for noise in self.noise.values())

    @property
    def bins(self) -> tuple[ColumnBins, ...]:
        return tuple(column.bins for column in self.columns)

    def counts_of(self, phase: int = 0) -> WindowCounts:
        """What a window of this phase is held against, as a window: all of the reference where it has no rhythm.

        phase: how many windows lie between the monitor's anchor and it; whole periods are taken off here.
        """
        if not self.phases:
            rows, counts, products = self.rows, [column.counts for column in self.columns], self.products
        else:
            chosen = self.phases[phase % len(self.phases)]
            rows, counts, products = chosen.rows, list(chosen.counts), chosen.products
        return WindowCounts(
            rows=rows,
            columns={column.bins.name: np.array(one) for column, one in zip(self.columns, counts, strict=True)},
            products=np.array(products).reshape(len(products), len(products)),
        )

    def z(self, found: Standardised) -> dict[Family, Floats]:
        """The figures of windows on the monitor's one scale of z, shape (windows, size)."""
        return on_one_scale(self.noise, found)


def on_one_scale(noise: Mapping[Family, Noise], found: Standardised) -> dict[Family, Floats]:
    """The figures of windows as z, as if every figure had an equal part of the budget, whatever its family has."""
    odds = log_odds(noise, found)
    points = normal_point(np.concatenate(list(odds.values()), axis=1))
    ends = np.cumsum([values.shape[1] for values in odds.values()])
    return dict(zip(odds, np.split(points, ends[:-1], axis=1), strict=True))


def log_odds(noise: Mapping[Family, Noise], found: Standardised) -> dict[Family, Floats]:
    """ln of the odds of each figure, weighed so that all families stand on one scale."""
    total = sum(figures.shape[1] for figures in found.figures.values())
    return {
        family: noise[family].log_odds(family, figures, found.rows[family], found.degrees.get(family))
        + math.log(figures.shape[1] / (SHARES[family] * total))
        for family, figures in found.figures.items()
    }


def profile(
    reference: pa.Table,
    *,
    at: Floats | None,
    window_s: int = 0,
    window_rows: int = 0,
    anchor_s: float | None = None,
    kinds: Mapping[str, Kind] | None = None,
) -> Profile:
    """The profile of a reference for windows of this length, in seconds or in rows.

    at: the time of each row in seconds, shape (rows,), or None where the reference has no time; rows are then taken to
    be in order, for windows of rows. anchor_s: a time at which a window begins; without it the first row's.
    Stretches of `window_s` seconds with at least half the rows of the middle one show how the reference moves; from four
    on they are used.
    Cost: one pass over the rows, and about 10 ms a stretch. Raises UnfitReference, UnfitColumn.
    """
    bins = fix_bins(reference, kinds)
    if window_rows:
        block = _counted_blocks(at, reference.num_rows, window_rows)
    else:
        block = _blocks(at, reference.num_rows, window_s, anchor_s)
    order = np.argsort(block, kind="stable")
    inside = reference.take(order)
    numbers, starts = np.unique(block[order], return_index=True)
    ends = [*starts[1:].tolist(), reference.num_rows]
    counted = {
        int(number): count(bins, inside.slice(a, b - a))
        for number, a, b in zip(numbers.tolist(), starts.tolist(), ends, strict=True)
    }
    rest = counted.pop(OUTSIDE, WindowCounts(rows=0))
    return profile_of_windows(
        bins,
        list(counted.values()),
        rest,
        phase=list(counted),
        periods=_periods(window_s),
        window_s=window_s,
        cover=1.0 if window_rows else _cover(at, block, window_s),
    )


def profile_of_windows(
    bins: Sequence[ColumnBins],
    stretches: Sequence[WindowCounts],
    rest: WindowCounts,
    *,
    phase: Sequence[int],
    periods: Sequence[int],
    window_s: int,
    cover: float,
) -> Profile:
    """The profile from counts alone, so that a reference may itself be a run of past windows.

    stretches: the windows that show how the reference moves; phase: how many windows lie between the anchor and each of
    them. periods: of how many windows a rhythm may be. rest: rows that lie in none of them.
    """
    layout = Layout(bins=tuple(bins))
    total = sum(stretches, start=rest)
    noise, tail = no_noise({family: layout.size(family) for family in FAMILIES if layout.size(family)}), None
    rhythm: list[WindowCounts] = []
    if len(stretches) >= LEAST_BLOCKS:
        found, rhythm = _stretches_of(layout, total, stretches, phase, periods)
        noise = noise_of(found, max(len(rhythm), 1))
        tail = _surprise(_largest_left_out(found, max(len(rhythm), 1)), found)
    return Profile(
        rows=total.rows,
        window_s=window_s,
        blocks=len(stretches),
        cover=cover,
        columns=tuple(ColumnProfile(bins=column, counts=tuple(total.columns[column.name].tolist())) for column in bins),
        products=tuple(tuple(row) for row in total.products.tolist()),
        noise=noise,
        phases=tuple(
            Phase(
                rows=one.rows,
                counts=tuple(tuple(one.columns[column.name].tolist()) for column in bins),
                products=tuple(tuple(row) for row in one.products.tolist()),
            )
            for one in rhythm
        ),
        tail=tail,
    )


def _stretches_of(
    layout: Layout,
    total: WindowCounts,
    stretches: Sequence[WindowCounts],
    phase: Sequence[int],
    periods: Sequence[int],
) -> tuple[Standardised, list[WindowCounts]]:
    """Each stretch beside the others, or beside those of its phase where a rhythm explains more: then with the phases."""
    windows = stack(stretches)
    best, rhythm = standardise(layout, stack([total]).without(windows), windows), []
    least = _between(best)
    for period in periods:
        places = np.array(phase) % period
        if np.bincount(places, minlength=period).min() < LEAST_PERIODS:
            continue
        parts = [
            sum((one for one, place in zip(stretches, places, strict=True) if place == p), start=WindowCounts(rows=0))
            for p in range(period)
        ]
        found = standardise(layout, stack([parts[p] for p in places]).without(windows), windows)
        if _between(found) * RHYTHM_GAIN < least:
            best, rhythm, least = found, parts, _between(found)
    return best, rhythm


def _between(found: Standardised) -> float:
    """The variance between stretches: the mean over families and figures, 1 where rows are independent."""
    return float(np.mean([squares(f, values).mean() for f, values in found.figures.items() if f not in UNTIMED]))


def _periods(window_s: int) -> list[int]:
    """Of how many windows a day and a week consist, where they consist of whole ones."""
    return [
        length // window_s
        for length in (DAY_S, 7 * DAY_S)
        if window_s and length % window_s == 0 and 1 < length // window_s <= MOST_PHASES
    ]


def _largest_left_out(found: Standardised, phases: int) -> Floats:
    """Each stretch's largest z, judged by the other stretches alone, as a new window will be."""
    n = next(iter(found.figures.values())).shape[0]
    least = np.empty(n)
    for k in range(n):
        this = np.arange(n) == k
        odds = log_odds(noise_of(_chosen(found, ~this), phases), _chosen(found, this))
        least[k] = min(float(values.min()) for values in odds.values())
    return normal_point(least)


def _chosen(found: Standardised, windows: NDArray[np.bool_]) -> Standardised:
    return Standardised(
        figures={family: figures[windows] for family, figures in found.figures.items()},
        rows={family: rows[windows] for family, rows in found.rows.items()},
        degrees={family: degrees[windows] for family, degrees in found.degrees.items()},
    )


def _counted_blocks(at: Floats | None, rows: int, window_rows: int) -> NDArray[np.int64]:
    """The stretch of each row when stretches have so many rows, OUTSIDE for those of the last one, cut short."""
    if at is not None and at.size != rows:
        raise UnfitReference(f"{rows} rows, but {at.size} times.")
    order = np.arange(rows) if at is None else np.argsort(np.where(np.isfinite(at), at, np.inf), kind="stable")
    block = np.full(rows, OUTSIDE, dtype=np.int64)
    whole = rows // window_rows * window_rows
    block[order[:whole]] = np.arange(whole) // window_rows
    return block


def _blocks(at: Floats | None, rows: int, window_s: int, anchor_s: float | None) -> NDArray[np.int64]:
    """The stretch of each row, by its windows since the anchor; OUTSIDE for those in none: no time, a stretch mostly empty,
    or the first or last one, cut short."""
    block = np.full(rows, OUTSIDE, dtype=np.int64)
    if at is None:
        return block
    if at.size != rows:
        raise UnfitReference(f"{rows} rows, but {at.size} times.")
    timed = np.isfinite(at)
    if not timed.any():
        return block
    since = (at[timed] - (at[timed].min() if anchor_s is None else anchor_s)) / window_s
    number = np.floor(since).astype(np.int64)
    first = int(number.min())
    place = number - first
    sizes = np.bincount(place)
    full = sizes >= np.median(sizes[sizes > 0]) / 2.0
    full[-1] &= since.max() - number.max() >= LEAST_COVER
    full[0] &= since.min() - first <= 1.0 - LEAST_COVER
    block[timed] = np.where(full[place], number, OUTSIDE)
    return block


def _cover(at: Floats | None, block: NDArray[np.int64], window_s: int) -> float:
    """The middle one of the stretches' spans, as a share of a stretch; 0 where there are none."""
    numbers = np.unique(block[block != OUTSIDE])
    if at is None or numbers.size == 0:
        return 0.0
    return float(np.median([float(np.ptp(at[block == k])) / window_s for k in numbers]))


def _surprise(largest: Floats, found: Standardised) -> Tail | None:
    """The tail of the stretches' largest z, where they lie further out than promised; else nothing.

    Without drift the promised odds of the largest z are uniform or above, so twice the sum of their negative logarithms
    is a chi-square at most. Source: Fisher, "Statistical Methods for Research Workers", 1932.
    """
    figures = sum(values.shape[1] for values in found.figures.values())
    odds = np.minimum(log_normal_tail(largest) + math.log(figures), 0.0)
    if chi_square_tail(float(-2.0 * odds.sum()), 2.0 * largest.size) >= SURPRISED:
        return None
    return _tail(largest, share=0.5)


def _tail(largest: Floats, *, share: float) -> Tail:
    """An exponential tail fitted to what lies above a quantile."""
    start = float(np.quantile(largest, 1.0 - share))
    above = largest[largest > start] - start
    return Tail(start=start, share=share, scale=float(above.mean()) if above.size else 1.0, n=max(1, above.size))
