"""`treadle up`: everything that a home needs to work by itself."""

from __future__ import annotations

import signal
from collections.abc import Callable
from typing import Annotated, Any

import treadle
from treadle.faces.api import HomeToken, Server, build
from treadle.faces.cli.session import Session
from treadle.faces.project_files import is_project
from treadle.faces.tokens import FILE_NAME, home_token
from treadle.faces.up import HomeLock, Household
from treadle.faces.up.logs import logger


def up(
    session: Session,
    *,
    host: Annotated[str | None, "the address (default: the setting; loopback only)"] = None,
    port: Annotated[int | None, "the API's port; 0 takes a free one (default: the setting)"] = None,
    serve_port: Annotated[int | None, "the model server's port; 0 takes a free one (default: the setting)"] = None,
) -> int:
    """Serves the API and the deployed models, and runs what is scheduled, until it is stopped.

    It starts what schedules and triggers ask for, lands predictions in datasets, keeps the model server alive, and
    publishes the project when its files change. One works in a home at a time. Stopped (Ctrl-C, SIGTERM) it answers what
    is under way; killed, it loses nothing, and the next one goes on.

    Programs send the token of the home, which only you can read: Authorization: Bearer, and the text of api.token.
    """
    settings, workspace = session.settings, session.workspace
    with HomeLock(settings.home):
        authenticator = HomeToken(home_token(settings.home), actor=workspace.actor, project=settings.project)
        app = build(
            workspace.bound(), authenticator, version=treadle.__version__, body_max_bytes=settings.body_max_bytes
        )
        server = Server(app, authenticator, host=host or settings.host, port=settings.port if port is None else port)
        log = logger(session.out.stderr, as_json=session.out.as_json)
        chosen = settings.serve_port if serve_port is None else serve_port
        household = Household(workspace, log, serve_port=chosen)
        # Until the API's own handlers stand, the signal that `kill` sends must not skip the way out.
        signal.signal(signal.SIGTERM, _as_ctrl_c)
        try:
            household.start()
            server.run(_announcing(session, server.url, household))
        except KeyboardInterrupt:
            pass
        finally:
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            session.out.note("stopping: what is under way is answered first")
            server.stop()
            household.stop()
    session.out.note("stopped")
    return 0


def _announcing(session: Session, url: str, household: Household) -> Callable[[], None]:
    settings = session.settings
    token_file = settings.home / FILE_NAME

    def announce() -> None:
        models = household.models.url
        answer = {"url": url, "models_url": models, "home": settings.home, "token_file": token_file}
        sheet: dict[str, object] = {"API": url, "models": models or "not yet: see the log"}
        sheet |= {"project": settings.project, "home": settings.home, "token": token_file}
        root = settings.project_root
        sheet |= {"code": f"{root} is published whenever its files change" if is_project(root) else None}
        session.out.show(answer, lambda paper: paper.sheet(sheet))
        session.out.stdout.flush()

    return announce


def _as_ctrl_c(*_: Any) -> None:
    raise KeyboardInterrupt
