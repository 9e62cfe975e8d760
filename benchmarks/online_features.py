"""What does a feature vector cost online? One entity below 2 bare lookups and a fifth of Feast; 100 below 5 of one.

Ten floats of each of 100,000 customers lie in the online store of a laptop. The baseline is the store's own prepared
statement, fetching the same record by the same key from the same file; it does not decode, check a time to live, or say
as of when. Rounds of each are taken in turns in one process, Feast's (its SQLite store) in a process of its own.

The reach of 100 entities is held where people ask, `td.features.online`, and by the reader alone, for entities that it
has seen before and that nobody has changed since; the time for those that it sees for the first time is printed too.

    python benchmarks/online_features.py [--entities 100000] [--repeat 2000] [--json]
"""

from __future__ import annotations

import argparse
import json
import os
import random
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl

from treadle import assembly, features
from treadle.assembly import Workspace
from treadle.backends.lmdb import LmdbOnlineStore
from treadle.ground import settings
from treadle.systems.features.online import documents
from treadle.systems.features.online.embedded import SqliteOnlineStore
from treadle.systems.features.online.reader import FeatureReader

ROOT = Path(__file__).resolve().parents[1]
PEERS_PYTHON = ROOT / ".peers-data" / "bin" / "python"
PEER = Path(__file__).parent / "peers" / "feast_online.py"
FEATURES = 10
LIMITS = {"one_to_bare_lookup": 2.0, "feast_to_one": 5.0, "hundred_to_one": 5.0, "reader_hundred_to_one": 5.0}


def make_rows(entities: int) -> pl.DataFrame:
    rng = np.random.default_rng(1)
    columns = {f"f{n}": rng.normal(size=entities) for n in range(FEATURES)}
    at = datetime.now(UTC) - timedelta(hours=1)
    return pl.DataFrame({"customer": np.arange(entities), **columns}).with_columns(
        event_at=pl.lit(at, pl.Datetime("us", "UTC"))
    )


def fill(workspace: Workspace, entities: int) -> float:
    """Seconds that a materialisation of everybody takes."""
    workspace.datasets.land(workspace.caller, "payments", make_rows(entities))
    view = features.FeatureView(
        name="spending",
        keys=["customer"],
        dataset="payments",
        event_time="event_at",
        known_at=timedelta(0),
        ttl=timedelta(days=365),
        features={f"f{n}": f"f{n}" for n in range(FEATURES)},
    )
    service = features.FeatureService(name="risk", views=[view], features=list(view.features))
    workspace.features.register(workspace.caller, service)
    begun = time.perf_counter()
    features.materialize("risk")
    return time.perf_counter() - begun


def copied(source: SqliteOnlineStore, target: LmdbOnlineStore) -> LmdbOnlineStore:
    """The same records in another store."""
    from treadle.systems.features.online.ports import FOREVER, Entry

    for space in source.spaces():
        target.write(space, [Entry(key, FOREVER, record) for key, record in source.scan(space)])
    return target


def bare_lookup(store: SqliteOnlineStore, keys: Callable[[int], bytes]) -> Callable[[int], object]:
    """The store's own prepared statement on its own file."""
    (document,) = documents.list_views(store)
    connection = sqlite3.connect(f"file:{store.path}?mode=ro", uri=True, isolation_level=None)
    connection.execute(f"pragma mmap_size = {1 << 30}").fetchall()
    (number,) = connection.execute("select id from spaces where name = ?", (document.space,)).fetchone()
    cursor = connection.cursor()
    text = "select record from records where space = ? and key = ?"
    return lambda customer: cursor.execute(text, (number, keys(customer))).fetchone()


def bare_lookups(store: SqliteOnlineStore) -> Callable[[list[bytes]], object]:
    """The same for a hundred keys in one statement."""
    (document,) = documents.list_views(store)
    connection = sqlite3.connect(f"file:{store.path}?mode=ro", uri=True, isolation_level=None)
    connection.execute(f"pragma mmap_size = {1 << 30}").fetchall()
    (number,) = connection.execute("select id from spaces where name = ?", (document.space,)).fetchone()
    cursor = connection.cursor()
    text = f"select key, record from records where space = ? and key in ({', '.join('?' * 100)})"
    return lambda keys: cursor.execute(text, (number, *keys)).fetchall()


def medians_us(works: dict[str, Callable[[], object]], rounds: int) -> dict[str, float]:
    """The median of each work, all taken in turns."""
    taken: dict[str, list[int]] = {name: [] for name in works}
    for _ in range(rounds):
        for name, work in works.items():
            begun = time.perf_counter_ns()
            work()
            taken[name].append(time.perf_counter_ns() - begun)
    return {name: statistics.median(times[len(times) // 10 :]) / 1000 for name, times in taken.items()}


def measure(folder: Path, entities: int, repeat: int) -> dict[str, float]:
    with Workspace(settings.load({"home": folder / "home"})) as workspace, assembly.use(workspace):
        filling_s = fill(workspace, entities)
        store = SqliteOnlineStore(folder / "home" / "online" / "default.db", read_only=True)
        lmdb = copied(store, LmdbOnlineStore(folder / "lmdb"))
        rng = random.Random(1)
        encode = FeatureReader(store)._load("risk").views[0].keys.encode
        keys = [encode({"customer": customer}) for customer in range(entities)]
        people = [{"customer": customer} for customer in range(entities)]
        crowds = [[{"customer": rng.randrange(entities)} for _ in range(100)] for _ in range(200)]
        reader, lmdb_reader = FeatureReader(store), FeatureReader(lmdb)
        forgetful = FeatureReader(store, memory_bytes=0)
        lookup, bare_hundred = bare_lookup(store, keys.__getitem__), bare_lookups(store)
        works: dict[str, Callable[[], object]] = {
            "bare lookup": lambda: lookup(rng.randrange(entities)),
            "reader, one": lambda: reader.read("risk", [people[rng.randrange(entities)]]),
            "td.features.online, one": lambda: features.online("risk", [people[rng.randrange(entities)]]),
            "reader on LMDB, one": lambda: lmdb_reader.read("risk", [people[rng.randrange(entities)]]),
        }
        found = medians_us(works, repeat)
        for crowd in crowds:
            for read in (reader.read, lmdb_reader.read, features.online):
                read("risk", crowd)
        hundreds: dict[str, Callable[[], object]] = {
            "bare lookup, 100 in one statement": lambda: bare_hundred(
                [keys[rng.randrange(entities)] for _ in range(100)]
            ),
            "reader, 100": lambda: reader.read("risk", crowds[rng.randrange(200)]),
            "reader, 100 that it has not seen": lambda: forgetful.read("risk", crowds[rng.randrange(200)]),
            "td.features.online, 100": lambda: features.online("risk", crowds[rng.randrange(200)]),
            "reader on LMDB, 100": lambda: lmdb_reader.read("risk", crowds[rng.randrange(200)]),
        }
        found |= medians_us(hundreds, max(50, repeat // 10))
        store.close()
        lmdb.close()
    return {**found, "materialize_s": filling_s}


def feast(folder: Path, entities: int, repeat: int) -> dict[str, float] | None:
    if not PEERS_PYTHON.exists():
        return None
    environment = {**os.environ, "PYTHONWARNINGS": "ignore"}
    done = subprocess.run(
        [str(PEERS_PYTHON), str(PEER), str(folder), str(entities), str(repeat)],
        capture_output=True, text=True, env=environment, check=False,
    )  # fmt: skip
    if done.returncode != 0:
        print(done.stderr[-2000:], file=sys.stderr)
        return None
    return {name: float(us) for name, us in json.loads(done.stdout.splitlines()[-1]).items()}


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--entities", type=int, default=100_000)
    parser.add_argument("--repeat", type=int, default=2_000)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()

    with tempfile.TemporaryDirectory() as folder:
        found = measure(Path(folder), options.entities, options.repeat)
    with tempfile.TemporaryDirectory() as folder:
        peer = feast(Path(folder), min(options.entities, 20_000), max(100, options.repeat // 10))
    ratios = {
        "one_to_bare_lookup": found["reader, one"] / found["bare lookup"],
        "hundred_to_one": found["td.features.online, 100"] / found["td.features.online, one"],
        "reader_hundred_to_one": found["reader, 100"] / found["reader, one"],
        "unseen_hundred_to_one": found["reader, 100 that it has not seen"] / found["reader, one"],
        "bare_hundred_to_one": found["bare lookup, 100 in one statement"] / found["bare lookup"],
    }
    if peer is not None:
        ratios["feast_to_one"] = peer["one"] / found["reader, one"]
        ratios["feast_to_hundred"] = peer["hundred"] / found["reader, 100"]
    broken = [
        name
        for name, limit in LIMITS.items()
        if name in ratios and (ratios[name] < limit if name == "feast_to_one" else ratios[name] >= limit)
    ]
    if options.json:
        print(json.dumps({"us": found, "feast_us": peer, "ratios": ratios, "limits": LIMITS, "broken": broken}))
        return int(bool(broken))
    for name, us in found.items():
        print(f"{us:10.2f} {'s ' if name.endswith('_s') else 'µs'}  {name}")
    for name, us in (peer or {}).items():
        print(f"{us:10.2f} µs  Feast, {name}")
    if peer is None:
        print("Feast is not installed: make bench-peers")
    for name, ratio in ratios.items():
        limit = LIMITS.get(name)
        kept = (
            ""
            if limit is None
            else f"  ({'at least' if name == 'feast_to_one' else 'below'} {limit:g}{': NOT KEPT' if name in broken else ''})"
        )
        print(f"{ratio:10.2f} x   {name}{kept}")
    return int(bool(broken))


if __name__ == "__main__":
    sys.exit(main())
