"""Calls of HTTP APIs: paced, tried again where that helps, and credentials go to no other host than the one they are for.

What is worth another try (429, 408, 5xx, a broken connection, a timeout) waits longer each time, with jitter, and as long as
`Retry-After` asks. Redirects are followed here and not by the client library, which would send headers of ours along.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import urljoin, urlsplit

from treadle.systems.collect.connectors.credentials import redacted, without_password
from treadle.systems.collect.connectors.errors import SourceRefused, SourceUnreachable

if TYPE_CHECKING:
    import httpx

_AGAIN = frozenset({408, 425, 429, 500, 502, 503, 504})
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_MAX_REDIRECTS = 5
_MAX_PAUSE_S = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What an API answered."""

    url: str
    body: bytes
    headers: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Manners:
    """How an API is to be treated."""

    requests_per_s: float = 0.0
    timeout_s: float = 30.0
    tries: int = 6
    max_wait_s: float = 300.0
    max_bytes: int = 64 << 20


class Calls:
    """Calls an API. credentials: headers that go to the origin of `base` alone."""

    def __init__(
        self,
        base: str,
        *,
        headers: Mapping[str, str],
        credentials: Mapping[str, str],
        manners: Manners,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
        rng: random.Random | None = None,
    ) -> None:
        self._origin = _origin(base)
        self._headers, self._credentials, self._manners = dict(headers), dict(credentials), manners
        self._sleep, self._clock = sleep, clock
        self._rng = rng or random.Random()  # noqa: S311 - jitter
        self._last: float | None = None
        self._client: httpx.Client | None = None

    def close(self) -> None:
        """Closes the connections."""
        if self._client is not None:
            self._client.close()
            self._client = None

    def get(self, url: str, params: Mapping[str, Any]) -> Answer:
        """The answer of a GET. Raises SourceRefused, and SourceUnreachable when the tries are used up."""
        waited, problem = 0.0, ""
        for attempt in range(self._manners.tries):
            answer, problem, asked = self._once(url, params)
            if answer is not None:
                return answer
            pause = min(_MAX_PAUSE_S, 0.5 * 2.0**attempt) * (0.5 + self._rng.random() / 2)
            pause = max(pause, asked)
            if attempt + 1 == self._manners.tries or waited + pause > self._manners.max_wait_s:
                break
            self._sleep(pause)
            waited += pause
        raise SourceUnreachable(
            f"{without_password(url)} does not answer as it should: {problem}.",
            why=f"Tried {attempt + 1} times over {waited:.0f} s.",
            fix="Run it again later: it goes on where it stopped. `tries` and `max_wait_s` say how patient it is.",
        )

    def _once(self, url: str, params: Mapping[str, Any]) -> tuple[Answer | None, str, float]:
        """The answer, or what was wrong and how long the other side asks to wait."""
        import httpx

        self._pace()
        try:
            status, headers, body, final = self._follow(url, params)
        except (httpx.TransportError, httpx.StreamError) as error:
            return None, redacted(str(error) or type(error).__name__), 0.0
        if status in _AGAIN:
            return None, f"status {status}", _retry_after(headers.get("retry-after", ""))
        if status >= 400:
            raise _refused(status, url, body)
        return Answer(url=final, body=body, headers=headers), "", 0.0

    def _follow(self, url: str, params: Mapping[str, Any]) -> tuple[int, Mapping[str, str], bytes, str]:
        import httpx

        asked: Mapping[str, Any] | None = params
        for _ in range(_MAX_REDIRECTS + 1):
            headers = {**self._headers, **(self._credentials if _origin(url) == self._origin else {})}
            address = httpx.URL(url).copy_merge_params(asked) if asked else httpx.URL(url)
            request = self._open().build_request("GET", address, headers=headers)
            answer = self._open().send(request, stream=True)
            try:
                if answer.status_code not in _REDIRECTS or "location" not in answer.headers:
                    return answer.status_code, answer.headers, self._body(answer, url), str(answer.url)
                url, asked = urljoin(str(answer.url), answer.headers["location"]), None
            finally:
                answer.close()
            if urlsplit(url).scheme not in ("http", "https"):
                break
        raise SourceRefused(
            f"{without_password(url)} sends us round in circles, or away from HTTP.", fix="Is the source's `url` right?"
        )

    def _body(self, answer: httpx.Response, url: str) -> bytes:
        pieces, size = [], 0
        for piece in answer.iter_bytes():
            size += len(piece)
            if size > self._manners.max_bytes:
                raise SourceRefused(
                    f"An answer of {without_password(url)} is larger than {self._manners.max_bytes:,} bytes.",
                    fix="Ask for smaller pages (page_size), or raise `max_bytes`.",
                )
            pieces.append(piece)
        return b"".join(pieces)

    def _pace(self) -> None:
        if self._manners.requests_per_s > 0:
            now = self._clock()
            if self._last is not None and (left := self._last + 1 / self._manners.requests_per_s - now) > 0:
                self._sleep(left)
                now += left
            self._last = now

    def _open(self) -> httpx.Client:
        import httpx

        if self._client is None:
            self._client = httpx.Client(timeout=self._manners.timeout_s, follow_redirects=False)
        return self._client


def _origin(url: str) -> tuple[str, str, int]:
    parts = urlsplit(url)
    return parts.scheme, parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)


def same_origin(one: str, other: str) -> bool:
    """Whether two URLs are of one scheme, host and port."""
    return _origin(one) == _origin(other)


def _retry_after(text: str) -> float:
    """The seconds that `Retry-After` asks for, as a number or as a date; 0 without it."""
    if text.strip().isdecimal():
        return float(text)
    try:
        return max(0.0, parsedate_to_datetime(text).timestamp() - time.time())
    except ValueError:
        return 0.0


def _refused(status: int, url: str, body: bytes) -> SourceRefused:
    said = redacted(body[:200].decode("utf-8", "replace").strip())
    reasons = {
        401: "It does not know who asks.",
        403: "It knows who asks, and does not allow it.",
        404: "It is not there.",
    }
    fixes = {401: "Is the credential set where the source runs, and still valid?", 404: "Is the source's `url` right?"}
    return SourceRefused(
        f"{without_password(url)} answers {status}.",
        why=" ".join(filter(None, [reasons.get(status, ""), said])),
        fix=fixes.get(status, ""),
        status=status,
    )
