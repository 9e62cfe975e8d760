"""Who may ask this server.

Loopback is not trust: any page in a browser on this machine can reach a port of it. So on loopback the Host header must
name this machine (else a name that a stranger points at 127.0.0.1 would do), and a page of another origin is refused.
Beyond loopback a token is required.
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass

from treadle.systems.serve.runtime.bodies import RequestHead
from treadle.systems.serve.runtime.errors import Misdirected, NoToken, OtherOrigin

_LOCAL = {b"127.0.0.1", b"localhost", b"[::1]"}


@dataclass(frozen=True, slots=True)
class Guard:
    """The rules of one listening address."""

    token: str | None = None
    loopback: bool = True

    def check(self, head: RequestHead) -> None:
        """Raises Misdirected, OtherOrigin or NoToken for a request that may not pass."""
        if self.loopback and head.host and _host_name(head.host) not in _LOCAL:
            raise Misdirected("This server answers on loopback only.", fix="Call it by 127.0.0.1 or localhost.")
        if head.origin and head.origin.partition(b"//")[2] != head.host:
            raise OtherOrigin("A page of another origin may not call this server.")
        if self.token is not None and not hmac.compare_digest(head.authorization, b"Bearer " + self.token.encode()):
            raise NoToken("This server wants its token.", fix="Send the header `Authorization: Bearer ...`.")


def _host_name(host: bytes) -> bytes:
    return host if host.endswith(b"]") else host.rpartition(b":")[0] or host
