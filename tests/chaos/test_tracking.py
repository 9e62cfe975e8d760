"""Eight writers and four readers of the tracking protocol while their server is killed again and again.

Every point that was acknowledged is there afterwards, and none is there twice, though writers send again what was not
acknowledged; readers see no error but a connection that is refused or cut.
"""

from __future__ import annotations

import json
import random
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.chaos.tracking_clients import Client, point
from tests.peers.servers import ROOT, free_port, treadle_server
from treadle.testing.postgres import postgres_database

WRITERS, READERS = 8, 4
QUICK_S, LONG_S = 15.0, 300.0


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_every_acknowledged_point_outlives_kills_of_the_server_and_none_is_there_twice(
    tmp_path: Path, kind: str
) -> None:
    kills = hammer(tmp_path, kind, QUICK_S)

    assert kills >= 3


@pytest.mark.soak
@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_every_acknowledged_point_outlives_minutes_of_kills(tmp_path: Path, kind: str) -> None:
    kills = hammer(tmp_path, kind, LONG_S)

    assert kills >= 60


def hammer(folder: Path, kind: str, seconds: float) -> int:
    """Lets writers and readers work for that long; answers how often the server was killed, after looking at what is left."""
    if kind == "sqlite":
        return _hammer(folder, "", seconds)
    with postgres_database() as url:
        return _hammer(folder, url, seconds)


def _hammer(folder: Path, store_url: str, seconds: float) -> int:
    port = free_port()
    with treadle_server(folder, port=port, store_url=store_url) as served:
        token = served.token
        with closing(Client(port, token)) as client:
            _, made = client.once("POST", "experiments/create", {"name": "chaos"})
    experiment = str(made["experiment_id"])
    clients = [
        start("write" if number < WRITERS else "read", port, seconds, number, token, experiment)
        for number in range(WRITERS + READERS)
    ]
    try:
        kills = keep_killing(folder, port, store_url, time.monotonic() + seconds)
        with treadle_server(folder, port=port, store_url=store_url) as served:
            told = [outcome(process) for process in clients]
            with closing(Client(port, token)) as client:
                inspect(client, told[:WRITERS])
    finally:
        for process in clients:
            process.kill()
            process.communicate()
    assert all(one["answers"] > 0 for one in told[WRITERS:])
    assert "database is locked" not in (folder / "server.log").read_text()
    return kills


def start(what: str, port: int, seconds: float, seed: int, token: str, experiment: str) -> subprocess.Popen[str]:
    words = [what, str(port), str(seconds), str(seed), token, experiment]
    command = [sys.executable, "-m", "tests.chaos.tracking_clients", *words]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def outcome(process: subprocess.Popen[str]) -> dict[str, Any]:
    """What a client did; fails with its errors when it failed."""
    said, problems = process.communicate(timeout=120)
    assert process.returncode == 0, problems
    told: dict[str, Any] = json.loads(said)
    return told


def keep_killing(folder: Path, port: int, store_url: str, until: float) -> int:
    """Starts the server on its home and kills it at a moment that nobody chose, over and over."""
    rng = random.Random(7)
    kills = 0
    while time.monotonic() < until:
        with treadle_server(folder, port=port, store_url=store_url) as served:
            try:
                served.process.wait(rng.uniform(0.2, 3.0))
            except subprocess.TimeoutExpired:
                served.process.kill()
                served.process.wait()
                kills += 1
            else:
                raise AssertionError(f"the server ended by itself:\n{(folder / 'server.log').read_text()[-3000:]}")
    return kills


def inspect(client: Client, told: list[dict[str, Any]]) -> None:
    """Whether what was acknowledged is there, each point once and as it was sent."""
    points = 0
    for one in told:
        for run, acknowledged in one["acknowledged"].items():
            found = history(client, run)
            assert [int(at["step"]) for at in found] == list(range(len(found))), run
            assert len(found) == acknowledged, run
            assert [at["value"] for at in found] == [point(step)["value"] for step in range(len(found))]
            points += acknowledged
            latest = client.once("GET", "runs/get", run_id=run)[1]["run"]["data"].get("metrics", [])
            assert [int(at["step"]) for at in latest] == [acknowledged - 1] * (acknowledged > 0)
    assert points > 1000


def history(client: Client, run: str) -> list[dict[str, Any]]:
    """All points of a run, by step."""
    found: list[dict[str, Any]] = []
    token = ""
    while True:
        more = {"page_token": token} if token else {}
        query = {"run_id": run, "metric_key": "loss", "max_results": 20000, **more}
        status, answer = client.once("GET", "metrics/get-history", **query)
        assert status == 200, answer
        found += answer.get("metrics", [])
        token = answer.get("next_page_token", "")
        if not token:
            return sorted(found, key=lambda one: int(one["step"]))
