"""Labels become a dataset: what annotators said lands like any other rows, so that it can be trained on and explained."""

from __future__ import annotations

from typing import TYPE_CHECKING

from treadle.kernel.governance import Caller
from treadle.systems.collect import Datasets

if TYPE_CHECKING:
    import polars as pl


class LabelLandings:
    """Satisfies the port `LabelSink` of labels."""

    def __init__(self, datasets: Datasets) -> None:
        self._datasets = datasets

    def land_labels(self, caller: Caller, dataset: str, frame: pl.DataFrame, key: str) -> str:
        """Lands a frame, once for each key, and answers the snapshot that holds it."""
        self._datasets.land(caller, dataset, frame, key=key)
        return self._datasets.snapshot(caller.project, dataset).id
