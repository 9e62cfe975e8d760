"""Three figures of how far a column has moved: the shift of its values, the change of its null share, the unseen.

The shift is the binned Kolmogorov-Smirnov distance for numbers, which have an order, and the Jensen-Shannon distance for
words, which have none. Counts in, numbers out: both the noise of a reference and the drift of a window are made of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from treadle.ground.stats.distances import binned_ks, jensen_shannon
from treadle.systems.monitor.bins import ColumnBins, Counts

Floats = NDArray[np.float64]
Figure = Literal["shift", "nulls", "unseen"]


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
