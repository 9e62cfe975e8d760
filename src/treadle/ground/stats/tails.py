"""Tails of distributions as points of a standard normal: arrays in, arrays out, finite however far out.

A monitor compares a mean, a Kolmogorov-Smirnov distance, a chi-square and a correlation with each other; that needs one
scale. It is z: the point that a standard normal passes as seldom as the statistic is passed by chance. The logarithm of
the tail keeps apart what has long become 0 as a probability. `degrees` may be infinite: the spread is then known, and not
estimated.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike

from treadle.ground.stats.arrays import Floats

_ERFC = (
    -1.26551223, 1.00002368, 0.37409196, 0.09678418, -0.18628806, 0.27886807, -1.13520398, 1.48851587, -0.82215223,
    0.17087277,
)  # fmt: skip
_STEPS = 4
MANY = 1e9
"""So many degrees of freedom are as good as infinitely many."""


def log_normal_tail(z: ArrayLike) -> Floats:
    """ln P(Z > z), with a relative error below 2e-7 in P.

    Source: the Chebyshev fit of erfc in Press et al., "Numerical Recipes", section 6.2.
    """
    points = np.asarray(z, dtype=np.float64) / math.sqrt(2.0)
    size = np.abs(points)
    t = 1.0 / (1.0 + 0.5 * size)
    series = np.full_like(t, _ERFC[-1])
    for coefficient in _ERFC[-2::-1]:
        series = series * t + coefficient
    upper = np.log(t) - size * size + series - math.log(2.0)
    return np.asarray(np.where(points >= 0, upper, np.log1p(-np.exp(np.minimum(upper, -1e-9)))), dtype=np.float64)


def normal_point(log_tail: ArrayLike) -> Floats:
    """The z whose ln P(Z > z) this is: the inverse of `log_normal_tail`, by Newton's method.

    A logarithm at or above 0 (a bound that says nothing) is answered with -8.
    """
    wanted = np.minimum(np.asarray(log_tail, dtype=np.float64), 0.0)
    upper = np.minimum(wanted, math.log(0.5))
    root = np.sqrt(np.maximum(-2.0 * upper, 1e-12))
    z = np.maximum(root - (np.log(root + 1.0) + 0.9) / (root + 1.0), 0.0)
    for _ in range(_STEPS):
        found = log_normal_tail(z)
        slope = -np.exp(np.minimum(-z * z / 2.0 - 0.5 * math.log(2.0 * math.pi) - found, 700.0))
        z = z - (found - upper) / np.minimum(slope, -1e-12)
        z = np.maximum(z, 0.0)
    lower = wanted > math.log(0.5)
    if np.any(lower):
        mirrored = np.log(np.maximum(-np.expm1(np.where(lower, wanted, math.log(0.75))), 6.2e-16))
        z = np.where(lower, -normal_point(mirrored), z)
    return np.asarray(np.clip(z, -8.0, None), dtype=np.float64)


def normal_of_t(t: ArrayLike, degrees: ArrayLike) -> Floats:
    """The normal point of Student's t, keeping its sign; off by less than 0.02 from 4 degrees on.

    Source: Wallace, Annals of Mathematical Statistics 1959.
    """
    values, nu = np.asarray(t, dtype=np.float64), np.minimum(np.asarray(degrees, dtype=np.float64), MANY)
    size = (8.0 * nu + 1.0) / (8.0 * nu + 3.0) * np.sqrt(nu * np.log1p(values * values / nu))
    return np.asarray(np.sign(values) * size, dtype=np.float64)


def normal_of_f(f: ArrayLike, upper: ArrayLike, lower: ArrayLike) -> Floats:
    """The normal point of an F ratio with `upper` and `lower` degrees of freedom; chi-square / upper where lower is infinite.

    With one upper degree (below 1.5) it is the square of a t. Source: Paulson, Annals of Mathematical Statistics 1942.
    """
    ratio = np.maximum(np.asarray(f, dtype=np.float64), 0.0)
    a = 2.0 / (9.0 * np.asarray(upper, dtype=np.float64))
    b = 2.0 / (9.0 * np.minimum(np.asarray(lower, dtype=np.float64), MANY))
    cube = np.cbrt(ratio)
    several = ((1.0 - b) * cube - (1.0 - a)) / np.sqrt(b * cube * cube + a)
    single = normal_point(math.log(2.0) + log_normal_tail(normal_of_t(np.sqrt(ratio), lower)))
    return np.asarray(np.where(np.asarray(upper) > 1.5, several, single), dtype=np.float64)


def log_kolmogorov_tail(statistic: ArrayLike, degrees: ArrayLike = math.inf) -> Floats:
    """ln P of a Kolmogorov-Smirnov distance times the root of its rows, over a spread estimated with `degrees`.

    The leading term 2 exp(-2 x^2), an upper bound that is close from 1 on; averaged over a chi-square spread it becomes
    2 (1 + 4 x^2 / degrees) ** (-degrees / 2).
    """
    x, nu = np.asarray(statistic, dtype=np.float64), np.minimum(np.asarray(degrees, dtype=np.float64), MANY)
    return np.asarray(math.log(2.0) - nu / 2.0 * np.log1p(4.0 * x * x / nu), dtype=np.float64)


def digamma(x: float) -> float:
    """The derivative of ln gamma at x > 0: recurrence up to 6, then the asymptotic series."""
    total = 0.0
    while x < 6.0:
        total -= 1.0 / x
        x += 1.0
    y = 1.0 / (x * x)
    return total + math.log(x) - 0.5 / x - y * (1.0 / 12 - y * (1.0 / 120 - y / 252))


def trigamma(x: float) -> float:
    """The second derivative of ln gamma at x > 0."""
    total = 0.0
    while x < 6.0:
        total += 1.0 / (x * x)
        x += 1.0
    y = 1.0 / (x * x)
    return total + 1.0 / x + y / 2 + y / x * (1.0 / 6 - y * (1.0 / 30 - y / 42))


def inverse_trigamma(value: float) -> float:
    """The x > 0 whose trigamma this is, infinite for a value of 0 or less.

    Source: Smyth, Statistical Applications in Genetics and Molecular Biology 2004, appendix.
    """
    if value <= 0.0:
        return math.inf
    low, high = 1e-6, 1e8
    for _ in range(200):
        middle = math.sqrt(low * high)
        low, high = (middle, high) if trigamma(middle) > value else (low, middle)
    return math.sqrt(low * high)
