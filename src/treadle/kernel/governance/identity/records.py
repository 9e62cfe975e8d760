"""Accounts and tokens as others see them: without secrets."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

EVERY_PROJECT = "*"


@dataclass(frozen=True, slots=True, kw_only=True)
class User:
    """An account. `roles`: by project, `*` for every one. `has_password`: else it signs in by tokens alone."""

    name: str
    roles: dict[str, str]
    has_password: bool
    created_by: str
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessToken:
    """A token without its text. `expires_at`: None for one that holds until it is revoked."""

    id: str
    user: str
    label: str
    created_at: datetime
    expires_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class NewToken:
    """A token and its text, which is told this once."""

    token: AccessToken
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AddUser:
    """A new account: its role in some projects, or in every one. Without a password it signs in by tokens alone."""

    name: str
    password: str = ""
    role: str = "track"
    projects: list[str] = field(default_factory=lambda: [EVERY_PROJECT])


@dataclass(frozen=True, slots=True, kw_only=True)
class UserNamed:
    """One account."""

    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateToken:
    """A new token of a user. `days`: how long it holds; None for until it is revoked."""

    user: str
    label: str = ""
    days: int | None = 90


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenNamed:
    """One token by its id."""

    token: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """Somebody who has shown who they are: a name for the events, and roles by project."""

    actor: str
    roles: dict[str, str]
