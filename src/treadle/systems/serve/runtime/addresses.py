"""What lies at which path of the server, and the forms of an answer that all addresses share."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from treadle.systems.serve.runtime.bodies import RequestHead
from treadle.systems.serve.runtime.documents import Limits

Headers = list[tuple[bytes, bytes]]
Reply = tuple[Headers, bytes]
Handler = Callable[[RequestHead, bytes], Awaitable[Reply]]
HandlerNow = Callable[[RequestHead, bytes], Reply | None]
"""Answers without waiting for anything; None, and nothing done, where it would have to."""

JSON, BINARY = (b"content-type", b"application/json"), (b"content-type", b"application/octet-stream")


@dataclass(frozen=True, slots=True)
class Address:
    """One path: its method, who answers, for which endpoint, and the largest body in bytes."""

    method: str
    handler: Handler
    endpoint: str = ""
    max_body: int = 1 << 20
    is_open: bool = False
    """Whether it is answered without a token: whoever keeps servers alive has none."""
    limits: Limits | None = None
    """What a caller may ask for here, where predictions are asked for."""
    now: HandlerNow | None = None
    """The same as `handler`, where most requests need not wait."""


def json_reply(body: bytes) -> Reply:
    """A JSON document as an answer."""
    return [JSON, (b"content-length", b"%d" % len(body))], body


def constant(body: bytes) -> Handler:
    """A handler that always answers this JSON document."""
    answer = json_reply(body)

    async def handler(head: RequestHead, received: bytes) -> Reply:
        return answer

    return handler
