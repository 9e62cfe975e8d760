"""What does landing a table of a database cost beside reading it with the bare driver and writing it to Parquet?

The baseline reads with the same driver in one query (Arrow where the driver gives it), makes a Polars frame, and writes one Parquet file.
A landing does more: it orders by the cursor column, remembers the boundary, numbers rows, digests content and files, commits a
Delta version, a snapshot, a cursor. PostgreSQL and MariaDB are measured where they run (TREADLE_TEST_POSTGRES, TREADLE_TEST_MARIADB).
Exit code 1 when a landing takes more than REACH times the baseline.

    python benchmarks/sources.py [--rows 300000] [--repeat 3] [--json]
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sqlite3
import statistics
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import polars as pl

sys.path.insert(0, str(Path(__file__).parents[1]))
from benchmarks.landing import ME, open_datasets, timed
from treadle.systems.collect.connectors.sql import SqlSource

REACH = 2.0
COLUMNS = "id, updated_at, item, city, price, quantity, ratio, note"
MARIADB = os.environ.get("TREADLE_TEST_MARIADB", "mysql://root@127.0.0.1:3306/test")
POSTGRES = os.environ.get("TREADLE_TEST_POSTGRES", "postgresql://postgres@127.0.0.1:5432/test")
TABLE = "treadle_benchmark_orders"


def rows_of(count: int) -> list[tuple[Any, ...]]:
    """`count` orders: whole numbers, a time, texts of few and of many values, a decimal, a double."""
    cities = ["Oslo", "Rome", "Lima", "Pune", "Kyiv"]
    return [
        (
            n,
            f"2025-01-{1 + n // 20_000 % 28:02} {n // 3600 % 24:02}:{n // 60 % 60:02}:{n % 60:02}",
            f"item {n % 5000}",
            cities[n % 5],
            f"{n % 100_000 / 100:.2f}",
            n % 9,
            n / 7,
            f"order number {n}",
        )
        for n in range(count)
    ]


def fill(
    execute: Callable[[str], object], insert: Callable[[str, list[tuple[Any, ...]]], object], count: int, mark: str
) -> None:
    """Makes the table anew with so many rows."""
    execute(f"drop table if exists {TABLE}")
    execute(
        f"create table {TABLE} (id integer primary key, updated_at timestamp, item varchar(20), city varchar(10), "
        "price decimal(10,2), quantity integer, ratio double precision, note varchar(40))"
    )
    insert(f"insert into {TABLE} values ({', '.join([mark] * 8)})", rows_of(count))


def sqlite(folder: Path, count: int) -> tuple[str, Callable[[], pl.DataFrame]]:
    path = folder / "shop.db"
    with sqlite3.connect(path) as connection:
        fill(connection.execute, connection.executemany, count, "?")

    def read() -> pl.DataFrame:
        with sqlite3.connect(path) as found:
            rows = found.execute(f"select {COLUMNS} from {TABLE}").fetchall()
        return pl.DataFrame(rows, schema=COLUMNS.split(", "), orient="row", infer_schema_length=None)

    return f"sqlite:///{path}", read


def postgres(folder: Path, count: int) -> tuple[str, Callable[[], pl.DataFrame]]:
    import psycopg
    from adbc_driver_postgresql import dbapi

    with psycopg.connect(POSTGRES, autocommit=True) as connection, connection.cursor() as cursor:
        fill(connection.execute, cursor.executemany, count, "%s")

    def read() -> pl.DataFrame:
        with dbapi.connect(POSTGRES) as found, found.cursor() as asked:
            asked.execute(f"select {COLUMNS.replace('price', 'price::float8')} from {TABLE}")
            return pl.DataFrame(pl.from_arrow(asked.fetch_arrow_table()))

    return POSTGRES, read


def mariadb(folder: Path, count: int) -> tuple[str, Callable[[], pl.DataFrame]]:
    import pymysql
    from pymysql.cursors import SSCursor

    parts = urlsplit(MARIADB)
    where: dict[str, Any] = {"host": parts.hostname, "port": parts.port or 3306, "user": parts.username}
    where |= {"password": parts.password or "", "database": parts.path.lstrip("/"), "autocommit": True}
    connection = pymysql.connect(**where)
    with connection.cursor() as cursor:
        fill(cursor.execute, cursor.executemany, count, "%s")
    connection.close()

    def read() -> pl.DataFrame:
        found = pymysql.connect(**where)
        with found.cursor(SSCursor) as asked:
            asked.execute(f"select {COLUMNS} from {TABLE}")
            rows = asked.fetchall()
        found.close()
        return pl.DataFrame(rows, schema=COLUMNS.split(", "), orient="row", infer_schema_length=None)

    return MARIADB, read


def measured(folder: Path, url: str, read: Callable[[], pl.DataFrame], count: int, repeat: int) -> dict[str, Any]:
    """Medians of landing and bare read, taken by turns; both see a database that is warm."""
    ours, bare = [], []
    for turn in range(repeat + 1):  # the first turn imports and warms up
        home = folder / f"home{turn}"
        home.mkdir()
        datasets = open_datasets(home, contract=False)
        bare.append(timed(lambda: read().write_parquet(folder / "bare.parquet")))
        source = SqlSource(url=url, table=TABLE, cursor="id").open("orders", Path("/"))
        ours.append(timed(lambda: datasets.land(ME, "orders", source)))  # noqa: B023 - called at once
        assert datasets.snapshot("default", "orders").rows == count
        shutil.rmtree(home)
    landing, floor = statistics.median(ours[1:]), statistics.median(bare[1:])
    return {
        "landing_s": round(landing, 3),
        "bare_s": round(floor, 3),
        "ratio": round(landing / floor, 2),
        "rows_per_s": round(count / landing),
    }


def main() -> int:
    """Measures each database that is there; answers 1 when a reach is not kept."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rows", type=int, default=300_000)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    found: dict[str, Any] = {"rows": asked.rows, "reach": REACH}
    for prepare in (sqlite, postgres, mariadb):
        with tempfile.TemporaryDirectory() as folder:
            try:
                url, read = prepare(Path(folder), asked.rows)
            except Exception as error:  # a server that is not here is not measured
                found[prepare.__name__] = {"not measured": str(error).splitlines()[0]}
                continue
            found[prepare.__name__] = measured(Path(folder), url, read, asked.rows, asked.repeat)
    missed = [name for name, one in found.items() if isinstance(one, dict) and one.get("ratio", 0) > REACH]
    if asked.json:
        print(json.dumps(found, indent=2))
    else:
        for name, one in found.items():
            print(f"{name}: {one}")
    return int(bool(missed))


if __name__ == "__main__":
    sys.exit(main())
