"""What a monitor keeps of a reference: counts over its bins, and how much they move when nothing has changed.

Normal is the worse of two: resamples of the reference's rows, and the reference's own stretches of time, each compared
with the rest of it. The second is what keeps a weekly rhythm, or a stormy week like others before, from raising an
alarm; independence is never assumed where time can be looked at.

One budget covers the whole monitor: the threshold is set on the largest z of all columns, so that a window without
drift passes it as seldom as the budget says, whatever the number of columns.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from treadle.systems.monitor.bins import ColumnBins, Counts, Kind, fix_bins, place_column
from treadle.systems.monitor.errors import UnfitReference
from treadle.systems.monitor.figures import Figure, Floats, figures_of, judged

if TYPE_CHECKING:
    import pyarrow as pa

RESAMPLES = 2000
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
        draws = rng.multinomial(effective_rows(typical, rows), _shares(totals[column.name]), size=RESAMPLES)
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


def effective_rows(window: int, reference: int) -> int:
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
        effective = effective_rows(int(sizes[k]), rows - int(sizes[k]))
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
    """An exponential tail fitted to what lies above a quantile."""
    start = float(np.quantile(largest, 1.0 - share))
    above = largest[largest > start] - start
    return Tail(start=start, share=share, scale=float(above.mean()) if above.size else 1.0, n=max(1, above.size))
