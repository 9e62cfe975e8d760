"""Labels become a dataset: what annotators said lands like any other rows, so that it can be trained on and explained."""

from __future__ import annotations

from typing import TYPE_CHECKING

from treadle.kernel.governance import Caller
from treadle.systems.collect import Datasets

if TYPE_CHECKING:
    import polars as pl

_SAME = ("task", "known_at")
"""A label that was decided anew has another known-at, and lands beside the one before it: labels have a history."""


class LabelLandings:
    """Satisfies the port `LabelSink` of labels."""

    def __init__(self, datasets: Datasets) -> None:
        self._datasets = datasets

    def land_labels(self, caller: Caller, dataset: str, frame: pl.DataFrame, key: str) -> str:
        """Lands the labels that the dataset does not have yet, once for each key; answers the snapshot with all of them."""
        head = self._datasets.find_snapshot(caller.project, dataset)
        if head is not None:
            landed = self._datasets.scan(caller.project, head).select(_SAME).collect()
            frame = frame.join(landed, on=_SAME, how="anti", maintain_order="left")
        if head is None or frame.height:
            self._datasets.land(caller, dataset, frame, key=key)
        return self._datasets.snapshot(caller.project, dataset).id
