"""Do the rules of `drift_detection.py` say what Evidently and NannyML say, and how much does Evidently's preset cost?

Both libraries stand in an environment of their own, `.peers-monitoring`. The rules that were written anew are asked about
the same windows, column by column; then Evidently's preset and a judged window of Treadle are timed on 20 columns.

Fails (exit 1) when a figure differs by more than 0.02 from the library's, or Evidently costs less than 30 times as much.

    python benchmarks/drift_peers.py [--rows 1000000] [--windows 6] [--json]
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

import numpy as np  # noqa: E402
import pyarrow.parquet as pq  # noqa: E402

from benchmarks.drift.rules import Rules  # noqa: E402
from benchmarks.drift.streams import MIXED, REFERENCE_WINDOWS, ROWS, joined, table  # noqa: E402
from benchmarks.drift_speed import best_of, frame  # noqa: E402
from treadle.systems.monitor.bins import count  # noqa: E402
from treadle.systems.monitor.drift import measure  # noqa: E402
from treadle.systems.monitor.profiles import profile  # noqa: E402

PEERS_PYTHON = ROOT / ".peers-monitoring" / "bin" / "python"
PEER = ROOT / "benchmarks" / "peers" / "drifting.py"
NEAR = 0.02
AT_LEAST = 30.0


def asked(folder: Path, what: str) -> dict:
    """What the peers answer."""
    environment = {**os.environ, "NML_DISABLE_USAGE_LOGGING": "1", "DO_NOT_TRACK": "1"}
    done = subprocess.run(
        [str(PEERS_PYTHON), str(PEER), str(folder), what], capture_output=True, text=True, env=environment, check=False
    )
    if done.returncode != 0:
        raise SystemExit(done.stderr[-2000:])
    return json.loads(done.stdout.splitlines()[-1])


def differences(folder: Path, windows: int) -> dict[str, float]:
    """The largest difference of each rule's figures from the library's."""
    rng = np.random.default_rng(5)
    reference = [MIXED.draw(rng, ROWS, day, False) for day in range(REFERENCE_WINDOWS)]
    changes = [change for _, change in MIXED.changes.values()]
    later = [changes[i % len(changes)](MIXED.draw(rng, ROWS, i, False), rng, 10) for i in range(windows)]
    pq.write_table(table(MIXED, joined(reference)), folder / "reference.parquet")
    for i, window in enumerate(later):
        pq.write_table(table(MIXED, window), folder / f"window-{i:02}.parquet")
    rules = Rules(reference, MIXED.words)
    ours = [rules.figures(window) for window in later]
    theirs = asked(folder, "check")
    evidently = [
        abs(mine[name][1] - score)
        for mine, scores in zip(ours, theirs["evidently"], strict=True)
        for name, score in scores.items()
    ]
    nannyml = [abs(mine[name][2] - theirs["nannyml"][name][i]) for i, mine in enumerate(ours) for name in rules.names]
    limits = [abs(rules.limits[name] - theirs["nannyml_limits"][name]) for name in rules.names]
    return {
        "evidently": round(max(evidently), 4),
        "nannyml": round(max(nannyml), 4),
        "nannyml_limits": round(float(max(limits)), 4),
        "compared": len(evidently) + len(nannyml),
    }


def speed(folder: Path, rows: int) -> dict[str, float]:
    """CPU seconds of Evidently's preset and of a judged window, which needs its reference only once."""
    rng = np.random.default_rng(1)
    reference, window = frame(rng, rows), frame(rng, rows, 0.1)
    pq.write_table(reference, folder / "reference.parquet")
    pq.write_table(window, folder / "window-0.parquet")
    known = profile(reference, at=np.linspace(0.0, 28.0 * 86_400, rows, endpoint=False), window_s=86_400)
    wall, cpu = best_of(2, lambda: measure(known, count(known.bins, window), false_alarms_per_window=0.01))
    theirs = asked(folder, "speed")
    return {
        "treadle_s": round(wall, 3),
        "treadle_cpu_s": round(cpu, 3),
        "evidently_s": round(theirs["wall_s"], 2),
        "evidently_cpu_s": round(theirs["cpu_s"], 2),
        "ratio": round(theirs["wall_s"] / wall, 1),
    }


def main() -> int:
    """Prints both answers; answers 1 when one is not kept."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--windows", type=int, default=6)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    if not PEERS_PYTHON.exists():
        print("There is no .peers-monitoring: `make bench-peers` makes it.", file=sys.stderr)
        return 2
    with tempfile.TemporaryDirectory() as one, tempfile.TemporaryDirectory() as two:
        found = {"differences": differences(Path(one), options.windows), "speed": speed(Path(two), options.rows)}
    apart = max(found["differences"][name] for name in ("evidently", "nannyml", "nannyml_limits"))
    if options.json:
        print(json.dumps(found, indent=2))
    else:
        print(f"largest difference from the library: {found['differences']}")
        print(f"a window of {options.rows:,} rows: {found['speed']}")
    return int(apart > NEAR or found["speed"]["ratio"] < AT_LEAST)


if __name__ == "__main__":
    sys.exit(main())
