"""What does landing a folder of many small files cost beside reading, hashing and writing the same files raw?

The floor reads every file, hashes it and writes it into another folder, in the same process and run, without a single flush.
A landing packs the files into segments, flushes those, and writes manifest, snapshot, lineage and event. Landing the unchanged
folder again is measured against one look at each file (`os.scandir` and `stat`); `blobs` is what a blob for every file takes, on a
tenth of them.

    python benchmarks/file_dataset.py [--files 100000] [--bytes 10000] [--repeat 3] [--json]
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from treadle.ground.clock import system_clock
from treadle.ground.ids import new_id
from treadle.kernel.artifacts import LocalBlobs
from treadle.kernel.catalog import Refs
from treadle.kernel.events import EventLog
from treadle.kernel.governance import Caller
from treadle.systems.collect import Datasets
from treadle.systems.collect.filesets.service import FileSets
from treadle.testing import embedded_store

ME = Caller(project="default", actor="benchmark")
A_HUNDRED = 100

LIMITS = {"landing": 1.5, "again": 5.0, "export": 2.0}
"""At most so many times the floor."""


def make(folder: Path, count: int, size: int) -> None:
    """Files of random bytes, a hundred to a folder, last changed a while ago."""
    noise = os.urandom(size + count)
    for n in range(count):
        place = folder / f"{n // A_HUNDRED:05}"
        if n % A_HUNDRED == 0:
            place.mkdir(parents=True)
        path = place / f"{n:07}.bin"
        path.write_bytes(noise[n : n + size])
        os.utime(path, (1_300_000_000, 1_300_000_000))


def raw(source: Path, target: Path) -> None:
    """The floor: read, hash, write."""
    for parent, _, names in os.walk(source):
        place = target / os.path.relpath(parent, source)
        place.mkdir(parents=True, exist_ok=True)
        for name in names:
            with open(f"{parent}/{name}", "rb", buffering=0) as file:  # noqa: PTH123
                data = file.read()
            hashlib.sha256(data).hexdigest()
            with open(f"{place}/{name}", "wb", buffering=0) as file:  # noqa: PTH123
                file.write(data)


def look(source: Path) -> int:
    """One look at each file."""
    count = 0
    for entry in os.scandir(source):
        if entry.is_dir(follow_symlinks=False):
            count += look(Path(entry.path))
        else:
            entry.stat(follow_symlinks=False)
            count += 1
    return count


def timed(work: Callable[[], object]) -> float:
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun


def measure(base: Path, source: Path, repeat: int) -> dict[str, list[float]]:
    """Seconds, the floor and the landing by turns."""
    found: dict[str, list[float]] = {
        name: [] for name in ("raw", "landing", "look", "again", "copy", "export", "blobs")
    }
    some = sorted(source.rglob("*.bin"))[::10]
    for turn in range(repeat):
        for name, seconds in _once(base / f"home{turn}", source, some).items():
            found[name].append(seconds)
    return found


def _once(home: Path, source: Path, some: list[Path]) -> dict[str, float]:
    home.mkdir()
    store = embedded_store(home)
    events = EventLog(store, system_clock, new_id)
    datasets = Datasets(store, events, Refs(events, system_clock), home / "tables", system_clock, new_id)
    sets = FileSets(datasets.workings, LocalBlobs(home / "blobs"))
    single = LocalBlobs(home / "single")
    seconds = {
        "raw": timed(lambda: raw(source, home / "raw")),
        "landing": timed(lambda: sets.land(ME, "files", source)),
        "look": timed(lambda: look(source)),
        "again": timed(lambda: sets.land(ME, "files", source)),
        "copy": timed(lambda: shutil.copytree(home / "raw", home / "copy")),
    }
    files = sets.files("default", datasets.snapshot("default", "files"))
    seconds["export"] = timed(lambda: files.export(home / "out"))
    seconds["blobs"] = 10 * timed(lambda: [single.put_file(path) for path in some])
    store.close()
    shutil.rmtree(home)
    return seconds


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--files", type=int, default=100_000)
    parser.add_argument("--bytes", type=int, default=10_000)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        base, source = Path(folder), Path(folder) / "source"
        make(source, options.files, options.bytes)
        seconds = {name: statistics.median(each) for name, each in measure(base, source, options.repeat).items()}
    ratios = {
        "landing": seconds["landing"] / seconds["raw"],
        "again": seconds["again"] / seconds["look"],
        "export": seconds["export"] / seconds["copy"],
        "a blob for every file": seconds["blobs"] / seconds["raw"],
    }
    broken = {name: limit for name, limit in LIMITS.items() if ratios[name] > limit}
    if options.json:
        print(json.dumps({"seconds": seconds, "ratios": ratios, "not kept": broken}))
    else:
        print(f"{options.files:,} files of {options.bytes:,} bytes, median of {options.repeat}")
        for name, floor in (("landing", "raw"), ("again", "look"), ("export", "copy")):
            print(f"{name:8} {seconds[name]:7.2f} s, {ratios[name]:5.2f} times {floor} ({seconds[floor]:.2f} s)")
        print(
            f"a blob for every file would take {seconds['blobs']:.1f} s, {ratios['a blob for every file']:.1f} times raw"
        )
        for name, limit in broken.items():
            print(f"not kept: {name} at most {limit} times the floor")
    return int(bool(broken))


if __name__ == "__main__":
    raise SystemExit(main())
