"""The short way and uvicorn's own give one client the same answers, however a request's bytes arrive."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.systems.serve.models import deploy, flights_model
from tests.systems.serve.processes import Server, start_server

BODY = json.dumps(
    {"inputs": [{"name": "input", "shape": [1, 3], "datatype": "FP64", "data": [0.5, -1.0, 0.25]}]}
).encode()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    serving: Path = tmp_path_factory.mktemp("serving")
    deploy(serving, "numbers", flights_model(numeric=True))
    with start_server(serving) as running:
        yield running


def request(body: bytes = BODY, path: str = "/v2/models/numbers/infer", *more: str, version: str = "1.1") -> bytes:
    lines = [f"POST {path} HTTP/{version}", "host: 127.0.0.1", f"content-length: {len(body)}", *more]
    return ("\r\n".join(lines) + "\r\n\r\n").encode() + body


class Wire:
    """A connection of bytes."""

    def __init__(self, server: Server) -> None:
        self.socket = socket.create_connection(("127.0.0.1", server.process.announcement.port), timeout=10)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.file = self.socket.makefile("rb")

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def answer(self) -> tuple[int, dict[str, str], Any]:
        status = int(self.file.readline().split()[1])
        headers: dict[str, str] = {}
        while (line := self.file.readline().decode().strip()) != "":
            name, _, value = line.partition(": ")
            headers[name] = value
        if status == 100:
            return status, headers, None
        return status, headers, json.loads(self.file.read(int(headers["content-length"])))


@pytest.fixture
def wire(server: Server) -> Iterator[Wire]:
    opened = Wire(server)
    yield opened
    opened.file.close()
    opened.socket.close()


def probability(answer: tuple[int, dict[str, str], Any]) -> float:
    status, headers, body = answer
    assert status == 200
    assert "date" in headers
    value: float = body["outputs"][0]["data"][0]
    return value


def test_a_request_in_pieces_is_answered_as_one_that_came_whole(wire: Wire) -> None:
    whole = request()
    wire.send(whole)
    wanted = probability(wire.answer())

    for cut in (1, 30, len(whole) - len(BODY), len(whole) - 5):
        wire.send(whole[:cut])
        wire.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        wire.send(whole[cut:])
        assert probability(wire.answer()) == wanted


def test_requests_behind_each_other_are_answered_in_their_order(wire: Wire) -> None:
    other = b"GET /v2/health/live HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n"
    plain = request(b'{"rows": [{"a": 1.0, "b": 2.0, "c": 3.0}], "id": "p"}', "/predict/numbers")
    wire.send(request() + other + request() + plain + request())

    answers = [wire.answer() for _ in range(5)]

    assert [answer[0] for answer in answers] == [200] * 5
    assert answers[1][2] == {"live": True}
    assert answers[3][2]["id"] == "p"
    assert probability(answers[0]) == probability(answers[2]) == probability(answers[4])


def test_who_closes_or_waits_for_a_word_is_served_the_long_way(wire: Wire, server: Server) -> None:
    wire.send(request(BODY, "/v2/models/numbers/infer", "expect: 100-continue")[: -len(BODY)])
    assert wire.answer()[0] == 100
    wire.send(BODY)
    probability(wire.answer())

    wire.send(request(BODY, "/v2/models/numbers/infer", "connection: close"))
    probability(wire.answer())
    assert wire.file.read() == b""


@pytest.mark.parametrize(
    ("body", "path", "more", "status"),
    [
        (b"{", "/v2/models/numbers/infer", (), 400),
        (BODY, "/v2/models/none/infer", (), 404),
        (BODY, "/v2/models/numbers/infer", ("host: example.org",), 421),
        (BODY, "/v2/models/numbers/infer", ("origin: http://example.org",), 403),
        (BODY, "/v2/models/numbers/infer", ("content-encoding: br",), 400),
    ],
)
def test_a_refusal_keeps_the_connection(wire: Wire, body: bytes, path: str, more: tuple[str, ...], status: int) -> None:
    wire.send(request(body, path, *more))
    refused = wire.answer()
    wire.send(request())

    assert refused[0] == status
    assert refused[2]["error"]
    probability(wire.answer())


def test_what_is_no_http_is_refused(wire: Wire) -> None:
    wire.send(b"POST /v2/models/numbers/infer HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-length: x\r\n\r\n")

    assert wire.file.readline().startswith(b"HTTP/1.1 400")
