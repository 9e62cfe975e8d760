"""What answers on the port of `treadle up`: MLflow's protocol first, then the verbs, which are made when they are asked for."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

import treadle
from treadle.assembly import Workspace
from treadle.faces.api.authentication import LOOPBACK, HomeAndUsers, HomeToken
from treadle.faces.api.guarding import Doorkeeper
from treadle.faces.api.metering import Meter
from treadle.faces.api.mlflow.asgi import MlflowFront
from treadle.faces.api.mlflow.dispatch import Dispatcher
from treadle.faces.api.mlflow.identity import ClientIdentifier
from treadle.faces.api.opening import OpenedLater
from treadle.faces.api.server import Server
from treadle.faces.tokens import home_token

if TYPE_CHECKING:
    from treadle.faces.api.web.sessions import Sessions


def answering(
    workspace: Workspace, host: str, port: int, *, hosts: Sequence[str] = (), static_prefix: str = ""
) -> tuple[Server, MlflowFront]:
    """The server, which listens from now on and answers once it is started, and the front of MLflow's protocol in it.

    hosts: further names under which it is reached; `*` for any. Raises ListeningRefused, AddressTaken, TokenFileOpen.
    """
    settings = workspace.settings
    token = home_token(settings.home)
    owner = HomeToken(token, actor=workspace.actor, project=settings.project)
    authenticator = HomeAndUsers(owner, workspace.accounts, project=settings.project)
    is_local = host in LOOPBACK
    # Beyond loopback no request is answered without credentials of its own, so the name it comes under says nothing.
    names = None if "*" in hosts or not (is_local or hosts) else hosts
    meter = Meter()

    @cache
    def sessions() -> Sessions:
        from treadle.faces.api.web.sessions import Sessions  # what seals cookies is loaded when the first one comes

        return Sessions(token)

    def verbs() -> Any:
        from treadle.faces.api.application import build
        from treadle.faces.api.pages import page_routes
        from treadle.faces.api.web.application import inside, web_routes

        bound = workspace.bound()
        return build(
            bound,
            authenticator,
            version=treadle.__version__,
            hosts=names,
            body_max_bytes=settings.body_max_bytes,
            meter=meter,
            foreign_routes=[
                *page_routes(bound, authenticator),
                *web_routes(workspace, authenticator, sessions(), lambda: server.is_ending),
            ],
            inside=inside(sessions()),
        )

    front = MlflowFront(
        OpenedLater(verbs),
        lambda: Dispatcher(workspace),
        ClientIdentifier(authenticator, is_local=is_local, actor=workspace.actor, project=settings.project),
        doorkeeper=Doorkeeper(names),
        meter=meter,
        version=treadle.__version__,
        body_max_bytes=settings.body_max_bytes,
        static_prefix=static_prefix,
        session=lambda scope: sessions().authorization(scope),
    )
    server = Server(front, authenticator, host=host, port=port)
    return server, front
