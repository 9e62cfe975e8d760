"""Asks a running model server on trial: the same request that clients send, marked so that monitors and values leave it out."""

from __future__ import annotations

import json
import os
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.request import ProxyHandler, Request, build_opener

import msgspec

from treadle.kernel.governance import Caller, verb
from treadle.systems.serve.errors import NoServer, TryRefused
from treadle.systems.serve.runtime.announcement import Announcement
from treadle.systems.serve.supervisor import ANNOUNCED

TIMEOUT_S = 30.0
_MAX_ANSWER_BYTES = 8 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class TryEndpoint:
    """One row by the names of the model's inputs; whom it is about, if anybody."""

    endpoint: str
    row: dict[str, Any] = field(default_factory=dict)
    entity: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Tried:
    """prediction: what was answered, with its id. latency_ms: from here to the server and back. url, body: what was asked."""

    prediction: dict[str, Any]
    model_version: str | None
    revision: int | None
    latency_ms: float
    url: str
    body: dict[str, Any]


class Trying:
    """Asks the server of a project's serving area on this machine."""

    def __init__(self, serving: Callable[[str], Path]) -> None:
        self._serving = serving

    @verb("endpoints.try", permission="endpoint.try")
    def ask(self, caller: Caller, request: TryEndpoint) -> Tried:
        """What the endpoint answers to one row. It is logged as any other, but monitors and values leave it out.

        Raises NoServer, and TryRefused with the server's words.
        """
        place = self._place(caller.project)
        url = f"{place}/predict/{request.endpoint}"
        body: dict[str, Any] = {"rows": [request.row], "id": f"treadle-try-{secrets.token_hex(8)}"}
        if request.entity is not None:
            body["entity"] = [request.entity]
        token = os.environ.get("TREADLE_SERVE_TOKEN")
        headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {token}"} if token else {})
        begun = time.perf_counter()
        try:
            asked = Request(url, json.dumps(body).encode(), headers)  # noqa: S310 -- the address is the server's own word
            with build_opener(ProxyHandler({})).open(asked, timeout=TIMEOUT_S) as response:
                answer = msgspec.json.decode(response.read(_MAX_ANSWER_BYTES))
        except HTTPError as error:
            raise TryRefused("The endpoint does not answer this row.", why=_words(error.read(4096))) from None
        except (URLError, OSError) as error:
            raise _no_server(str(getattr(error, "reason", error))) from None
        took = (time.perf_counter() - begun) * 1000
        return Tried(
            prediction=answer["predictions"][0],
            model_version=answer.get("model_version"),
            revision=answer.get("revision"),
            latency_ms=took,
            url=url,
            body=body,
        )

    def _place(self, project: str) -> str:
        try:
            said = msgspec.json.decode((self._serving(project) / ANNOUNCED).read_bytes(), type=Announcement)
        except FileNotFoundError:
            raise _no_server("None was ever started here.") from None
        host = f"[{said.host}]" if ":" in said.host else said.host
        return f"http://{host}:{said.port}"


def _no_server(why: str) -> NoServer:
    return NoServer("No model server answers here.", why=why, fix="Start it with treadle up, on this machine.")


def _words(body: bytes) -> str:
    try:
        return str(msgspec.json.decode(body)["error"])
    except (msgspec.DecodeError, KeyError, TypeError):
        return body.decode("utf-8", "replace")[:300]
