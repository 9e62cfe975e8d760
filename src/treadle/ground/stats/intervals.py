"""How far a figure may be off: Wilson's interval for a share, the normal one for a mean, the bootstrap for the rest."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from treadle.ground.stats.arrays import Floats, numbers
from treadle.ground.stats.distributions import normal_quantile
from treadle.ground.stats.errors import EmptySample, ShapeMismatch, UnfitSample


class Interval(NamedTuple):
    """Two ends; `lower <= upper`."""

    lower: float
    upper: float

    def holds(self, value: float) -> bool:
        """Whether the value lies between the ends, both included."""
        return self.lower <= value <= self.upper


def wilson(successes: int, n: int, *, level: float = 0.95) -> Interval:
    """The interval of a share that keeps its promise near 0 and 1 and at small n.

    Raises EmptySample when n is 0, UnfitSample when successes is not within 0..n.
    Source: Wilson, JASA 1927; Brown, Cai and DasGupta, Statistical Science 2001.
    """
    if n <= 0:
        raise EmptySample("A share of no rows has no interval.")
    if not 0 <= successes <= n:
        raise UnfitSample(f"{successes} of {n} is no share.")
    z = normal_quantile(0.5 + level / 2.0)
    share, weight = successes / n, z * z / n
    middle = (share + weight / 2.0) / (1.0 + weight)
    reach = z / (1.0 + weight) * math.sqrt(share * (1.0 - share) / n + weight / (4.0 * n))
    return Interval(
        0.0 if successes == 0 else max(0.0, middle - reach), 1.0 if successes == n else min(1.0, middle + reach)
    )


def mean_interval(values: ArrayLike, *, level: float = 0.95) -> Interval:
    """The mean plus and minus the normal quantile of its standard error; one row gives (-inf, inf)."""
    array = numbers(values)
    if array.size == 1:
        return Interval(-math.inf, math.inf)
    reach = normal_quantile(0.5 + level / 2.0) * float(array.std(ddof=1)) / math.sqrt(array.size)
    middle = float(array.mean())
    return Interval(middle - reach, middle + reach)


def bootstrap(
    statistic: Callable[..., float],
    *columns: ArrayLike,
    rng: np.random.Generator,
    n_resamples: int = 1000,
    level: float = 0.95,
) -> Interval:
    """The percentile interval of `statistic(*columns)`; rows of all columns are drawn together, with replacement.

    columns: arrays of equal first dimension n; rng decides, so that the same rng gives the same interval.
    Cost: n_resamples times the statistic. Raises EmptySample, ShapeMismatch. Source: Efron, Annals of Statistics 1979.
    """
    arrays = [np.asarray(column) for column in columns]
    if not arrays or arrays[0].shape[:1] in ((), (0,)):
        raise EmptySample("The bootstrap needs at least one row.")
    n = arrays[0].shape[0]
    if any(array.shape[:1] != (n,) for array in arrays):
        raise ShapeMismatch("The columns of a bootstrap differ in length.")
    draws: Floats = np.empty(n_resamples)
    for i in range(n_resamples):
        rows = rng.integers(0, n, n)
        draws[i] = statistic(*(array[rows] for array in arrays))
    lower, upper = np.quantile(draws, [(1.0 - level) / 2.0, (1.0 + level) / 2.0])
    return Interval(float(lower), float(upper))
