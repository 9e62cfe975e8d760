"""Stores that are full: the same runs in a stock server's database and in Treadle, each with five metrics, parameters and tags.

Stock's rows are written into its SQLite file by SQL, since its own way in takes twenty milliseconds a run; Treadle's come
through its API. What is searched afterwards is the same on both sides.
"""

from __future__ import annotations

import random
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.peers.lean import Connection

START_MS = 1_700_000_000_000
SEARCH = {"filter": "metrics.m0 > 0.5", "order_by": ["metrics.m1 DESC"], "max_results": 100}


class Filled(NamedTuple):
    """One run as both stores hold it."""

    number: int
    metrics: list[float]
    params: list[str]
    tags: list[str]


def runs(count: int) -> Iterator[Filled]:
    """The same for everyone."""
    rng = random.Random(7)
    for number in range(count):
        yield Filled(
            number, [rng.random() for _ in range(5)], [str(rng.randrange(10)) for _ in range(5)], [f"v{number % 7}"] * 5
        )


def fill_stock(database: Path, experiment: str, count: int) -> None:
    """Writes the runs into a stock server's SQLite file."""
    with closing(sqlite3.connect(database, timeout=60)) as store, store:
        store.execute("pragma foreign_keys = off")
        for one in runs(count):
            run = f"{one.number:032x}"
            at = START_MS + one.number
            store.execute(
                "insert into runs (run_uuid, name, source_type, source_name, entry_point_name, user_id, status, start_time,"
                " end_time, source_version, lifecycle_stage, artifact_uri, experiment_id)"
                " values (?, ?, 'UNKNOWN', '', '', 'ada', 'FINISHED', ?, ?, '', 'active', ?, ?)",
                (run, f"run {one.number}", at, at + 10, f"mlflow-artifacts:/{experiment}/{run}/artifacts", experiment),
            )
            store.executemany(
                "insert into metrics (key, value, timestamp, run_uuid, step, is_nan) values (?, ?, ?, ?, 0, 0)",
                [(f"m{place}", value, at, run) for place, value in enumerate(one.metrics)],
            )
            store.executemany(
                "insert into latest_metrics (key, value, timestamp, step, is_nan, run_uuid) values (?, ?, ?, 0, 0, ?)",
                [(f"m{place}", value, at, run) for place, value in enumerate(one.metrics)],
            )
            store.executemany(
                "insert into params (key, value, run_uuid) values (?, ?, ?)",
                [(f"p{place}", value, run) for place, value in enumerate(one.params)],
            )
            store.executemany(
                "insert into tags (key, value, run_uuid) values (?, ?, ?)",
                [(f"t{place}", value, run) for place, value in enumerate(one.tags)],
            )


def fill_over_http(port: int, headers: dict[str, str], experiment: str, first: int, count: int) -> None:
    """Writes the runs `first` to `count` through the API."""
    connection = Connection(port, headers)
    for one in runs(count):
        if one.number < first:
            continue
        at = START_MS + one.number
        made = connection.ask("POST", "/api/2.0/mlflow/runs/create", _creation(one, experiment, at))
        run = made["run"]["info"]["run_id"]
        connection.ask("POST", "/api/2.0/mlflow/runs/log-batch", _batch(one, run, at))
    connection.close()


def _creation(one: Filled, experiment: str, at: int) -> dict[str, Any]:
    return {"experiment_id": experiment, "run_name": f"run {one.number}", "start_time": at, "user_id": "ada"}


def _batch(one: Filled, run: str, at: int) -> dict[str, Any]:
    return {
        "run_id": run,
        "metrics": [
            {"key": f"m{place}", "value": value, "timestamp": at, "step": 0} for place, value in enumerate(one.metrics)
        ],
        "params": [{"key": f"p{place}", "value": value} for place, value in enumerate(one.params)],
        "tags": [{"key": f"t{place}", "value": value} for place, value in enumerate(one.tags)],
    }
