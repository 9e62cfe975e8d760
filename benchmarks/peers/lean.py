"""A client of one kept-alive connection that costs next to nothing, so that what is measured is the server.

Requests are bytes made beforehand; of an answer only the head's length is looked at, and its status.

As a program it is one of several loads that begin at once: `python benchmarks/peers/lean.py PORT SECONDS < requests`, where
the requests come as lines of JSON, each is sent once, and what was reached is printed.
"""

from __future__ import annotations

import json
import socket
import sys
import time
from collections.abc import Iterable, Sequence
from typing import Any


class Connection:
    """One connection to a port of loopback."""

    def __init__(self, port: int, headers: dict[str, str] | None = None) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=600)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._head = "".join(
            f"{name}: {value}\r\n" for name, value in {"Host": f"127.0.0.1:{port}", **(headers or {})}.items()
        )
        self._rest = b""

    def request(self, method: str, path: str, body: Any = None) -> bytes:
        """The bytes of a request, ready to be sent often."""
        content = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
        kind = "Content-Type: application/json\r\n" if content else ""
        head = f"{method} {path} HTTP/1.1\r\n{self._head}{kind}Content-Length: {len(content)}\r\n\r\n"
        return head.encode() + content

    def send(self, request: bytes) -> bytes:
        """The answer's body; raises when its status is not 200."""
        self._socket.sendall(request)
        buffer = self._rest
        while (end := buffer.find(b"\r\n\r\n")) < 0:
            buffer += self._more()
        head = buffer[:end].lower()
        start, length = end + 4, _length(head)
        if length is None:
            body, self._rest = self._chunks(buffer[start:])
        else:
            parts, have = [buffer[start:]], len(buffer) - start
            while have < length:
                parts.append(self._more())
                have += len(parts[-1])
            whole = b"".join(parts)
            body, self._rest = whole[:length], whole[length:]
        if not head.startswith(b"http/1.1 200"):
            raise AssertionError(f"{head[:60]!r} {body[:500]!r} to {request[:200]!r}")
        return body

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        """The decoded answer of one request."""
        return json.loads(self.send(self.request(method, path, body)))

    def _more(self) -> bytes:
        got = self._socket.recv(1 << 18)
        if not got:
            raise ConnectionError("the server closed the connection")
        return got

    def _chunks(self, buffer: bytes) -> tuple[bytes, bytes]:
        parts = []
        while True:
            while (end := buffer.find(b"\r\n")) < 0:
                buffer += self._more()
            size = int(buffer[:end], 16)
            while len(buffer) < end + 4 + size:
                buffer += self._more()
            parts.append(buffer[end + 2 : end + 2 + size])
            buffer = buffer[end + 4 + size :]
            if size == 0:
                return b"".join(parts), buffer

    def close(self) -> None:
        self._socket.close()


def _length(head: bytes) -> int | None:
    at = head.find(b"content-length:")
    return None if at < 0 else int(head[at + 15 : (head + b"\r").index(b"\r", at)])


def each(connection: Connection, requests: Iterable[bytes]) -> list[float]:
    """How many seconds each took, one after the other."""
    took = []
    for request in requests:
        begun = time.perf_counter()
        connection.send(request)
        took.append(time.perf_counter() - begun)
    return took


def batches(run_id: str, count: int, *, first: int = 0, size: int = 1000, key: str = "loss") -> list[dict[str, Any]]:
    """Bodies of log-batch, each of `size` new points of one metric."""
    return [
        {
            "run_id": run_id,
            "metrics": [
                {"key": key, "value": at * 0.5, "timestamp": 1_700_000_000_000 + at, "step": at}
                for at in range(begin, begin + size)
            ],
        }
        for begin in range(first, first + count * size, size)
    ]


def main(arguments: Sequence[str]) -> None:
    """Makes its requests, says so, waits for a line, sends as many as fit into the time, and tells what came of it."""
    port, seconds, run_id, count, headers = (
        int(arguments[0]),
        float(arguments[1]),
        arguments[2],
        int(arguments[3]),
        arguments[4],
    )
    connection = Connection(port, json.loads(headers))
    requests = [connection.request("POST", "/api/2.0/mlflow/runs/log-batch", body) for body in batches(run_id, count)]
    print("ready", flush=True)
    sys.stdin.readline()
    begun = time.perf_counter()
    sent = 0
    for request in requests:
        connection.send(request)
        sent += 1
        if time.perf_counter() - begun > seconds:
            break
    print(json.dumps({"batches": sent, "seconds": time.perf_counter() - begun}), flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
