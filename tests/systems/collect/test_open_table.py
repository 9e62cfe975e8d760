"""Our tables without us: DuckDB, Polars, deltalake and PyArrow read them, and their log asks little of others.

Spark and Trino are not run here. What they need of a table is in its protocol, which is checked in their stead: reader
version 1, a writer version that they all know, no deletion vectors, no column mapping, no feature that we do not write ourselves.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import duckdb
import polars as pl
import pyarrow.parquet as pq
import pytest
from deltalake import DeltaTable

from tests.systems.collect.conftest import ADA, Home
from treadle.systems.collect.branching.records import MakeBranch, MergeBranch
from treadle.systems.collect.compacting.service import CompactDataset, Compaction
from treadle.systems.collect.records import RestoreSnapshot

KNOWN_FEATURES = {"appendOnly", "invariants", "timestampNtz"}


def land(home: Home, name: str, *values: int) -> None:
    at = pl.Series([f"2013-04-{n % 28 + 1:02}T12:00:00Z" for n in values]).str.to_datetime(time_zone="UTC")
    home.datasets.land(ADA, name, pl.DataFrame({"n": list(values), "at": at, "text": [f"é{n}" for n in values]}))


def appended(home: Home) -> None:
    land(home, "numbers", 1, 2)
    land(home, "numbers", 3)


def restored(home: Home) -> None:
    appended(home)
    home.datasets.restore(ADA, RestoreSnapshot(name="numbers", at="1"))
    land(home, "numbers", 4)


def merged(home: Home) -> None:
    appended(home)
    home.branches.make(ADA, MakeBranch(name="numbers", branch="fix", at="1"))
    land(home, "numbers@fix", 5)
    home.datasets.land(ADA, "numbers@fix", pl.DataFrame({"n": [6], "more": [0.5]}))
    home.branches.merge(ADA, MergeBranch(name="numbers", branch="fix"))


def compacted(home: Home) -> None:
    merged(home)
    Compaction(home.datasets.workings).compact(ADA, CompactDataset(name="numbers"))
    land(home, "numbers", 7)


@pytest.mark.parametrize("history", [appended, restored, merged, compacted])
def test_every_reader_sees_the_newest_snapshot(home: Home, history: Callable[[Home], None]) -> None:
    history(home)
    snapshot = home.datasets.snapshot("default", "numbers")
    expected = sorted(home.datasets.scan("default", snapshot).collect()["n"])
    folder = Path(home.datasets.lookup.get("default", "numbers").dataset.location)
    table = DeltaTable(folder)
    files = [str(folder / file.path) for file in snapshot.files]

    assert sorted(pl.scan_delta(str(folder)).collect()["n"]) == expected
    assert sorted(table.to_pyarrow_table()["n"].to_pylist()) == expected
    assert sorted(n for path in table.file_uris() for n in pq.read_table(path)["n"].to_pylist()) == expected
    assert duckdb.sql(f"select n from read_parquet({files}, union_by_name = true) order by n").fetchall() == [
        (n,) for n in expected
    ]
    assert {Path(path).name for path in table.file_uris()} == {Path(path).name for path in files}


@pytest.mark.parametrize("history", [appended, restored, merged, compacted])
def test_the_log_asks_of_readers_no_more_than_all_can_give(home: Home, history: Callable[[Home], None]) -> None:
    history(home)
    folder = Path(home.datasets.lookup.get("default", "numbers").dataset.location)
    actions = [
        json.loads(line)
        for entry in sorted((folder / "_delta_log").glob("*.json"))
        for line in entry.read_text().splitlines()
    ]

    for protocol in (action["protocol"] for action in actions if "protocol" in action):
        assert protocol["minReaderVersion"] <= 1 or set(protocol["readerFeatures"]) <= KNOWN_FEATURES
        assert protocol["minWriterVersion"] <= 2 or set(protocol["writerFeatures"]) <= KNOWN_FEATURES
    for metadata in (action["metaData"] for action in actions if "metaData" in action):
        assert metadata["configuration"].get("delta.columnMapping.mode", "none") == "none"
        assert metadata["configuration"]["delta.enableDeletionVectors"] == "false"
        assert metadata["partitionColumns"] == []
    for added in (action["add"] for action in actions if "add" in action):
        assert "deletionVector" not in added
        assert not added["path"].startswith(("/", ".."))
        assert (folder / added["path"]).stat().st_size == added["size"]
        assert json.loads(added["stats"])["numRecords"] > 0
    kinds = {kind for action in actions for kind in action}
    assert kinds <= {"add", "commitInfo", "metaData", "protocol", "remove", "txn"}
