"""Keys: pairs on the curves P-256 and P-384, as PEM files; the private one is read by its owner alone."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from treadle.systems.train.signing.errors import KeyOpen, KeyUnusable

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey, EllipticCurvePublicKey

Curve = Literal["p256", "p384"]
CURVES: tuple[Curve, ...] = ("p256", "p384")

# cryptography takes 60 ms to import, and most commands sign nothing: hence the imports inside functions.


def create(path: Path, curve: Curve = "p256", *, password: str | None = None) -> Path:
    """Makes a key pair: the private key at `path`, the public one beside it with the suffix .pub; answers that.

    Raises KeyUnusable when there is a file already: a key is never written over.
    """
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    public_path = path.with_name(path.name + ".pub")
    if path.exists() or public_path.exists():
        raise KeyUnusable(f"There is a key at {path} already.", fix="Choose another name.")
    key = ec.generate_private_key(ec.SECP256R1() if curve == "p256" else ec.SECP384R1())
    secured: serialization.KeySerializationEncryption = serialization.NoEncryption()
    if password is not None:
        secured = serialization.BestAvailableEncryption(password.encode())
    private = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, secured)
    path.parent.mkdir(parents=True, exist_ok=True)
    _write(path, private, 0o600)
    _write(public_path, public_pem(key.public_key()), 0o644)
    return public_path


def private_key(path: Path, *, password: str | None = None) -> EllipticCurvePrivateKey:
    """The private key of a file. Raises KeyUnusable, KeyOpen."""
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    if path.is_file() and os.name == "posix" and path.stat().st_mode & 0o077:
        raise KeyOpen(
            f"Other users can read {path}.", why="Whoever has it can sign in your name.", fix=f"chmod 600 {path}"
        )
    try:
        key = serialization.load_pem_private_key(path.read_bytes(), None if password is None else password.encode())
    except (OSError, ValueError, TypeError) as error:
        raise KeyUnusable(f"{path} holds no private key that can be read.", why=str(error)) from error
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise _no_curve(str(path))
    _check_curve(str(path), key.public_key())
    return key


def public_key(path: Path) -> EllipticCurvePublicKey:
    """The public key of a file. Raises KeyUnusable."""
    try:
        return public_key_of(path.read_bytes(), str(path))
    except OSError as error:
        raise KeyUnusable(f"{path} cannot be read.", why=str(error)) from error


def public_key_of(pem: bytes, place: str = "The text") -> EllipticCurvePublicKey:
    """The public key in a PEM text. Raises KeyUnusable."""
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    try:
        key = serialization.load_pem_public_key(pem)
    except ValueError as error:
        raise KeyUnusable(f"{place} holds no public key that can be read.", why=str(error)) from error
    if not isinstance(key, ec.EllipticCurvePublicKey):
        raise _no_curve(place)
    _check_curve(place, key)
    return key


def public_pem(key: EllipticCurvePublicKey) -> bytes:
    """A public key as PEM."""
    from cryptography.hazmat.primitives import serialization

    return key.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)


def hint_of(key: EllipticCurvePublicKey) -> str:
    """By what a bundle names its key: the SHA-256 of the key's PEM text."""
    return hashlib.sha256(public_pem(key)).hexdigest()


def _check_curve(place: str, key: EllipticCurvePublicKey) -> None:
    if key.curve.name not in ("secp256r1", "secp384r1"):
        raise _no_curve(place)


def _no_curve(place: str) -> KeyUnusable:
    return KeyUnusable(
        f"{place} holds no key of the curves P-256 and P-384.", fix="Make one with: treadle models new-key FILE"
    )


def _write(path: Path, data: bytes, mode: int) -> None:
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
        file.write(data)
