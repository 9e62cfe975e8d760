"""One message to one receiver: a POST to the checked address, within a short time, following nothing."""

from __future__ import annotations

import base64
import hashlib
import hmac
import http.client
import socket
import ssl
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from treadle.systems.train.webhooks.addresses import Target

TIMEOUT_S = 10.0
"""For the connection, and for each step of the answer; three times as long for all of it."""
MOST_BYTES = 16_384
"""How much of an answer is read."""

SIGNATURE, TIMESTAMP, DELIVERY = "X-MLflow-Signature", "X-MLflow-Timestamp", "X-MLflow-Delivery-Id"


@dataclass(frozen=True, slots=True)
class Reply:
    """What a receiver answered."""

    status: int
    body: str


Post = Callable[[Target, bytes, Mapping[str, str]], Reply]


def headers_of(body: bytes, *, delivery: str, timestamp: int, secret: str | None) -> dict[str, str]:
    """The headers of a message, signed when there is a secret: HMAC-SHA256 over `delivery.timestamp.body`."""
    headers = {"Content-Type": "application/json", DELIVERY: delivery, TIMESTAMP: str(timestamp)}
    if secret is not None:
        signed = f"{delivery}.{timestamp}.".encode() + body
        mac = hmac.new(secret.encode(), signed, hashlib.sha256).digest()
        headers[SIGNATURE] = f"v1,{base64.b64encode(mac).decode()}"
    return headers


def post(target: Target, body: bytes, headers: Mapping[str, str]) -> Reply:
    """Sends a message. Raises OSError, and http.client.HTTPException for what is no HTTP."""
    connection = _connection(target)
    ends = time.monotonic() + 3 * TIMEOUT_S
    try:
        connection.request("POST", target.path, body=body, headers={**headers, "User-Agent": "treadle"})
        answer = connection.getresponse()
        read = b""
        while len(read) < MOST_BYTES and (piece := answer.read1(MOST_BYTES - len(read))):
            read += piece
            if time.monotonic() > ends:
                raise TimeoutError("the answer did not end in time")
        return Reply(answer.status, read.decode(errors="replace"))
    finally:
        connection.close()


def _connection(target: Target) -> http.client.HTTPConnection:
    if target.scheme == "https":
        return _Secure(target)
    return _Plain(target)


class _Plain(http.client.HTTPConnection):
    """Goes to the address that was checked, and speaks of the host that was asked for."""

    def __init__(self, target: Target) -> None:
        super().__init__(target.host, target.port, timeout=TIMEOUT_S)
        self._target = target

    def connect(self) -> None:
        self.sock = socket.create_connection((self._target.address, self._target.port), timeout=TIMEOUT_S)


class _Secure(http.client.HTTPSConnection):
    """As `_Plain`; the certificate must be the host's."""

    def __init__(self, target: Target) -> None:
        super().__init__(target.host, target.port, timeout=TIMEOUT_S)
        self._target = target

    def connect(self) -> None:
        plain = socket.create_connection((self._target.address, self._target.port), timeout=TIMEOUT_S)
        self.sock = ssl.create_default_context().wrap_socket(plain, server_hostname=self._target.host)
