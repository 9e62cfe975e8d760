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
    """The rules of one listening address. token: what callers send; several, with commas between them."""

    token: str | None = None
    loopback: bool = True

    def check(self, head: RequestHead, *, is_open: bool = False) -> None:
        """Raises Misdirected, OtherOrigin or NoToken for a request that may not pass. is_open: it needs no token."""
        if self.loopback and head.host and _host_name(head.host) not in _LOCAL:
            raise Misdirected("This server answers on loopback only.", fix="Call it by 127.0.0.1 or localhost.")
        if head.origin and head.origin.partition(b"//")[2] != head.host:
            raise OtherOrigin("A page of another origin may not call this server.")
        if not is_open:
            self.check_token(head.authorization)

    def check_token(self, authorization: bytes) -> None:
        """Raises NoToken for what is none of the tokens, where the server has some."""
        if self.token is not None and not _is_one_of(authorization, self.token):
            raise NoToken("This server wants its token.", fix="Send `Authorization: Bearer ...`.")


def _is_one_of(authorization: bytes, tokens: str) -> bool:
    """Every token is compared, so that the time tells nothing about which one it was."""
    known = [b"Bearer " + one.strip().encode() for one in tokens.split(",") if one.strip()]
    return sum(hmac.compare_digest(authorization, one) for one in known) > 0


def _host_name(host: bytes) -> bytes:
    return host if host.endswith(b"]") else host.rpartition(b":")[0] or host
