"""The two distributions that tests and intervals ask for: the normal, and chi-square.

Enough of them for p-values, without SciPy on the install list.
"""

from __future__ import annotations

import math
from statistics import NormalDist

_normal = NormalDist()
_TINY = 1e-300


def normal_quantile(probability: float) -> float:
    """The point below which a standard normal falls with this probability, which lies strictly between 0 and 1."""
    return _normal.inv_cdf(probability)


def normal_tail(z: float) -> float:
    """P(Z > z) of a standard normal; exact far out, where 1 - cdf would be 0."""
    return 0.5 * math.erfc(z / math.sqrt(2.0))


def two_sided_p(z: float) -> float:
    """P(|Z| > |z|) of a standard normal."""
    return math.erfc(abs(z) / math.sqrt(2.0))


def chi_square_tail(statistic: float, degrees: float) -> float:
    """P(X > statistic) of a chi-square with these degrees of freedom.

    The regularised upper incomplete gamma function: a series below its mean, Lentz's continued fraction above.
    Source: Press et al., "Numerical Recipes", section 6.2.
    """
    if statistic <= 0 or degrees <= 0:
        return 1.0
    a, x = degrees / 2.0, statistic / 2.0
    scale = math.exp(a * math.log(x) - x - math.lgamma(a))
    return 1.0 - scale * _lower_series(a, x) if x < a + 1.0 else scale * _upper_fraction(a, x)


def _lower_series(a: float, x: float) -> float:
    term = total = 1.0 / a
    step = a
    while abs(term) > abs(total) * 1e-16:
        step += 1.0
        term *= x / step
        total += term
    return total


def _upper_fraction(a: float, x: float) -> float:
    b = x + 1.0 - a
    c, d = 1.0 / _TINY, 1.0 / b
    result = d
    for i in range(1, 10_000):
        weight = -i * (i - a)
        b += 2.0
        d = 1.0 / (weight * d + b or _TINY)
        c = b + weight / c or _TINY
        result *= d * c
        if abs(d * c - 1.0) < 1e-15:
            break
    return result
