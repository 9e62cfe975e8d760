"""The server that is none: requests of MLflow's client, answered by the dispatcher in this process.

A URI names a home and a project: `treadle://` those of the settings and of the run that surrounds the call,
`treadle:///path/to/home?project=p` others. Each process opens its own store, once.
"""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from treadle.assembly import Workspace, current_workspace, find_workspace, open_workspace
from treadle.faces.api.authentication import checked_project
from treadle.faces.api.mlflow.dispatch import Dispatcher
from treadle.faces.api.mlflow.exchange import Answer
from treadle.faces.api.mlflow.routing import below_prefix
from treadle.ground.errors import InvalidInput
from treadle.kernel.governance import Caller
from treadle.systems.train.tracking.adopting import AdoptRun
from treadle.systems.train.tracking.records import TrackedRun

SCHEME = "treadle"
BASE_URL = "http://treadle.invalid"
"""What stands where a handler says how the server is reached; nobody answers there."""

_opened: dict[tuple[int, str], Workspace] = {}
_dispatchers: dict[tuple[int, int], Dispatcher] = {}
_lock = threading.RLock()


class UriInvalid(InvalidInput):
    """The URI is not one of `treadle://`."""

    code = "mlflow.uri_invalid"


class LocalServer:
    """Answers for one URI."""

    def __init__(self, uri: str) -> None:
        parts = urlsplit(uri)
        if parts.scheme != SCHEME or parts.netloc:
            raise UriInvalid(
                f"{uri!r} names no home.",
                fix="treadle:// for the home of the settings, or treadle:///path/to/home, with ?project=NAME if need be.",
            )
        self.home = unquote(parts.path) if parts.path not in ("", "/") else ""
        named = parse_qs(parts.query).get("project", [""])[0]
        self._project = checked_project(named) if named else ""

    @property
    def workspace(self) -> Workspace:
        """The workspace of the URI, open in this process."""
        if not self.home:
            return current_workspace()
        around = find_workspace()
        if around is not None and around.home.absolute() == Path(self.home):
            return around
        with _lock:
            key = (os.getpid(), self.home)
            if key not in _opened:
                _opened[key] = open_workspace(self.home)
            return _opened[key]

    def adopt(self, request: AdoptRun) -> TrackedRun | None:
        """The run of a step, as a tracked one; None where it cannot be."""
        workspace = self.workspace
        return workspace.tracking.adopted.adopt(self._caller(workspace), request)

    def _caller(self, workspace: Workspace) -> Caller:
        return replace(workspace.caller, project=self._project) if self._project else workspace.caller

    def ask(
        self,
        method: str,
        endpoint: str,
        *,
        query: Mapping[str, list[str]] | None = None,
        headers: Mapping[str, str] | None = None,
        body: bytes = b"",
        pieces: Iterable[bytes] = (),
    ) -> Answer:
        """One request, answered."""
        workspace = self.workspace
        return _dispatcher(workspace).call(
            self._caller(workspace),
            method,
            below_prefix(endpoint) or endpoint,
            query=query,
            headers=headers or {"content-type": "application/json"},
            body=body,
            pieces=pieces,
            base_url=BASE_URL,
        )

    def call(self, method: str, endpoint: str, message: str | None) -> dict[str, Any]:
        """The answer to a JSON message, which a GET carries in its query. Raises MLflow's RestException."""
        if method == "GET":
            return read(self.ask(method, endpoint, query=_query(json.loads(message) if message else {})))
        return read(self.ask(method, endpoint, body=(message or "{}").encode()))


def read(answer: Answer) -> dict[str, Any]:
    """The JSON of an answer. Raises MLflow's RestException for a refusal."""
    told: dict[str, Any] = json.loads(answer.body or b"{}")
    if answer.status >= 400:
        from mlflow.exceptions import RestException

        raise RestException(told)
    return told


def _query(fields: Mapping[str, Any]) -> dict[str, list[str]]:
    """Fields as a query has them."""
    found: dict[str, list[str]] = {}
    for name, value in fields.items():
        if value is not None:
            found[name] = [str(each) for each in (value if isinstance(value, list) else [value])]
    return found


def _dispatcher(workspace: Workspace) -> Dispatcher:
    key = (os.getpid(), id(workspace))
    found = _dispatchers.get(key)
    if found is None or found.workspace is not workspace:
        with _lock:
            found = _dispatchers[key] = Dispatcher(workspace)
    return found
