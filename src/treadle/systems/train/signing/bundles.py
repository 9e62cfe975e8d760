"""Statements about a model's files, and the bundles that sign them.

The statement is in-toto's, of OpenSSF's model signing: every file with its SHA-256, and one digest over all of these in their
order. Beside them stands what else is known of the version, so that the signature covers it; other verifiers pass over it.
The bundle is Sigstore's with a DSSE envelope, signed with a key.
Source: model_signing 1.0 (predicate https://model_signing/signature/v1.0), DSSE 1.0, Sigstore bundle 0.3.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec

from treadle.systems.train.signing.errors import BundleUnreadable, SignatureWrong
from treadle.systems.train.signing.keys import hint_of

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, EllipticCurvePrivateKey, EllipticCurvePublicKey

MEDIA_TYPE = "application/vnd.dev.sigstore.bundle.v0.3+json"
_PAYLOAD_TYPE = "application/vnd.in-toto+json"
_STATEMENT, _PREDICATE = "https://in-toto.io/Statement/v1", "https://model_signing/signature/v1.0"
_ABOUT = "treadle"
_ADDED = (".git", ".gitattributes", ".github", ".gitignore", "registered_model_meta")
"""What tools put beside the files when they take them along: git, and MLflow's client, which notes name and version."""


@dataclass(frozen=True, slots=True)
class Statement:
    """What was signed. files: SHA-256 in hexadecimal letters by path. about: what else is known of the version."""

    name: str
    files: Mapping[str, str]
    ignored: Sequence[str]
    about: Mapping[str, Any]


def statement_of(name: str, files: Mapping[str, str], about: Mapping[str, Any]) -> bytes:
    """The statement as JSON, the same for the same facts. files: SHA-256 in hexadecimal letters by path."""
    listed = sorted(files.items())
    root = hashlib.sha256(b"".join(bytes.fromhex(digest) for _, digest in listed)).hexdigest()
    statement = {
        "_type": _STATEMENT,
        "subject": [{"name": name, "digest": {"sha256": root}}],
        "predicateType": _PREDICATE,
        "predicate": {
            "serialization": {
                "method": "files",
                "hash_type": "sha256",
                "allow_symlinks": False,
                "ignore_paths": [path for path in _ADDED if path not in files],
            },
            "resources": [{"name": path, "algorithm": "sha256", "digest": digest} for path, digest in listed],
            _ABOUT: about,
        },
    }
    return msgspec.json.encode(statement, order="sorted")


def signed(statement: bytes, key: EllipticCurvePrivateKey) -> dict[str, Any]:
    """The bundle that signs a statement."""
    signature = key.sign(_pae(statement), _algorithm(key.public_key()))
    return {
        "mediaType": MEDIA_TYPE,
        "verificationMaterial": {"publicKey": {"hint": hint_of(key.public_key())}, "tlogEntries": []},
        "dsseEnvelope": {
            "payload": base64.b64encode(statement).decode(),
            "payloadType": _PAYLOAD_TYPE,
            "signatures": [{"sig": base64.b64encode(signature).decode(), "keyid": ""}],
        },
    }


def payload_of(bundle: Mapping[str, Any]) -> bytes:
    """The statement in a bundle, whose signature nobody has looked at. Raises BundleUnreadable."""
    try:
        if bundle["mediaType"] != MEDIA_TYPE or bundle["dsseEnvelope"]["payloadType"] != _PAYLOAD_TYPE:
            raise BundleUnreadable("This is a bundle of another kind than a model's signature.")
        return base64.b64decode(bundle["dsseEnvelope"]["payload"], validate=True)
    except (KeyError, TypeError, binascii.Error) as error:
        raise BundleUnreadable("This is no bundle of a model's signature.", why=repr(error)) from error


def verified(bundle: Mapping[str, Any], key: EllipticCurvePublicKey) -> Statement:
    """What a bundle says, once its signature is known to be the key's. Raises BundleUnreadable, SignatureWrong."""
    from cryptography.exceptions import InvalidSignature

    payload = payload_of(bundle)
    hint = bundle.get("verificationMaterial", {}).get("publicKey", {}).get("hint")
    if hint and hint != hint_of(key):
        raise SignatureWrong(
            "The bundle was signed with another key.", why=f"It names the key {hint}; this one is {hint_of(key)}."
        )
    try:
        signature = base64.b64decode(bundle["dsseEnvelope"]["signatures"][0]["sig"], validate=True)
        key.verify(signature, _pae(payload), _algorithm(key))
    except (KeyError, IndexError, TypeError, binascii.Error) as error:
        raise BundleUnreadable("The bundle holds no signature.", why=repr(error)) from error
    except InvalidSignature:
        raise SignatureWrong("The signature is not of this key over this statement.") from None
    return read(payload)


def read(payload: bytes) -> Statement:
    """A statement, whose parts must agree with each other. Raises BundleUnreadable."""
    try:
        found = msgspec.json.decode(payload)
        predicate, subjects = found["predicate"], found["subject"]
        serialization = predicate["serialization"]
        if found["predicateType"] != _PREDICATE or serialization["method"] != "files" or len(subjects) != 1:
            raise BundleUnreadable("The bundle signs something else than the files of one model.")
        if any(one["algorithm"] != "sha256" for one in predicate["resources"]):
            raise BundleUnreadable("The bundle signs digests that are not SHA-256.")
        files = {one["name"]: one["digest"] for one in predicate["resources"]}
        root = hashlib.sha256(b"".join(bytes.fromhex(one["digest"]) for one in predicate["resources"])).hexdigest()
        if root != subjects[0]["digest"]["sha256"]:
            raise BundleUnreadable("The statement's digest is not that of the files in it.")
        ignored = [str(path) for path in serialization.get("ignore_paths", [])]
        return Statement(subjects[0]["name"], files, ignored, predicate.get(_ABOUT, {}))
    except (msgspec.DecodeError, KeyError, TypeError, ValueError, AttributeError) as error:
        raise BundleUnreadable("The bundle's statement cannot be read.", why=repr(error)) from error


def _pae(payload: bytes) -> bytes:
    """What is signed, by DSSE: the type and the payload with their lengths, so that nothing can be moved between them."""
    kind = _PAYLOAD_TYPE.encode()
    return b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(payload), payload)


def _algorithm(key: EllipticCurvePublicKey) -> ECDSA:
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec

    return ec.ECDSA(hashes.SHA256() if key.curve.key_size == 256 else hashes.SHA384())
