"""Killed at random, on both stores: nothing acknowledged is lost, nothing finished runs twice, nothing is half done.

`make soak` kills 2,000 times (TREADLE_CHAOS_KILLS); TREADLE_CHAOS_SEED plays a campaign again.
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tests.architecture.tree import ROOT
from treadle.testing.postgres import postgres_database

SHARDS = 2
KILLS_IN_CI = 104
KILLS_IN_SOAK = int(os.environ.get("TREADLE_CHAOS_KILLS", "2000"))


@pytest.fixture
def url() -> Iterator[str]:
    """A database whose server outlives the kills, so that its own disk need not be waited for."""
    with postgres_database() as found:
        with psycopg.connect(found, autocommit=True) as connection:
            connection.execute(f'alter database "{connection.info.dbname}" set synchronous_commit = off')
        yield found


def wage(home: Path, url: str, kills: int) -> dict[str, Any]:
    """The report of a campaign in a process of its own. Fails with everything that is wrong, and the way to see it again."""
    seed = int(os.environ.get("TREADLE_CHAOS_SEED") or random.SystemRandom().getrandbits(32))
    command = [sys.executable, "-m", "tests.chaos.campaign", "--kills", str(kills), "--seed", str(seed)]
    done = subprocess.run(
        [*command, "--home", str(home), "--store", url], cwd=ROOT, capture_output=True, text=True, check=False
    )
    again = f"again: TREADLE_CHAOS_SEED={seed}, or {' '.join(command[1:])}"
    assert done.stdout, f"{done.stderr}\n{again}"
    report: dict[str, Any] = json.loads(done.stdout)
    assert report["problems"] == [], "\n".join([*report["problems"], again])
    return report


@pytest.mark.parametrize("shard", range(SHARDS))
def test_an_embedded_store_survives_kills(tmp_path: Path, shard: int) -> None:
    report = wage(tmp_path, "", KILLS_IN_CI // SHARDS)

    assert sum(report["kills"].values()) >= KILLS_IN_CI // SHARDS


@pytest.mark.parametrize("shard", range(SHARDS))
def test_a_postgres_store_survives_kills(tmp_path: Path, url: str, shard: int) -> None:
    report = wage(tmp_path, url, KILLS_IN_CI // SHARDS)

    assert sum(report["kills"].values()) >= KILLS_IN_CI // SHARDS


@pytest.mark.soak
@pytest.mark.parametrize("shard", range(8))
def test_an_embedded_store_survives_thousands_of_kills(tmp_path: Path, shard: int) -> None:
    wage(tmp_path, "", KILLS_IN_SOAK // 8)


@pytest.mark.soak
@pytest.mark.parametrize("shard", range(8))
def test_a_postgres_store_survives_thousands_of_kills(tmp_path: Path, url: str, shard: int) -> None:
    wage(tmp_path, url, KILLS_IN_SOAK // 8)
