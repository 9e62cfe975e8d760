"""The point-in-time join of `benchmarks/feature_stores.py` in Feast with its DuckDB offline store; prints seconds as JSON.

Runs in `.peers-data`; nothing of Treadle is here. Files are read within the measured time, imports and `apply` are not.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
import warnings
from datetime import timedelta
from pathlib import Path

import pandas as pd
from feast import Entity, FeatureStore, FeatureView, Field, FileSource, RepoConfig, ValueType
from feast.types import Float64

warnings.simplefilter("ignore")


def main(folder: str, shape: str) -> None:
    """shape: JSON of view -> number of features."""
    data = Path(folder)
    entity = Entity(name="key", join_keys=["key"], value_type=ValueType.INT64)
    views = [
        FeatureView(
            name=name,
            entities=[entity],
            ttl=timedelta(days=10_000),
            schema=[Field(name=f"{name}_{i}", dtype=Float64) for i in range(n)],
            source=FileSource(path=str(data / f"{name}.parquet"), timestamp_field="event_at"),
        )
        for name, n in json.loads(shape).items()
    ]
    with tempfile.TemporaryDirectory() as home:
        store = FeatureStore(
            config=RepoConfig(
                project="bench",
                provider="local",
                registry=f"{home}/registry.db",
                offline_store={"type": "duckdb"},
                online_store={"type": "sqlite", "path": f"{home}/online.db"},
                entity_key_serialization_version=3,
            )
        )
        store.apply([entity, *views])
        began = time.perf_counter()
        entities = pd.read_parquet(data / "entities.parquet").rename(columns={"as_of": "event_timestamp"})
        wanted = [f"{view.name}:{field.name}" for view in views for field in view.schema if field.name != "key"]
        found = store.get_historical_features(entity_df=entities, features=wanted).to_arrow()
        seconds = time.perf_counter() - began
    total = float(pd.Series(found.column("first_0").to_numpy(zero_copy_only=False)).sum())
    print(json.dumps({"seconds": seconds, "rows": found.num_rows, "sum": total}))


if __name__ == "__main__":
    main(*sys.argv[1:])
