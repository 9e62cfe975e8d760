"""A server as `treadle up` makes it, over a fresh home, for the length of a `with`."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx

from treadle.assembly import Workspace, open_workspace
from treadle.faces.api import Server
from treadle.faces.tokens import home_token
from treadle.faces.up.answering import answering


@dataclass(frozen=True)
class Serving:
    """A running server. `http` sends no credentials; `owner` is the header that the home's owner sends."""

    workspace: Workspace
    server: Server
    http: httpx.Client

    @property
    def owner(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {home_token(self.workspace.home)}"}


@contextlib.contextmanager
def serving(home: Path, **options: object) -> Iterator[Serving]:
    """The server; options are settings by name."""
    with open_workspace(home, actor="ada", **options) as workspace:
        server, _ = answering(workspace, "127.0.0.1", 0, static_prefix="/tracking")
        with server, httpx.Client(base_url=server.url, trust_env=False, timeout=30) as http:
            yield Serving(workspace, server, http)
