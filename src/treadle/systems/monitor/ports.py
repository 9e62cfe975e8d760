"""What monitoring asks of the outside: references to compare with, predictions to watch, and the truth when it comes.

Three small ports; rows come as Arrow tables. The assembly joins them to artifacts, to the prediction log
and to the labels; tests join them to tables in memory.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import pyarrow as pa

EVENT_AT = "event_at"
SCORE = "score"
TRUTH = "truth"
PREDICTION = "prediction"
MODEL_VERSION = "model_version"
ENTITY = "entity"

RESERVED = frozenset({EVENT_AT, TRUTH, PREDICTION, MODEL_VERSION, ENTITY, "_landing", "_row"})
"""Columns that say when, which and who; every other column is watched, the score too."""


class ReferenceReader(Protocol):
    """Reads the frame that a reference names: what a model was trained on, or validated on."""

    def reference(self, project: str, address: str) -> pa.Table:
        """The rows at an address (an artifact's digest, a snapshot's id).

        A training frame holds the model's inputs, and `event_at` (timestamp) where its rows have a time; a validation
        frame holds `score` and `truth`, and `event_at` likewise. Raises NotFound when there is none.
        """


class PredictionReader(Protocol):
    """Reads the prediction log."""

    def predictions(self, project: str, endpoint: str, starts_at: datetime, ends_at: datetime) -> pa.Table:
        """The predictions of an endpoint with `starts_at <= event_at < ends_at`; none is an empty table.

        Columns: `prediction` (its id), `model_version`, `event_at` (timestamp with zone), `score` (float), and the
        inputs by name.
        """

    def next_at(self, project: str, endpoint: str, since: datetime) -> datetime | None:
        """The `event_at` of the first prediction with `since <= event_at`; None where there is none."""


class TruthReader(Protocol):
    """Reads the truth about predictions, as far as it is known."""

    def truth(self, project: str, endpoint: str, predictions: pa.Table) -> pa.Table:
        """Columns `prediction` and `truth` (0, 1, or null), one row for each prediction whose outcome is known.

        Null says that there is no answer and never will be (a cancelled flight never arrives); a prediction without a
        row still waits for one.
        """
