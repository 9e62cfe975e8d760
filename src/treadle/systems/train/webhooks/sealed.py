"""Secrets at rest: sealed with AES-256-GCM under a key that is not in the store.

The key is the secret `webhook-key` where the operator sets one (for several hosts on one store), else a file of the home
that its owner alone can read. What is sealed is bound to its webhook, so that no row's secret opens in another row.
"""

from __future__ import annotations

import hashlib
import os
import secrets
from collections.abc import Callable
from pathlib import Path

from treadle.kernel.engine.secrets import SecretMissing, secret
from treadle.systems.train.webhooks.errors import SealBroken

FILE_NAME = "webhook.key"
_NONCE_BYTES = 12

Key = Callable[[], bytes]


class Seal:
    """Seals and opens. key: asked when it is first needed."""

    def __init__(self, key: Key) -> None:
        self._key = key

    def close(self, webhook: str, text: str) -> bytes:
        """The sealed text."""
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM  # 60 ms that nobody else should pay

        nonce = secrets.token_bytes(_NONCE_BYTES)
        return nonce + AESGCM(self._key()).encrypt(nonce, text.encode(), webhook.encode())

    def open(self, webhook: str, sealed: bytes) -> str:
        """The text. Raises SealBroken."""
        from cryptography.exceptions import InvalidTag
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        nonce, rest = sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:]
        try:
            return AESGCM(self._key()).decrypt(nonce, rest, webhook.encode()).decode()
        except InvalidTag:
            raise SealBroken(
                "The secret of a webhook cannot be opened.",
                why="It was sealed with another key.",
                fix="Write the webhook's secret again, or bring back the key that was there.",
                webhook=webhook,
            ) from None


def home_key(home: Path) -> bytes:
    """The key of a home: 256 bits. Raises SealBroken when others can read its file."""
    try:
        return hashlib.sha256(secret("webhook-key").reveal().encode()).digest()
    except SecretMissing:
        return _file_key(home / FILE_NAME)


def _file_key(path: Path) -> bytes:
    if not path.exists():
        _create(path)
    if os.name == "posix" and path.stat().st_mode & 0o077:
        raise SealBroken(
            f"Other users can read {path}.",
            why="Whoever has this key can open the secrets of webhooks.",
            fix=f"chmod 600 {path}",
        )
    return bytes.fromhex(path.read_text(encoding="ascii").strip())


def _create(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{FILE_NAME}.{os.getpid()}.{secrets.token_hex(4)}")
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="ascii") as file:
        file.write(secrets.token_hex(32) + "\n")
        file.flush()
        os.fsync(file.fileno())
    try:
        os.link(draft, path)
    except FileExistsError:
        pass  # another process was first; its key holds
    finally:
        draft.unlink()
