"""Pairwise correlations of at most 20 number columns, from sums that merge.

From at most 16,384 rows of a batch, evenly spaced: a correlation is then good to 0.008 (one standard error) for each
batch, and better for many. The columns are the first 20 by name, so that any order of merging ends with the same ones.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

COLUMNS = 20
ROWS = 1 << 14
_BLOCK = 512
"""Rows of a product of matrices at once: OpenBLAS takes one thread for as few. Its others would spin for tens of
milliseconds after such a product, on processors that profile the columns meanwhile."""

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Correlations:
    """For every pair of the columns, in the order of the upper triangle, six float64: rows, two means, two variances and
    the covariance, over the rows where both are there."""

    names: tuple[str, ...]
    sums: bytes

    def pairs(self) -> list[tuple[str, str, float]]:
        """Pearson's r of each pair of columns that vary, strongest first."""
        n = len(self.names)
        rows, _, _, square_a, square_b, product = _sums(self).T
        with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
            r = product / (np.sqrt(square_a) * np.sqrt(square_b))
        firsts, seconds = np.triu_indices(n, 1)
        found = [
            (self.names[i], self.names[j], float(np.clip(value, -1.0, 1.0)))
            for i, j, value, count in zip(firsts, seconds, r, rows, strict=True)
            if np.isfinite(value) and count >= 3
        ]
        return sorted(found, key=lambda pair: (-abs(pair[2]), pair[0], pair[1]))


def of_frame(frame: pl.DataFrame) -> Correlations | None:
    """The correlations between the number columns of a batch; None for fewer than two."""
    names = sorted(name for name, dtype in frame.schema.items() if dtype.is_numeric())[:COLUMNS]
    if len(names) < 2 or not frame.height:
        return None
    step = -(-frame.height // ROWS)
    sampled = frame.select(pl.col(names).gather_every(step).cast(pl.Float64))
    values = np.column_stack([sampled[name].to_numpy() for name in names])
    there = np.isfinite(values)
    with np.errstate(over="ignore", invalid="ignore"):
        filled = np.where(there, values, 0.0)
        centre = filled.sum(axis=0) / np.maximum(there.sum(axis=0), 1)
        centre = np.where(np.isfinite(centre), centre, 0.0)
        away, mask = np.where(there, values - centre, 0.0), there.astype(np.float64)
        rows = _product(mask, mask)
        least = np.maximum(rows, 1.0)
        mean = _product(away, mask) / least  # of the first of each pair
        square = _product(away * away, mask) / least - mean**2
        product = _product(away, away) / least - mean * mean.T
        i, j = np.triu_indices(len(names), 1)
        sums = np.column_stack(
            [
                rows[i, j] * (frame.height / values.shape[0]),
                mean[i, j] + centre[i],
                mean[j, i] + centre[j],
                np.maximum(square[i, j], 0.0),
                np.maximum(square[j, i], 0.0),
                product[i, j],
            ]
        )
    return Correlations(names=tuple(names), sums=_kept(sums))


def _product(a: Floats, b: Floats) -> Floats:
    """a.T @ b, of matrices of (rows, columns)."""
    room = -len(a) % _BLOCK
    first, second = (np.pad(each, ((0, room), (0, 0))).reshape(-1, _BLOCK, each.shape[1]) for each in (a, b))
    found: Floats = (first.transpose(0, 2, 1) @ second).sum(axis=0)
    return found


def merged(parts: Sequence[Correlations], leaving_out: frozenset[str] = frozenset()) -> Correlations | None:
    """The correlations of all parts together, without some columns; a pair that one part lacks is what others say."""
    names = sorted({name for part in parts for name in part.names} - leaving_out)[:COLUMNS]
    if len(names) < 2:
        return None
    place = {name: k for k, name in enumerate(names)}
    total = np.zeros((len(names), len(names), 6))
    for part in parts:
        grid = np.zeros_like(total)
        there = [(k, place[name]) for k, name in enumerate(part.names) if name in place]
        sums = _square(part)
        own, ours = np.array([k for k, _ in there], dtype=np.intp), np.array([k for _, k in there], dtype=np.intp)
        grid[np.ix_(ours, ours)] = sums[np.ix_(own, own)]
        total = _together(total, grid)
    return Correlations(names=tuple(names), sums=_kept(total[np.triu_indices(len(names), 1)]))


def _together(a: Floats, b: Floats) -> Floats:
    rows = a[..., 0] + b[..., 0]
    with np.errstate(over="ignore", invalid="ignore"):
        share = np.divide(b[..., 0], rows, out=np.zeros_like(rows), where=rows > 0)
        other = np.where(rows > 0, 1.0 - share, 0.0)
        first, second = b[..., 1] - a[..., 1], b[..., 2] - a[..., 2]
        both = share * other
        found: Floats = np.stack(
            [
                rows,
                a[..., 1] * other + b[..., 1] * share,
                a[..., 2] * other + b[..., 2] * share,
                a[..., 3] * other + b[..., 3] * share + both * first**2,
                a[..., 4] * other + b[..., 4] * share + both * second**2,
                a[..., 5] * other + b[..., 5] * share + both * first * second,
            ],
            axis=-1,
        )
    return found


def _sums(part: Correlations) -> Floats:
    return np.frombuffer(part.sums, dtype="<f8").reshape(-1, 6)


def _square(part: Correlations) -> Floats:
    """The sums as a square of columns, the upper triangle filled."""
    n = len(part.names)
    square = np.zeros((n, n, 6))
    square[np.triu_indices(n, 1)] = _sums(part)
    return square


def _kept(sums: Floats) -> bytes:
    """Sums as they are kept; a pair whose sums left the range of a float counts no rows."""
    whole = np.where(np.isfinite(sums).all(axis=-1, keepdims=True), sums, 0.0)
    return np.ascontiguousarray(whole, dtype="<f8").tobytes()
