"""What every request passes first: the Host and Origin it comes with, and the size of its body.

A page of another site can send requests to 127.0.0.1, and by DNS rebinding under a name of its own; the Host gives the
second away and the Origin the first. The token is asked for per route, since /health needs none.
"""

from __future__ import annotations

from collections.abc import Iterable
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from treadle.faces.api.answers import problem_response
from treadle.faces.api.authentication import LOOPBACK
from treadle.faces.api.errors import BodyTooLarge, HostRefused, OriginRefused


class Guard:
    """The middleware around the whole application."""

    def __init__(self, app: ASGIApp, *, hosts: Iterable[str], body_max_bytes: int) -> None:
        self.app = app
        self.hosts = LOOPBACK | set(hosts)
        self.body_max_bytes = body_max_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        try:
            self._check_host(headers)
            self._check_origin(scope, headers)
            self._check_length(headers.get("content-length"))
        except (HostRefused, OriginRefused, BodyTooLarge) as error:
            await problem_response(error)(scope, receive, send)
            return
        await self.app(scope, self._limited(receive), send)

    def _check_host(self, headers: Headers) -> None:
        hosts = headers.getlist("host")
        name = urlsplit(f"//{hosts[0]}").hostname if len(hosts) == 1 else None
        if name not in self.hosts:
            raise HostRefused(
                f"This server is not reached as {headers.get('host', '')!r}.",
                why="A request under another name may come from a page that means harm.",
                fix="Reach it as 127.0.0.1 or localhost.",
            )

    def _check_origin(self, scope: Scope, headers: Headers) -> None:
        origin = headers.get("origin")
        foreign = origin is not None and origin != f"{scope.get('scheme', 'http')}://{headers['host']}"
        if foreign or headers.get("sec-fetch-site") in ("cross-site", "same-site"):
            raise OriginRefused(
                f"A page of {origin or 'another site'} may not use this API.",
                why="Only pages of this server may.",
                fix="Call the API from a program, with its token.",
            )

    def _check_length(self, length: str | None) -> None:
        if length is not None and (not length.isdecimal() or int(length) > self.body_max_bytes):
            raise self._too_large()

    def _limited(self, receive: Receive) -> Receive:
        """The same body, counted: a chunked one says its length nowhere."""
        seen = 0

        async def counted() -> Message:
            nonlocal seen
            message = await receive()
            seen += len(message.get("body", b""))
            if seen > self.body_max_bytes:
                raise self._too_large()
            return message

        return counted

    def _too_large(self) -> BodyTooLarge:
        return BodyTooLarge(
            f"The body is larger than {self.body_max_bytes} bytes.",
            fix="Send less at once, or raise TREADLE_BODY_MAX_BYTES.",
            body_max_bytes=self.body_max_bytes,
        )
