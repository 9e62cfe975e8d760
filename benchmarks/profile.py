"""What does the profile of a table cost beside reading it from Parquet into memory?

The floor is a scan of the same file by Polars, collected, on the same threads, in the same run and by turns. The table has
5,000,000 rows of 12 columns: numbers, text of few and of many values, times. Profiles of slices are merged, so the peak of
memory beyond the table is that of a million rows.

Fails (exit 1) when the profile takes more than twice as long as the read, by the median of the turns.

    python benchmarks/profile.py [--rows 5000000] [--repeat 5] [--json]
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
import time
from pathlib import Path

import polars as pl

sys.path.insert(0, str(Path(__file__).parent))

from landing import rows_of

from treadle.ground.profiling import encode, merge, profile

LIMIT = 2.0


def measure(rows: int, repeat: int) -> dict[str, float]:
    """Medians of reading and profiling by turns, in seconds of the wall and of the processor."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "table.parquet"
        rows_of(rows).write_parquet(path, compression="zstd")
        wall: dict[str, list[float]] = {"read": [], "profile": []}
        cpu: dict[str, list[float]] = {"read": [], "profile": []}
        for _ in range(repeat + 1):  # the first turn imports and warms up
            for name in ("read", "profile"):
                begun, used = time.perf_counter(), time.process_time()
                if name == "read":
                    table = pl.scan_parquet(path).collect()
                else:
                    found = profile(table)
                wall[name].append(time.perf_counter() - begun)
                cpu[name].append(time.process_time() - used)
    medians = {name: statistics.median(taken[1:]) for name, taken in wall.items()}
    used = {name: statistics.median(taken[1:]) for name, taken in cpu.items()}
    begun = time.perf_counter()
    merge([found, found])
    merging = time.perf_counter() - begun
    return {
        "rows": rows,
        "read_s": round(medians["read"], 3),
        "profile_s": round(medians["profile"], 3),
        "ratio": round(statistics.median(p / r for p, r in zip(wall["profile"][1:], wall["read"][1:], strict=True)), 3),
        "cpu_ratio": round(used["profile"] / used["read"], 3),
        "merge_ms": round(1000 * merging, 2),
        "bytes_a_column": round(len(encode(found)) / len(found.columns)),
    }


def main() -> int:
    """Measures and prints; 1 when the limit is not kept."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rows", type=int, default=5_000_000)
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    found = measure(asked.rows, asked.repeat)
    print(json.dumps(found, indent=2) if asked.json else f"{asked.rows:,} rows x 12: {found}")
    if found["ratio"] > LIMIT:
        print(f"the profile takes {found['ratio']} times as long as the read; the limit is {LIMIT}", file=sys.stderr)
    return int(found["ratio"] > LIMIT)


if __name__ == "__main__":
    sys.exit(main())
