"""Who asks over the protocol: headers as stock clients send them, turned into a caller.

`X-MLFLOW-WORKSPACE` names the project. Where the home knows no users and the server listens on loopback alone, a request
without credentials comes from the person at this machine, as far as tracking goes: it gets a caller of that name with
these permissions and no others.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from treadle.faces.api.authentication import Authenticator, checked_project
from treadle.kernel.governance import Caller
from treadle.kernel.governance.identity.roles import TRACKING

WORKSPACE = "x-mlflow-workspace"
_MAX_LIMITED = 64


class Identifier(Protocol):
    """Turns the headers of a request into its caller."""

    def recall(self, headers: Mapping[str, str]) -> Caller | None:
        """The caller where that is known at once, and needs no computing and no store."""

    def identify(self, headers: Mapping[str, str]) -> Caller:
        """The caller; may take 0.1 s. Raises Unauthenticated, ProjectInvalid, PermissionDenied."""


class ClientIdentifier:
    """Callers by the authenticator of the API; on loopback, while the home has no users, also those who show nothing.

    is_local: whether the server listens on loopback alone.
    """

    def __init__(self, authenticator: Authenticator, *, is_local: bool, actor: str, project: str) -> None:
        self._authenticator, self._is_local, self._actor, self._project = authenticator, is_local, actor, project
        self._limited: dict[str | None, Caller] = {None: self._limited_caller(None)}

    def recall(self, headers: Mapping[str, str]) -> Caller | None:
        authorization = headers.get("authorization")
        if authorization is not None:
            return self._authenticator.recall(authorization, headers.get(WORKSPACE))
        return self._limited.get(headers.get(WORKSPACE)) if self._is_open() else None

    def identify(self, headers: Mapping[str, str]) -> Caller:
        workspace = headers.get(WORKSPACE)
        if "authorization" in headers or not self._is_open():
            return self._authenticator.identify(headers.get("authorization", ""), workspace)
        caller = self._limited_caller(workspace)
        if len(self._limited) < _MAX_LIMITED:
            self._limited[workspace] = caller
        return caller

    def _is_open(self) -> bool:
        return self._is_local and not self._authenticator.knows_users

    def _limited_caller(self, workspace: str | None) -> Caller:
        project = self._project if workspace is None else checked_project(workspace)
        return Caller(project=project, actor=self._actor, permissions=TRACKING)


class _Anybody:
    """Asks nobody for anything, and permits nothing: for the routes that tell what everybody may know."""

    def recall(self, headers: Mapping[str, str]) -> Caller | None:
        return _NOBODY

    def identify(self, headers: Mapping[str, str]) -> Caller:
        return _NOBODY


_NOBODY = Caller(project="", actor="anybody", permissions=frozenset())
ANYBODY = _Anybody()
