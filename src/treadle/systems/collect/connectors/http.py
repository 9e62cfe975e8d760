"""HTTP APIs: JSON, CSV and JSON lines, page by page; each page lands with the place at which it stands.

The cursor holds the place of the last page and the digests of its rows. The next run asks for that page again, lands what it
has not landed of it, and goes on: so a page that grew, a run that was killed, an answer that came twice neither lose a record nor
double one. With `since`, each run asks for what changed since the newest record that has landed.
"""

from __future__ import annotations

import base64
from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Literal

import msgspec
import polars as pl

from treadle.systems.collect.connectors.boundaries import Landed, row_digest
from treadle.systems.collect.connectors.calling import Answer, Calls, Manners
from treadle.systems.collect.connectors.credentials import is_reference, revealed, without_password
from treadle.systems.collect.connectors.errors import SourceDeclarationInvalid, SourceRefused
from treadle.systems.collect.connectors.limits import Count, Seconds
from treadle.systems.collect.connectors.paging import Paging, at_path, without_params
from treadle.systems.collect.connectors.steps import Known, Step, SteppedSource
from treadle.systems.collect.reading import Reading, read_content
from treadle.systems.collect.records import Malformed

_REPEATS = 3
"""How often a page is asked for again that came as the page before it."""


class Since(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Records that changed since a time or a number.

    param: the parameter that asks for them. field: where a record says its own. start: what the first run asks for.
    overlap: how far behind the newest record others may still appear, in seconds for times.
    """

    param: str
    field: str
    start: str | int | float | None = None
    overlap: float = 0.0


class HttpSource(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What an API is declared with.

    records: the path of the list in the body (`data.items`; empty: the body is the list). token (bearer), username and password
    (basic), api_key with api_key_header: credentials, as references. key: fields by which a record is known (default: all).
    mode: `append` lands what is new; `replace` reads all pages, and their records take the place of those before.
    """

    url: str
    format: Literal["json", "jsonl", "csv", "parquet"] = "json"
    records: str = ""
    params: dict[str, str | int | float | bool] = {}
    headers: dict[str, str] = {}
    token: str | None = None
    username: str = ""
    password: str | None = None
    api_key: str | None = None
    api_key_header: str = "X-Api-Key"
    paging: Paging = Paging()
    since: Since | None = None
    key: list[str] = []
    mode: Literal["append", "replace"] = "append"
    malformed: Literal["refuse", "quarantine"] = "refuse"
    requests_per_s: Seconds = 0.0
    timeout_s: Seconds = 30.0
    tries: Count = 6
    max_wait_s: Seconds = 300.0
    max_bytes: Count = 64 << 20

    def open(self, name: str, root: Path, types: dict[str, str] | None = None) -> SteppedSource:
        """The source. Nothing is called before it is read. Raises SourceDeclarationInvalid."""
        if not self.url.startswith(("http://", "https://")):
            raise SourceDeclarationInvalid(f"{self.url!r} is no address of an API.", fix="It begins with https://")
        if self.since and self.mode == "replace":
            raise SourceDeclarationInvalid("`since` asks for a part, and `replace` needs all: leave one of them out.")
        self.paging.checked()
        return SteppedSource(name, PageReader(self), types)

    def calls(self, **seams: Any) -> Calls:
        """The calls of the API, with what they need to be let in. Raises SecretMissing."""
        manners = Manners(
            requests_per_s=self.requests_per_s,
            timeout_s=self.timeout_s,
            tries=self.tries,
            max_wait_s=self.max_wait_s,
            max_bytes=self.max_bytes,
        )
        plain = {name: value for name, value in self.headers.items() if not is_reference(value)}
        return Calls(self.url, headers=plain, credentials=self._credentials(), manners=manners, **seams)

    def _credentials(self) -> dict[str, str]:
        found = {name: revealed(value) or "" for name, value in self.headers.items() if is_reference(value)}
        if self.token is not None:
            found["Authorization"] = f"Bearer {revealed(self.token)}"
        elif self.username or self.password is not None:
            pair = f"{self.username}:{revealed(self.password) or ''}"
            found["Authorization"] = f"Basic {base64.b64encode(pair.encode()).decode()}"
        if self.api_key is not None:
            found[self.api_key_header] = revealed(self.api_key) or ""
        return found


class _At(msgspec.Struct, frozen=True):
    """place, seen: the last page and the digests of its records. sent: what the sweep asked for with `since`; newest, near:
    the newest value so far, and the digests of the records near it. old: those of the sweep before that have not been met in
    this one. is_over: whether the sweep has seen its last page."""

    place: Any = None
    seen: dict[str, int] = {}
    sent: Any = None
    newest: Any = None
    near: dict[str, int] = {}
    old: dict[str, int] = {}
    is_over: bool = False


class _Page(msgspec.Struct):
    place: Any
    next: Any
    frame: pl.DataFrame
    digests: list[str]
    origin: dict[str, Any]
    malformed: list[Malformed]


class PageReader:
    """Reads an API from where it stands."""

    def __init__(self, asked: HttpSource, **seams: Any) -> None:
        """seams: sleep, clock and rng of the calls, for tests that hold them still."""
        self._asked, self._seams = asked, seams
        self._paging = asked.paging.checked()
        self._secrets = {name: str(value) for name, value in asked.params.items() if is_reference(str(value))}
        self._plain = {name: value for name, value in asked.params.items() if name not in self._secrets}

    def steps(self, at: Any, known: Known) -> Iterator[Step]:
        before = _At() if at is None else msgspec.convert(at, _At)
        calls = self._asked.calls(**self._seams)
        try:
            if self._asked.mode == "replace":
                yield self._whole(calls, known)
            else:
                yield from self._new(calls, before, known)
        finally:
            calls.close()

    def _whole(self, calls: Calls, known: Known) -> Step:
        pages = self._pages(calls, self._paging.start(), None, known)
        origin = {"api": without_password(self._asked.url)}
        return Step(frames=(page.frame for page in pages if page.frame.height), at=None, origin=origin, replaces=True)

    def _new(self, calls: Calls, before: _At, known: Known) -> Iterator[Step]:
        since = self._asked.since
        is_new_sweep = since is not None and (before.is_over or before.sent is None)
        if since is None:
            sent = None
        else:
            sent = _less(before.newest, since.overlap) if is_new_sweep and before.newest is not None else before.sent
            sent = since.start if sent is None else sent
        place = self._paging.start() if is_new_sweep or before.place is None else before.place
        seen = Landed({} if is_new_sweep else before.seen)
        landed = Landed(before.near if is_new_sweep else before.old)
        near = _Near(since, before.newest, before.near)
        for page in self._pages(calls, place, sent, known):
            fresh = self._fresh(page, seen, landed, near, sent)
            seen = Landed()
            digests, over = dict(Counter(page.digests)), page.next is None
            at = _At(page.place, digests, sent, near.newest, dict(near.counts), dict(landed.left()), over)
            if fresh.height or page.malformed:
                place = msgspec.to_builtins(at)
                yield Step(frames=[fresh], at=place, origin=page.origin, malformed=page.malformed)

    def _fresh(self, page: _Page, seen: Landed, landed: Landed, near: _Near, sent: Any) -> pl.DataFrame:
        """The records of a page that have not landed: neither with this page before, nor in an earlier sweep."""
        left = seen.fresh(zip(page.digests, range(page.frame.height), strict=True))
        left = landed.fresh((page.digests[place], place) for place in left)
        if self._asked.since is not None and page.frame.height:
            values = page.frame[_field(page.frame, self._asked.since.field)].to_list()
            near.add((values[place], page.digests[place]) for place in left)
        return page.frame[left]

    def _pages(self, calls: Calls, place: Any, sent: Any, known: Known) -> Iterator[_Page]:
        """The pages from a place on. One that is the page before it again is asked for again, and ends the list if it stays."""
        previous: _Page | None = None
        while True:
            for _ in range(_REPEATS):
                page = self._page(calls, place, sent, known)
                if not self._is_repeat(page, previous):
                    break
            else:
                return
            yield page
            if page.next is None:
                return
            previous, place = page, page.next

    def _is_repeat(self, page: _Page, previous: _Page | None) -> bool:
        if self._paging.style in ("cursor", "link"):
            return page.next is not None and page.next == page.place
        return previous is not None and bool(page.digests) and page.digests == previous.digests

    def _page(self, calls: Calls, place: Any, sent: Any, known: Known) -> _Page:
        asked = self._asked
        url, params = self._paging.request(asked.url, place)
        since = {asked.since.param: sent} if asked.since is not None and sent is not None else {}
        own = {} if url != asked.url else {**self._plain, **since}
        answer = calls.get(url, {**own, **params, **self._secret_params()})
        body, frame, malformed = self._rows(answer, known)
        following = self._paging.after(answer.url, place, frame.height, body, answer.headers)
        following = without_params(following, self._secrets)
        key = [_field(frame, name) for name in asked.key] if frame.width else []
        digests = [row_digest(row) for row in (frame.select(key) if key else frame).iter_rows()]
        origin = {"api": without_password(asked.url), "page": _shown(place)}
        return _Page(place, following, frame, digests, origin, malformed)

    def _secret_params(self) -> dict[str, str]:
        """Parameters that are credentials: sent with every call, kept in no cursor."""
        return {name: revealed(reference) or "" for name, reference in self._secrets.items()}

    def _rows(self, answer: Answer, known: Known) -> tuple[Any, pl.DataFrame, list[Malformed]]:
        asked, where = self._asked, without_password(answer.url)
        body: Any = None
        data, kind = answer.body, asked.format
        if kind == "json":
            try:
                body = msgspec.json.decode(data or b"null")
            except (msgspec.DecodeError, UnicodeError) as error:
                raise SourceRefused(
                    f"{where} does not answer in JSON: {error}.",
                    why=f"The answer begins with {data[:80]!r}.",
                    fix="Is it an error page, or another `format` (jsonl, csv, parquet)?",
                ) from error
            records = at_path(body, asked.records)
            records = [records] if isinstance(records, dict) else records
            if not isinstance(records, list) or not all(isinstance(record, dict) for record in records):
                raise SourceRefused(
                    f"{where} has no list of records at {asked.records or 'the top of its body'!r}.",
                    why=f"The body has: {', '.join(body) if isinstance(body, dict) else type(body).__name__}.",
                    fix='Say where the records are: records = "data.items"',
                )
            data, kind = b"\n".join(map(msgspec.json.encode, records)), "jsonl"
        if not data.strip():
            return body, pl.DataFrame(), []
        reading = Reading(format=kind, malformed=asked.malformed)
        content = read_content(f"the answer of {where}", data, reading, known())
        return body, content.frame, list(content.malformed)


class _Near:
    """The records near the newest value of a sweep, by digest."""

    def __init__(self, since: Since | None, newest: Any, counts: Mapping[str, int]) -> None:
        self._overlap = since.overlap if since else 0.0
        self.newest = newest
        self._values: list[tuple[Any, str]] = [(newest, digest) for digest, n in counts.items() for _ in range(n)]

    @property
    def counts(self) -> Counter[str]:
        return Counter(digest for _, digest in self._values)

    def add(self, rows: Iterator[tuple[Any, str]]) -> None:
        """Remembers records that land now, and forgets those that are no longer near."""
        self._values += [(value, digest) for value, digest in rows if value is not None]
        if not self._values:
            return
        self.newest = max((value for value, _ in self._values), key=_order)
        bound = _order(_less(self.newest, self._overlap))
        self._values = [(value, digest) for value, digest in self._values if _order(value) >= bound]


def _order(value: Any) -> Any:
    """What values of `since` are compared by: numbers as numbers, times as moments, other text as it is."""
    if isinstance(value, str):
        try:
            moment = datetime.fromisoformat(value)
        except ValueError:
            return value
        return moment.timestamp() if moment.tzinfo else (moment - datetime(1970, 1, 1)).total_seconds()
    return value


def _less(value: Any, overlap: float) -> Any:
    if not overlap or value is None:
        return value
    if isinstance(value, str):
        moment = datetime.fromisoformat(value) - timedelta(seconds=overlap)
        text = moment.isoformat()
        return text.replace("+00:00", "Z") if value.endswith("Z") else text
    return value - type(value)(overlap)


def _field(frame: pl.DataFrame, name: str) -> str:
    if name not in frame.columns:
        raise SourceRefused(
            f"The records have no field {name!r}.",
            why=f"They have: {', '.join(frame.columns)}.",
            fix="Mend the source.",
        )
    return name


def _shown(place: Any) -> Any:
    """A place as an origin may hold it: of an address the path, since queries may hold keys."""
    return without_password(place) if isinstance(place, str) and "://" in place else place
