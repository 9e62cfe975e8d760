"""A running server over a fresh home, and rows of a run and a logged model whose artifacts it keeps."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import httpx

from treadle.assembly import Workspace, open_workspace
from treadle.faces.api import HomeToken, Server, build
from treadle.faces.api.authentication import HomeAndUsers
from treadle.faces.api.guarding import Doorkeeper
from treadle.faces.api.mlflow.asgi import MlflowFront
from treadle.faces.api.mlflow.dispatch import Dispatcher
from treadle.faces.api.mlflow.identity import ClientIdentifier
from treadle.kernel.governance import bind
from treadle.kernel.store.sql import parse

TOKEN = "t0k3n"
RUN = "0123456789abcdef0123456789abcdef"
FOREIGN_RUN = "f" * 32
MODEL = "m-0123456789abcdef"
ROOT = f"0/{RUN}/artifacts"
PROXY = "/api/2.0/mlflow-artifacts"
FILES = f"{PROXY}/artifacts"

_SQL = parse(
    """
-- name: run
insert into tracked_run (project, number, run, experiment, name, status, user_id, origin, lifecycle, artifact_uri)
values ('default', :number, :run, 0, 'r', 'RUNNING', 'ada', 'client', 'active', :uri)
-- name: model
insert into logged_model (project, model, experiment, name, artifact_location, created_ms, updated_ms, status, lifecycle)
values ('default', :model, 0, 'm', :uri, 0, 0, 1, 'active')
"""
)


class House:
    """See the module. `http` speaks for the owner of the home."""

    def __init__(self, workspace: Workspace, url: str, http: httpx.Client) -> None:
        self.workspace, self.url, self.http = workspace, url, http

    def put(self, path: str, data: bytes) -> httpx.Response:
        return self.http.put(f"{FILES}/{path}", content=data)

    def get(self, path: str, **headers: str) -> httpx.Response:
        return self.http.get(f"{FILES}/{path}", headers=headers)

    def list(self, path: str = "") -> list[dict[str, object]]:
        answer = self.http.get(FILES, params={"path": path})
        assert answer.status_code == 200
        return list(answer.json().get("files", []))


@contextlib.contextmanager
def served(home: Path, *, is_open: bool = False) -> Iterator[House]:
    """A house, for the length of a `with`."""
    with open_workspace(home) as workspace:
        _fill(workspace)
        authenticator = HomeAndUsers(HomeToken(TOKEN, actor="ada"), workspace.accounts)
        front = MlflowFront(
            build(bind([workspace.tracking.files, workspace.storage, workspace.accounts]), authenticator, version="0"),
            lambda: Dispatcher(workspace),
            ClientIdentifier(authenticator, is_local=is_open, actor="ada", project="default"),
            doorkeeper=Doorkeeper(),
        )
        headers = {} if is_open else {"Authorization": f"Bearer {TOKEN}"}
        with (
            Server(front, authenticator, port=0) as server,
            httpx.Client(base_url=server.url, headers=headers, timeout=30) as http,
        ):
            yield House(workspace, server.url, http)


def _fill(workspace: Workspace) -> None:
    workspace.store.write(
        lambda tx: tx.execute(_SQL["run"], {"number": 10**9, "run": RUN, "uri": f"mlflow-artifacts:/{ROOT}"})
    )
    workspace.store.write(
        lambda tx: tx.execute(_SQL["run"], {"number": 10**9 + 1, "run": FOREIGN_RUN, "uri": "s3://bucket/elsewhere"})
    )
    workspace.store.write(
        lambda tx: tx.execute(_SQL["model"], {"model": MODEL, "uri": f"mlflow-artifacts:/0/models/{MODEL}/artifacts"})
    )
