"""Who is asking: the port, and the home's token, which is its answer on a laptop."""

from __future__ import annotations

import hmac
from typing import Protocol

from treadle.faces.api.errors import ListeningRefused, ProjectInvalid, Unauthenticated
from treadle.ground.settings import Settings
from treadle.kernel.governance import EVERYTHING, Caller

LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})


class Authenticator(Protocol):
    """Turns a bearer token into a caller."""

    knows_users: bool
    """Whether it tells people apart; only then may the server listen beyond loopback."""

    def identify(self, token: str, project: str | None) -> Caller:
        """The caller with this token, in this project or in that of the token. Raises Unauthenticated, ProjectInvalid."""


class HomeToken:
    """The one token of a home: whoever has it is the home's owner, and may do everything, in any project of it.

    project: the one that is meant where a request names none.
    """

    knows_users = False

    def __init__(self, token: str, actor: str, project: str = "default") -> None:
        self._token, self._actor, self._project = token.encode(), actor, project

    def identify(self, token: str, project: str | None) -> Caller:
        if not hmac.compare_digest(token.encode(), self._token):
            raise Unauthenticated(
                "The token is missing or is not that of this home." if token else "The API needs a token.",
                why="Every program on this machine can reach the port; the token shows that yours may.",
                fix="Send the text of api.token in the home: Authorization: Bearer …",
            )
        if project is None:
            return Caller(project=self._project, actor=self._actor, permissions=EVERYTHING)
        return Caller(project=checked_project(project), actor=self._actor, permissions=EVERYTHING)


def checked_project(name: str) -> str:
    """The name, if it can be a project's: it becomes part of paths. Raises ProjectInvalid."""
    try:
        return Settings.project.parse(name)
    except ValueError as error:
        raise ProjectInvalid(f"{name!r} cannot be a project.", why=f"Here {error}.") from error


def require_safe_address(host: str, authenticator: Authenticator) -> None:
    """Raises ListeningRefused for an address beyond loopback when users cannot be told apart."""
    if host not in LOOPBACK and not authenticator.knows_users:
        raise ListeningRefused(
            f"The API does not listen on {host!r}.",
            why="Beyond loopback everybody on the network reaches it, and one shared token tells nobody apart.",
            fix="Listen on 127.0.0.1 and reach it through a tunnel: ssh -L 4700:127.0.0.1:4700 HOST",
            host=host,
        )
