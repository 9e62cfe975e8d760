"""Who is signed in: a cookie that stands for a token, and links that sign in the owner of the home.

The cookie holds a token of the API, sealed: pages cannot read it, other servers on this machine receive it but cannot use
it, and a request with it is the request of that token, with the same checks. A user's is a token made for the purpose,
which is listed with their others and can be revoked; signing out revokes it.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from dataclasses import dataclass
from http.cookies import CookieError, SimpleCookie

from cryptography.fernet import Fernet, InvalidToken
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Receive, Scope, Send

SESSION_DAYS = 7
LINK_S = 12 * 3600
"""How long a link signs in: a terminal stays open over a working day."""


@dataclass(frozen=True, slots=True)
class Signed:
    """What a cookie stands for. `token_id` is None for the owner, whose token is the home's."""

    token: str
    token_id: str | None = None


class Sessions:
    """Seals and opens cookies and links with a key that is drawn from the home's token: a new token ends them all."""

    def __init__(self, home_token: str) -> None:
        self._home_token = home_token
        self._cookies = Fernet(_key(home_token, b"treadle cookies"))
        self._links = Fernet(_key(home_token, b"treadle links"))

    def owner(self) -> Signed:
        return Signed(self._home_token)

    def link_code(self) -> str:
        """What a link carries: it signs in the owner for as long as `LINK_S`."""
        return self._links.encrypt(b"owner").decode()

    def by_link(self, code: str) -> Signed | None:
        try:
            self._links.decrypt(code.encode("utf-8", "surrogateescape"), ttl=LINK_S)
        except InvalidToken:
            return None
        return self.owner()

    def is_owner(self, token: str) -> bool:
        return hmac.compare_digest(token.encode("utf-8", "surrogateescape"), self._home_token.encode())

    def cookie(self, signed: Signed) -> str:
        """The cookie's text."""
        text = "owner" if self.is_owner(signed.token) else f"{signed.token_id or ''} {signed.token}"
        return self._cookies.encrypt(text.encode()).decode()

    def authorization(self, scope: Scope) -> str:
        """The Authorization that the cookie of a request stands for; empty where it stands for none."""
        signed = self.opened(cookie) if (cookie := cookie_of(scope)) else None
        return "" if signed is None else f"Bearer {signed.token}"

    def opened(self, cookie: str) -> Signed | None:
        """What a cookie stands for; None for one that is not ours or is over."""
        try:
            text = self._cookies.decrypt(cookie.encode("utf-8", "surrogateescape"), ttl=SESSION_DAYS * 86400).decode()
        except InvalidToken:
            return None
        if text == "owner":
            return self.owner()
        token_id, _, token = text.partition(" ")
        return Signed(token, token_id or None)


def cookie_name(scope: Scope) -> str:
    """Names the port, since browsers send the cookies of a machine to all of its ports."""
    host = Headers(scope=scope).get("host", "")
    port = host.rpartition(":")[2]
    return f"treadle-{port}" if port.isdecimal() else "treadle"


def cookie_of(scope: Scope) -> str:
    """The session's cookie that came with a request; empty where none did."""
    try:
        found = SimpleCookie(Headers(scope=scope).get("cookie", "")).get(cookie_name(scope))
    except CookieError:
        return ""
    return found.value if found is not None else ""


class SignedIn:
    """The middleware that turns a cookie into the Authorization that it stands for; one that was sent comes first."""

    def __init__(self, app: ASGIApp, *, sessions: Sessions) -> None:
        self.app, self.sessions = app, sessions

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and b"authorization" not in dict(scope["headers"]):
            shown = self.sessions.authorization(scope)
            if shown:
                scope = {**scope, "headers": list(scope["headers"])}
                MutableHeaders(scope=scope)["authorization"] = shown
        await self.app(scope, receive, send)


def _key(token: str, purpose: bytes) -> bytes:
    return base64.urlsafe_b64encode(hmac.digest(token.encode(), purpose, hashlib.sha256))
