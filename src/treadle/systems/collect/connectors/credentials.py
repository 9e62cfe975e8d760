"""Credentials: named where a source is declared, looked up when it connects, struck out of whatever is said about it.

`secret://name` is a secret of the engine (`td.secret`: a variable TREADLE_SECRET_NAME, or a file), `env://NAME` a variable of
the environment. A cursor, an origin, an event never holds more than these references.
"""

from __future__ import annotations

import os
from urllib.parse import parse_qsl, quote, unquote, urlsplit, urlunsplit

from treadle.kernel.engine.secrets import Secret, SecretMissing, note_secret, redacted
from treadle.systems.collect.connectors.errors import SecretInPlainText

__all__ = ["holds_password", "redacted", "refuse_plain", "revealed", "with_password", "without_password"]

_SECRET, _ENVIRONMENT = "secret://", "env://"
_HIDING_PLACES = {"password", "passwd", "pwd", "token", "api_key", "apikey", "access_token", "key", "sig", "secret"}


def is_reference(value: str) -> bool:
    """Whether a text names a credential, and does not hold it."""
    return value.startswith((_SECRET, _ENVIRONMENT))


def refuse_plain(name: str, value: str | None) -> str | None:
    """The value, which is a reference or None. Raises SecretInPlainText for a credential itself."""
    if value is not None and not is_reference(value):
        raise SecretInPlainText(
            f"`{name}` holds a credential in plain text.",
            why="treadle.toml is read by everybody who reads the project, and goes into published bundles.",
            fix=f'Name it instead: {name} = "secret://NAME" and the variable TREADLE_SECRET_NAME, or "env://VARIABLE".',
            option=name,
        )
    return value


def revealed(reference: str | None) -> str | None:
    """The credential that a reference names; a text that is no reference is the credential. Raises SecretMissing."""
    if reference is None:
        return None
    if reference.startswith(_SECRET):
        return Secret(reference.removeprefix(_SECRET)).reveal()
    if not reference.startswith(_ENVIRONMENT):
        note_secret(reference)
        return reference
    variable = reference.removeprefix(_ENVIRONMENT)
    value = os.environ.get(variable)
    if value is None:
        raise SecretMissing(f"The variable {variable} is not set.", fix=f"Set {variable} where the source runs.")
    note_secret(value)
    return value


def with_password(url: str, password: str | None) -> str:
    """The URL with a password in it, escaped; what it had already is kept where none is given, and struck out of texts."""
    parts = urlsplit(url)
    found = revealed(password)
    if found is None:
        if parts.password:
            note_secret(unquote(parts.password))
            note_secret(parts.password)
        return url
    note_secret(quote(found, safe=""))
    user, host = parts.username or "", parts.netloc.rpartition("@")[2]
    return urlunsplit(parts._replace(netloc=f"{user}:{quote(found, safe='')}@{host}"))


def holds_password(url: str) -> bool:
    """Whether a URL has a password in it, before its host or in its query."""
    parts = urlsplit(url)
    asked = {name.lower() for name, _ in parse_qsl(parts.query, keep_blank_values=True)}
    return bool(parts.password) or not asked.isdisjoint(_HIDING_PLACES)


def without_password(url: str) -> str:
    """The URL as it may be shown: without password and without query, where keys like to hide."""
    bare = url.partition("#")[0].partition("?")[0]
    scheme, mark, rest = bare.partition("://")
    host, slash, path = rest.partition("/")
    user, at, place = host.rpartition("@")
    return f"{scheme}{mark}{user.partition(':')[0]}{at}{place}{slash}{path}" if mark else bare
