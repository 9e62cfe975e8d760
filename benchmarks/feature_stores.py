"""What does a training set of 1M entities and 40 features cost here, and in Feast?

Both read the same Parquet files and join three views as of each entity's moment. Feast (DuckDB offline store, the quicker of
its two local ones) joins on event time; Treadle does so too to compare the answers, and then with known-at, which is
what counts. Ends with 1 when Feast takes less than 25x that.

    make bench-peers ARGS="feature_stores"
    python benchmarks/feature_stores.py [--entities 1000000] [--json]
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from datetime import timedelta
from pathlib import Path

import polars as pl

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from benchmarks.point_in_time import VIEWS, make_entities, make_frames, make_view  # noqa: E402 - a program of its own
from treadle.systems.features.joining import join_features  # noqa: E402

PEERS_PYTHON = ROOT / ".peers-data" / "bin" / "python"
PEER = Path(__file__).parent / "peers" / "feasting.py"
REACH = 25.0


def joined(folder: Path, known_at: str | timedelta) -> tuple[float, int, float]:
    """Seconds, rows, and the sum of one feature."""
    began = time.perf_counter()
    entities = pl.read_parquet(folder / "entities.parquet")
    frames = {name: pl.read_parquet(folder / f"{name}.parquet") for name in VIEWS}
    views = [make_view(name, n_features, known_at) for name, (_, n_features) in VIEWS.items()]
    table = join_features(entities, views, frames, as_of="as_of").table
    seconds = time.perf_counter() - began
    return seconds, table.num_rows, float(pl.Series(table["first_0"]).sum())


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--entities", type=int, default=1_000_000)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()

    with tempfile.TemporaryDirectory() as home:
        folder = Path(home)
        make_entities(options.entities).write_parquet(folder / "entities.parquet")
        for name, frame in make_frames().items():
            # Of two rows of one moment Feast takes either, so the answers could not be compared.
            frame.unique(["key", "event_at"], maintain_order=True).write_parquet(folder / f"{name}.parquet")
        _, rows, total = joined(folder, timedelta(0))
        before = [joined(folder, "known_at")[0] for _ in range(2)]
        shape = json.dumps({name: n_features for name, (_, n_features) in VIEWS.items()})
        done = subprocess.run([str(PEERS_PYTHON), str(PEER), str(folder), shape], capture_output=True, text=True, check=False)  # fmt: skip
        if done.returncode:
            sys.exit(done.stderr)
        peer = json.loads(done.stdout.splitlines()[-1])
        after = [joined(folder, "known_at")[0] for _ in range(2)]
    assert peer["rows"] == rows, f"Feast answers {peer['rows']} rows, not {rows}"
    assert abs(peer["sum"] - total) < 1e-6 * max(1.0, abs(total)), f"Feast sums to {peer['sum']}, not {total}"
    own = sorted([*before, *after])[1]
    ratio = peer["seconds"] / own
    if options.json:
        report = {"entities": options.entities, "treadle_s": own, "feast_s": peer["seconds"], "ratio": ratio}
        print(json.dumps(report))
        return int(ratio < REACH)
    print(f"{own:8.2f} s  treadle, known-at column, files read")
    print(f"{peer['seconds']:8.2f} s  feast with DuckDB, event time alone ({ratio:.1f}x), the same rows and sums")
    print(f"{'kept' if ratio >= REACH else 'NOT KEPT'}: at least {REACH:.0f}x")
    return int(ratio < REACH)


if __name__ == "__main__":
    sys.exit(main())
