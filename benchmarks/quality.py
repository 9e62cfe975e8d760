"""What do ten quality rules on 5M x 12 rows cost, beside hand-written Polars and beside Great Expectations?

All three start from the same Parquet file and say which rows fail which rule; their answers are compared. Once the rows
are clean, once 1% of them break a rule. Ends with 1 when Treadle takes more than 1.3x the best hand-written Polars, or when
Great Expectations takes less than 8x Treadle (reading the file is then not even counted against it).

With `--rows 100_000_000` the data is made in pieces, Treadle alone is asked, and the peak of memory is what counts.

    make bench-peers ARGS="quality"
    python benchmarks/quality.py [--rows 5_000_000] [--repeat 3] [--json]
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import polars as pl
import psutil
import pyarrow.parquet as pq

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from treadle.systems.prepare.compiling import compile_rules  # noqa: E402 - a program of its own
from treadle.systems.prepare.failing_rows import FailingRows  # noqa: E402
from treadle.systems.prepare.inspecting import Inspection, Surroundings  # noqa: E402
from treadle.wire.odcs import decode  # noqa: E402

PEERS_PYTHON = ROOT / ".peers-data" / "bin" / "python"
PEER = Path(__file__).parent / "peers" / "expecting.py"
FLOOR_REACH, PEER_REACH = 1.3, 8.0
PEER_UP_TO = 6_000_000
BAD = 0.01
PIECE = 1_000_000

CARRIERS = ["AA", "B6", "DL", "EV", "UA"]
COUNTED = ("required", "delay", "seats", "carrier", "tail", "note", "order", "id", "leg")

CONTRACT = """\
apiVersion: v3.2.0
kind: DataContract
id: flights
version: 1.0.0
status: active
schema:
  - name: flights
    properties:
      - {name: id, logicalType: integer, quality: [{name: id, metric: duplicateValues, mustBe: 0}]}
      - name: delay
        logicalType: number
        quality:
          - {name: required, metric: nullValues, mustBe: 0}
          - {name: delay, type: custom, engine: treadle, implementation: {rule: range, minimum: -100, maximum: 900}}
      - name: seats
        logicalType: integer
        quality:
          - {name: seats, type: custom, engine: treadle, implementation: {rule: range, minimum: 1, maximum: 400}}
      - name: carrier
        logicalType: string
        quality: [{name: carrier, metric: invalidValues, arguments: {validValues: [AA, B6, DL, EV, UA]}, mustBe: 0}]
      - name: tail
        logicalType: string
        quality: [{name: tail, metric: invalidValues, arguments: {pattern: '^N[0-9]{4}$'}, mustBe: 0}]
      - {name: note, logicalType: string, logicalTypeOptions: {minLength: 5, maxLength: 20}}
      - name: arrived
        logicalType: timestamp
        quality:
          - {name: order, type: custom, engine: treadle, implementation: {rule: check, sql: arrived > departed}}
    quality:
      - {name: leg, metric: duplicateValues, arguments: {properties: [day, leg]}, mustBe: 0}
      - {name: rows, metric: rowCount, mustBeGreaterThan: 100}
"""
NAMES = {"note.length": "note"}


def piece(first: int, count: int, bad: float) -> pl.DataFrame:
    """Rows from `first` on, of 12 columns. A share of `bad` breaks one rule each; keys come in no order."""
    rng = np.random.default_rng([7, first])
    at = np.arange(first, first + count, dtype=np.int64)
    departed = rng.integers(0, 31_000_000, count)
    tail = pl.Series(rng.integers(0, 5000, count)).cast(pl.String).str.zfill(4)
    begin = pl.datetime(2013, 1, 1)
    frame = pl.DataFrame(
        {
            "id": (at * 2_654_435_761 + 12_345) % (1 << 40),
            "day": at // 1000,
            "leg": at % 1000,
            "carrier": rng.choice(np.array(CARRIERS), count),
            "tail": "N" + tail,
            "note": "flight " + tail,
            "distance": rng.normal(1000, 200, count).clip(1, 3000),
            "delay": rng.normal(10, 30, count).clip(-100, 900),
            "seats": rng.integers(1, 400, count),
            "passengers": rng.integers(0, 1000, count),
            "departed": departed,
            "arrived": departed + rng.integers(600, 30_000, count),
        }
    ).with_columns((begin + pl.duration(seconds=name)).alias(name) for name in ("departed", "arrived"))
    return spoiled(frame, np.where(rng.random(count) < bad, rng.integers(0, len(COUNTED), count), -1)) if bad else frame


def spoiled(frame: pl.DataFrame, broken: np.ndarray) -> pl.DataFrame:
    """The rows, each breaking the rule that its number in `broken` names."""
    fault = pl.Series(broken)
    column = pl.col
    changes = {
        "required": pl.lit(None, dtype=pl.Float64),
        "delay": pl.lit(5000.0),
        "seats": pl.lit(-1, dtype=pl.Int64),
        "carrier": pl.lit("??"),
        "tail": pl.lit("n/a"),
        "note": pl.lit("-"),
        "order": column("departed") - pl.duration(seconds=1),
        "id": column("id").shift(1).fill_null(column("id").first()),
        "leg": column("leg").shift(1).fill_null(column("leg").first()),
    }
    where = {"required": "delay", "order": "arrived"}
    for place, name in enumerate(COUNTED):
        target = where.get(name, name)
        frame = frame.with_columns(pl.when(fault == place).then(changes[name]).otherwise(column(target)).alias(target))
    return frame


def write(path: Path, rows: int, bad: float) -> None:
    """Writes the data piece by piece."""
    writer: pq.ParquetWriter | None = None
    for first in range(0, rows, PIECE):
        table = piece(first, min(PIECE, rows - first), bad).to_arrow()
        writer = writer or pq.ParquetWriter(path, table.schema, compression="zstd")
        writer.write_table(table, row_group_size=1 << 18)
    assert writer is not None
    writer.close()


Counts = dict[str, int]


def treadle(path: Path) -> Counts:
    """Failing rows by rule, each of them known."""
    rows = pl.scan_parquet(path)
    rules = compile_rules(decode(CONTRACT), "flights", rows.collect_schema())
    with FailingRows() as failing:
        results = Inspection(rules, Surroundings(now=datetime(2014, 1, 1, tzinfo=UTC))).run(rows, failing)
        lines = failing.lazy().select("rule").group_by("rule").len().collect()
    counted = {NAMES.get(rule, rule): count for rule, count in lines.iter_rows()}
    assert all(counted.get(NAMES.get(r.rule, r.rule), 0) == r.failed for r in results if r.rule != "rows")
    return {name: counted.get(name, 0) for name in COUNTED}


def conditions() -> dict[str, pl.Expr]:
    """The rules about single rows, as one would write them by hand."""
    column = pl.col
    return {
        "required": column("delay").is_null(),
        "delay": ~column("delay").is_between(-100, 900),
        "seats": ~column("seats").is_between(1, 400),
        "carrier": ~column("carrier").is_in(CARRIERS),
        "tail": ~column("tail").str.contains(r"^N[0-9]{4}$"),
        "note": ~column("note").str.len_chars().is_between(5, 20),
        "order": column("arrived") <= column("departed"),
    }


def by_streaming(path: Path) -> Counts:
    """By hand: one streaming plan; keys that come twice are grouped, then their rows looked up."""
    rows, asked = pl.scan_parquet(path), conditions()
    failing = rows.with_row_index("at").with_columns(**asked).filter(pl.any_horizontal(*asked)).select("at", *asked)
    twice = [rows.group_by(key).len().filter(pl.col("len") > 1) for key in (["id"], ["day", "leg"])]
    found, ids, legs, _ = pl.collect_all([failing, *twice, rows.select(pl.len())], engine="streaming")
    counts = found.select(list(asked)).sum().row(0, named=True)
    for name, key, keys in (("id", ["id"], ids), ("leg", ["day", "leg"], legs)):
        counts[name] = 0
        if keys.height:
            again = rows.select(key).with_row_index("at").join(keys.lazy(), on=key, how="semi", maintain_order="left")
            seen = again.collect(engine="streaming")
            counts[name] = seen.filter(~seen.select(pl.struct(key).is_first_distinct()).to_series()).height
    return {name: counts[name] or 0 for name in COUNTED}


def in_memory(path: Path) -> Counts:
    """By hand: everything in memory, one selection."""
    asked = conditions()
    asked |= {"id": ~pl.col("id").is_first_distinct(), "leg": ~pl.struct("day", "leg").is_first_distinct()}
    columns = ["id", "day", "leg", "delay", "seats", "carrier", "tail", "note", "arrived", "departed"]
    found = pl.read_parquet(path, columns=columns).select(at=pl.int_range(pl.len()), **asked)
    counts = found.filter(pl.any_horizontal(pl.exclude("at"))).select(list(asked)).sum().row(0, named=True)
    return {name: counts[name] or 0 for name in COUNTED}


def timed(work: Callable[[Path], Counts], path: Path) -> tuple[float, Counts]:
    begun = time.perf_counter()
    counts = work(path)
    return time.perf_counter() - begun, counts


def side_by_side(path: Path, repeat: int) -> dict[str, object]:
    """Medians of all, taken by turns, and whether the answers are alike."""
    works = {"treadle": treadle, "polars, streaming": by_streaming, "polars, in memory": in_memory}
    taken: dict[str, list[float]] = {name: [] for name in works}
    answers: dict[str, Counts] = {}
    for turn in range(repeat + 1):  # the first turn imports and warms up
        for name, work in works.items():
            seconds, answers[name] = timed(work, path)
            if turn:
                taken[name].append(seconds)
    different = {name: found for name, found in answers.items() if found != answers["treadle"]}
    if different:
        raise SystemExit(f"the answers differ: {answers}")
    medians = {name: statistics.median(found) for name, found in taken.items()}
    floor = min(seconds for name, seconds in medians.items() if name != "treadle")
    return {
        "seconds": {name: round(seconds, 3) for name, seconds in medians.items()},
        "to_best_polars": round(medians["treadle"] / floor, 2),
        "failing": answers["treadle"],
    }


def against_peer(path: Path, ours: float) -> dict[str, float] | None:
    """What Great Expectations takes in a process of its own; None where it is not there."""
    if not PEERS_PYTHON.exists():
        return None
    environment = {**os.environ, "DO_NOT_TRACK": "true", "GX_ANALYTICS_ENABLED": "false"}
    done = subprocess.run([PEERS_PYTHON, PEER, path], capture_output=True, text=True, env=environment, check=False)
    if done.returncode:
        raise SystemExit(f"Great Expectations failed:\n{done.stderr[-2000:]}")
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return {**found, "times_treadle": round(found["validate_s"] / ours, 1)}


def alone(path: Path) -> dict[str, object]:
    """Treadle on more rows than fit comfortably: seconds, and the most memory that this process and its files took."""
    before = psutil.Process().memory_info().rss
    seconds, counts = timed(treadle, path)
    peak = int(Path("/proc/self/status").read_text().partition("VmHWM:")[2].split()[0]) << 10
    return {
        "seconds": round(seconds, 1),
        "rows_per_s": round(int(pq.read_metadata(path).num_rows) / seconds),
        "before_mb": round(before / 1e6),
        "peak_mb": round(peak / 1e6),
        "failing": counts,
    }


def main() -> int:
    """Answers 1 when a reach is not kept."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=5_000_000)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    report: dict[str, object] = {"rows": asked.rows}
    is_kept = True
    with tempfile.TemporaryDirectory() as folder:
        for name, bad in (("clean", 0.0), ("1% bad", BAD)):
            path = Path(folder) / "rows.parquet"
            made = [sys.executable, __file__, "--write", str(path), str(asked.rows), str(bad)]
            subprocess.run(made, check=True)  # in a process of its own: making the rows is not what is measured
            if asked.rows > PEER_UP_TO:
                report[name] = alone(path)
                continue
            found = side_by_side(path, asked.repeat)
            ours = found["seconds"]["treadle"]  # type: ignore[index]
            found["great_expectations"] = peer = against_peer(path, ours)
            is_kept &= found["to_best_polars"] <= FLOOR_REACH  # type: ignore[operator]
            is_kept &= peer is None or peer["times_treadle"] >= PEER_REACH
            report[name] = found
    if asked.json:
        print(json.dumps(report))
    else:
        for name, value in report.items():
            print(f"{name}: {json.dumps(value) if isinstance(value, dict) else value}")
    return 0 if is_kept else 1


if __name__ == "__main__":
    if sys.argv[1:2] == ["--write"]:
        write(Path(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4]))
        sys.exit(0)
    sys.exit(main())
