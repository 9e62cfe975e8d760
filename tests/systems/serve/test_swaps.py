"""Revisions move on a running server: within a second, without a failed request, and never to something broken."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx

from tests.systems.serve.models import Deployed, deploy, flights_model
from tests.systems.serve.processes import start_server
from treadle.systems.serve.runtime.documents import share_of

PATIENCE_S = 5.0
"""A move takes 60 ms on an idle machine; tests may run on a busy one."""

ROW = {"rows": [{"a": 0.5, "b": -1.0, "c": 0.25}]}


def within(seconds: float, holds: Callable[[], bool]) -> bool:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if holds():
            return True
    return holds()


def expected(deployed: Deployed) -> float:
    return deployed.model.manifest.probe.scores[0][0]


def test_no_request_fails_while_revisions_move_under_load(serving: Path) -> None:
    first, second = flights_model(numeric=True), flights_model(numeric=True, seed=2)
    right = {"1": expected(deploy(serving, "numbers", first))}

    async def hammer(http: httpx.AsyncClient, stop: asyncio.Event, seen: list[tuple[str, float]]) -> None:
        while not stop.is_set():
            answer = await http.post("/predict/numbers", json=ROW)
            assert answer.status_code == 200, answer.text
            body = answer.json()
            seen.append((body["model_version"], body["predictions"][0]["probability"]))

    async def move(url: str) -> list[tuple[str, float]]:
        seen: list[tuple[str, float]] = []
        stop = asyncio.Event()
        async with httpx.AsyncClient(base_url=url) as http:
            clients = [asyncio.create_task(hammer(http, stop, seen)) for _ in range(4)]
            while len(seen) < 8:
                await asyncio.sleep(0)
            for number in range(2, 6):
                model = second if number % 2 == 0 else first
                right[str(number)] = expected(deploy(serving, "numbers", model, number=number))
                started = time.monotonic()
                while not seen or seen[-1][0] != str(number):
                    assert time.monotonic() - started < PATIENCE_S, "the move did not take effect"
                    await asyncio.sleep(0)
            stop.set()
            await asyncio.gather(*clients)
        return seen

    with start_server(serving) as server:
        seen = asyncio.run(move(server.process.url))

    assert {version for version, _ in seen} == {"1", "2", "3", "4", "5"}
    assert all(score == right[version] for version, score in seen)


def test_a_broken_document_is_reported_and_the_old_one_serves_on(serving: Path) -> None:
    deploy(serving, "numbers", flights_model(numeric=True))

    def refused(http: httpx.Client) -> str:
        return str(http.get("/v2/health/ready").json().get("refused_documents", {}).get("numbers", ""))

    with start_server(serving) as server:
        http = server.http
        (serving / "routes" / "numbers" / "current").write_bytes(b'{"number": 1')
        assert within(PATIENCE_S, lambda: "pointer of endpoint 'numbers' cannot be read" in refused(http))
        assert http.post("/predict/numbers", json=ROW).json()["revision"] == 1
        assert 'treadle_route_failed{endpoint="numbers"} 1' in http.get("/metrics").text

        lost = deploy(serving, "numbers", flights_model(numeric=True, seed=3), number=2)
        folder = serving / "models" / lost.document.revisions[0].bundle.removeprefix("sha256:")
        assert within(PATIENCE_S, lambda: http.post("/predict/numbers", json=ROW).json()["revision"] == 2)
        assert refused(http) == ""

        folder.rename(folder.with_name("gone"))
        (serving / "routes" / "numbers" / "current").unlink()
        assert http.post("/predict/numbers", json=ROW).json()["revision"] == 2

        deploy(serving, "numbers", flights_model(numeric=True), number=3)
        assert within(PATIENCE_S, lambda: http.post("/predict/numbers", json=ROW).json()["revision"] == 3)


def test_a_server_starts_without_endpoints_and_takes_the_first_one_up(serving: Path) -> None:
    with start_server(serving) as server:
        answer = server.http.get("/v2/health/ready")
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
        assert "No endpoint is served yet." in answer.json()["error"]

        deploy(serving, "numbers", flights_model(numeric=True))

        assert within(PATIENCE_S, lambda: server.http.get("/v2/health/ready").status_code == 200)
        assert server.http.post("/predict/numbers", json=ROW).status_code == 200


def split_by_entity(server: Any, entities: list[str]) -> dict[str, int]:
    answer = server.http.post("/predict/numbers", json={"rows": ROW["rows"] * len(entities), "entity": entities})
    predictions = answer.json()["predictions"]
    return dict(zip(entities, (one["revision"] for one in predictions), strict=True))


def test_a_split_is_sticky_by_entity_and_keeps_its_shares(serving: Path) -> None:
    old, new = flights_model(numeric=True), flights_model(numeric=True, seed=2)
    deploy(serving, "numbers", old, new, weights=(0.8, 0.2))
    entities = [f"u{at}" for at in range(500)]

    with start_server(serving) as server:
        together = split_by_entity(server, entities)
        again = split_by_entity(server, entities[::-1])
        alone = server.http.post("/predict/numbers", json={**ROW, "entity": "u7"}).json()
        whole = server.http.post(
            "/predict/numbers", json={"rows": ROW["rows"] * 3, "entity": ["a", "b", "c"], "unit": "u7"}
        )

    assert together == again
    assert together == {name: 1 if share_of("", name) < 0.8 else 2 for name in entities}
    assert 60 < sum(revision == 2 for revision in together.values()) < 140
    assert alone["revision"] == together["u7"] == whole.json()["revision"]


def test_the_rows_of_a_split_request_get_the_scores_of_their_own_revision(serving: Path) -> None:
    """The second model knows the carriers in another order: each revision codes them its own way."""
    from tests.systems.serve.models import CARRIERS, ROWS

    old, new = flights_model(), flights_model(seed=2, carriers=CARRIERS[::-1])
    deploy(serving, "flights", old, new)
    by_revision = {1: old.manifest.probe.scores, 2: new.manifest.probe.scores}
    entities = [f"u{at}" for at in range(30)]

    with start_server(serving) as server:
        rows = [ROWS[at % 3] for at in range(30)]
        answer = server.http.post("/predict/flights", json={"rows": rows, "entity": entities}).json()
        pinned = server.http.post(
            "/v2/models/flights/versions/2/infer",
            json={
                "inputs": [
                    {"name": name, "shape": [1], "datatype": datatype, "data": [ROWS[0][name]]}
                    for name, datatype in (
                        ("distance", "FP64"),
                        ("dep_hour", "INT64"),
                        ("carrier", "BYTES"),
                        ("holiday", "BOOL"),
                    )
                ]
            },
        ).json()

    assert {one["revision"] for one in answer["predictions"]} == {1, 2}
    for at, one in enumerate(answer["predictions"]):
        assert one["probability"] == by_revision[one["revision"]][at % 3][0]
    assert (pinned["model_version"], pinned["outputs"][0]["data"]) == ("2", [by_revision[2][0][0]])


def test_revisions_that_take_different_inputs_cannot_share_an_endpoint(serving: Path) -> None:
    deploy(serving, "numbers", flights_model(numeric=True), flights_model())

    with start_server(serving) as server:
        answer = server.http.get("/v2/health/ready")

    assert "take different inputs" in answer.json()["error"]
