"""Digests name their algorithm: `sha256:` and 64 hex letters."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Any

import msgspec

Digest = str
"""`sha256:<64 hex letters>`."""

_encode = msgspec.json.Encoder(order="sorted").encode


def of_bytes(data: bytes | bytearray | memoryview) -> Digest:
    """The digest of some bytes."""
    return "sha256:" + hashlib.sha256(data).hexdigest()


def of_chunks(chunks: Iterable[bytes | bytearray | memoryview]) -> Digest:
    """The digest of bytes that come in pieces; the same as that of the whole."""
    state = hashlib.sha256()
    for chunk in chunks:
        state.update(chunk)
    return "sha256:" + state.hexdigest()


def of_json(value: Any) -> Digest:
    """The digest of a value's canonical JSON (see `canonical_json`)."""
    return of_bytes(canonical_json(value))


def canonical_json(value: Any) -> bytes:
    """JSON with sorted keys and no white space, UTF-8. NaN and infinities are written as null, as msgspec does:
    whoever must tell them apart writes them as text first."""
    return _encode(value)


def is_digest(text: str) -> bool:
    """Whether the text has the form of a digest."""
    return len(text) == 71 and text.startswith("sha256:") and all(c in "0123456789abcdef" for c in text[7:])
