"""Predictions as a dataset: shipped calls land in it, and a call is found again by the id of one of its predictions.

An id begins with the millisecond in which the prediction was made, and so does a landing's; so only the files whose ids
can hold the one that is asked for are read.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import polars as pl

from treadle.kernel.governance import Caller
from treadle.systems.collect import Datasets
from treadle.systems.serve.records import (
    EndpointTraffic,
    LandingKind,
    ListPredictions,
    PredictionLine,
    TrafficBucket,
    TrafficOf,
)

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

    def traffic(self, wanted: TrafficOf) -> EndpointTraffic:
        """Calls, failures and latencies bucket by bucket; of each call its first row counts."""
        answered, failed = self._calls(wanted.endpoint, "predictions"), self._calls(wanted.endpoint, "failures")
        until = wanted.until or _newest_of(answered, failed)
        since = until - timedelta(hours=wanted.hours)
        bucket_s = wanted.hours * 3600 / wanted.buckets
        window = (pl.col("recorded_at") > since) & (pl.col("recorded_at") <= until)
        place = ((pl.col("recorded_at") - since).dt.total_microseconds() / (bucket_s * 1e6)).floor().cast(pl.Int64)
        first = pl.col("row_in_call") == 0
        latency = pl.col("latency_us").filter(first)
        keys = [place.clip(0, wanted.buckets - 1).alias("bucket"), pl.col("revision").cast(pl.Int64)]
        parts = []
        if answered is not None:
            parts.append(
                answered.filter(window).group_by(keys).agg(
                    calls=first.sum(), predictions=pl.len(), failures=pl.lit(0, pl.UInt32),
                    p50_ms=latency.quantile(0.5) / 1000, p99_ms=latency.quantile(0.99) / 1000,
                )
            )  # fmt: skip
        if failed is not None:
            parts.append(failed.filter(window).group_by(keys).agg(failures=pl.col("call_id").n_unique()))
        rows = [] if not parts else pl.concat(parts, how="diagonal_relaxed").collect().to_dicts()
        return EndpointTraffic(
            endpoint=wanted.endpoint,
            since=since,
            until=until,
            bucket_s=bucket_s,
            buckets=_buckets(rows, since, bucket_s),
        )

    def _calls(self, endpoint: str, kind: LandingKind) -> pl.LazyFrame | None:
        snapshot = self._datasets.find_snapshot(self._caller.project, dataset_of(endpoint, kind))
        return None if snapshot is None else self._datasets.scan(self._caller.project, snapshot)

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


def _newest_of(*frames: pl.LazyFrame | None) -> datetime:
    """When the newest call of some frames was recorded; now, where there is none."""
    newest = [frame.select(pl.col("recorded_at").max()).collect().item() for frame in frames if frame is not None]
    return max((one for one in newest if one is not None), default=datetime.now(UTC))


def _buckets(rows: list[dict[str, Any]], since: datetime, bucket_s: float) -> list[TrafficBucket]:
    """One bucket for each part of the time and revision: what was answered and what failed together."""
    together: dict[tuple[int, int], dict[str, Any]] = {}
    for row in rows:
        found = together.setdefault((row["bucket"], row["revision"]), {})
        for name in ("calls", "predictions", "failures"):
            found[name] = found.get(name, 0) + (row.get(name) or 0)
        for name in ("p50_ms", "p99_ms"):
            found[name] = found.get(name) if row.get(name) is None else row[name]
    return [
        TrafficBucket(starts_at=since + timedelta(seconds=bucket * bucket_s), revision=revision, **found)
        for (bucket, revision), found in sorted(together.items())
    ]
