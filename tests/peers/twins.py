"""A stock server and Treadle, asked the same thing at the same time; their answers, field by field.

Ids and the times that a server takes by itself differ between the two, so each is replaced by a word that stands for it on
both sides: what the third created run is called is `‹run3›` in every question and in every answer. All else is compared as
it came: status, every field, every value and type, and the order of every list that has one.
"""

from __future__ import annotations

import http.client
import json
import re
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urlencode

from tests.peers.servers import Served

_HEX = re.compile(r"(?:m-)?[0-9a-f]{32}")
_LOCATION = re.compile(r"(mlflow-artifacts:/)(\d+)")
_TOKEN = re.compile(r"‹[^›]*›")
_SET = re.compile(r"\{('[^{}]*')\}")
_NOW_MS = 600_000
EXPERIMENT_KEYS = {"experiment_id"}
PAGE = "next_page_token"


@dataclass(kw_only=True)
class Side:
    """One of the two: its connection, and what the words mean there."""

    served: Served
    real: dict[str, str] = field(default_factory=dict)
    word: dict[str, str] = field(default_factory=dict)
    experiment: dict[str, str] = field(default_factory=lambda: {"0": "0"})
    kept: http.client.HTTPConnection | None = None

    def ask(self, method: str, path: str, body: bytes | None, headers: Mapping[str, str]) -> tuple[int, Any]:
        """Status and decoded body."""
        for attempt in (0, 1):
            if self.kept is None:
                self.kept = http.client.HTTPConnection("127.0.0.1", self.served.port, timeout=60)
            try:
                self.kept.request(method, path, body=body, headers={**self.served.headers, **headers})
                answer = self.kept.getresponse()
                content = answer.read()
            except (http.client.HTTPException, OSError):
                self.kept.close()
                self.kept = None
                if attempt:
                    raise
            else:
                return answer.status, _decoded(content)
        raise AssertionError

    def close(self) -> None:
        if self.kept is not None:
            self.kept.close()
            self.kept = None

    def spelled(self, text: str) -> str:
        """A text with each word replaced by what it means here."""
        return _TOKEN.sub(lambda found: self.real.get(found[0], found[0]), text)

    def learn(self, word: str, value: str, kind: str) -> None:
        self.real[word] = value
        if kind.endswith("experiment"):
            self.experiment[value] = word
        elif kind != "page":
            self.word[value] = word

    def plain(self, value: Any, key: str = "") -> Any:
        """An answer in words: without ids, times of the server's own, and the order of what has none."""
        if isinstance(value, dict):
            plain = {name: self.plain(one, name) for name, one in value.items()}
            if key == "data" and isinstance(
                plain.get("metrics"), list
            ):  # the latest of each key; a history has an order
                plain["metrics"] = sorted(plain["metrics"], key=_as_text)
            return plain
        if isinstance(value, list):
            return _settled([self.plain(one, key) for one in value])
        if isinstance(value, str):
            return self._plain_text(value, key)
        if key in EXPERIMENT_KEYS and isinstance(value, int):
            return self.experiment.get(str(value), value)
        if isinstance(value, int) and not isinstance(value, bool) and abs(value - time.time() * 1000) < _NOW_MS:
            return "‹now›"
        return value

    def _plain_text(self, value: str, key: str) -> str:
        if key == PAGE:
            return "‹page›"
        if key in EXPERIMENT_KEYS or key == "experiment_ids":
            return self.experiment.get(value, value)
        if value.isdigit() and abs(int(value) - time.time() * 1000) < _NOW_MS:
            return "‹now as text›"
        text = _SET.sub(lambda found: "{" + ", ".join(sorted(found[1].split(", "))) + "}", value)
        text = _HEX.sub(lambda found: self.word.get(found[0], found[0]), text)
        return _LOCATION.sub(lambda found: found[1] + self.experiment.get(found[2], found[2]), text)


def _settled(values: list[Any]) -> list[Any]:
    """A list of keyed entries (tags, parameters) or of a run's models in an order of its own; any other as it is."""
    if values and all(isinstance(one, dict) and _has_no_place(one) for one in values):
        return sorted(values, key=_as_text)
    return values


def _has_no_place(entry: dict[str, Any]) -> bool:
    return (
        ("key" in entry and "step" not in entry) or {"model_id", "step"} == entry.keys() or {"model_id"} == entry.keys()
    )


def _as_text(value: Any) -> str:
    return json.dumps(value, sort_keys=True)


def _decoded(content: bytes) -> Any:
    try:
        return json.loads(content) if content else None
    except ValueError:
        return {"‹bytes›": content.decode("latin-1")}


@dataclass(frozen=True, kw_only=True)
class Difference:
    """One question to which the two gave different answers."""

    method: str
    path: str
    body: Any
    stock: tuple[int, Any]
    treadle: tuple[int, Any]
    before: tuple[str, ...] = ()

    def __str__(self) -> str:
        def shown(value: Any) -> str:
            return json.dumps(value, ensure_ascii=False, default=str)[:1500]

        fields = "; ".join(differing(self.stock[1], self.treadle[1]))[:1500]
        return (
            f"{self.method} {self.path}\n  asked   {shown(self.body)}\n  stock   {self.stock[0]} {shown(self.stock[1])}\n"
            f"  treadle {self.treadle[0]} {shown(self.treadle[1])}\n  fields  {fields}\n"
            f"  after   {shown(self.before)}"
        )


def differing(left: Any, right: Any, path: str = "") -> Iterable[str]:
    """Where two answers differ, by path."""
    if isinstance(left, dict) and isinstance(right, dict):
        for name in sorted({*left, *right}):
            if name not in left:
                yield f"{path}.{name}: only Treadle has {right[name]!r}"
            elif name not in right:
                yield f"{path}.{name}: only stock has {left[name]!r}"
            else:
                yield from differing(left[name], right[name], f"{path}.{name}")
    elif isinstance(left, list) and isinstance(right, list) and len(left) == len(right):
        for at, (one, other) in enumerate(zip(left, right, strict=True)):
            yield from differing(one, other, f"{path}[{at}]")
    elif left != right or type(left) is not type(right):
        yield f"{path}: {left!r} / {right!r}"


class Twins:
    """Both servers; `ask` puts a question to both and compares.

    intended: tells whether a difference is one of those that are meant (docs/reference/mlflow-differences.md).
    found: where given, differences are collected there instead of being raised.
    """

    def __init__(
        self,
        stock: Served,
        treadle: Served,
        intended: Callable[[Difference], bool],
        found: list[Difference] | None = None,
    ) -> None:
        self.stock, self.treadle = Side(served=stock), Side(served=treadle)
        self.intended, self.found = intended, found
        self.words: dict[str, list[str]] = {}
        self._asked: deque[str] = deque(maxlen=4)

    def ask(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        query: Mapping[str, Any] | Iterable[tuple[str, Any]] = (),
        raw: bytes | None = None,
        makes: tuple[str, ...] = (),
        kind: str = "",
    ) -> Any:
        """What stock answers, in words, or None when it refused; raises when the two differ.

        body: sent as JSON; raw: sent as it is. makes: where in an answer the id of a new thing of that kind stands.
        """
        answers = []
        for side in (self.stock, self.treadle):
            answers.append(side.ask(*_request(side, method, path, body, query, raw)))
        if makes and all(status == 200 for status, _ in answers):
            self._learn(kind, makes, [content for _, content in answers])
        told = [
            (status, side.plain(content))
            for side, (status, content) in zip((self.stock, self.treadle), answers, strict=True)
        ]
        asked = raw.decode("latin-1") if raw is not None else body if body is not None else dict(query)
        if told[0][0] != told[1][0] or list(differing(told[0][1], told[1][1])):
            before = tuple(self._asked)
            self._differs(
                Difference(method=method, path=path, body=asked, stock=told[0], treadle=told[1], before=before)
            )
        self._asked.append(f"{method} {path} {str(asked)[:400]} -> {told[0][0]}, {told[1][0]}")
        return told[0][1] if told[0][0] == 200 else None

    def _learn(self, kind: str, makes: tuple[str, ...], contents: list[Any]) -> None:
        values = []
        for content in contents:
            for name in makes:
                content = content.get(name) if isinstance(content, dict) else None
            values.append(content)
        if not all(values):
            return
        known = self.words.setdefault(kind, [])
        word = f"‹{kind}{len(known) + 1}›"
        known.append(word)
        for side, value in zip((self.stock, self.treadle), values, strict=True):
            side.learn(word, str(value), kind)

    def _differs(self, difference: Difference) -> None:
        if self.intended(difference):
            return
        if self.found is None:
            raise AssertionError(f"the two differ:\n{difference}")
        self.found.append(difference)

    def close(self) -> None:
        self.stock.close()
        self.treadle.close()


def _request(
    side: Side, method: str, path: str, body: Any, query: Any, raw: bytes | None
) -> tuple[str, str, bytes | None, dict[str, str]]:
    asked = quote(side.spelled(path), safe="/%:@-._~")
    pairs = list(query.items() if isinstance(query, Mapping) else query)
    if pairs:
        asked += "?" + urlencode([(name, side.spelled(str(value))) for name, value in pairs])
    if raw is not None:
        return (
            method,
            asked,
            raw,
            {"Content-Type": "application/json" if raw[:1] in b"{[" else "application/octet-stream"},
        )
    if body is None:
        return method, asked, None, {}
    text = side.spelled(json.dumps(body, ensure_ascii=False))
    return method, asked, text.encode(), {"Content-Type": "application/json"}
