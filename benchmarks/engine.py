"""What does a step cost beyond writing down what has to be written?

Two floors are measured in the same run, on the same disk, interleaved with the engine. *bare*: sha256 of the input and two
commits to SQLite in WAL mode, of a row of three columns. *same rows*: two commits that write what the engine writes, in the
engine's own schema: the run's row; then its end, artifact, edges, and event with its hash in the chain. Medians over the
repeats; milliseconds a step.

    python benchmarks/engine.py [--n 1000] [--repeats 5] [--flat] [--json]
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import resource
import shutil
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from treadle.ground.ids import new_id
from treadle.kernel.artifacts import LocalBlobs
from treadle.kernel.artifacts.service import Artifacts
from treadle.kernel.engine import Engine, each, load, pipeline, step
from treadle.kernel.engine.code import fingerprint
from treadle.kernel.engine.code_store import bundler
from treadle.kernel.engine.observing import observe
from treadle.kernel.engine.pool.pool import ProcessPool
from treadle.kernel.events.chain import genesis, link
from treadle.testing.stores import embedded_store

LIMITS = {
    "sequential_ms": 1.0,
    "hit_ms": 0.3,
    "over_same_rows": 4.0,
    "over_bare": 10.0,
    "cold_s": 0.8,
    "peak_mb": 120.0,
}

_TURNS = 5
"""The floors and the engine take turns within a repeat, so that a busy neighbour meets all three."""

COLD = """
import time; began = time.perf_counter()
from treadle.kernel.engine import Engine, load, pipeline, step
from treadle.kernel.engine.code import fingerprint
from treadle.kernel.artifacts import LocalBlobs
from treadle.kernel.artifacts.service import Artifacts
from treadle.testing.stores import embedded_store
from pathlib import Path
import sys
@step
def one(x: int) -> int: return x + 1
@step
def two(x: int) -> int: return x + 2
@step
def three(x: int) -> int: return x + 3
@pipeline
def small(x: int) -> int: return three(two(one(x)))
home = Path(sys.argv[1])
engine = Engine(embedded_store(home), Artifacts(LocalBlobs(home / "artifacts")), fingerprint=fingerprint)
assert load(engine.run(small, {"x": 1}).value) == 7
heavy = [name for name in ("polars", "pyarrow", "sqlalchemy", "numpy", "pandas") if name in sys.modules]
assert not heavy, heavy
"""


@step
def nothing(x: int) -> int:
    return x + 1


@step
def total(xs: list[int]) -> int:
    return sum(xs)


@pipeline
def sequential(n: int, start: int = 0) -> int:
    x = start
    for _ in range(n):
        x = nothing(x)
    return x


@pipeline
def fanned(n: int) -> int:
    return total(nothing.map(each(range(1_000_000, 1_000_000 + n))))


class Bench:
    """One home on the disk, and an engine in it."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.store = embedded_store(home)
        artifacts = Artifacts(LocalBlobs(home / "artifacts"))
        self.engine = Engine(
            self.store,
            artifacts,
            fingerprint=fingerprint,
            bundler=bundler(artifacts, Path(__file__).parent),
            observe=partial(observe, ignored=(str(home),)),
            executors={"pool": lambda: ProcessPool(artifacts, bundles=str(home / "code"))},
        )

    def ms(self, flow: Any, n: int, start: int = 0, **choices: Any) -> float:
        """Milliseconds a step of one run."""
        began = time.perf_counter()
        arguments = {"n": n, "start": start} if flow is sequential else {"n": n}
        run = self.engine.run(flow, arguments, **choices)
        seconds = time.perf_counter() - began
        expected = n + start if flow is sequential else sum(range(1_000_001, 1_000_001 + n))
        assert load(run.value) == expected
        return seconds / n * 1000

    def close(self) -> None:
        self.engine.close()
        self.store.close()


def bare_floor(home: Path, n: int) -> float:
    """Two commits a step, three columns, sha256 of the input."""
    home.mkdir(parents=True, exist_ok=True)
    connection = sqlite3.connect(home / "bare.db", isolation_level=None)
    connection.execute("pragma journal_mode=wal")
    connection.execute("pragma synchronous=normal")
    connection.execute("create table if not exists step (path text primary key, key text, status text, out text)")
    run, began = new_id("run"), time.perf_counter()
    for number in range(n):
        key = hashlib.sha256(f"{number}:{number}".encode()).hexdigest()
        connection.execute("begin immediate")
        connection.execute("insert into step values (?, ?, 'running', null)", (f"{run}/{number}", key))
        connection.execute("commit")
        connection.execute("begin immediate")
        connection.execute(
            "update step set status = 'done', out = ? where path = ?", (str(number + 1), f"{run}/{number}")
        )
        connection.execute("commit")
    seconds = time.perf_counter() - began
    connection.close()
    return seconds / n * 1000


def same_rows_floor(home: Path, n: int) -> float:
    """Two commits a step with the rows that the engine writes, in its own schema and indexes."""
    embedded_store(home).close()
    connection = sqlite3.connect(home / "treadle.db", isolation_level=None)
    connection.execute("pragma synchronous=normal")
    execute = connection.execute
    position, head = execute("select position, hash from chain").fetchone() or (0, genesis("default"))
    maker, digest = None, ""
    host, pid, root = os.uname().nodename, os.getpid(), new_id("run")
    began = time.perf_counter()
    for number in range(n):
        run, event, now = new_id("run"), new_id("evt"), time.time_ns() // 1000
        path = f"sequential/nothing#{number}"
        key = "sha256:" + hashlib.sha256(f'[1,"code",{{"x":{{"$input":"{digest}"}}}},{{}},null]'.encode()).hexdigest()
        parts = f'{{"inputs":{{"x":"{digest}"}}}}'
        execute("begin immediate")
        execute(
            "insert into run (project, id, kind, name, path, parent, root, status, attempt, epoch, key, key_parts, code_digest,"
            " params, actor, host, pid, recorded_at, started_at)"
            " values ('default', ?, 'step', 'nothing', ?, ?, ?, 'running', 1, 1, ?, ?, ?, '{}', 'local', ?, ?, ?, ?)",
            (run, path, root, root, key, parts, key, host, pid, now, now),
        )
        execute("commit")
        inline = str(number + 1).encode()
        used, digest = digest, "sha256:" + hashlib.sha256(inline).hexdigest()
        now, position = time.time_ns() // 1000, position + 1
        body = f'{{"key":"{key}","path":"{path}","result":"{digest}","run":"{root}"}}'
        head = link(head, "default", position, event, "step.finished", run, "local", now, None, body)
        execute("begin immediate")
        execute("update run set status = 'done', ended_at = ? where project = 'default' and id = ?", (now, run))
        execute(
            "insert into artifact (project, digest, kind, codec, size_bytes, inline, meta, recorded_at)"
            " values ('default', ?, 'value', 'json', ?, ?, '{}', ?) on conflict do nothing",
            (digest, len(inline), inline, now),
        )
        execute("insert into edge values ('default', ?, 'in', 'x', ?, ?)", (run, used, maker))
        execute("insert into edge values ('default', ?, 'out', 'result', ?, ?)", (run, digest, run))
        execute(
            "insert into chain (project, position, hash) values ('default', ?, ?)"
            " on conflict (project) do update set position = excluded.position, hash = excluded.hash",
            (position, head),
        )
        execute(
            "insert into event (project, id, kind, subject, actor, body, recorded_at, position, hash)"
            " values ('default', ?, 'step.finished', ?, 'local', ?, ?, ?, ?)",
            (event, run, body, now, position, head),
        )
        execute("commit")
        maker = run
    seconds = time.perf_counter() - began
    connection.close()
    return seconds / n * 1000


def process_s(code: str, *arguments: str) -> float:
    """Seconds that a fresh interpreter takes for some code."""
    began = time.perf_counter()
    subprocess.run([sys.executable, "-c", code, *arguments], check=True, capture_output=True)
    return time.perf_counter() - began


def command_s(*command: str) -> float:
    """Seconds that a command takes."""
    began = time.perf_counter()
    subprocess.run(command, check=True, capture_output=True)
    return time.perf_counter() - began


def median(repeats: int, measure: Callable[[], float]) -> float:
    """The median of several measurements."""
    return statistics.median(measure() for _ in range(repeats))


def measured(home: Path, n: int, repeats: int, flat: bool) -> dict[str, float]:
    """Every figure of the report; floors and engine take turns."""
    samples: dict[str, list[float]] = {
        name: [] for name in ("bare", "same_rows", "sequential", "hit", "fan", "fan_hit", "pool", "pool_hit")
    }
    for repeat in range(repeats):
        bench = Bench(home / f"home-{repeat}")
        part, floor = max(1, n // _TURNS), home / f"floor-{repeat}"
        turns = [
            (bare_floor(floor, part), same_rows_floor(floor, part), bench.ms(sequential, part, turn * 1_000_000))
            for turn in range(_TURNS)
        ]
        for name, values in zip(("bare", "same_rows", "sequential"), zip(*turns, strict=True), strict=True):
            samples[name].append(statistics.mean(values))
        samples["hit"].append(statistics.mean(bench.ms(sequential, part, turn * 1_000_000) for turn in range(_TURNS)))
        samples["fan"].append(bench.ms(fanned, n))
        samples["fan_hit"].append(bench.ms(fanned, n))
        bench.ms(fanned, 4, executor="pool", fresh=True)  # workers are there
        samples["pool"].append(bench.ms(fanned, n, executor="pool", fresh=True))
        samples["pool_hit"].append(bench.ms(fanned, n, executor="pool"))
        bench.close()
    figures = {f"{name}_ms": statistics.median(values) for name, values in samples.items()}
    figures["over_same_rows"] = statistics.median(map(ratio, samples["sequential"], samples["same_rows"]))
    figures["over_bare"] = statistics.median(map(ratio, samples["sequential"], samples["bare"]))
    figures["peak_mb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (
        1 << 20 if sys.platform == "darwin" else 1024
    )
    figures["python_s"] = median(repeats, lambda: process_s("pass"))
    figures["import_s"] = median(repeats, lambda: process_s("import treadle"))
    figures["help_s"] = median(repeats, lambda: command_s(str(Path(sys.executable).with_name("treadle")), "--help"))
    figures["cold_s"] = median(repeats, lambda: process_s(COLD, str(home / new_id("cold"))))
    if flat:
        for count in (100, 1000, 10_000):
            bench = Bench(home / f"flat-{count}")
            figures[f"sequential_{count}_ms"] = bench.ms(sequential, count)
            figures[f"fan_{count}_ms"] = bench.ms(fanned, count)
            bench.close()
    return figures


def ratio(a: float, b: float) -> float:
    """How many times `b` goes into `a`."""
    return a / b


def main() -> int:
    """Answers 1 when a limit was not kept."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--n", type=int, default=1000)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--flat", action="store_true", help="also 100, 1,000 and 10,000 steps")
    parser.add_argument("--json", action="store_true")
    chosen = parser.parse_args()
    home = Path(tempfile.mkdtemp(prefix="treadle-bench-"))
    try:
        figures = measured(home, chosen.n, chosen.repeats, chosen.flat)
    finally:
        shutil.rmtree(home, ignore_errors=True)
    broken = [name for name, limit in LIMITS.items() if figures[name] > limit]
    if chosen.json:
        print(json.dumps({**{name: round(value, 4) for name, value in figures.items()}, "not_kept": broken}))
    else:
        for name, value in figures.items():
            limit = f"   (limit {LIMITS[name]:g})" if name in LIMITS else ""
            print(f"{name:22} {value:9.3f}{limit}")
    for name in broken:
        print(f"{name} = {figures[name]:.3f}, limit {LIMITS[name]:g}", file=sys.stderr)
    return int(bool(broken))


if __name__ == "__main__":
    sys.exit(main())
