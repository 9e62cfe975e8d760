"""What is known of an artifact: small, frozen, and enough to find and read its bytes again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

INLINE_BYTES = 4096
"""Encoded values below this size travel inside the record and cost no file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Artifact:
    """Immutable content under the digest of its logical identity.

    digest: `sha256:…` of what the value *is*; equal values have equal digests, however they are stored.
    kind: frame, series, array, value, text, bytes, file, folder, model, or a name that the caller chose.
    codec: which codec wrote the bytes, and can read them.
    size_bytes: length of the encoded bytes; for a folder that of its files together.
    blob: `sha256:…` of the encoded bytes in the blob store; None when they are inline.
    inline: the encoded bytes of a small value; None when they are a blob.
    meta: JSON-able facts for people and for the codec (rows, columns, class, origin); no part of the identity.
    """

    digest: str
    kind: str
    codec: str
    size_bytes: int
    blob: str | None = None
    inline: bytes | None = None
    meta: Mapping[str, Any] = field(default_factory=dict)
