"""How long does a page of 100 runs take, by how many runs there are and how many of them match?

Asks the protocol's own handler (`runs/search`: read, find, load, write the JSON), without a socket, over tables that are filled
directly. Ends with 1 when ordering by a metric takes longer than its reach: 15 ms at 20,000 runs, three times that at 200,000.

    python benchmarks/tracking_search.py [--runs 5000,20000,200000] [--postgres] [--times 30] [--json]
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from tests.systems.train.search.filling import Made, fill  # noqa: E402 - a program of its own
from treadle.assembly import Workspace  # noqa: E402
from treadle.faces.api.mlflow.dispatch import Dispatcher  # noqa: E402
from treadle.ground.settings import load  # noqa: E402
from treadle.kernel.store.sql import composed  # noqa: E402

REACH_MS = {20_000: 15.0, 200_000: 45.0}
METRICS = [f"m{place}" for place in range(5)]
PIECE = 20_000
BY_METRIC, AT_THE_END = "metrics.m1 DESC", "metrics.opposite DESC"
"""The second is the hardest: all that matches stands at the far end of the order."""

QUESTIONS: list[tuple[str, list[str]]] = [
    ("", []),
    *((f"metrics.m0 > {bound}", [BY_METRIC]) for bound in (0, 0.5, 0.9, 0.97, 0.99, 0.999, 2)),
    ("metrics.m0 > 0.5", [AT_THE_END]),
    ("metrics.m0 > 0.9", [AT_THE_END]),
    ("metrics.m0 > 0.5", ["metrics.m0"]),
    ("metrics.m0 > 0.5 and metrics.m1 > 0.5 and params.p0 LIKE 'v%'", []),
    ("params.p0 = 'v3' and tags.model = 'a'", []),
    ("metrics.m0 > 0.5 or params.p1 = 'v1'", [BY_METRIC]),
    ("", ["params.p0"]),
    ("metrics.m0 - metrics.m1 > 0.5", ["metrics.m2"]),
]


@dataclass(frozen=True, kw_only=True)
class Row:
    """One question to one store. reach_ms: what its p50 should stay below."""

    store: str
    runs: int
    filter: str
    order_by: str
    found: int
    p50_ms: float
    p95_ms: float
    reach_ms: float | None

    @property
    def is_kept(self) -> bool:
        return self.reach_ms is None or self.p50_ms <= self.reach_ms


def some_runs(first: int, count: int, rng: random.Random) -> list[Made]:
    """Runs with six metrics, five parameters and three tags each; one metric is low where m0 is high."""
    return [
        Made(
            number=number,
            experiment=0,
            start_ms=number * 7,
            metrics=(values := {name: rng.random() for name in METRICS}) | {"opposite": 1 - values["m0"]},
            params={f"p{place}": f"v{rng.randrange(10)}" for place in range(5)},
            tags={"mlflow.user": "ann", "mlflow.runName": f"run-{number}", "model": rng.choice("ab")},
        )
        for number in range(first, first + count)
    ]


@contextmanager
def workspace(is_postgres: bool) -> Iterator[Workspace]:
    """A fresh project on either database."""
    with tempfile.TemporaryDirectory() as folder:
        home = {"home": Path(folder) / "home"}
        if not is_postgres:
            with Workspace(load(home, environ={}, folder=Path(folder)), actor="bench") as made:
                yield made
            return
        from treadle.testing.postgres import postgres_database

        with (
            postgres_database() as url,
            Workspace(load({**home, "store": url}, environ={}, folder=Path(folder)), actor="bench") as made,
        ):
            yield made


def measure(found: Workspace, runs: int, times: int) -> Iterator[Row]:
    """Every question, asked again and again."""
    rng = random.Random(1)
    found.tracking.experiments.begin(found.project)
    for first in range(1, runs + 1, PIECE):
        fill(found.store, some_runs(first, min(PIECE, runs + 1 - first), rng), [*METRICS, "opposite"], found.project)
    if found.store.dialect == "postgresql":
        found.store.write(lambda tx: tx.execute(composed("analyze", "analyze")))
    dispatcher = Dispatcher(found)
    for text, order_by in QUESTIONS:
        asked = {"experiment_ids": ["0"], "filter": text, "order_by": order_by, "max_results": 100}
        body, headers = json.dumps(asked).encode(), {"content-type": "application/json"}
        took = []
        for _ in range(times + 3):
            began = time.perf_counter()
            answer = dispatcher.call(found.caller, "POST", "2.0/mlflow/runs/search", body=body, headers=headers)
            took.append((time.perf_counter() - began) * 1000)
            assert answer.status == 200, answer.body
        took = sorted(took[3:])
        is_by_metric = order_by in ([BY_METRIC], [AT_THE_END])
        yield Row(
            store=found.store.dialect,
            runs=runs,
            filter=text,
            order_by=", ".join(order_by),
            found=len(json.loads(answer.body).get("runs", [])),
            p50_ms=round(statistics.median(took), 2),
            p95_ms=round(took[int(len(took) * 0.95)], 2),
            reach_ms=REACH_MS.get(runs) if is_by_metric and found.store.dialect == "sqlite" else None,
        )


def main() -> int:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", default="5000,20000")
    parser.add_argument("--times", type=int, default=30)
    parser.add_argument("--postgres", action="store_true")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    rows: list[Row] = []
    for is_postgres in (False, True) if arguments.postgres else (False,):
        for runs in map(int, arguments.runs.split(",")):
            with workspace(is_postgres) as found:
                for row in measure(found, runs, arguments.times):
                    rows.append(row)
                    if not arguments.json:
                        print(
                            f"{row.store:10} {row.runs:>7} runs  {row.p50_ms:8.2f} ms  p95 {row.p95_ms:8.2f} ms  "
                            f"{'' if row.is_kept else 'TOO SLOW  '}{row.filter or 'all':62} {row.order_by}",
                            flush=True,
                        )
    if arguments.json:
        print(json.dumps([asdict(row) for row in rows]))
    return 0 if all(row.is_kept for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
