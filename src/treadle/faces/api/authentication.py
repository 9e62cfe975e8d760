"""Who is asking: the port, the home's token, which is its answer on a laptop, and users with passwords and tokens."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import threading
import time
from typing import NamedTuple, Protocol

from treadle.faces.api.errors import ListeningRefused, ProjectInvalid, Unauthenticated
from treadle.ground.settings import Settings
from treadle.kernel.governance import EVERYTHING, Caller
from treadle.kernel.governance.identity.errors import NoAccess
from treadle.kernel.governance.identity.records import EVERY_PROJECT, Identity
from treadle.kernel.governance.identity.roles import permissions_of
from treadle.kernel.governance.identity.secrets import TOKEN_PREFIX
from treadle.kernel.governance.identity.service import Accounts

LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
REMEMBERED_S = 10.0
"""How long somebody who has shown who they are need not do so again; so long a revoked token may still open the door."""
LOOK_FOR_USERS_S = 2.0
_MAX_REMEMBERED = 1024
_STRETCHES_AT_ONCE = 2


class Authenticator(Protocol):
    """Turns an Authorization header into a caller."""

    @property
    def knows_users(self) -> bool:
        """Whether it tells people apart; only then may the server listen beyond loopback."""

    def recall(self, authorization: str, project: str | None) -> Caller | None:
        """The caller, where that takes neither the store nor much computing; None where `identify` has to be asked."""

    def identify(self, authorization: str, project: str | None) -> Caller:
        """The caller with these credentials, in this project or in their own; may take 0.1 s.

        Raises Unauthenticated, ProjectInvalid, NoAccess.
        """


class Credentials(NamedTuple):
    """What an Authorization header holds: a token, or a name and a password."""

    name: str
    secret: str
    is_basic: bool

    @classmethod
    def of(cls, authorization: str) -> Credentials:
        """The credentials of a header; empty ones where it holds none that are understood."""
        scheme, _, value = authorization.partition(" ")
        if scheme.lower() == "bearer":
            return cls("", value.strip(), False)
        if scheme.lower() == "basic":
            try:
                name, colon, secret = base64.b64decode(value.strip(), validate=True).decode("utf-8").partition(":")
            except (binascii.Error, UnicodeDecodeError):
                return cls("", "", True)
            if colon:
                return cls(name, secret, True)
        return cls("", "", False)


class HomeToken:
    """The one token of a home: whoever has it is the home's owner, and may do everything, in any project of it.

    project: the one that is meant where a request names none.
    """

    knows_users = False

    def __init__(self, token: str, actor: str, project: str = "default") -> None:
        self._token, self._actor, self._project = token.encode(), actor, project

    def recall(self, authorization: str, project: str | None) -> Caller | None:
        secret = Credentials.of(authorization).secret
        if not hmac.compare_digest(secret.encode("utf-8", "surrogateescape"), self._token):
            return None
        named = self._project if project is None else checked_project(project)
        return Caller(project=named, actor=self._actor, permissions=EVERYTHING)

    def identify(self, authorization: str, project: str | None) -> Caller:
        caller = self.recall(authorization, project)
        if caller is None:
            raise Unauthenticated(
                "The token is missing or is not that of this home." if authorization else "The API needs a token.",
                why="Every program on this machine can reach the port; the token shows that yours may.",
                fix="Send the text of api.token in the home: Authorization: Bearer …",
            )
        return caller


class HomeAndUsers:
    """The home's owner by the home's token, and its users by password or token, each with their role in a project."""

    def __init__(self, owner: HomeToken, accounts: Accounts, *, project: str = "default") -> None:
        self._owner, self._accounts, self._project = owner, accounts, project
        self._known: dict[bytes, tuple[Identity, float]] = {}
        self._stretching = threading.BoundedSemaphore(_STRETCHES_AT_ONCE)
        self._has_users, self._looked_at = False, float("-inf")

    @property
    def knows_users(self) -> bool:
        """Whether the home has users now; looked up every other second."""
        now = time.monotonic()
        if now - self._looked_at > LOOK_FOR_USERS_S:
            self._has_users, self._looked_at = self._accounts.has_users(), now
        return self._has_users

    def recall(self, authorization: str, project: str | None) -> Caller | None:
        known = self._known.get(_key(authorization))
        if known is not None and known[1] > time.monotonic():
            return self._caller(known[0], project)
        return self._owner.recall(authorization, project)

    def identify(self, authorization: str, project: str | None) -> Caller:
        found = self.recall(authorization, project)
        if found is not None:
            return found
        identity = self._shown(Credentials.of(authorization))
        if identity is None:
            raise Unauthenticated(
                "The user, the password or the token is not right." if authorization else "Who is asking?",
                why="Only users of this home are answered.",
                fix="Set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, or MLFLOW_TRACKING_TOKEN; "
                "programs of your own send Authorization: Bearer …",
            )
        if len(self._known) >= _MAX_REMEMBERED:
            self._known.clear()
        self._known[_key(authorization)] = (identity, time.monotonic() + REMEMBERED_S)
        return self._caller(identity, project)

    def _shown(self, given: Credentials) -> Identity | None:
        if given.secret.startswith(TOKEN_PREFIX):
            identity = self._accounts.by_token(given.secret)
            is_of_another = identity is not None and given.is_basic and given.name not in ("", identity.actor)
            return None if is_of_another else identity
        if not given.is_basic or not given.name or not given.secret:
            return None
        with self._stretching:
            return self._accounts.by_password(given.name, given.secret)

    def _caller(self, identity: Identity, project: str | None) -> Caller:
        named = self._usual_project(identity) if project is None else checked_project(project)
        role = identity.roles.get(named, identity.roles.get(EVERY_PROJECT))
        if role is None:
            raise NoAccess(
                f"{identity.actor} has no access to the project {named!r}.",
                fix="Name a project of yours, or ask whoever administers this home.",
                project=named,
            )
        return Caller(project=named, actor=identity.actor, permissions=permissions_of(role))

    def _usual_project(self, identity: Identity) -> str:
        """The home's project where the user may be there, else the first of theirs."""
        if self._project in identity.roles or EVERY_PROJECT in identity.roles:
            return self._project
        return next(iter(identity.roles), self._project)


def _key(authorization: str) -> bytes:
    return hashlib.sha256(authorization.encode("utf-8", "surrogateescape")).digest()


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
            why="Beyond loopback everybody on the network reaches it, and this home has no users to tell apart.",
            fix="Add one first: treadle users add NAME --role admin. Or listen on 127.0.0.1 and reach it through a "
            "tunnel: ssh -L 4700:127.0.0.1:4700 HOST",
            host=host,
        )
