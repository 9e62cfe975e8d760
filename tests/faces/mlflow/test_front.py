"""The protocol over HTTP, as clients and strangers meet it."""

from __future__ import annotations

import contextlib
import gzip
import json
import logging
import socket
import threading
from collections.abc import Iterator

import httpx
import pytest

from tests.faces.mlflow.serving import Serving, serving
from treadle.faces.api.mlflow import server as server_area
from treadle.faces.api.mlflow.exchange import Answer, Exchange, Route

RUN = {"experiment_id": "0", "start_time": 1}


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    with serving(tmp_path_factory.mktemp("front"), body_max_bytes=20_000) as running:
        yield running


def test_a_client_logs_and_reads_without_any_set_up(house):
    created = house.http.post("/api/2.0/mlflow/runs/create", json=RUN)
    run = created.json()["run"]["info"]["run_id"]
    point = {"run_id": run, "key": "loss", "value": 0.5, "timestamp": 1, "step": 3}
    logged = house.http.post("/ajax-api/2.0/mlflow/runs/log-metric", json=point)
    found = house.http.get("/api/2.0/mlflow/runs/get", params={"run_id": run}).json()["run"]

    assert (created.status_code, logged.status_code, logged.content) == (200, 200, b"{}")
    assert found["data"]["metrics"][0]["value"] == 0.5


def test_the_version_and_the_health_are_told_to_everybody(house):
    assert house.http.get("/version").text == server_area.MLFLOW_VERSION
    assert house.http.get("/health").json()["status"] == "ok"


def test_everything_is_served_below_the_static_prefix_too(house):
    assert house.http.get("/tracking/api/2.0/mlflow/experiments/get-by-name?experiment_name=Default").status_code == 200
    assert house.http.get("/tracking/version").text == server_area.MLFLOW_VERSION
    assert house.http.get("/tracking/health").status_code == 200
    assert house.http.get("/tracking/api/v1/runs/list", headers=house.owner).status_code == 200


def test_what_is_nowhere_is_said_in_the_protocol_s_form(house):
    answer = house.http.get("/api/2.0/mlflow/nothing")

    assert answer.status_code == 404
    assert answer.json() == {
        "error_code": "ENDPOINT_NOT_FOUND",
        "message": "There is nothing at 2.0/mlflow/nothing.",
        "sqlstate": "KAM00",
        "error_class": "RESOURCE_NOT_FOUND",
    }


def test_a_wrong_method_names_the_right_ones(house):
    answer = house.http.get("/api/2.0/mlflow/runs/create")

    assert answer.status_code == 405
    assert "Use: POST" in answer.json()["message"]


def test_options_and_head_are_answered(house):
    options = house.http.options("/api/2.0/mlflow/runs/create")
    head = house.http.head("/version")

    assert (options.status_code, options.headers["allow"]) == (204, "POST")
    assert (head.status_code, head.content, head.headers["content-length"]) == (200, b"", "6")


def test_the_verbs_answer_on_the_same_port_and_ask_for_the_token(house):
    assert house.http.get("/api/v1/runs/list").status_code == 401
    assert house.http.get("/api/v1/runs/list", headers=house.owner).status_code == 200
    assert house.http.get("/api/v1/openapi.json").json()["openapi"] == "3.1.0"


def test_calls_of_the_protocol_are_counted_with_the_others(house):
    house.http.get("/version")

    assert 'treadle_api_calls_total{verb="mlflow GET /version",status="200"}' in (
        house.http.get("/metrics", headers=house.owner).text
    )


@pytest.mark.parametrize("path", ["/api/2.0/mlflow-artifacts/artifacts/a%2fb", "/get-artifact/%2e%2e/x"])
def test_paths_that_could_be_read_in_two_ways_are_refused(house, path):
    answer = raw(house, f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n".encode())

    assert answer.startswith(b"HTTP/1.1 400 ")
    assert b"Invalid path" in answer


def test_a_body_over_the_limit_is_refused_however_it_is_sent(house):
    big = json.dumps({**RUN, "run_name": "x" * 30_000}).encode()
    headers = {"Content-Type": "application/json"}

    for content in (big, iter([big[:100], big[100:]])):
        answer = house.http.post("/api/2.0/mlflow/runs/create", content=content, headers=headers)
        assert (answer.status_code, answer.json()["error_code"]) == (413, "BAD_REQUEST")


def test_a_body_may_come_compressed_and_is_no_bomb(house):
    headers = {"Content-Type": "application/json", "Content-Encoding": "gzip"}
    usual = gzip.compress(json.dumps(RUN).encode())
    bomb = gzip.compress(b'{"run_name": "' + b"x" * 5_000_000 + b'"}')
    parts = gzip.compress(json.dumps(RUN).encode()[:9]) + gzip.compress(json.dumps(RUN).encode()[9:])
    broken, cut = b"no gzip", usual[:-9]

    def status(content: bytes) -> int:
        return house.http.post("/api/2.0/mlflow/runs/create", content=content, headers=headers).status_code

    assert (status(usual), status(parts), status(bomb)) == (200, 200, 413)
    assert (status(broken), status(cut), status(usual + b"more")) == (400, 400, 400)


def test_headers_without_an_end_are_not_kept(house):
    with socket.create_connection(("127.0.0.1", httpx.URL(house.server.url).port), timeout=20) as connection:
        answer = b""
        with contextlib.suppress(ConnectionError):
            connection.sendall(b"GET /version HTTP/1.1\r\nHost: 127.0.0.1\r\nX: ")
            for _ in range(64):
                connection.sendall(b"x" * 65_536)
        with contextlib.suppress(ConnectionError):
            answer = connection.recv(1000)

    assert answer == b"" or answer.startswith(b"HTTP/1.1 400 ")
    assert house.http.get("/version").status_code == 200


def test_a_body_that_is_not_declared_as_json_is_refused(house):
    answer = house.http.post("/api/2.0/mlflow/runs/create", content=b"{}", headers={"Content-Type": "text/plain"})

    assert answer.status_code == 400
    assert answer.json()["message"] == "Bad Request. Content-Type should be one of ['application/json']."


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "evil.example"},
        {"Origin": "https://evil.example"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Origin": "null"},
    ],
)
def test_a_page_of_another_site_is_refused(house, headers):
    answer = house.http.post("/api/2.0/mlflow/runs/create", json=RUN, headers=headers)

    assert (answer.status_code, answer.json()["error_code"]) == (403, "PERMISSION_DENIED")


def test_an_error_that_nobody_foresaw_tells_nothing_of_the_inside(house, monkeypatch, caplog):
    def broken(_: Exchange) -> Answer:
        raise RuntimeError("the secret of the house")

    front = house.server._server.config.app
    table = front._dispatcher.table
    monkeypatch.setitem(table._exact, ("GET", "2.0/mlflow/broken"), (Route("GET", "2.0/mlflow/broken", broken), {}))
    with caplog.at_level(logging.ERROR):
        answer = house.http.get("/api/2.0/mlflow/broken")

    assert (answer.status_code, answer.json()["error_code"]) == (500, "INTERNAL_ERROR")
    assert "secret" not in answer.text
    assert "the secret of the house" in caplog.text


def test_the_workspace_header_names_the_project(house):
    headers = {"X-MLFLOW-WORKSPACE": "other"}
    made = house.http.post("/api/2.0/mlflow/experiments/create", json={"name": "only-there"}, headers=headers)
    there = house.http.get("/api/2.0/mlflow/experiments/get-by-name?experiment_name=only-there", headers=headers)
    here = house.http.get("/api/2.0/mlflow/experiments/get-by-name?experiment_name=only-there")

    assert (made.status_code, there.status_code, here.status_code) == (200, 200, 404)


@pytest.mark.parametrize("name", ["../x", "A B", "*", "x" * 80])
def test_a_workspace_that_cannot_be_a_project_is_refused(house, name):
    answer = house.http.get("/api/3.0/mlflow/server-info", headers={"X-MLFLOW-WORKSPACE": name})

    assert (answer.status_code, answer.json()["error_code"]) == (400, "INVALID_PARAMETER_VALUE")


def test_many_connections_log_at_once_and_nothing_is_lost(house):
    run = house.http.post("/api/2.0/mlflow/runs/create", json=RUN).json()["run"]["info"]["run_id"]

    def log(worker: int) -> None:
        for step in range(25):
            point = {"run_id": run, "key": f"m{worker}", "value": step, "timestamp": step + 1, "step": step}
            assert house.http.post("/api/2.0/mlflow/runs/log-metric", json=point).status_code == 200

    threads = [threading.Thread(target=log, args=(worker,)) for worker in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found = [
        house.http.get("/api/2.0/mlflow/metrics/get-history", params={"run_id": run, "metric_key": f"m{worker}"}).json()
        for worker in range(6)
    ]

    assert [len(each["metrics"]) for each in found] == [25] * 6


def raw(house: Serving, request: bytes) -> bytes:
    with socket.create_connection(("127.0.0.1", house.server.port), timeout=10) as connection:
        connection.sendall(request)
        parts = []
        while part := connection.recv(65536):
            parts.append(part)
    return b"".join(parts)
