"""What does known-at cost? The point-in-time join of 1M entities with 3 views and 40 features, against raw as-of joins.

The peers join on event time alone: they see the future wherever a row was known later, so they do less and answer
wrongly. All start from the same unsorted frames in memory, sorting included, in turns in this process. Peak memory is that
of a process of its own which makes the data and joins once; and so is the larger join, answered in pieces.

Ends with 1 when the join with known-at takes more than 1.3x the better raw join, when its peak passes 2 GB, or when the
larger one takes more than 1.3x its share or passes 6 GB.

    python benchmarks/point_in_time.py [--entities 1000000] [--large 10000000] [--repeat 3] [--json]
"""

from __future__ import annotations

import argparse
import gc
import json
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import duckdb
import numpy as np
import polars as pl

from treadle.systems.features import windows
from treadle.systems.features.joining import Join, join_features
from treadle.systems.features.views import FeatureView

REACH, PEAK_MB = 1.3, 2_000
LARGE_REACH, LARGE_PEAK_MB = 1.3, 6_000

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


def taken_s(works: dict[str, Callable[[], int]], repeat: int, expected: int) -> dict[str, float]:
    """The median seconds of each, measured in turns, so that what else happens on the machine meets all alike."""
    taken: dict[str, list[float]] = {name: [] for name in works}
    for _ in range(repeat):
        for name, work in works.items():
            gc.collect()
            start = time.perf_counter()
            rows = work()
            taken[name].append(time.perf_counter() - start)
            assert rows == expected, f"{rows} rows instead of {expected}"
    return {name: statistics.median(each) for name, each in taken.items()}


def alone(n: int) -> None:
    """Joins n entities twice, and prints the seconds of the quicker time and the peak of memory in MB.

    Up to a million the whole answer is held, beyond that it is let go piece by piece.
    """
    entities = make_entities(n)
    frames = make_frames()
    views = [make_view(name, n_features, "known_at") for name, (_, n_features) in VIEWS.items()]
    quickest = float("inf")
    for _ in range(2):
        start = time.perf_counter()
        if n > 1_000_000:
            n_rows = sum(len(piece) for piece in Join(entities, views, frames, as_of="as_of").pieces())
        else:
            n_rows = join_features(entities, views, frames, as_of="as_of").table.num_rows
        quickest = min(quickest, time.perf_counter() - start)
        assert n_rows == n
    print(json.dumps([quickest, peak_mb()]))


def peak_mb() -> float:
    """The most memory that this process held; `getrusage` would count its parent's before the program began."""
    status = Path("/proc/self/status")
    if not status.exists():
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20  # macOS counts bytes
    [line] = [line for line in status.read_text().splitlines() if line.startswith("VmHWM")]
    return int(line.split()[1]) / 1024


def measured_alone(n: int) -> tuple[float, float]:
    done = subprocess.run([sys.executable, __file__, "--alone", str(n)], capture_output=True, text=True, check=True)
    seconds, peak_mb = json.loads(done.stdout)
    return float(seconds), float(peak_mb)


def make_frames() -> dict[str, pl.DataFrame]:
    return {name: make_rows(name, *shape, seed) for seed, (name, shape) in enumerate(VIEWS.items(), 1)}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--entities", type=int, default=1_000_000)
    parser.add_argument("--large", type=int, default=10_000_000, help="0 leaves the larger join out")
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--alone", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    if options.alone:
        alone(options.alone)
        return 0

    entities, frames = make_entities(options.entities), make_frames()
    hour = timedelta(hours=1)
    works: dict[str, Callable[[], int]] = {
        "treadle, known-at column": lambda: treadle(entities, frames, "known_at"),
        "treadle, known-at delay": lambda: treadle(entities, frames, hour),
        "raw polars join_asof, no known-at": lambda: raw_polars(entities, frames),
        "raw duckdb asof, no known-at": lambda: raw_duckdb(entities, frames),
        "treadle, 3 rolling windows over 2M outcomes": lambda: rolling(entities, frames),
    }
    seconds = taken_s(works, options.repeat, options.entities)
    floor = min(took for name, took in seconds.items() if name.startswith("raw"))
    ratio = seconds["treadle, known-at column"] / floor
    base_s, own_mb = measured_alone(options.entities)
    kept = {f"{ratio:.2f}x the better raw join, at most {REACH}x": ratio <= REACH}
    kept[f"peak {own_mb:,.0f} MB, at most {PEAK_MB:,} MB"] = own_mb <= PEAK_MB
    report = {
        "entities": options.entities,
        "seconds": {name: round(took, 3) for name, took in seconds.items()},
        "ratio_to_better_raw_join": round(ratio, 2),
        "peak_mb": round(own_mb),
    }
    if options.large:
        large_s, large_mb = measured_alone(options.large)
        share = large_s / (base_s * options.large / options.entities)
        kept[f"{options.large:,} entities take {share:.2f}x their share, at most {LARGE_REACH}x"] = share <= LARGE_REACH
        kept[f"peak {large_mb:,.0f} MB, at most {LARGE_PEAK_MB:,} MB"] = large_mb <= LARGE_PEAK_MB
        report |= {"large": options.large, "large_s": round(large_s, 2), "large_share": round(share, 2), "large_peak_mb": round(large_mb)}  # fmt: skip
    if options.json:
        print(json.dumps(report | {"kept": all(kept.values())}))
        return int(not all(kept.values()))
    for name, took in seconds.items():
        print(f"{took:8.2f} s  {took / floor:5.2f}x  {name}")
    for claim, holds in kept.items():
        print(f"{'kept' if holds else 'NOT KEPT'}: {claim}")
    return int(not all(kept.values()))


if __name__ == "__main__":
    sys.exit(main())
