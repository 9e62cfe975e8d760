"""Predictions as a dataset: shipped calls land in it, and a call is found again by the id of one of its predictions.

An id begins with the millisecond in which the prediction was made, and so does a landing's; so only the files whose ids
can hold the one that is asked for are read.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from treadle.kernel.governance import Caller
from treadle.systems.collect import Datasets
from treadle.systems.serve.records import LandingKind, ListPredictions, PredictionLine

if TYPE_CHECKING:
    import pyarrow as pa

PREFIX = "predictions."


def dataset_of(endpoint: str, kind: LandingKind = "predictions") -> str:
    """The dataset that holds the predictions of an endpoint; or what its shadows said, or what failed."""
    return f"{kind}.{endpoint}"


class LandedPredictions:
    """Satisfies serving's ports `PredictionSink` and `PredictionArchive`."""

    def __init__(self, datasets: Datasets, caller: Caller) -> None:
        self._datasets, self._caller = datasets, caller

    def land(self, endpoint: str, table: pa.Table, landing_id: str, kind: LandingKind = "predictions") -> None:
        """Lands the rows; the same landing id again answers the landing that stands."""
        self._datasets.land(self._caller, dataset_of(endpoint, kind), table, key=landing_id, event_column="event_at")

    def newest(self, wanted: ListPredictions) -> list[PredictionLine]:
        """The newest predictions that are asked for, newest first. An id begins with its time, so ids are sorted."""
        if wanted.endpoint is not None:
            names = [dataset_of(wanted.endpoint)]
        else:
            names = [one.name for one in self._datasets.list(self._caller) if one.name.startswith(PREFIX)]
        found = [line for name in names for line in self._newest_of(name, wanted)]
        return sorted(found, key=lambda line: line.prediction_id, reverse=True)[: wanted.limit]

    def _newest_of(self, dataset: str, wanted: ListPredictions) -> list[PredictionLine]:
        project = self._caller.project
        snapshot = self._datasets.find_snapshot(project, dataset)
        if snapshot is None:
            return []
        rows = self._datasets.scan(project, snapshot)
        if wanted.after is not None:
            rows = rows.filter(pl.col("prediction_id") < wanted.after)
        if wanted.entity is not None:
            rows = rows.filter(pl.col("entity") == wanted.entity)
        if wanted.since is not None:
            rows = rows.filter(pl.col("recorded_at") >= wanted.since)
        if wanted.until is not None:
            rows = rows.filter(pl.col("recorded_at") < wanted.until)
        columns = list(PredictionLine.__dataclass_fields__)
        chosen = rows.select(columns).top_k(wanted.limit, by="prediction_id").collect()
        return [PredictionLine(**row) for row in chosen.to_dicts()]

    def call_of(self, prediction_id: str) -> pa.Table | None:
        """All rows of the call that made a prediction."""
        for summary in self._datasets.list(self._caller):
            if summary.name.startswith(("predictions.", "shadows.")):
                found = self._find(summary.name, prediction_id)
                if found is not None:
                    return found
        return None

    def _find(self, dataset: str, prediction_id: str) -> pa.Table | None:
        project = self._caller.project
        snapshot = self._datasets.find_snapshot(project, dataset)
        if snapshot is None:
            return None
        rows = self._datasets.scan(project, snapshot)
        calls = rows.filter(pl.col("prediction_id") == prediction_id).select("call_id").collect()
        if calls.is_empty():
            return None
        whole = rows.filter(pl.col("call_id") == calls.item()).sort("row_in_call").collect()
        return whole.drop("_landing", "_row").to_arrow()
