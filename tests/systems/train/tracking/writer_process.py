"""A process that logs until it is killed, says what was acknowledged, and sends every seventh call twice.

    python -m tests.systems.train.tracking.writer_process PLACE RUN WRITER

Point n of a writer is (value n, step n, time 1000 * writer + n % 3); calls are of one point, of a few, or of many.
"""

from __future__ import annotations

import itertools
import sys
from pathlib import Path

from tests.systems.train.tracking.conftest import opened
from treadle.backends.postgres import open_postgres
from treadle.kernel.store.sqlite import open_sqlite
from treadle.migrations import schema

SIZES = (1, 1, 1, 5, 1, 300)


def point(writer: int, n: int) -> tuple[str, float, int, int]:
    """One point of a writer."""
    return ("loss" if n % 2 else f"of-{writer}", float(n), n, 1000 * writer + n % 3)


def main() -> None:
    place, run, writer = sys.argv[1], sys.argv[2], int(sys.argv[3])
    store = open_postgres(place, schema()) if "://" in place else open_sqlite(Path(place), schema())
    tracking = opened(store)
    done = 0
    for call in itertools.count():
        size = SIZES[call % len(SIZES)]
        points = [point(writer, n) for n in range(done, done + size)]
        for _ in range(2 if call % 7 == 0 else 1):
            tracking.log(run, *points)
        done += size
        print(done, flush=True)


if __name__ == "__main__":
    main()
