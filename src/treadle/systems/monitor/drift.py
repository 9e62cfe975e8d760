"""How far a window has moved from the reference, and whether that is more than the reference itself moves.

Three figures a column: the shift of its values (binned Kolmogorov-Smirnov for numbers, Jensen-Shannon for words), the
change of its null share, and the share of values that the reference never had. Each is told as a z: how many standard
deviations it lies above what is normal. Normal is the worse of two: resamples of the reference's rows, and the
reference's own stretches of time, each compared with the rest of it. The second is what keeps a weekly rhythm, or a
stormy week like others before, from raising an alarm; independence is never assumed where time can be looked at.

One budget covers the whole monitor: the threshold is set on the largest z of all columns, so that a window without
drift passes it as seldom as the budget says, whatever the number of columns.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from treadle.ground.stats.distances import binned_ks, jensen_shannon
from treadle.systems.monitor.bins import ColumnBins, Counts, Kind, WindowCounts, fix_bins, place_column
from treadle.systems.monitor.errors import UnfitReference, UnfitWindow

if TYPE_CHECKING:
    import pyarrow as pa

Floats = NDArray[np.float64]
Figure = Literal["shift", "nulls", "unseen"]
FIGURES: tuple[Figure, ...] = ("shift", "nulls", "unseen")

RESAMPLES = 400
LEAST_SPREAD = 0.001
"""No figure is taken to be steadier than this: a thousandth is no news, however many rows say so."""

LEAST_ROWS = 100
"""Below so many rows a window is too thin to judge."""

LEAST_COVER = 0.9
"""The last stretch counts only when the reference covers so much of it: a week without its Sunday is no week."""

LEAST_BLOCKS = 4
"""Below so many stretches of time the reference cannot show how it moves, and resamples alone must do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Noise:
    """What a figure does without drift.

    By resampling, its mean is `level + slope / sqrt(n)` and its spread `spread / sqrt(n)`, n being the effective rows;
    between the reference's stretches of time it has `block_mean` and `block_spread`.
    """

    level: float
    slope: float
    spread: float
    block_mean: float = 0.0
    block_spread: float = 0.0

    def z(self, value: Floats, rows: float) -> Floats:
        """How many standard deviations a figure, counted on so many effective rows, lies above its mean."""
        root = math.sqrt(rows)
        mean = max(self.level + self.slope / root, self.block_mean)
        above: Floats = value - mean
        return above / max(self.spread / root, self.block_spread, LEAST_SPREAD)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tail:
    """The upper end of the largest z without drift: P(z > start + x) = share * exp(-x / scale)."""

    start: float
    share: float
    scale: float

    def beyond(self, probability: float) -> float:
        """The z that is passed with this probability."""
        return self.start + self.scale * max(0.0, math.log(self.share / probability))


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnProfile:
    """A column of the reference: its bins, its counts over them, the noise of its figures."""

    bins: ColumnBins
    counts: tuple[int, ...]
    noise: Mapping[Figure, Noise]


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """All that a monitor keeps of a reference: a few kB a column, and no rows."""

    rows: int
    window_s: int
    blocks: int
    cover: float
    """How much of a stretch its rows span, from first to last: less than 1 where nights are quiet."""
    columns: tuple[ColumnProfile, ...]
    tails: tuple[Tail, ...]

    def threshold(self, false_alarms_per_window: float) -> float:
        """The z that a window without drift passes as seldom as asked."""
        return max(tail.beyond(false_alarms_per_window) for tail in self.tails)

    @property
    def bins(self) -> tuple[ColumnBins, ...]:
        return tuple(column.bins for column in self.columns)


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


def profile(
    reference: pa.Table,
    *,
    at: Floats | None,
    window_s: int,
    rng: np.random.Generator,
    kinds: Mapping[str, Kind] | None = None,
) -> Profile:
    """The profile of a reference for windows of this length.

    at: the time of each row in seconds, shape (rows,), or None where the reference has no time. Stretches of `window_s`
    seconds with at least half the rows of the middle one show how the reference moves; from four on they are used.
    rng: draws the resamples; the same rng gives the same profile. Cost: one pass over the rows and a fraction of a
    second for the resamples. Raises UnfitReference, UnfitColumn.
    """
    bins = fix_bins(reference, kinds)
    block = _blocks(at, reference.num_rows, window_s)
    by_block = {column.name: _block_counts(column, place_column(column, reference), block) for column in bins}
    return profile_of_blocks(bins, by_block, window_s=window_s, cover=_cover(at, block, window_s), rng=rng)


def profile_of_blocks(
    bins: Sequence[ColumnBins],
    by_block: Mapping[str, Counts],
    *,
    window_s: int,
    cover: float,
    rng: np.random.Generator,
) -> Profile:
    """The profile from counts alone: by_block[column] is int64 of shape (stretches + 1, slots), rows of none last.

    So a reference may itself be a run of past windows. Raises UnfitReference where there are no rows.
    """
    totals = {column.name: by_block[column.name].sum(axis=0) for column in bins}
    rows = int(totals[bins[0].name].sum())
    blocks = by_block[bins[0].name][:-1]
    typical = max(LEAST_ROWS, int(blocks.sum(axis=1).mean())) if len(blocks) else max(LEAST_ROWS, rows // 10)
    columns, resampled, stretched = [], [], []
    for column in bins:
        noise = _resampled_noise(column, totals[column.name])
        draws = rng.multinomial(_effective(typical, rows), _shares(totals[column.name]), size=RESAMPLES)
        noise["shift"] = _shift_noise(column, totals[column.name], draws)
        resampled.append(_largest_z(column, noise, totals[column.name], draws, int(draws[0].sum())))
        if len(blocks) >= LEAST_BLOCKS:
            own = by_block[column.name][:-1]
            figures = judged(figures_of(column, totals[column.name] - own, own))
            stretched.append(_left_out_z(noise, figures, own.sum(axis=1), rows))
            noise = {name: _with_blocks(noise[name], figures[name]) for name in noise}
        columns.append(ColumnProfile(bins=column, counts=tuple(totals[column.name].tolist()), noise=noise))
    tails = [_tail(np.max(resampled, axis=0), share=0.1)]
    if stretched:
        tails.append(_tail(np.max(stretched, axis=0), share=0.5))
    return Profile(
        rows=rows, window_s=window_s, blocks=len(blocks), cover=cover, columns=tuple(columns), tails=tuple(tails)
    )


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


def judged(figures: Mapping[Figure, Floats]) -> dict[Figure, Floats]:
    """The figures on the scale on which they are judged: distances end at 1, so they are opened up by atanh.

    Without it a column that varies much from week to week could never be far from normal, however far it moved.
    """
    return {**figures, "shift": np.arctanh(np.minimum(figures["shift"], 0.999))}


def figures_of(column: ColumnBins, reference: Counts, window: Counts) -> dict[Figure, Floats]:
    """The three figures of windows, counts of shape (..., slots), beside a reference of that shape or (slots,)."""
    rows = np.maximum(window.sum(axis=-1), 1)
    present = rows - window[..., -1]
    distance = binned_ks if column.kind == "numeric" else jensen_shannon
    left, right = reference[..., :-1], window[..., :-1]
    comparable = (left.sum(axis=-1) > 0) & (right.sum(axis=-1) > 0)
    left = np.where((left.sum(axis=-1) > 0)[..., None], left, 1)
    right = np.where((right.sum(axis=-1) > 0)[..., None], right, 1)
    nulls = reference[..., -1] / np.maximum(reference.sum(axis=-1), 1)
    return {
        "shift": np.where(comparable, distance(left, right), 0.0),
        "nulls": np.abs(window[..., -1] / rows - nulls),
        "unseen": window[..., list(column.outside)].sum(axis=-1) / np.maximum(present, 1),
    }


def _column_drift(column: ColumnProfile, window: WindowCounts, rows: int) -> ColumnDrift:
    name = column.bins.name
    counts = window.columns.get(name)
    if counts is None or counts.size != column.bins.slots:
        raise UnfitWindow(f"The window was not counted over this reference's bins of {name!r}.", column=name)
    figures = figures_of(column.bins, np.asarray(column.counts), counts)
    opened = judged(figures)
    effective = _effective(max(window.rows, 1), rows)
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


def _blocks(at: Floats | None, rows: int, window_s: int) -> NDArray[np.int64]:
    """The stretch of each row, -1 for those in none: no time, a stretch mostly empty, or the last one, cut short."""
    none = np.full(rows, -1, dtype=np.int64)
    if at is None:
        return none
    if at.size != rows:
        raise UnfitReference(f"{rows} rows, but {at.size} times.")
    timed = np.isfinite(at)
    if not timed.any():
        return none
    since = (at[timed] - at[timed].min()) / window_s
    place = since.astype(np.int64)
    sizes = np.bincount(place)
    full = sizes >= np.median(sizes[sizes > 0]) / 2.0
    full[-1] &= since.max() - place.max() >= LEAST_COVER
    renumbered = np.where(full, np.cumsum(full) - 1, -1)
    none[timed] = renumbered[place]
    return none


def _cover(at: Floats | None, block: NDArray[np.int64], window_s: int) -> float:
    """The middle one of the stretches' spans, as a share of a stretch; 0 where there are none."""
    n = int(block.max(initial=-1)) + 1
    if at is None or n == 0:
        return 0.0
    spans = [float(np.ptp(at[block == k])) / window_s for k in range(n)]
    return float(np.median(spans))


def _block_counts(column: ColumnBins, place: NDArray[np.int64], block: NDArray[np.int64]) -> Counts:
    """Counts of shape (stretches + 1, slots); the last row counts what lies in no stretch."""
    n = int(block.max(initial=-1)) + 1
    flat = np.where(block >= 0, block, n) * column.slots + place
    counts: Counts = np.bincount(flat, minlength=(n + 1) * column.slots).reshape(n + 1, column.slots)
    return counts


def _effective(window: int, reference: int) -> int:
    """The rows that one sample would need to be as noisy as these two are together."""
    return max(1, round(window * reference / (window + reference)))


def _shares(counts: Counts) -> Floats:
    return np.asarray(counts / counts.sum(), dtype=np.float64)


def _resampled_noise(column: ColumnBins, counts: Counts) -> dict[Figure, Noise]:
    """The noise of nulls and unseen words, by formula: half-normal for the first, Poisson for the second.

    A slot that is empty in the reference is given half a row, so that one null in a later window is no miracle. The
    rate of unseen words is at most Good and Turing's: as many as the reference holds words seen once. Numbers beyond
    the reference's ends are reported and not judged: a shift says as much, and the ends of a sample say little.
    """
    rows = int(counts.sum())
    share = (float(counts[-1]) + 0.5) / (rows + 1.0)
    deviation = math.sqrt(share * (1.0 - share))
    noise: dict[Figure, Noise] = {
        "nulls": Noise(
            level=0.0, slope=deviation * math.sqrt(2 / math.pi), spread=deviation * math.sqrt(1 - 2 / math.pi)
        )
    }
    if column.kind == "categorical":
        rare = np.count_nonzero(counts[:-1] == 1) + len(column.others) + counts[list(column.outside)].sum() + 0.5
        rate = min(1.0, float(rare) / rows)
        noise["unseen"] = Noise(level=rate, slope=0.0, spread=math.sqrt(rate))
    return noise


def _shift_noise(column: ColumnBins, counts: Counts, draws: Counts) -> Noise:
    """Mean and spread of the shift over resamples, scaled to one effective row."""
    shift = judged(figures_of(column, counts, draws))["shift"]
    root = math.sqrt(float(draws[0].sum()))
    return Noise(level=0.0, slope=float(shift.mean()) * root, spread=float(shift.std(ddof=1)) * root)


def _largest_z(
    column: ColumnBins, noise: Mapping[Figure, Noise], reference: Counts, windows: Counts, rows: int
) -> Floats:
    figures = judged(figures_of(column, reference, windows))
    largest: Floats = np.max([noise[name].z(figures[name], rows) for name in noise], axis=0)
    return largest


def _left_out_z(noise: Mapping[Figure, Noise], figures: Mapping[Figure, Floats], sizes: Counts, rows: int) -> Floats:
    """Each stretch's largest z, judged by the other stretches alone, as a new window will be."""
    n = sizes.size
    largest = np.full(n, -np.inf)
    for k in range(n):
        others = np.arange(n) != k
        effective = _effective(int(sizes[k]), rows - int(sizes[k]))
        for name in noise:
            seen = _with_blocks(noise[name], figures[name][others])
            largest[k] = max(largest[k], float(seen.z(figures[name][k], effective)))
    return largest


def _with_blocks(noise: Noise, values: Floats) -> Noise:
    """The noise with what was seen between stretches; the spread is that of a next one, not of those seen."""
    return Noise(
        level=noise.level,
        slope=noise.slope,
        spread=noise.spread,
        block_mean=float(values.mean()),
        block_spread=float(values.std(ddof=1)) * math.sqrt(1.0 + 1.0 / values.size),
    )


def _tail(largest: Floats, *, share: float) -> Tail:
    """An exponential tail fitted to what lies above a quantile: its mean excess is the scale."""
    start = float(np.quantile(largest, 1.0 - share))
    above = largest[largest > start] - start
    return Tail(start=start, share=share, scale=float(above.mean()) if above.size else 1.0)
