"""What does a large frame cost when it passes from step to step, and when it is known already?

A step makes a frame of 2 GB (or `--gb`), a second one reads a few of its rows. The pipeline runs once, then twice more in
fresh processes: as it was (both steps known), and with the second step forced, so that the frame is really handed over. Peak
memory of each driver stands beside that of a driver that handles no frame at all. A known frame must cost no more than
the record of it: it is passed on by digest, and mapped only where a step reads it.

    python benchmarks/large_frame.py [--gb 2] [--json]
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

LIMIT_CACHED_MB = 40
"""A driver that finds both steps known may hold so much more than one that handles no frame."""

PROGRAM = """
import resource, sys, time
import treadle as td

@td.step
def make(gb: float) -> "pl.DataFrame":
    import numpy as np, polars as pl
    rows = int(gb * 2**30 / 8 / 8)
    return pl.DataFrame({f"x{n}": np.arange(rows, dtype=np.float64) * (n + 1) for n in range(8)})

@td.step
def read(frame: "pl.DataFrame") -> float:
    return float(frame["x3"][12345])

@td.pipeline
def flow(gb: float) -> float:
    return read(make(gb)) if gb else 0.0

began = time.perf_counter()
engine = td.open_workspace().engine
run = engine.run(flow, {"gb": float(sys.argv[1])}, from_step="read" if sys.argv[2] == "handed" else None)
assert run.error is None, run.error
seconds = time.perf_counter() - began
print(seconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, run.counts["cached"])
"""


def driver(home: Path, gb: float, how: str) -> tuple[float, float, int]:
    """Seconds, peak MB and known steps of one run in a process of its own."""
    program = home / "flow.py"
    program.write_text(PROGRAM, encoding="utf-8")
    command = [sys.executable, str(program), str(gb), how]
    done = subprocess.run(command, cwd=home, capture_output=True, text=True, check=True)
    seconds, peak, cached = done.stdout.split()[-3:]
    return float(seconds), float(peak), int(cached)


def measure(gb: float) -> dict[str, float]:
    """The figures by name; seconds and megabytes."""
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        (home / "treadle.toml").write_text("", encoding="utf-8")
        _, idle_mb, _ = driver(home, 0, "plain")
        first_s, first_mb, _ = driver(home, gb, "plain")
        known_s, known_mb, known = driver(home, gb, "plain")
        handed_s, handed_mb, _ = driver(home, gb, "handed")
    assert known == 2, "the second run should have found both steps"
    return {
        "gb": gb,
        "idle_mb": idle_mb,
        "first_s": first_s,
        "first_mb": first_mb,
        "known_s": known_s,
        "known_over_idle_mb": known_mb - idle_mb,
        "handed_s": handed_s,
        "handed_mb": handed_mb,
    }


def main() -> int:
    """Prints the figures; the exit status is 1 when a known frame went through the driver."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--gb", type=float, default=2.0)
    parser.add_argument("--json", action="store_true")
    chosen = parser.parse_args()
    figures = measure(chosen.gb)
    if chosen.json:
        print(json.dumps({name: round(value, 3) for name, value in figures.items()}))
    else:
        for name, value in figures.items():
            print(f"{name:20} {value:10.3f}")
    kept = figures["known_over_idle_mb"] <= LIMIT_CACHED_MB
    if not kept:
        print(f"known_over_idle_mb is above {LIMIT_CACHED_MB}", file=sys.stderr)
    return 0 if kept else 1


if __name__ == "__main__":
    raise SystemExit(main())
