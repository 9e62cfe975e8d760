"""What does a landing cost beside a raw write of the same rows, and does a small one stay as cheap as the table grows?

The baseline is `deltalake.write_deltalake` of the same frame, in the same run, on the same disk. A landing does more: row
ids, digests of content and files, fsync, snapshot, lineage, event. With `--contract`, ten rules judge the rows as well.

At most 1.5 times the raw write; a landing of ten rows costs at most a fifth more at the thousandth than at the tenth.

    python benchmarks/landing.py [--rows 5000000] [--small 1000] [--repeat 3] [--contract] [--json]
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl
from deltalake import write_deltalake

from treadle.ground.clock import system_clock
from treadle.ground.ids import new_id
from treadle.kernel.artifacts import Artifacts, LocalBlobs
from treadle.kernel.catalog import Refs
from treadle.kernel.events import EventLog
from treadle.kernel.governance import Caller
from treadle.systems.collect import Datasets
from treadle.systems.prepare import ContractGate, Contracts, Incidents
from treadle.systems.prepare.records import PublishContract
from treadle.testing import embedded_store

RATIO, GROWTH = 1.5, 1.2

ME = Caller(project="default", actor="benchmark")

CONTRACT = """\
apiVersion: v3.1.0
kind: DataContract
id: rows
version: 1.0.0
status: active
schema:
  - name: rows
    properties:
      - {name: f0, required: true, logicalTypeOptions: {minimum: -9, maximum: 9}}
      - {name: f1, required: true, logicalTypeOptions: {minimum: -9, maximum: 9}}
      - {name: i0, required: true, logicalTypeOptions: {minimum: 0, maximum: 999}}
      - {name: i1, required: true, logicalTypeOptions: {minimum: 0, maximum: 989}}
      - {name: s1, logicalTypeOptions: {pattern: '^N'}}
      - {name: s0, quality: [{metric: invalidValues, arguments: {validValues: [AA, UA, DL, B6, EV]}, mustBe: 0}]}
"""
"""Ten rules; one of them refuses one row in a hundred."""


def rows_of(count: int) -> pl.DataFrame:
    """`count` rows of 12 columns: numbers, text of few and of many values, times."""
    rng = np.random.default_rng(0)
    columns: dict[str, object] = {f"f{i}": rng.normal(size=count) for i in range(5)}
    columns |= {f"i{i}": rng.integers(0, 1000, count) for i in range(4)}
    columns["s0"] = rng.choice(np.array(["AA", "UA", "DL", "B6", "EV"]), count)
    columns["s1"] = np.char.add("N", rng.integers(0, 5000, count).astype(str))
    seconds = pl.Series(rng.integers(0, 30_000_000, count))
    at = pl.datetime(2013, 1, 1, time_zone="UTC") + pl.duration(seconds=seconds)
    return pl.DataFrame(columns).with_columns(at=at)


def open_datasets(folder: Path, *, contract: bool) -> Datasets:
    """A collect service on a fresh store, with or without a gate."""
    store = embedded_store(folder)
    events = EventLog(store, system_clock, new_id)
    refs = Refs(events, system_clock)
    datasets = Datasets(store, events, refs, folder / "tables", system_clock, new_id)
    if contract:
        artifacts = Artifacts(LocalBlobs(folder / "blobs"))
        contracts = Contracts(store, artifacts, events, refs, datasets, system_clock, new_id)
        contracts.publish(ME, PublishContract(dataset="rows", text=CONTRACT))
        datasets.guard(ContractGate(contracts, Incidents(store, events, system_clock, new_id), system_clock, new_id))
    return datasets


def timed(work: Callable[[], object]) -> float:
    """Seconds that the work takes."""
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun


def large(folder: Path, rows: pl.DataFrame, repeat: int, *, contract: bool) -> dict[str, float]:
    """Medians of landing and raw write, taken by turns."""
    datasets = open_datasets(folder, contract=contract)
    arrow = rows.to_arrow()
    landing, raw = [], []
    for turn in range(repeat + 1):  # the first turn imports and warms up
        raw.append(timed(lambda turn=turn: write_deltalake(folder / f"raw{turn}", arrow)))  # type: ignore[misc]
        landing.append(timed(lambda: datasets.land(ME, "rows", rows)))
        shutil.rmtree(folder / f"raw{turn}")
    ours, theirs = statistics.median(landing[1:]), statistics.median(raw[1:])
    return {"landing_s": round(ours, 4), "raw_write_s": round(theirs, 4), "ratio": round(ours / theirs, 3)}


def small(folder: Path, count: int) -> dict[str, float]:
    """Milliseconds of a landing of ten rows into a table of ten landings and one of `count`.

    The two are measured by turns, so that what else the machine does falls on both.
    """
    datasets = open_datasets(folder, contract=False)
    rows = rows_of(10)
    for _ in range(count):
        datasets.land(ME, "long", rows)
    early, late = [], []
    for group in range(5):  # a fresh short table each time: it must not grow while it is measured
        for _ in range(8):
            datasets.land(ME, f"short{group}", rows)
        for _ in range(5):
            early.append(1000 * timed(lambda group=group: datasets.land(ME, f"short{group}", rows)))  # type: ignore[misc]
            late.append(1000 * timed(lambda: datasets.land(ME, "long", rows)))
    at_10th, at_last = statistics.median(early), statistics.median(late)
    return {
        "at_10th_ms": round(at_10th, 2),
        f"at_{count}th_ms": round(at_last, 2),
        "growth": round(at_last / at_10th, 3),
    }


def main() -> int:
    """Runs both, prints figures; answers 1 when a limit is not kept."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rows", type=int, default=5_000_000)
    parser.add_argument("--small", type=int, default=1000)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--contract", action="store_true")
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as first, tempfile.TemporaryDirectory() as second:
        great = large(Path(first), rows_of(asked.rows), asked.repeat, contract=asked.contract)
        little = small(Path(second), asked.small)
    broken = ["large"] * (great["ratio"] > RATIO and not asked.contract) + ["small"] * (little["growth"] > GROWTH)

    if asked.json:
        print(
            json.dumps(
                {"rows": asked.rows, "contract": asked.contract, "large": great, "small": little, "broken": broken}
            )
        )
        return int(bool(broken))
    limit = "" if asked.contract else f" (at most {RATIO:g}{': NOT KEPT' if 'large' in broken else ''})"
    print(
        f"{asked.rows:,} rows x 12: {great['landing_s']:.2f} s, raw {great['raw_write_s']:.2f} s: {great['ratio']:.2f}x{limit}"
    )
    kept = ": NOT KEPT" if "small" in broken else ""
    print(
        f"ten rows: {little['at_10th_ms']:.1f} ms at the 10th landing, {little[f'at_{asked.small}th_ms']:.1f} ms at the "
        f"{asked.small}th: {little['growth']:.2f}x (at most {GROWTH:g}{kept})"
    )
    return int(bool(broken))


if __name__ == "__main__":
    sys.exit(main())
