"""How quick a server answers: one prepared request, sent again and again over some connections that stay open.

One thread waits for all connections at once and reads no more of an answer than its status and its length, so that the
client costs little. It still shares the machine with the server, and its figures hold what that costs.
"""

from __future__ import annotations

import selectors
import socket
import time
from collections.abc import Mapping
from dataclasses import dataclass

from treadle.ground.errors import Unavailable


class NoServer(Unavailable):
    """Nobody answers at that address."""

    code = "serve.no_server"


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """What a stretch of asking showed. Latencies are milliseconds from sending a request to having its whole answer."""

    connections: int
    requests: int
    failed: int
    """Answers with another status than 200."""
    seconds: float
    p50_ms: float
    p90_ms: float
    p99_ms: float
    largest_ms: float

    @property
    def per_second(self) -> float:
        return self.requests / self.seconds if self.seconds else 0.0


def post(host: str, path: str, body: bytes, headers: Mapping[str, str]) -> bytes:
    """A whole request as it goes over the wire."""
    lines = [f"POST {path} HTTP/1.1", f"Host: {host}", "Content-Type: application/json", f"Content-Length: {len(body)}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body


def measure(host: str, port: int, request: bytes, *, connections: int, seconds: float) -> Measured:
    """Asks for so long over so many connections. Raises NoServer when nobody answers, or hangs up."""
    try:
        sockets = [_Connection(host, port) for _ in range(connections)]
    except OSError as error:
        raise _nobody(host, port, error) from None
    latencies: list[float] = []
    failed = 0
    with selectors.DefaultSelector() as selector:
        started = time.perf_counter()
        ends_at = started + seconds
        try:
            for one in sockets:
                selector.register(one.socket, selectors.EVENT_READ, one)
                one.send(request)
            waiting = connections
            while waiting:
                for key, _ in selector.select():
                    one = key.data
                    status = one.receive()
                    if status is None:
                        continue
                    now = time.perf_counter()
                    latencies.append(now - one.sent_at)
                    failed += status != 200
                    if now < ends_at:
                        one.send(request)
                    else:
                        waiting -= 1
        except OSError as error:
            raise _nobody(host, port, error) from None
        finally:
            took = time.perf_counter() - started
            for one in sockets:
                one.socket.close()
    latencies.sort()
    return Measured(
        connections=connections,
        requests=len(latencies),
        failed=failed,
        seconds=took,
        p50_ms=_at(latencies, 0.5),
        p90_ms=_at(latencies, 0.9),
        p99_ms=_at(latencies, 0.99),
        largest_ms=latencies[-1] * 1000,
    )


class _Connection:
    """One connection: what it has of an answer, and when it asked."""

    __slots__ = ("_need", "_seen", "sent_at", "socket")

    def __init__(self, host: str, port: int) -> None:
        self.socket = socket.create_connection((host, port), timeout=30)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._seen, self._need, self.sent_at = b"", 0, 0.0

    def send(self, request: bytes) -> None:
        self._seen, self._need = b"", 0
        self.sent_at = time.perf_counter()
        self.socket.sendall(request)

    def receive(self) -> int | None:
        """The status of an answer that is whole now; None while more is to come. Raises OSError when it ends early."""
        data = self.socket.recv(1 << 18)
        if not data:
            raise ConnectionResetError("the server closed the connection")
        self._seen += data
        if not self._need:
            head, found, _ = self._seen.partition(b"\r\n\r\n")
            if not found:
                return None
            self._need = len(head) + 4 + _length(head)
        return int(self._seen[9:12]) if len(self._seen) >= self._need else None


def _length(head: bytes) -> int:
    for line in head.split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            return int(value)
    raise ConnectionError("the answer does not say its length")


def _at(ordered: list[float], share: float) -> float:
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] * 1000


def _nobody(host: str, port: int, error: OSError) -> NoServer:
    return NoServer(
        f"No model server answers at {host}:{port}.",
        why=error.strerror or str(error),
        fix="Start one with: treadle up. Or say where it is with --url.",
    )
