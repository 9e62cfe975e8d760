"""What a server says once it answers; apart from the process, so that a supervisor need not import the server."""

from __future__ import annotations

import msgspec


class Announcement(msgspec.Struct, frozen=True):
    """What a server says of itself once it answers."""

    server: str
    pid: int
    host: str
    port: int
    grpc_port: int | None = None
    """None where it does not answer gRPC."""
