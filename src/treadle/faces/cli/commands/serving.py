"""`treadle up`: the API of this home."""

from __future__ import annotations

from typing import Annotated

import treadle
from treadle.faces.api import HomeToken, Server, build
from treadle.faces.cli.session import Session
from treadle.faces.tokens import FILE_NAME, home_token


def up(
    session: Session,
    *,
    host: Annotated[str | None, "the address (default: the setting; loopback only)"] = None,
    port: Annotated[int | None, "the port; 0 takes a free one (default: the setting)"] = None,
) -> int:
    """Serves the API of this home until it is stopped; what is under way is answered first.

    Programs send the token of the home, which only you can read: Authorization: Bearer, and the text of api.token.
    """
    settings, workspace = session.settings, session.workspace
    authenticator = HomeToken(home_token(settings.home), actor=workspace.actor, project=settings.project)
    app = build(workspace.bound(), authenticator, version=treadle.__version__, body_max_bytes=settings.body_max_bytes)
    server = Server(app, authenticator, host=host or settings.host, port=settings.port if port is None else port)
    answer = {"url": server.url, "home": settings.home, "token_file": settings.home / FILE_NAME}

    def announce() -> None:
        sheet = {"API": server.url, "home": settings.home, "token": settings.home / FILE_NAME}
        session.out.show(answer, lambda paper: paper.sheet(sheet))
        session.out.stdout.flush()

    try:
        server.run(announce)
    except KeyboardInterrupt:
        session.out.note("stopped")
    finally:
        server.stop()
    return 0
