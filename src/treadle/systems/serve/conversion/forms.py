"""What a linear model and a forest are, apart from the library that fitted them.

A form computes in float64 what the estimator computes, in the estimator's own order of operations where that is known, so
that what is written from it differs from the original in the last bits at most.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

Link = Literal["identity", "logistic", "softmax", "exp"]
"""What turns the raw sum into a score: a probability, probabilities of classes, or the exponential of a rate."""

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class LinearForm:
    """`link((x filled - shift) / scale @ weights + intercept)`, one column of weights an output.

    fill: what stands for a missing value by column, None where the model takes none.
    """

    weights: Floats
    intercept: Floats
    link: Link
    shift: Floats | None = None
    scale: Floats | None = None
    fill: Floats | None = None


@dataclass(frozen=True, slots=True)
class Tree:
    """One tree, a node an entry; node 0 is the root. A node without children has `left == -1`.

    threshold: a value not above it goes left; missing_left: whether a missing value does. categories: for some nodes the
    codes that go left instead; every other code, and a missing one, goes right. value: of a leaf. count: training rows that
    came by.
    """

    feature: NDArray[np.int64]
    threshold: Floats
    left: NDArray[np.int64]
    right: NDArray[np.int64]
    missing_left: NDArray[np.bool_]
    value: Floats
    count: Floats
    categories: dict[int, tuple[int, ...]] = field(default_factory=dict)

    @property
    def inner(self) -> NDArray[Any]:
        """The nodes that have children."""
        return np.flatnonzero(self.left >= 0)


@dataclass(frozen=True, slots=True)
class ForestForm:
    """`link(base + sum or mean of the trees)`; tree i adds to the output `i % width`.

    rounds_inputs: the original rounds its inputs to float32 before it compares them, as scikit-learn's own trees do.
    """

    trees: tuple[Tree, ...]
    width: int
    columns: int
    base: Floats
    link: Link
    is_mean: bool = False
    rounds_inputs: bool = False

    @property
    def has_categories(self) -> bool:
        return any(tree.categories for tree in self.trees)


Form = LinearForm | ForestForm
