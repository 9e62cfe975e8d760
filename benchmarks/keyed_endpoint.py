"""What does a request cost whose features the server reads? At most twice the vector sent along, and the reader's own time.

One model server, one connection, one row of ten floats: an endpoint whose requests bring the vector, and one that reads the
same ten values by key from the online store of a laptop (10,000 entities). Both are asked in turns at `/predict`; the
reader's own time is measured in this process, on the same store.

    python benchmarks/keyed_endpoint.py [--requests 3000] [--json]
"""

from __future__ import annotations

import argparse
import http.client
import json
import statistics
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from sklearn.linear_model import LinearRegression

import treadle as td
from treadle import assembly, features
from treadle.assembly import Workspace
from treadle.ground import settings
from treadle.systems.features.online.embedded import SqliteOnlineStore
from treadle.systems.features.online.reader import FeatureReader
from treadle.systems.serve import DeployEndpoint

NAMES = [f"f{n}" for n in range(10)]
LIMIT = 2.0


@td.step
def vectors() -> pl.DataFrame:
    rng = np.random.default_rng(1)
    return pl.DataFrame({name: rng.normal(size=64) for name in [*NAMES, "y"]})


@td.step
def fit(rows: pl.DataFrame) -> LinearRegression:
    return LinearRegression().fit(rows.select(NAMES).to_numpy(), rows["y"].to_numpy())


@td.step
def describe(rows: pl.DataFrame) -> dict[str, Any]:
    return td.signature(rows, features=NAMES, task="regression")


@td.pipeline
def train() -> None:
    rows = vectors()
    td.register("model", fit(rows), signature=describe(rows), probe=td.load(rows).head(4))


def fill(workspace: Workspace, entities: int) -> None:
    rng = np.random.default_rng(2)
    rows = pl.DataFrame({"customer": np.arange(entities), **{name: rng.normal(size=entities) for name in NAMES}})
    at = pl.lit(datetime.now(UTC) - timedelta(hours=1), pl.Datetime("us", "UTC"))
    workspace.datasets.land(workspace.caller, "customers", rows.with_columns(at=at))
    view = features.FeatureView(
        name="known", keys=["customer"], dataset="customers", event_time="at", known_at=timedelta(0),
        features={name: name for name in NAMES},
    )  # fmt: skip
    workspace.features.register(
        workspace.caller, features.FeatureService(name="known_now", views=[view], features=NAMES)
    )
    features.materialize("known_now")


def measure(folder: Path, requests: int, entities: int = 10_000) -> dict[str, float]:
    """Median microseconds of each, and their ratio."""
    with Workspace(settings.load({"home": folder / "home"})) as workspace, assembly.use(workspace):
        fill(workspace, entities)
        train()
        deploy, caller = workspace.endpoints.deploy, workspace.caller
        deploy(caller, DeployEndpoint(endpoint="sent", model="model", version="newest"))
        deploy(caller, DeployEndpoint(endpoint="keyed", model="model", version="newest", features="known_now"))
        with workspace.serve() as server:
            taken = _asked(server.announcement.port, requests, entities)
        store = SqliteOnlineStore(folder / "home" / "online" / "default.db", read_only=True)
        reader, rng = FeatureReader(store), np.random.default_rng(3)
        alone = []
        for customer in rng.integers(0, entities, requests).tolist():
            begun = time.perf_counter_ns()
            reader.read("known_now", [{"customer": customer}])
            alone.append(time.perf_counter_ns() - begun)
        store.close()
    found = {
        name: statistics.median(times[requests // 10 :]) / 1000 for name, times in {**taken, "reader": alone}.items()
    }
    return {**{f"{name}_us": us for name, us in found.items()}, "keyed_to_sent": found["keyed"] / found["sent"]}


def _asked(port: int, requests: int, entities: int) -> dict[str, list[int]]:
    rng = np.random.default_rng(4)
    connection = http.client.HTTPConnection("127.0.0.1", port)
    taken: dict[str, list[int]] = {"sent": [], "keyed": []}
    for customer in rng.integers(0, entities, requests).tolist():
        rows = {"sent": dict(zip(NAMES, rng.normal(size=10).tolist(), strict=True)), "keyed": {"customer": customer}}
        for name, row in rows.items():
            body = json.dumps({"rows": [row]}).encode()
            begun = time.perf_counter_ns()
            connection.request("POST", f"/predict/{name}", body)
            answer = connection.getresponse()
            answer.read()
            taken[name].append(time.perf_counter_ns() - begun)
            assert answer.status == 200
    return taken


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--requests", type=int, default=3000)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        found = measure(Path(folder), given.requests)
    if given.json:
        print(json.dumps(found))
    else:
        print(
            f"vector sent {found['sent_us']:.0f} us, read by key {found['keyed_us']:.0f} us: {found['keyed_to_sent']:.2f}x"
        )
        print(f"the reader alone {found['reader_us']:.0f} us")
    return int(found["keyed_to_sent"] > LIMIT)


if __name__ == "__main__":
    sys.exit(main())
