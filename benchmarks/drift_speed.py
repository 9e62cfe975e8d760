"""What does it cost to judge a window of a million rows and 20 columns, beside the bare binning in NumPy?

14 numbers, 4 columns of 10 words, a score and a label, as Arrow in memory. The baseline places the same values between the
same edges (`searchsorted`, `bincount`) and counts the same words (Arrow's `value_counts`), and does nothing else; Treadle
also scores every value, sums the products of all pairs, and tells the drift of the window.

Fails (exit 1) above twice the baseline. `drift_peers.py` measures Evidently's preset on the same data.

    python benchmarks/drift_speed.py [--rows 1000000] [--repeat 3] [--json]
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from treadle.systems.monitor.bins import ColumnBins, count
from treadle.systems.monitor.drift import measure
from treadle.systems.monitor.profiles import profile

AT_MOST = 2.0
DAY_S = 86_400


def frame(rng: np.random.Generator, rows: int, shift: float = 0.0) -> pa.Table:
    """20 columns, the first four moved by so many standard deviations."""
    columns: dict[str, pa.Array] = {
        f"f{i}": pa.array(rng.normal(shift if i < 4 else 0.0, 1.0, rows)) for i in range(14)
    }
    words = np.array([f"word-{i}" for i in range(10)])
    for i in range(4):
        columns[f"c{i}"] = pa.array(words[rng.integers(0, 10, rows)])
    columns["score"] = pa.array(rng.beta(2, 5, rows))
    columns["label"] = pa.array((rng.random(rows) < 0.3).astype(float))
    return pa.table(columns)


def bare(bins: tuple[ColumnBins, ...], table: pa.Table) -> int:
    """The binning alone; answers how many values were placed."""
    placed = 0
    for column in bins:
        values = table.column(column.name)
        if column.kind == "numeric":
            slots = np.searchsorted(np.asarray(column.edges), values.to_numpy())
            placed += int(np.bincount(slots, minlength=len(column.edges) + 1).sum())
        else:
            placed += sum(pc.value_counts(values).field("counts").to_pylist())
    return placed


def best_of(repeat: int, work: Callable[[], object]) -> tuple[float, float]:
    """Wall and CPU seconds of the quickest of some turns."""
    turns = []
    for _ in range(repeat):
        wall, cpu = time.perf_counter(), time.process_time()
        work()
        turns.append((time.perf_counter() - wall, time.process_time() - cpu))
    return min(turns)


def main() -> int:
    """Prints the ratio; answers 1 when it is above the limit."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    rng = np.random.default_rng(1)
    reference, window = frame(rng, options.rows), frame(rng, options.rows, 0.1)
    at = np.linspace(0.0, 28.0 * DAY_S, options.rows, endpoint=False)
    started = time.perf_counter()
    known = profile(reference, at=at, window_s=DAY_S)
    profile_s = time.perf_counter() - started
    bare_wall, bare_cpu = best_of(options.repeat, lambda: bare(known.bins, window))
    our_wall, our_cpu = best_of(
        options.repeat, lambda: measure(known, count(known.bins, window), false_alarms_per_window=0.01)
    )
    moved = [one.column for one in measure(known, count(known.bins, window), false_alarms_per_window=0.01).moved]
    ratio = our_wall / bare_wall
    found = {
        "rows": options.rows,
        "numpy_s": round(bare_wall, 3),
        "numpy_cpu_s": round(bare_cpu, 3),
        "treadle_s": round(our_wall, 3),
        "treadle_cpu_s": round(our_cpu, 3),
        "ratio": round(ratio, 2),
        "reference_once_s": round(profile_s, 3),
        "moved": sorted(moved),
    }
    if options.json:
        print(json.dumps(found, indent=2))
    else:
        print(
            f"{options.rows:,} rows of 20 columns: NumPy's binning {bare_wall:.3f} s, a judged window {our_wall:.3f} s"
        )
        print(
            f"ratio {ratio:.2f} (at most {AT_MOST}); the reference, once, {profile_s:.2f} s; moved: {', '.join(sorted(moved))}"
        )
    return int(ratio > AT_MOST)


if __name__ == "__main__":
    sys.exit(main())
