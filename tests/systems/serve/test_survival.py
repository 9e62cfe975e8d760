"""Killed under load, stopped in mid-request, out of budget: what was acknowledged is in the log."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import signal
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.systems.serve.control import Sink
from tests.systems.serve.models import deploy, flights_model
from tests.systems.serve.processes import start_server
from treadle.systems.serve.errors import ServerDidNotStart
from treadle.systems.serve.runtime.endpoints import RouteTable
from treadle.systems.serve.runtime.errors import Overloaded
from treadle.systems.serve.runtime.inference import Answer, Inference
from treadle.systems.serve.runtime.log import PredictionLog, SegmentReader, segments_of
from treadle.systems.serve.runtime.metrics import Metrics
from treadle.systems.serve.runtime.shadowing import Shadowing
from treadle.systems.serve.shipping import PredictionShipper
from treadle.systems.serve.supervisor import ServerProcess

KILLS = 10


def logged_ids(serving: Path) -> dict[str, float]:
    """Every prediction in the logs of all servers, with its score."""
    found: dict[str, float] = {}
    for folder in (serving / "predictions").iterdir():
        for path in segments_of(folder):
            reader = SegmentReader(path)
            for logged in reader.calls():
                found.update(zip(logged.call.prediction_ids, logged.call.outputs()[:, 0].tolist(), strict=True))
            assert reader.damaged == []
    return found


async def ask_until_dead(url: str, process: ServerProcess, after: int) -> dict[str, float]:
    """What was acknowledged to four clients until the server is killed, once `after` answers have come."""
    acknowledged: dict[str, float] = {}

    async def ask(http: httpx.AsyncClient) -> None:
        rows = [{"a": 0.5, "b": -1.0, "c": 0.25}, {"a": 0.1, "b": 1.0, "c": -2.0}]
        try:
            while True:
                answer = await http.post("/predict/numbers", json={"rows": rows})
                for one in answer.json()["predictions"]:
                    acknowledged[one["prediction_id"]] = one["probability"]
                if len(acknowledged) >= after and process.is_running:
                    process.process.send_signal(signal.SIGKILL)
        except httpx.TransportError:
            return

    async with httpx.AsyncClient(base_url=url) as http:
        await asyncio.gather(*(ask(http) for _ in range(4)))
    return acknowledged


class Stumbling(Sink):
    """A sink whose landing fails now and then: before it has landed, or after, when the shipper does not know."""

    def __init__(self, seed: int) -> None:
        super().__init__()
        self.chance = random.Random(seed)

    def land(self, *arguments: Any) -> None:
        fate = self.chance.random()
        if fate < 0.2:
            raise ConnectionError("before")
        super().land(*arguments)
        if fate > 0.8:
            raise ConnectionError("after")


def killed_and_shipped(serving: Path, kills: int, seed: int = 1) -> tuple[dict[str, float], dict[str, float], int]:
    """Kills servers under load, one after another, and ships in between, with landings that fail.

    (what was acknowledged, what was landed or still lies in the logs, how many of those twice)
    """
    deploy(serving, "numbers", flights_model(numeric=True))
    acknowledged: dict[str, float] = {}
    sink, chance = Stumbling(seed), random.Random(seed)
    for _ in range(kills):
        process = ServerProcess.start(serving, arguments=("--segment-bytes", "2000"))
        acknowledged |= asyncio.run(ask_until_dead(process.url, process, chance.randrange(5, 80)))
        assert process.stop() == -signal.SIGKILL
        with contextlib.suppress(ConnectionError):
            PredictionShipper(serving, sink, rows_at_once=40).ship()
    landed: list[tuple[str, float]] = []
    while True:
        with contextlib.suppress(ConnectionError):
            PredictionShipper(serving, sink).ship()
            break
    for _, table in sink.landed.values():
        landed += zip(table["prediction_id"].to_pylist(), table["output"].to_pylist(), strict=True)
    found = dict(landed)
    return acknowledged, found, len(landed) - len(found)


def test_nothing_acknowledged_is_lost_or_doubled_when_servers_are_killed_and_landings_fail(serving: Path) -> None:
    acknowledged, found, twice = killed_and_shipped(serving, KILLS)

    assert len(acknowledged) > 200
    assert {name: found.get(name) for name in acknowledged} == acknowledged
    assert twice == 0
    assert logged_ids(serving) == {}


@pytest.mark.soak
def test_nothing_is_lost_or_doubled_over_hundreds_of_kills(serving: Path) -> None:
    seed = int(os.environ.get("TREADLE_CHAOS_SEED", "7"))
    kills = int(os.environ.get("TREADLE_CHAOS_KILLS", "400"))

    acknowledged, found, twice = killed_and_shipped(serving, kills, seed)

    assert {name: found.get(name) for name in acknowledged} == acknowledged
    assert twice == 0


def test_a_stop_answers_what_is_in_flight_and_syncs_the_log(serving: Path) -> None:
    deploy(serving, "numbers", flights_model(numeric=True))
    statuses: list[int] = []

    async def ask_while_stopping(process: ServerProcess) -> dict[str, float]:
        acknowledged: dict[str, float] = {}
        async with httpx.AsyncClient(base_url=process.url) as http:
            rows = [{"a": 0.5, "b": float(at), "c": 0.25} for at in range(2000)]
            asked = [asyncio.create_task(http.post("/predict/numbers", json={"rows": rows})) for _ in range(6)]
            await asyncio.wait(asked, return_when=asyncio.FIRST_COMPLETED)
            process.process.send_signal(signal.SIGTERM)
            for answer in await asyncio.gather(*asked):
                statuses.append(answer.status_code)
                acknowledged |= {one["prediction_id"]: one["probability"] for one in answer.json()["predictions"]}
        return acknowledged

    process = ServerProcess.start(serving)
    acknowledged = asyncio.run(ask_while_stopping(process))

    assert process.stop() == 0
    assert statuses == [200] * 6
    assert logged_ids(serving) == acknowledged


TOLD_TO_STOP_BEFORE_IT_LISTENS = """
import os, signal, sys
import uvicorn
from treadle.systems.serve.runtime.__main__ import main

serve = uvicorn.Server.serve

async def stopped_first(*given, **named):
    os.kill(os.getpid(), signal.SIGTERM)
    await serve(*given, **named)

uvicorn.Server.serve = stopped_first
sys.exit(main())
"""


def test_a_stop_that_comes_before_it_listens_is_not_lost(serving: Path) -> None:
    command = [sys.executable, "-c", TOLD_TO_STOP_BEFORE_IT_LISTENS, "--serving", str(serving)]

    assert subprocess.run(command, timeout=30, check=False).returncode == 0


def test_a_full_log_is_a_clear_503_and_no_prediction_goes_unrecorded(serving: Path) -> None:
    deploy(serving, "numbers", flights_model(numeric=True))
    row = {"rows": [{"a": 0.5, "b": -1.0, "c": 0.25}]}

    with start_server(serving, arguments=("--log-budget-bytes", "2000")) as server:
        answers = [server.http.post("/predict/numbers", json=row) for _ in range(60)]
        metrics = server.http.get("/metrics").text

    refused = [answer for answer in answers if answer.status_code == 503]
    assert refused
    assert "The prediction log holds its budget of 2000 bytes." in refused[0].json()["error"]
    assert refused[0].headers["retry-after"] == "1"
    assert len(logged_ids(serving)) == 60 - len(refused)
    assert f"treadle_prediction_log_refused_total {len(refused)}" in metrics


def test_long_calls_leave_the_loop_free_and_a_bounded_number_wait(serving: Path) -> None:
    """One call is held in the thread: meanwhile the loop answers, a second one waits, a third is refused."""
    deploy(serving, "numbers", flights_model(numeric=True), inline_ms=0, max_waiting=2)
    table = RouteTable(serving, "srv_1")
    endpoint = table.load("numbers")
    assert endpoint is not None
    log = PredictionLog(serving / "predictions" / "srv_1")

    async def crowd(executor: ThreadPoolExecutor, gate: threading.Event) -> list[object]:
        inference = Inference(log, Metrics(), executor, Shadowing(log, Metrics(), executor))

        def ask() -> asyncio.Task[Answer]:
            rows = [{"a": 0.5, "b": -1.0, "c": 0.25}]
            return asyncio.create_task(
                inference.answer(endpoint, lambda live: live.model.plan.from_rows(rows), None, None, 0.0)
            )

        executor.submit(gate.wait)
        waiting = [ask(), ask()]
        refused = ask()
        with pytest.raises(Overloaded, match="2 requests are waiting"):
            await refused
        gate.set()
        return [(await one).revision for one in waiting]

    with ThreadPoolExecutor(1) as executor:
        answered = asyncio.run(crowd(executor, threading.Event()))
    log.close()

    assert answered == [endpoint.revisions[0]] * 2
    assert len(logged_ids(serving)) == 2


def test_a_server_beyond_loopback_wants_a_token(serving: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TREADLE_SERVE_TOKEN", raising=False)
    with pytest.raises(ServerDidNotStart, match="ended while it started") as caught:
        ServerProcess.start(serving, host="0.0.0.0")
    assert "needs a token" in caught.value.why

    monkeypatch.setenv("TREADLE_SERVE_TOKEN", "s3cret")
    process = ServerProcess.start(serving, host="0.0.0.0")
    try:
        url = f"http://127.0.0.1:{process.announcement.port}/v2"
        assert httpx.get(url).status_code == 401
        assert httpx.get(url, headers={"authorization": "Bearer s3cret"}).status_code == 200
    finally:
        process.stop()


def test_the_data_plane_imports_neither_the_kernel_nor_anything_heavy() -> None:
    source = (
        "import sys, treadle.systems.serve.runtime.process\n"
        "heavy = {'sqlalchemy', 'pandas', 'polars', 'pyarrow', 'duckdb', 'deltalake', 'sklearn', 'lightgbm', 'starlette', 'httpx'}\n"
        "print(sorted(heavy & set(sys.modules)), any(name.startswith('treadle.kernel') for name in sys.modules))"
    )

    said = subprocess.run([sys.executable, "-c", source], capture_output=True, text=True, check=True).stdout

    assert said.strip() == "[] False"


def test_servers_that_share_a_port_divide_its_connections(serving: Path) -> None:
    deploy(serving, "numbers", flights_model(numeric=True))
    row = {"rows": [{"a": 0.5, "b": -1.0, "c": 0.25}]}

    with start_server(serving, arguments=("--share-port",)) as one:
        port = one.process.announcement.port
        with start_server(serving, arguments=("--share-port",), port=port):
            statuses = [httpx.post(f"{one.process.url}/predict/numbers", json=row).status_code for _ in range(40)]

    assert statuses == [200] * 40
    assert len(logged_ids(serving)) == 40
    assert sum(bool(segments_of(folder)) for folder in (serving / "predictions").iterdir()) == 2
