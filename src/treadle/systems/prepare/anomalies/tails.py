"""How far out is too far: the upper end of the largest surprise of a landing, from the landings before it."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

LEAST_Z = 3.5
"""Nothing nearer than so many standard deviations is called an anomaly, whatever the history says."""


def threshold(largest: Floats, probability: float) -> float:
    """The surprise that a landing without trouble passes with this probability.

    largest: the largest surprise of each earlier landing. Above their median an exponential tail is fitted; since it is
    fitted to few values, a next one is drawn from a heavier tail, P(z > start + x) =
    share above * (1 + x / (n * scale)) ** -n.
    """
    known = largest[np.isfinite(largest)]
    if known.size < 2:
        return math.inf
    start = float(np.median(known))
    above = known[known > start] - start
    if not above.size:
        return max(LEAST_Z, start)
    odds = max(1.0, above.size / known.size / probability)
    return max(LEAST_Z, start + above.size * float(above.mean()) * math.expm1(math.log(odds) / above.size))
