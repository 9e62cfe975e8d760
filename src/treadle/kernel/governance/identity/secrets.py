"""Passwords, salted and stretched so that a stolen table is of little use; tokens, too random to need stretching."""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
import secrets

TOKEN_PREFIX = "tdl_"  # noqa: S105 -- the beginning of every token, for whoever looks for leaked ones
_LOG_N, _R, _P = 15, 8, 1
_MAX_MEMORY_BYTES = 256 << 20


def stretched(password: str, *, salt: bytes | None = None, log_n: int | None = None) -> str:
    """A password as it is stored: `scrypt$log2(N)$r$p$salt$key`. Cost: about 0.1 s and 32 MB (RFC 7914)."""
    salt = os.urandom(16) if salt is None else salt
    log_n = _LOG_N if log_n is None else log_n
    return f"scrypt${log_n}${_R}${_P}${_text(salt)}${_text(_key(password, salt, log_n, _R, _P))}"


def matches(password: str, stored: str) -> bool:
    """Whether the password is the one that was stored. As slow as `stretched`, and as slow when nothing was stored."""
    kind, _, rest = (stored or _NOTHING).partition("$")
    if kind != "scrypt":
        return False
    log_n, r, p, salt, key = rest.split("$")
    found = _key(password, base64.b64decode(salt), int(log_n), int(r), int(p))
    return hmac.compare_digest(found, base64.b64decode(key)) and bool(stored)


def new_token() -> str:
    """A token of 256 random bits."""
    return TOKEN_PREFIX + secrets.token_urlsafe(32)


def token_digest(token: str) -> str:
    """What is stored of a token."""
    return hashlib.sha256(token.encode("utf-8", "surrogateescape")).hexdigest()


def _key(password: str, salt: bytes, log_n: int, r: int, p: int) -> bytes:
    text = password.encode("utf-8", "surrogateescape")
    return hashlib.scrypt(text, salt=salt, n=1 << log_n, r=r, p=p, maxmem=_MAX_MEMORY_BYTES, dklen=32)


def _text(value: bytes) -> str:
    return base64.b64encode(value).decode("ascii")


_NOTHING = f"scrypt${_LOG_N}${_R}${_P}${_text(bytes(16))}${_text(bytes(32))}"
"""What a password is compared with where there is none, so that the time tells nobody which names exist."""
