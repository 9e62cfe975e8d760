"""Large artifacts go by the direct way, past the server's usual protocol: whole, in order, whatever the other side does."""

from __future__ import annotations

import contextlib
import http.client
import os
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.faces.mlflow.artifact_house import FILES, ROOT, TOKEN, House, served
from treadle.faces.api.receiving import BUFFER_BYTES
from treadle.ground.digests import of_bytes

BIG = os.urandom(5 * BUFFER_BYTES + 12345)
HEAD = f"Host: 127.0.0.1\r\nAuthorization: Bearer {TOKEN}\r\n"


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    with served(tmp_path_factory.mktemp("home") / "home") as found:
        yield found


@pytest.fixture
def connection(house: House) -> Iterator[http.client.HTTPConnection]:
    """One that stays open from request to request."""
    parts = urlsplit(house.url)
    with contextlib.closing(http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=30)) as found:
        yield found


def opened(house: House) -> socket.socket:
    parts = urlsplit(house.url)
    return socket.create_connection((parts.hostname or "", parts.port or 0), timeout=30)


def ask(
    connection: http.client.HTTPConnection, method: str, path: str, body: object = None, **headers: str
) -> tuple[int, bytes]:
    sent = {"Authorization": f"Bearer {TOKEN}", **{name.replace("_", "-"): text for name, text in headers.items()}}
    connection.request(method, f"{FILES}/{ROOT}/{path}", body=body, headers=sent)  # type: ignore[arg-type]
    answer = connection.getresponse()
    return answer.status, answer.read()


def leftovers(house: House) -> list[Path]:
    return [path for path in (house.workspace.home / "artifacts" / "tmp").glob("*") if path.is_file()]


def comes_true(claim: Callable[[], bool]) -> bool:
    """Whether it does, within a few seconds."""
    turn = threading.Event()
    return any(claim() or turn.wait(0.01) for _ in range(1000))


@pytest.mark.parametrize("size", [1 << 20, (1 << 20) + 1, BUFFER_BYTES - 1, BUFFER_BYTES, 3 * BUFFER_BYTES, len(BIG)])
def test_a_body_of_any_size_arrives_whole(connection: http.client.HTTPConnection, size: int) -> None:
    put, _ = ask(connection, "PUT", f"size-{size}", BIG[:size])
    got = ask(connection, "GET", f"size-{size}")

    assert (put, got) == (200, (200, BIG[:size]))


def test_one_connection_carries_many_requests_large_and_small_in_turn(connection: http.client.HTTPConnection) -> None:
    for turn in range(4):
        assert ask(connection, "PUT", f"turn-{turn}", BIG[turn:])[0] == 200
        assert ask(connection, "PUT", f"small-{turn}", b"small")[0] == 200
        assert ask(connection, "GET", f"turn-{turn}") == (200, BIG[turn:])
        assert ask(connection, "GET", f"small-{turn}") == (200, b"small")


def test_requests_that_wait_in_line_behind_a_large_body_are_answered_in_order(house: House) -> None:
    path = f"{FILES}/{ROOT}/lined"
    get = f"GET {path} HTTP/1.1\r\n{HEAD}\r\n".encode()
    put = f"PUT {path} HTTP/1.1\r\n{HEAD}Content-Length: {len(BIG)}\r\n\r\n".encode() + BIG

    with opened(house) as wire:
        sender = threading.Thread(target=wire.sendall, args=(put + get + get,))
        sender.start()
        received = b""
        while received.count(BIG[-64:]) < 2:
            piece = wire.recv(1 << 20)
            assert piece
            received += piece
        sender.join()

    assert received.count(b"HTTP/1.1 200 OK") == 3
    assert received.count(BIG) == 2


def test_who_asks_first_whether_to_send_is_told_to(house: House) -> None:
    head = f"PUT {FILES}/{ROOT}/expected HTTP/1.1\r\n{HEAD}Content-Length: {len(BIG)}\r\nExpect: 100-continue\r\n\r\n"

    with opened(house) as wire:
        wire.sendall(head.encode())
        interim = wire.recv(4096)
        wire.sendall(BIG)
        final = wire.recv(4096)

    assert interim.startswith(b"HTTP/1.1 100 Continue")
    assert final.startswith(b"HTTP/1.1 200 OK")
    assert house.get(f"{ROOT}/expected").content == BIG


def test_a_body_that_dribbles_in_is_taken_as_one_that_rushes(house: House) -> None:
    head = f"PUT {FILES}/{ROOT}/dribbled HTTP/1.1\r\n{HEAD}Content-Length: {len(BIG)}\r\n\r\n".encode()

    with opened(house) as wire:
        wire.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        wire.sendall(head[:50])
        wire.sendall(head[50:] + BIG[:7])
        place = 7
        for size in (1, 10, 1000, 100_000, BUFFER_BYTES - 1, 3, BUFFER_BYTES + 1):
            wire.sendall(BIG[place : place + size])
            place += size
        wire.sendall(BIG[place:])
        answer = wire.recv(4096)

    assert answer.startswith(b"HTTP/1.1 200 OK")
    assert house.http.head(f"{FILES}/{ROOT}/dribbled").headers["etag"] == f'"{of_bytes(BIG)}"'


@pytest.mark.parametrize("sent", [0, 10, BUFFER_BYTES + 5, len(BIG) - 1])
def test_who_goes_away_in_the_middle_of_a_large_body_leaves_nothing_behind(house: House, sent: int) -> None:
    house.put(f"{ROOT}/cut", b"as it was")
    head = f"PUT {FILES}/{ROOT}/cut HTTP/1.1\r\n{HEAD}Content-Length: {len(BIG)}\r\n\r\n".encode()

    with opened(house) as wire:
        wire.sendall(head + BIG[:sent])
        assert sent < BUFFER_BYTES or comes_true(lambda: leftovers(house) != [])
    assert comes_true(lambda: leftovers(house) == [])

    assert house.get(f"{ROOT}/cut").content == b"as it was"


def test_who_goes_away_in_the_middle_of_a_download_harms_nobody(house: House) -> None:
    house.put(f"{ROOT}/down", BIG)

    for _ in range(20):
        with opened(house) as wire:
            wire.sendall(f"GET {FILES}/{ROOT}/down HTTP/1.1\r\n{HEAD}\r\n".encode())
            wire.recv(1000)

    assert house.get(f"{ROOT}/down").content == BIG


def test_many_who_read_slowly_do_not_keep_others_waiting(house: House) -> None:
    house.put(f"{ROOT}/slow", BIG * 2)
    wires = [opened(house) for _ in range(40)]
    for wire in wires:
        wire.sendall(f"GET {FILES}/{ROOT}/slow HTTP/1.1\r\n{HEAD}\r\n".encode())
        wire.recv(100)

    assert house.put(f"{ROOT}/beside", b"quick").status_code == 200
    assert house.get(f"{ROOT}/beside").content == b"quick"
    for wire in wires:
        wire.close()


def test_a_range_of_a_large_file_is_sent_by_the_direct_way_too(house: House) -> None:
    house.put(f"{ROOT}/ranged", BIG)

    answer = house.get(f"{ROOT}/ranged", Range=f"bytes=1000-{1000 + 2 * BUFFER_BYTES}")

    assert (answer.status_code, answer.content) == (206, BIG[1000 : 1001 + 2 * BUFFER_BYTES])


def test_a_large_body_that_is_refused_is_answered_and_the_connection_is_of_use_afterwards(
    connection: http.client.HTTPConnection,
) -> None:
    refused, _ = ask(connection, "PUT", "a//b", BIG)
    put, _ = ask(connection, "PUT", "after", b"after")

    assert (refused, put) == (400, 200)


def test_a_large_body_that_cannot_be_stored_is_answered_with_the_reason(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    blobs = house.workspace.blobs

    def full(fd: int, data: object) -> int:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as disk:
        disk.setattr(blobs, "_write", full)
        answer = house.put(f"{ROOT}/full", BIG)

    assert (answer.status_code, answer.json()["error_code"]) == (503, "TEMPORARILY_UNAVAILABLE")
    assert "no room left" in answer.json()["message"]
    assert house.put(f"{ROOT}/full", BIG).status_code == 200


def test_uploads_side_by_side_do_not_mix(house: House) -> None:
    bodies = [bytes([n]) * (3 * BUFFER_BYTES + n) for n in range(6)]
    threads = [threading.Thread(target=house.put, args=(f"{ROOT}/side-{n}", body)) for n, body in enumerate(bodies)]

    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert [house.get(f"{ROOT}/side-{n}").content == body for n, body in enumerate(bodies)] == [True] * 6
