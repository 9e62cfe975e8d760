"""Mean, standard deviation and skewness that merge without losing digits, and without overflowing on the way.

Deviations are taken from the mean of their own part and put together by Chan's formulas, all in units of a scale, so
that neither 1e300 nor 1e-300 beside 1 ends as infinity or zero.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from treadle.ground.profiling.hashing import PIECE

_LARGE, _SMALL = 1e90, 1e-90


@dataclass(frozen=True, slots=True, kw_only=True)
class Moments:
    """n numbers: their mean, their standard deviation (dividing by n) and their skewness (0 where they do not vary)."""

    n: int
    mean: float
    std: float
    skew: float


def of_values(values: NDArray[np.generic], low: float, high: float) -> Moments:
    """The moments of finite numbers (one at least) that lie between low and high. Cost: about 2 ns a number."""
    scale = max(abs(low), abs(high))
    if scale == 0.0 or low == high:
        return Moments(n=values.size, mean=low, std=0.0, skew=0.0)
    unit = scale if scale > _LARGE or scale < _SMALL else 1.0
    if unit == 1.0:
        mean = float(values.mean(dtype=np.float64))
    else:
        mean = sum(float(_floats(values, start, unit).sum()) / values.size for start in range(0, values.size, PIECE))
    square = cube = 0.0
    for start in range(0, values.size, PIECE):
        away = _floats(values, start, unit)
        away -= mean
        powers = away * away
        square += float(powers.sum()) / values.size
        powers *= away  # not `dot`: BLAS' own threads stand in the way of ours (14 times slower, 2 cores)
        cube += float(powers.sum()) / values.size
    std = math.sqrt(square)
    skew = cube / std**3 if std**3 > 0.0 else 0.0
    return Moments(n=values.size, mean=min(max(mean * unit, low), high), std=std * unit, skew=_finite(skew))


def of_counts(values: NDArray[np.float64], counts: NDArray[np.int64]) -> Moments:
    """The moments of values that occur so often. By sums, for the reason that `of_values` gives."""
    n = int(counts.sum())
    scale = float(np.abs(values).max()) or 1.0
    weights = counts / n
    units = values / scale
    mean = float((weights * units).sum())
    away = units - mean
    std = math.sqrt(float((weights * away**2).sum()))
    skew = float((weights * away**3).sum()) / std**3 if std**3 > 0.0 else 0.0
    return Moments(n=n, mean=mean * scale, std=std * scale, skew=_finite(skew))


def merged(a: Moments, b: Moments) -> Moments:
    """The moments of both together. Source: Chan, Golub and LeVeque, 1979; third moment after Pébay, 2008."""
    if a.n == 0 or b.n == 0:
        return b if a.n == 0 else a
    n = a.n + b.n
    share_a, share_b = a.n / n, b.n / n
    scale = max(abs(a.mean), abs(b.mean), a.std, b.std)
    if scale == 0.0:
        return Moments(n=n, mean=0.0, std=0.0, skew=0.0)
    std_a, std_b = a.std / scale, b.std / scale
    apart = b.mean / scale - a.mean / scale
    mean = a.mean * share_a + b.mean * share_b
    square = share_a * std_a**2 + share_b * std_b**2 + share_a * share_b * apart**2
    cube = (
        share_a * a.skew * std_a**3
        + share_b * b.skew * std_b**3
        + share_a * share_b * (share_a - share_b) * apart**3
        + 3.0 * share_a * share_b * apart * (std_b**2 - std_a**2)
    )
    std = math.sqrt(square)
    return Moments(n=n, mean=mean, std=std * scale, skew=_finite(cube / std**3) if std**3 > 0.0 else 0.0)


def _floats(values: NDArray[np.generic], start: int, unit: float) -> NDArray[np.float64]:
    part = values[start : start + PIECE].astype(np.float64)
    return part if unit == 1.0 else part / unit


def _finite(value: float) -> float:
    return value if math.isfinite(value) else 0.0
