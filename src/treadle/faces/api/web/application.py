"""The web application's part of the server: its routes, and what requests for it pass."""

from __future__ import annotations

from collections.abc import Callable

from starlette.middleware import Middleware
from starlette.routing import BaseRoute

import treadle
from treadle.assembly import Workspace
from treadle.faces.api.authentication import Authenticator
from treadle.faces.api.web.bundle import bundle_route
from treadle.faces.api.web.live import live_route
from treadle.faces.api.web.sessions import Sessions, SignedIn
from treadle.faces.api.web.signing_in import session_routes


def web_routes(
    workspace: Workspace, authenticator: Authenticator, sessions: Sessions, is_ending: Callable[[], bool]
) -> list[BaseRoute]:
    """Sign-in, live events, and last the pages, which take every path that is left."""
    return [
        *session_routes(sessions, authenticator, workspace.accounts, treadle.__version__),
        live_route(workspace.events, authenticator, is_ending),
        bundle_route(),
    ]


def inside(sessions: Sessions) -> list[Middleware]:
    """Turns the cookie of a session into credentials, once the guard has let a request in."""
    return [Middleware(SignedIn, sessions=sessions)]
