"""Feast's online reads from its SQLite store, in a process of its own: prints the medians in microseconds as JSON.

python feast_online.py FOLDER ENTITIES REPEAT
"""

from __future__ import annotations

import json
import os
import random
import statistics
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

os.environ.setdefault("FEAST_USAGE", "False")

import numpy as np
import pandas as pd
from feast import Entity, FeatureStore, FeatureView, Field, FileSource
from feast.repo_config import RegistryConfig, RepoConfig
from feast.types import Float64
from feast.value_type import ValueType

FEATURES = 10


def store_of(folder: Path, entities: int) -> FeatureStore:
    """A store whose online part holds ten floats of so many customers."""
    rng = np.random.default_rng(1)
    frame = pd.DataFrame({f"f{n}": rng.normal(size=entities) for n in range(FEATURES)})
    frame["customer"] = np.arange(entities)
    frame["event_at"] = pd.Timestamp(datetime.now(UTC) - timedelta(hours=1))
    frame.to_parquet(folder / "rows.parquet")
    store = FeatureStore(
        config=RepoConfig(
            project="bench",
            provider="local",
            registry=RegistryConfig(path=str(folder / "registry.db")),
            online_store={"type": "sqlite", "path": str(folder / "online.db")},
            offline_store={"type": "file"},
            entity_key_serialization_version=3,
        )
    )
    customer = Entity(name="customer", join_keys=["customer"], value_type=ValueType.INT64)
    source = FileSource(path=str(folder / "rows.parquet"), timestamp_field="event_at")
    view = FeatureView(
        name="spending",
        entities=[customer],
        ttl=timedelta(days=365),
        schema=[Field(name=f"f{n}", dtype=Float64) for n in range(FEATURES)],
        source=source,
    )
    store.apply([customer, view])
    for start in range(0, entities, 5_000):
        store.write_to_online_store("spending", df=frame.iloc[start : start + 5_000])
    return store


def main() -> None:
    folder, entities, repeat = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    store = store_of(folder, entities)
    names = [f"spending:f{n}" for n in range(FEATURES)]
    rng = random.Random(1)

    def median_us(count: int, times: int) -> float:
        taken = []
        for _ in range(times):
            rows = [{"customer": rng.randrange(entities)} for _ in range(count)]
            begun = time.perf_counter_ns()
            answer = store.get_online_features(features=names, entity_rows=rows)
            taken.append(time.perf_counter_ns() - begun)
        assert answer.to_dict()["f0"][0] is not None
        return statistics.median(taken[len(taken) // 10 :]) / 1000

    print(json.dumps({"one": median_us(1, repeat), "hundred": median_us(100, max(20, repeat // 10))}))


if __name__ == "__main__":
    main()
