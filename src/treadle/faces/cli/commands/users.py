"""`treadle users` and `treadle tokens`: who may sign in here, and what programs sign in with."""

from __future__ import annotations

import getpass
import sys
from typing import Annotated

from treadle.faces.cli.rendering import Paper, cell
from treadle.faces.cli.session import Session
from treadle.faces.cli.signatures import UsageWrong

Name = Annotated[str, "the user's name"]


def add(
    session: Session,
    name: Name,
    *,
    role: Annotated[str, "admin, write, track or read"] = "track",
    only_in: Annotated[
        list[str] | None, "a project where the role holds; again for more (default: in every one)"
    ] = None,
    password_stdin: Annotated[bool, "read the password from the first line of the input"] = False,
    no_password: Annotated[bool, "none: the user signs in by tokens alone"] = False,
) -> None:
    """Adds a user. The password is asked for; it is kept salted and stretched.

    `track` logs and reads experiments, models, artifacts and traces; `write` changes the rest as well; `read` changes
    nothing; `admin` may do everything, also add users. From the first user on the server asks everybody for credentials.
    """
    password = "" if no_password else _password(sys.stdin.readline().rstrip("\n") if password_stdin else None)
    user = session.client.users.add(name=name, password=password, role=role, projects=only_in or ["*"])
    session.out.show(user, lambda paper: paper.line(f"{user.name} may sign in as {cell(user.roles)}."))


def list_all(session: Session) -> None:
    """Every user with their roles."""
    users = session.client.users.list()

    def draw(paper: Paper) -> None:
        rows = [
            (each.name, cell(each.roles), "yes" if each.has_password else "no", each.created_by, each.created_at)
            for each in users
        ]
        paper.table(("user", "roles", "password", "added by", "at"), rows, empty="No users: only the home's owner.")

    session.out.show(users, draw)


def remove(session: Session, name: Name, *, yes: Annotated[bool, "do not ask"] = False) -> None:
    """Removes a user with their tokens. What they did stays under their name."""
    session.confirm(f"Remove the user {name} and every token of theirs?", yes=yes)
    session.client.users.remove(name=name)
    session.out.show({"removed": name}, lambda paper: paper.line(f"{name} signs in no more."))


def create_token(
    session: Session,
    name: Name,
    *,
    label: Annotated[str, "what it is for"] = "",
    days: Annotated[int, "how long it holds; 0 for until it is revoked"] = 90,
) -> None:
    """Makes a token of a user and prints it, once: MLFLOW_TRACKING_TOKEN, or Authorization: Bearer."""
    made = session.client.tokens.create(user=name, label=label, days=days or None)
    session.out.show(made, lambda paper: paper.line(made.text))


def list_tokens(session: Session) -> None:
    """Every token, without its text."""
    tokens = session.client.tokens.list()

    def draw(paper: Paper) -> None:
        rows = [(each.id, each.user, each.label, each.created_at, each.expires_at or "never") for each in tokens]
        paper.table(("token", "user", "for", "made", "ends"), rows, empty="No tokens.")

    session.out.show(tokens, draw)


def revoke_token(session: Session, token: Annotated[str, "the token's id: tok_…"]) -> None:
    """Ends a token; a server that runs forgets it within seconds."""
    ended = session.client.tokens.revoke(token=token)
    session.out.show(ended, lambda paper: paper.line(f"{ended.id} of {ended.user} holds no more."))


def _password(given: str | None) -> str:
    if given is not None:
        return given
    if not sys.stdin.isatty():
        raise UsageWrong("Nobody is there to type a password.", fix="--password-stdin, or --no-password and a token.")
    first, second = getpass.getpass("Password: "), getpass.getpass("Again: ")
    if first != second:
        raise UsageWrong("The two passwords differ.")
    return first
