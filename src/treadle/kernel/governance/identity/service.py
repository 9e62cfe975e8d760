"""The verbs of users and tokens, and the two questions that a face asks: whose password, whose token is this?"""

from __future__ import annotations

import re
from datetime import timedelta

from treadle.ground.clock import Clock, to_micros
from treadle.ground.errors import did_you_mean
from treadle.ground.ids import NewId
from treadle.kernel.governance.callers import Caller
from treadle.kernel.governance.identity import secrets
from treadle.kernel.governance.identity.errors import (
    LifetimeInvalid,
    PasswordTooWeak,
    TokenNotFound,
    UserExists,
    UserNameInvalid,
    UserNotFound,
)
from treadle.kernel.governance.identity.ports import Journal
from treadle.kernel.governance.identity.records import (
    EVERY_PROJECT,
    AccessToken,
    AddUser,
    CreateToken,
    Identity,
    NewToken,
    TokenNamed,
    User,
    UserNamed,
)
from treadle.kernel.governance.identity.repository import AccountRows, TokenRows
from treadle.kernel.governance.identity.roles import permissions_of
from treadle.kernel.governance.verbs import verb
from treadle.kernel.store import Reader, Store, Transaction

_NAME = re.compile(r"[a-z0-9][a-z0-9._@-]{0,127}")
PASSWORD_MIN_LENGTH = 12

Users = list[User]
Tokens = list[AccessToken]


class Accounts:
    """Users, their roles by project, and their tokens."""

    def __init__(self, store: Store, journal: Journal, clock: Clock, new_id: NewId) -> None:
        self._store, self._journal, self._clock, self._new_id = store, journal, clock, new_id
        self._accounts, self._tokens = AccountRows(), TokenRows()

    @verb("users.add", permission="user.write", event="user.added")
    def add(self, caller: Caller, request: AddUser) -> User:
        """The new account. Raises UserNameInvalid, PasswordTooWeak, RoleUnknown, UserExists."""
        if not _NAME.fullmatch(request.name):
            raise UserNameInvalid(
                f"{request.name!r} cannot be a user's name.",
                fix="Small letters, digits, '.', '_', '@' and '-', at most 128.",
            )
        if request.password and len(request.password) < PASSWORD_MIN_LENGTH:
            raise PasswordTooWeak(
                f"The password has fewer than {PASSWORD_MIN_LENGTH} letters.", fix="Take a longer one."
            )
        permissions_of(request.role)
        stored = secrets.stretched(request.password) if request.password else ""
        at = to_micros(self._clock())
        projects = request.projects or [EVERY_PROJECT]

        def write(tx: Transaction) -> User:
            if not self._accounts.add(tx, request.name, stored, by=caller.actor, at=at):
                raise UserExists(
                    f"There is a user {request.name!r} already.", fix="Take another name, or remove that one."
                )
            for project in projects:
                self._accounts.give(tx, request.name, project, request.role)
            self._note(tx, caller, "user.added", request.name, {"role": request.role, "projects": projects})
            return self._user(tx, request.name)

        return self._store.write(write, durable=True)

    @verb("users.list", permission="user.read")
    def list(self, caller: Caller) -> Users:
        """Every account, by name."""
        with self._store.read() as reader:
            return self._accounts.all(reader)

    @verb("users.remove", permission="user.write", event="user.removed")
    def remove(self, caller: Caller, request: UserNamed) -> None:
        """Removes an account with its tokens: within seconds nobody signs in by them. Raises UserNotFound."""

        def write(tx: Transaction) -> None:
            self._user(tx, request.name)
            self._accounts.remove(tx, request.name)
            self._note(tx, caller, "user.removed", request.name, {})

        self._store.write(write, durable=True)

    @verb("tokens.create", permission="user.write", event="token.created")
    def create_token(self, caller: Caller, request: CreateToken) -> NewToken:
        """A new token with its text, which is told this once. Raises UserNotFound, LifetimeInvalid."""
        if request.days is not None and not 0 < request.days <= 3650:
            raise LifetimeInvalid(f"A token cannot hold for {request.days} days.", fix="1 to 3650, or none for no end.")
        text, now = secrets.new_token(), self._clock()
        until = None if request.days is None else now + timedelta(days=request.days)
        token = AccessToken(
            id=self._new_id("tok"), user=request.user, label=request.label, created_at=now, expires_at=until
        )

        def write(tx: Transaction) -> NewToken:
            self._user(tx, request.user)
            digest, ends = secrets.token_digest(text), None if until is None else to_micros(until)
            self._tokens.add(tx, token, digest, at=to_micros(now), until=ends)
            self._note(tx, caller, "token.created", request.user, {"token": token.id, "label": request.label})
            return NewToken(token=token, text=text)

        return self._store.write(write, durable=True)

    @verb("tokens.list", permission="user.read")
    def tokens(self, caller: Caller) -> Tokens:
        """Every token without its text, by user."""
        with self._store.read() as reader:
            return self._tokens.all(reader)

    @verb("tokens.revoke", permission="user.write", event="token.revoked")
    def revoke_token(self, caller: Caller, request: TokenNamed) -> AccessToken:
        """The token, which holds no longer. Raises TokenNotFound."""

        def write(tx: Transaction) -> AccessToken:
            found = self._tokens.named(tx, request.token)
            if found is None:
                raise TokenNotFound(f"There is no token {request.token!r}.", fix="List them with: treadle tokens list")
            self._tokens.remove(tx, request.token)
            self._note(tx, caller, "token.revoked", found.user, {"token": found.id, "label": found.label})
            return found

        return self._store.write(write, durable=True)

    # What a face asks

    def has_users(self) -> bool:
        """Whether anybody has an account here."""
        with self._store.read() as reader:
            return self._accounts.is_any(reader)

    def by_password(self, name: str, password: str) -> Identity | None:
        """Who has this name and password, or None. Cost: 0.1 s, whether they are right or wrong."""
        with self._store.read() as reader:
            stored, user = self._accounts.password(reader, name), self._accounts.find(reader, name)
        is_right = secrets.matches(password, stored)
        return Identity(actor=name, roles=user.roles) if is_right and user is not None else None

    def by_token(self, text: str) -> Identity | None:
        """Whose token this is, or None when it is nobody's, revoked, or over."""
        with self._store.read() as reader:
            token = self._tokens.find(reader, secrets.token_digest(text))
            user = None if token is None else self._accounts.find(reader, token.user)
        if token is None or user is None or (token.expires_at is not None and token.expires_at <= self._clock()):
            return None
        return Identity(actor=user.name, roles=user.roles)

    def _user(self, reader: Reader, name: str) -> User:
        found = self._accounts.find(reader, name)
        if found is None:
            known = [user.name for user in self._accounts.all(reader)]
            raise UserNotFound(f"There is no user {name!r}.", why=did_you_mean(name, known), user=name)
        return found

    def _note(self, tx: Transaction, caller: Caller, kind: str, user: str, body: dict[str, object]) -> None:
        self._journal.append(
            tx, project=caller.project, kind=kind, subject=f"user/{user}", actor=caller.actor, body=body
        )
