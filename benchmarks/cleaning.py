"""What does cleaning 5M rows cost that writes down every cell it changes, beside the same in hand-written Polars that does not?

Eight steps, row by row: text, categories, two casts, a unit, clipping, emptying, a constant. The floor is one streaming plan
in which Polars fuses all of them, and of which nothing can be taken back. Both answers are compared, and the log is taken
back and compared with what came in. Ends with 1 when Treadle takes more than four times the floor.

    python benchmarks/cleaning.py [--rows 5_000_000] [--repeat 3] [--changed 0.05] [--json]
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import polars as pl
from polars.testing import assert_frame_equal

sys.path.insert(0, str(Path(__file__).parents[1]))

from treadle.systems.prepare.cleaning.changes import Changes
from treadle.systems.prepare.cleaning.declared import Declared, read_step
from treadle.systems.prepare.cleaning.program import Program

REACH = 4.0
ROWS_AT_ONCE = 500_000

CITIES = ["New York", "Newark", "Boston", "Chicago"]
STEPS = [
    {"clean": "text", "columns": ["city"], "collapse": True, "nulls": ["NA"]},
    {"clean": "category", "columns": ["city"], "allowed": CITIES, "synonyms": {"NYC": "New York"}},
    {"clean": "cast", "columns": ["price"], "to": "number"},
    {"clean": "cast", "columns": ["count"], "to": "integer"},
    {"clean": "unit", "columns": ["temp"], "from": "degF", "to": "degC"},
    {"clean": "clip", "columns": ["wind"], "minimum": 0, "maximum": 150},
    {"clean": "empty", "columns": ["pressure"], "values": [-999.0]},
    {"clean": "fill", "columns": ["note"], "value": "none"},
]


def data(rows: int, changed: float) -> pl.DataFrame:
    """Rows of which a share is dirty in each column; the temperature changes in all."""
    rng = np.random.default_rng(7)

    def dirty() -> np.ndarray:
        return rng.random(rows) < changed

    city = pl.Series(CITIES).gather(rng.integers(0, len(CITIES), rows))
    other = pl.Series([" New  York", "NYC", "NA", "Boston "]).gather(rng.integers(0, 4, rows))
    price = pl.Series(rng.integers(0, 10_000, rows) / 4).cast(pl.String)
    count = pl.Series(rng.integers(0, 1000, rows)).cast(pl.String)
    return pl.DataFrame(
        {
            "city": city.zip_with(pl.Series(~dirty()), other),
            "price": price.zip_with(pl.Series(~dirty()), " " + price),
            "count": count,
            "temp": rng.normal(60, 15, rows),
            "wind": np.where(dirty(), 1048.0, rng.uniform(0, 60, rows)),
            "pressure": np.where(dirty(), -999.0, 1013.0),
            "note": pl.Series(["seen", None]).gather(dirty().astype(np.int64)),
            "id": np.arange(rows),
        }
    )  # fmt: skip


def treadle(rows: pl.DataFrame) -> tuple[pl.DataFrame, Changes]:
    """The rows, cleaned, and the log of every change."""
    program = Program([Declared(id=f"{place}", step=read_step(step, None)) for place, step in enumerate(STEPS)])
    kept = [program.parted(frame)[0] for frame in program.run(rows.iter_slices(ROWS_AT_ONCE))]
    program.changes.end()
    return pl.concat(kept).drop(" at"), program.changes


def by_hand(rows: pl.DataFrame) -> pl.DataFrame:
    """The same in one streaming plan, without a log."""
    city = pl.col("city").str.normalize("NFC").str.replace_all(r"\s+", " ").str.strip_chars()
    return (
        rows.lazy()
        .with_columns(
            city=pl.when(city == "NA").then(None).otherwise(city).replace({"NYC": "New York"}),
            price=pl.col("price").str.strip_chars().cast(pl.Float64, strict=False),
            count=pl.col("count").str.strip_chars().cast(pl.Int64, strict=False),
            temp=pl.col("temp").map_batches(lambda t: pl.Series((t.to_numpy() * 5 - 160) / 9), return_dtype=pl.Float64),
            wind=pl.col("wind").clip(0, 150),
            pressure=pl.when(pl.col("pressure") == -999.0).then(None).otherwise(pl.col("pressure")),
            note=pl.col("note").fill_null("none"),
        )
        .collect(engine="streaming")
    )


def timed(work: Callable[[], object]) -> tuple[float, object]:
    begun = time.perf_counter()
    answer = work()
    return time.perf_counter() - begun, answer


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=5_000_000)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--changed", type=float, default=0.05)
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()

    rows = data(asked.rows, asked.changed)
    ours, floor, back = [], [], []
    for turn in range(asked.repeat + 1):  # the first turn warms up
        spent, (clean, log) = timed(lambda: treadle(rows))  # type: ignore[misc]
        spent_by_hand, plain = timed(lambda: by_hand(rows))
        spent_back, restored = timed(partial(log.restored, clean))
        if turn == 0:
            assert_frame_equal(clean.select(plain.columns), plain, check_exact=True)
            assert_frame_equal(restored, rows, check_exact=True)
        else:
            ours.append(spent), floor.append(spent_by_hand), back.append(spent_back)
    ratios = [one / other for one, other in zip(ours, floor, strict=True)]
    found = {
        "rows": asked.rows,
        "cells changed": sum(cells.rows.height for cells in log.cells),
        "treadle, with the log (s)": round(statistics.median(ours), 2),
        "Polars by hand, without (s)": round(statistics.median(floor), 2),
        "ratio": round(statistics.median(ratios), 2),
        "taken back (s)": round(statistics.median(back), 2),
        "reach": REACH,
    }
    print(
        json.dumps(found, indent=2) if asked.json else "\n".join(f"{name:30} {value}" for name, value in found.items())
    )
    return int(found["ratio"] > REACH)


if __name__ == "__main__":
    raise SystemExit(main())
