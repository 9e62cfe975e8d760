"""What do identity and storage of a value cost, beyond hashing and writing its bare bytes?

The floors are measured in the same run, over the same bytes: sha256 of the buffers; a file written and flushed to the disk.
A ratio of 1.0 says that nothing is lost. Small values are compared with json.dumps and one sha256.

    python benchmarks/artifacts.py [--mb 256] [--json]
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa

from treadle.ground.frames import frame_digest
from treadle.kernel.artifacts import Artifacts, LocalBlobs

LIMITS = {"digest_one_core_to_sha256": 2.0, "put_to_write": 6.0, "put_to_floor": 5.0}
"""What a ratio may reach before the benchmark fails; it stays well below on a quiet machine."""

SMALL = {
    "int": 7,
    "text": "a short text",
    "dict": {"auc": 0.93, "n": 10_000, "name": "fit", "ok": True, "loss": [0.5, 0.4]},
    "tuple": (1, 2.5, "x"),
}


def seconds(work: Callable[[], object], repeats: int = 3) -> float:
    """The median time of a call."""
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def tables(megabytes: int) -> dict[str, pa.Table]:
    """Frames of about that size, of numbers, of text, and of both with nulls."""
    rng = np.random.default_rng(7)
    rows = megabytes * (1 << 20) // 64
    numbers = {f"x{n}": rng.normal(size=rows) for n in range(8)}
    text = pa.array(np.char.add("flight ", rng.integers(0, 9_999, rows // 4).astype(str)))
    texts = pa.table({f"s{n}": pa.concat_arrays([text] * 4) for n in range(3)})
    mask = rng.random(rows) < 0.1
    mixed = pa.table(
        {"n": pa.array(rng.integers(0, 99, rows), mask=mask), "x": pa.array(numbers["x0"], mask=mask), "s": texts["s0"]}
    )
    return {"numbers": pa.table(numbers), "text": texts, "mixed": mixed}


def bare_sha256(table: pa.Table) -> None:
    state = hashlib.sha256()
    for column in table.columns:
        for chunk in column.chunks:
            for buffer in chunk.buffers():
                if buffer is not None:
                    state.update(buffer)


def bare_write(data: memoryview, folder: Path) -> None:
    fd = os.open(folder / "bare", os.O_CREAT | os.O_WRONLY | os.O_TRUNC)
    try:
        while data.nbytes:
            data = data[os.write(fd, data[: 8 << 20]) :]
        os.fsync(fd)
    finally:
        os.close(fd)
    (folder / "bare").unlink()


def measure_frame(table: pa.Table, folder: Path) -> dict[str, float]:
    """GB/s and ratios for one frame."""
    blobs = LocalBlobs(folder / "blobs")
    artifacts = Artifacts(blobs)
    sink = pa.BufferOutputStream()
    with pa.ipc.new_file(sink, table.schema) as writer:
        writer.write_table(table)
    encoded = memoryview(sink.getvalue())
    gigabytes = table.nbytes / 1e9
    sha, digest = seconds(lambda: bare_sha256(table)), seconds(lambda: frame_digest(table))
    one_core = seconds(lambda: frame_digest(table, threads=1))

    def put() -> None:
        for info in list(blobs.list()):
            blobs.delete(info.digest)
        artifacts.put(table)

    written, stored = [], []
    for _ in range(3):  # taken in turns: the speed of a disk changes from second to second
        written.append(seconds(lambda: bare_write(encoded, folder), 1))
        stored.append(seconds(put, 1))
    write, put_s = statistics.median(written), statistics.median(stored)
    artifact = artifacts.put(table)
    return {
        "megabytes": table.nbytes / 1e6,
        "sha256_gb_s": gigabytes / sha,
        "digest_gb_s": gigabytes / digest,
        "digest_to_sha256": digest / sha,
        "digest_one_core_to_sha256": one_core / sha,
        "write_gb_s": gigabytes / write,
        "put_gb_s": gigabytes / put_s,
        "put_to_write": put_s / write,
        "load_arrow_ms": seconds(lambda: artifacts.load(artifact, pa.Table)) * 1e3,
        "load_polars_ms": seconds(lambda: artifacts.load(artifact, pl.DataFrame)) * 1e3,
        "known_put_to_sha256": seconds(lambda: artifacts.put(table, known=lambda _: artifact)) / sha,
    }


def measure_small(value: Any, folder: Path) -> dict[str, float]:
    """Microseconds for one small value."""
    artifacts = Artifacts(LocalBlobs(folder / "small"))
    artifact = artifacts.put(value)
    calls = range(5000)

    def micros(work: Callable[[], object]) -> float:
        return seconds(lambda: [work() for _ in calls], 5) / len(calls) * 1e6

    floor = micros(lambda: hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest())
    put = micros(lambda: artifacts.put(value))
    return {
        "floor_us": floor,
        "put_us": put,
        "load_us": micros(lambda: artifacts.load(artifact)),
        "put_to_floor": put / floor,
    }


def main() -> int:
    """Answers 1 when a ratio is above its limit."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mb", type=int, default=256, help="size of each frame in MiB")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="treadle-bench-") as name:
        folder = Path(name)
        found = {
            "frames": {title: measure_frame(table, folder) for title, table in tables(options.mb).items()},
            "small": {title: measure_small(value, folder) for title, value in SMALL.items()},
        }
    kept = all(
        figures.get(name, 0) <= limit
        for rows in found.values()
        for figures in rows.values()
        for name, limit in LIMITS.items()
    )
    if options.json:
        print(json.dumps(found))
        return int(not kept)
    for rows in found.values():
        for title, figures in rows.items():
            print(f"{title:8}", "  ".join(f"{key} {value:.2f}" for key, value in figures.items()))
    return int(not kept)


if __name__ == "__main__":
    sys.exit(main())
