"""What every request passes first: the Host and Origin it comes with, and the size of its body.

A page of another site can send requests to 127.0.0.1, and by DNS rebinding under a name of its own; the Host gives the
second away and the Origin the first. The token is asked for per route, since /health needs none.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from treadle.faces.api.answers import problem_response
from treadle.faces.api.authentication import LOOPBACK
from treadle.faces.api.errors import BodyTooLarge, HostRefused, OriginRefused


class Doorkeeper:
    """Looks at where a request says that it comes from and goes to.

    hosts: names beside the loopback's under which the server is reached; None where every name will do, since no
    request passes without credentials of its own, which a foreign page does not have.
    """

    def __init__(self, hosts: Iterable[str] | None = ()) -> None:
        self._hosts = None if hosts is None else LOOPBACK | set(hosts)
        self._known: set[str] = set()

    def check(self, scheme: str, headers: Mapping[str, str], *, hosts: int = 1, is_page: bool = False) -> None:
        """Raises HostRefused or OriginRefused.

        hosts: how many Host headers came along. is_page: what is asked for is a page, to which any site may link.
        """
        host = headers.get("host", "")
        if hosts != 1 or host not in self._known:
            self._check_host(host, hosts)
        origin = headers.get("origin")
        foreign = origin is not None and origin != f"{scheme}://{host}"
        is_followed = is_page and headers.get("sec-fetch-mode") == "navigate"
        if foreign or (headers.get("sec-fetch-site") in ("cross-site", "same-site") and not is_followed):
            raise OriginRefused(
                f"A page of {origin or 'another site'} may not use this API.",
                why="Only pages of this server may.",
                fix="Call the API from a program, with its token.",
            )

    def _check_host(self, host: str, hosts: int) -> None:
        try:
            name = urlsplit(f"//{host}").hostname if hosts == 1 else None
        except ValueError:
            name = None
        if name is None or (self._hosts is not None and name not in self._hosts):
            raise HostRefused(
                f"This server is not reached as {host!r}.",
                why="A request under another name may come from a page that means harm.",
                fix="Reach it as 127.0.0.1 or localhost, or start it with --allowed-hosts NAME.",
            )
        if len(self._known) < 64:
            self._known.add(host)


class Guard:
    """The middleware around the application of the verbs."""

    def __init__(self, app: ASGIApp, *, doorkeeper: Doorkeeper, body_max_bytes: int) -> None:
        self.app = app
        self.doorkeeper = doorkeeper
        self.body_max_bytes = body_max_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        try:
            is_page = scope["method"] == "GET" and not scope["path"].startswith("/api/")
            self.doorkeeper.check(
                scope.get("scheme", "http"), headers, hosts=len(headers.getlist("host")), is_page=is_page
            )
            self._check_length(headers.get("content-length"))
        except (HostRefused, OriginRefused, BodyTooLarge) as error:
            await problem_response(error)(scope, receive, send)
            return
        await self.app(scope, self._limited(receive), send)

    def _check_length(self, length: str | None) -> None:
        if length is not None and (not length.isdecimal() or int(length) > self.body_max_bytes):
            raise too_large(self.body_max_bytes)

    def _limited(self, receive: Receive) -> Receive:
        """The same body, counted: a chunked one says its length nowhere."""
        seen = 0

        async def counted() -> Message:
            nonlocal seen
            message = await receive()
            seen += len(message.get("body", b""))
            if seen > self.body_max_bytes:
                raise too_large(self.body_max_bytes)
            return message

        return counted


def too_large(body_max_bytes: int) -> BodyTooLarge:
    """The refusal of a body over the limit."""
    return BodyTooLarge(
        f"The body is larger than {body_max_bytes} bytes.",
        fix="Send less at once, or raise TREADLE_BODY_MAX_BYTES.",
        body_max_bytes=body_max_bytes,
    )
