"""What does known-at cost? The point-in-time join of 1M entities with 3 views and 40 features, against raw as-of joins.

The peers join on event time alone: they see the future wherever a row was known later, so they do less and answer
wrongly. All start from the same unsorted frames in memory, sorting included, in this process.

    python benchmarks/point_in_time.py [--entities 1000000] [--repeat 3] [--json]
"""

from __future__ import annotations

import argparse
import gc
import json
import resource
import statistics
import time
from collections.abc import Callable
from datetime import timedelta

import duckdb
import numpy as np
import polars as pl

from treadle.systems.features import windows
from treadle.systems.features.joining import join_features
from treadle.systems.features.views import FeatureView

KEYS = 20_000
YEAR_S = 365 * 86_400
MOMENT = pl.Datetime("us", "UTC")
VIEWS = {"first": (2_000_000, 14), "second": (300_000, 13), "third": (600_000, 13)}


def make_rows(name: str, n: int, n_features: int, seed: int) -> pl.DataFrame:
    """Rows at random times, known up to two hours later, in no order."""
    rng = np.random.default_rng(seed)
    event = rng.integers(0, YEAR_S, n) * 1_000_000
    frame = pl.DataFrame(
        {
            "key": rng.integers(0, KEYS, n),
            "event_at": event,
            "known_at": event + rng.integers(0, 7_200, n) * 1_000_000,
            "_landing": "land_00000000000000000000000000",
            "_row": np.arange(n),
            "late": rng.random(n) < 0.2,
        }
        | {f"{name}_{i}": rng.normal(size=n) for i in range(n_features)}
    )
    return frame.with_columns(pl.col("event_at", "known_at").cast(MOMENT))


def make_entities(n: int) -> pl.DataFrame:
    rng = np.random.default_rng(0)
    frame = pl.DataFrame({"key": rng.integers(0, KEYS, n), "as_of": rng.integers(0, YEAR_S, n) * 1_000_000})
    return frame.with_columns(pl.col("as_of").cast(MOMENT))


def make_view(name: str, n_features: int, known_at: str | timedelta) -> FeatureView:
    return FeatureView(
        name=name,
        keys=["key"],
        dataset=name,
        event_time="event_at",
        known_at=known_at,
        features={f"{name}_{i}": f"{name}_{i}" for i in range(n_features)},
    )


def treadle(entities: pl.DataFrame, frames: dict[str, pl.DataFrame], known_at: str | timedelta) -> int:
    views = [make_view(name, n_features, known_at) for name, (_, n_features) in VIEWS.items()]
    return join_features(entities, views, frames, as_of="as_of").table.num_rows


def raw_polars(entities: pl.DataFrame, frames: dict[str, pl.DataFrame]) -> int:
    joined = entities.sort("as_of")
    for name, (_, n_features) in VIEWS.items():
        rows = frames[name].select("key", pl.col("event_at").alias(name), *(f"{name}_{i}" for i in range(n_features)))
        joined = joined.join_asof(
            rows.sort(name), left_on="as_of", right_on=name, by="key", check_sortedness=False, coalesce=False
        )
    return joined.to_arrow().num_rows


def raw_duckdb(entities: pl.DataFrame, frames: dict[str, pl.DataFrame]) -> int:
    with duckdb.connect() as connection:
        connection.register("entities", entities.to_arrow())
        joins = ""
        columns = ["e.*"]
        for name, (_, n_features) in VIEWS.items():
            connection.register(name, frames[name].to_arrow())
            joins += f" asof left join {name} on e.key = {name}.key and e.as_of >= {name}.event_at"
            columns += [f"{name}.{name}_{i}" for i in range(n_features)]
        answer = connection.sql(f"select {', '.join(columns)} from entities e{joins}").to_arrow_table()
        return int(answer.num_rows)


def rolling(entities: pl.DataFrame, frames: dict[str, pl.DataFrame]) -> int:
    view = FeatureView(
        name="history",
        keys=["key"],
        dataset="first",
        event_time="event_at",
        known_at="known_at",
        features={
            "late_rate": windows.rate("late", days=7),
            "n": windows.count(days=7),
            "mean": windows.mean("first_0", days=30),
        },
    )
    return join_features(entities, [view], frames, as_of="as_of").table.num_rows


def median_s(work: Callable[[], int], repeat: int, expected: int) -> float:
    taken = []
    for _ in range(repeat):
        gc.collect()
        start = time.perf_counter()
        rows = work()
        taken.append(time.perf_counter() - start)
        assert rows == expected, f"{rows} rows instead of {expected}"
    return statistics.median(taken)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--entities", type=int, default=1_000_000)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()

    entities = make_entities(options.entities)
    frames = {name: make_rows(name, *shape, seed) for seed, (name, shape) in enumerate(VIEWS.items(), 1)}
    hour = timedelta(hours=1)
    works: dict[str, Callable[[], int]] = {
        "treadle, known-at column": lambda: treadle(entities, frames, "known_at"),
        "treadle, known-at delay": lambda: treadle(entities, frames, hour),
        "raw polars join_asof, no known-at": lambda: raw_polars(entities, frames),
        "raw duckdb asof, no known-at": lambda: raw_duckdb(entities, frames),
        "treadle, 3 rolling windows over 2M outcomes": lambda: rolling(entities, frames),
    }
    seconds = {name: median_s(work, options.repeat, options.entities) for name, work in works.items()}
    floor = min(took for name, took in seconds.items() if name.startswith("raw"))
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    report = {
        "entities": options.entities,
        "seconds": {name: round(took, 3) for name, took in seconds.items()},
        "ratio_to_better_raw_join": round(seconds["treadle, known-at column"] / floor, 2),
        "peak_mb": round(peak_mb),
    }
    if options.json:
        print(json.dumps(report))
        return
    for name, took in seconds.items():
        print(f"{took:8.2f} s  {took / floor:5.2f}x  {name}")
    print(f"Peak memory {peak_mb:,.0f} MB, the data and the peers' included. 1x is the better raw join.")


if __name__ == "__main__":
    main()
