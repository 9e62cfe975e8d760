"""What a move of a column means for the model: an alarm names its columns in the order of this, not only of how far they moved.

Where the champion's validation holds the columns, each slot of a column has the loss that the model made in it; a window
that holds more of the bad slots is expected to cost so much more. Where it does not, but the model's attributions are
known, a move counts by the weight that the model gives the column. Both say what one column alone would do.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from treadle.systems.monitor.bins import ColumnBins, Counts, place_column
from treadle.systems.monitor.drift import ColumnDrift
from treadle.systems.monitor.figures import Floats

if TYPE_CHECKING:
    import pyarrow as pa

STEADYING_ROWS = 20.0
"""So many rows of the average loss are added to each slot, so that a slot of three rows says little."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Impact:
    """What is known of the columns' meaning for the model.

    weights: attributions by column, any scale. losses: for each slot of a column the mean loss of the validation's rows in
    it, less the mean loss of all.
    """

    weights: Mapping[str, float] = field(default_factory=dict)
    losses: Mapping[str, tuple[float, ...]] = field(default_factory=dict)

    def of(self, drift: ColumnDrift, reference: Counts, window: Counts) -> float | None:
        """The expected change of the mean loss (at least 0 for a mere rank), or the weighted move; None when nothing is known.

        A move that the marginal distribution cannot show (a correlation, an unseen word) still counts by the weight.
        """
        by_loss = None
        slots = self.losses.get(drift.column)
        if slots is not None and reference.sum() and window.sum():
            by_loss = float(np.dot(window / window.sum() - reference / reference.sum(), np.asarray(slots)))
        weight = self.weights.get(drift.column)
        if by_loss is None and weight is None:
            return None
        total = sum(abs(one) for one in self.weights.values()) or 1.0
        return max(by_loss or 0.0, 0.0) + abs(weight or 0.0) / total * max(drift.shift, abs(drift.nulls), drift.unseen)


def losses_by_slot(bins: Sequence[ColumnBins], rows: pa.Table, losses: Floats) -> dict[str, tuple[float, ...]]:
    """For each column that the rows have, the mean loss in each slot less that of all rows, steadied.

    losses: of each row, NaN where the truth is not known.
    """
    known = np.isfinite(losses)
    if not known.any():
        return {}
    mean = float(losses[known].mean())
    found = {}
    for column in bins:
        if column.name in rows.column_names:
            placed = place_column(column, rows)[known]
            n = np.bincount(placed, minlength=column.slots)
            total = np.bincount(placed, weights=losses[known] - mean, minlength=column.slots)
            found[column.name] = tuple((total / (n + STEADYING_ROWS)).tolist())
    return found
