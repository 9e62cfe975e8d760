"""The border of the statistics: whatever holds numbers comes in, checked float64 arrays go on.

Checked once, here, so that each formula can be written as it stands in the book.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from treadle.ground.stats.errors import EmptySample, ShapeMismatch, UnfitSample

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]


def numbers(values: ArrayLike, name: str = "values") -> Floats:
    """A float64 array of shape (n,), n > 0, without NaN. Raises EmptySample, ShapeMismatch, UnfitSample."""
    array = np.asarray(values, dtype=np.float64)
    if array.ndim != 1:
        raise ShapeMismatch(f"{name} has {array.ndim} dimensions, and one is needed.", name=name)
    if array.size == 0:
        raise EmptySample(f"{name} is empty.", why="A statistic needs at least one row.", name=name)
    if np.isnan(array).any():
        raise UnfitSample(f"{name} holds NaN.", fix="Leave rows without a value out before asking.", name=name)
    return array


def truth_and_scores(truth: ArrayLike, *scores: ArrayLike) -> tuple[Bools, list[Floats]]:
    """The truth as booleans and each score as float64, all of shape (n,). Raises UnfitSample when truth is not 0/1."""
    answers = numbers(truth, "truth")
    if not np.isin(answers, (0.0, 1.0)).all():
        raise UnfitSample("truth holds other values than 0 and 1.", fix="Turn the label into 0/1 before asking.")
    checked = [numbers(score, "score") for score in scores]
    for score in checked:
        if score.size != answers.size:
            raise ShapeMismatch(f"{answers.size} rows of truth, but {score.size} scores.")
    return answers == 1.0, checked


def counts(values: ArrayLike, name: str = "counts") -> Floats:
    """Bin counts as float64 of shape (..., k), none negative. Raises UnfitSample, EmptySample."""
    array = np.asarray(values, dtype=np.float64)
    if array.ndim == 0 or array.shape[-1] == 0:
        raise EmptySample(f"{name} has no bins.", name=name)
    if not (array >= 0).all():
        raise UnfitSample(f"{name} holds a negative count or NaN.", name=name)
    return array


def shares(values: ArrayLike, name: str = "counts") -> Floats:
    """Bin counts turned into shares that sum to 1 along the last axis. Raises EmptySample when all are 0."""
    array = counts(values, name)
    total = array.sum(axis=-1, keepdims=True)
    if not (total > 0).all():
        raise EmptySample(f"{name} counts no rows.", name=name)
    return np.asarray(array / total, dtype=np.float64)
