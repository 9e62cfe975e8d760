"""Route documents: what an endpoint serves, numbered and immutable, with a pointer that is swapped by rename.

The control plane writes one after each deployment's commit; the server only reads. A document names revisions and models
by digest, the split between them, and the limits. Its own digest stands in the pointer, so a torn or edited document is
told from a whole one and refused, while the server goes on with the one it has.
"""

from __future__ import annotations

import hashlib
import os
import re
import tempfile
from pathlib import Path
from typing import Literal

import msgspec

from treadle.ground.digests import Digest, canonical_json, of_bytes
from treadle.systems.serve.runtime.errors import BadDocument

ENDPOINT_NAME = re.compile(r"[a-z0-9](?:[a-z0-9._-]{0,62}[a-z0-9])?")
"""What an endpoint may be called; so a name is safe as a folder and in an address."""


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """What one request may ask for."""

    max_rows: int = 10_000
    max_body_bytes: int = 16 << 20
    max_waiting: int = 64
    """Calls beyond the inline time that may wait for their turn; the next one gets 503."""
    inline_ms: float = 1.0
    """A call that should take longer, by what such calls have taken, leaves the event loop for a thread."""
    timeout_ms: float = 30_000.0
    """How long a request may wait for a model beyond the inline time; then it gets 504. 0: as long as it takes."""
    requests_per_s: float = 0.0
    """How many requests a second one token may send (without tokens: one address), on average; then 429. 0: any."""
    burst: int = 0
    """How many may come at once before the average counts; 0: those of one second, at least one."""

    def __post_init__(self) -> None:
        if min(self.max_rows, self.max_body_bytes, self.max_waiting) < 1:
            raise ValueError("limits are positive")
        if min(self.inline_ms, self.timeout_ms, self.requests_per_s, self.burst) < 0:
            raise ValueError("times, rates and bursts are not negative")


class RouteRevision(msgspec.Struct, frozen=True, kw_only=True):
    """One revision in a document. weight: its share of the units, above 0 and at most 1."""

    revision: str
    number: int
    weight: float
    model: str
    model_version: str
    bundle: Digest
    threads: int = 1


class FeatureSource(msgspec.Struct, frozen=True, kw_only=True):
    """Where an endpoint's vectors come from: one version of a feature service, read by key from a project's online store."""

    project: str
    service: str
    digest: Digest
    keys: tuple[tuple[str, str], ...]
    """Entity columns, each with the datatype in which the protocol takes it."""
    inputs: tuple[str, ...] = ()
    """What features on demand are computed from; a request brings them."""
    timeout_ms: float = 250.0
    on_timeout: Literal["refuse", "null"] = "refuse"
    """What a request gets whose features could not be read in time: 503, or a prediction from nulls."""

    def __post_init__(self) -> None:
        if not self.keys or self.timeout_ms <= 0:
            raise ValueError("features are read by one key or more, within a time above 0")

    @property
    def asked(self) -> tuple[str, ...]:
        """What each row of a request has."""
        keys = tuple(name for name, _ in self.keys)
        return keys + tuple(name for name in self.inputs if name not in keys)


class RouteDocument(msgspec.Struct, frozen=True, kw_only=True):
    """What an endpoint serves. Raises ValueError when its weights are no split."""

    endpoint: str
    number: int
    revisions: tuple[RouteRevision, ...]
    allow_backdating: bool = False
    limits: Limits = Limits()
    split_salt: str = ""
    """Mixed into the hash of a unit, so that two endpoints split their units independently."""
    shadows: tuple[RouteRevision, ...] = ()
    """Revisions that get a copy of a share of the requests and never answer; `weight` is that share."""
    is_drained: bool = False
    """Whether new requests are refused; those in flight are answered."""
    features: FeatureSource | None = None
    """Where the vectors come from; None where requests bring them."""

    def __post_init__(self) -> None:
        weights = [revision.weight for revision in self.revisions]
        if not weights or min(weights) <= 0 or abs(sum(weights) - 1) > 1e-9:
            raise ValueError(f"the weights of the revisions are {weights}; they must be above 0 and add up to 1")
        if any(not 0 < shadow.weight <= 1 for shadow in self.shadows):
            raise ValueError("the share of a shadow is above 0 and at most 1")
        if {shadow.number for shadow in self.shadows} & {revision.number for revision in self.revisions}:
            raise ValueError("a revision that answers is no shadow")


class Pointer(msgspec.Struct, frozen=True):
    """The content of `current`."""

    number: int
    digest: Digest


def write_document(routes: Path, document: RouteDocument) -> Digest:
    """The digest of the document, which is now in force; doing it twice is harmless. Raises BadDocument for a name that
    may not become a path."""
    folder = _folder(routes, document.endpoint)
    folder.mkdir(parents=True, exist_ok=True)
    content = canonical_json(document)
    digest = of_bytes(content)
    path = folder / f"{document.number}.json"
    if not path.exists() or path.read_bytes() != content:
        _replace(path, content)
    _replace(folder / "current", canonical_json(Pointer(document.number, digest)))
    return digest


def read_pointer(routes: Path, endpoint: str) -> Pointer | None:
    """What is in force for an endpoint, None when it was never deployed. Raises BadDocument when it cannot be read."""
    path = _folder(routes, endpoint) / "current"
    try:
        return msgspec.json.decode(path.read_bytes(), type=Pointer)
    except FileNotFoundError:
        return None
    except msgspec.DecodeError as error:
        raise BadDocument(f"The pointer of endpoint {endpoint!r} cannot be read.", why=str(error)) from None


def read_document(routes: Path, endpoint: str) -> RouteDocument:
    """The document in force. Raises BadDocument when it is not there, was changed, or says what cannot be served."""
    pointer = read_pointer(routes, endpoint)
    if pointer is None:
        raise BadDocument(f"Endpoint {endpoint!r} has no pointer.")
    try:
        content = (_folder(routes, endpoint) / f"{pointer.number}.json").read_bytes()
    except OSError as error:
        raise BadDocument(f"Route document {pointer.number} of {endpoint!r} is not there.", why=str(error)) from None
    if of_bytes(content) != pointer.digest:
        raise BadDocument(f"Route document {pointer.number} of {endpoint!r} is not the one that its pointer names.")
    try:
        document = msgspec.json.decode(content, type=RouteDocument)
    except msgspec.DecodeError as error:
        raise BadDocument(f"Route document {pointer.number} of {endpoint!r} cannot be read.", why=str(error)) from None
    if document.endpoint != endpoint or document.number != pointer.number:
        raise BadDocument(f"Route document {pointer.number} of {endpoint!r} speaks of another endpoint or number.")
    return document


def share_of(salt: str, unit: str) -> float:
    """Where a unit stands in [0, 1), for ever the same: what makes a split sticky."""
    place = hashlib.blake2b(f"{salt}\0{unit}".encode(), digest_size=8).digest()
    return int.from_bytes(place, "big") / 2**64


def _folder(routes: Path, endpoint: str) -> Path:
    if not ENDPOINT_NAME.fullmatch(endpoint):
        raise BadDocument(f"{endpoint!r} is no name of an endpoint.")
    return routes / endpoint


def _replace(path: Path, content: bytes) -> None:
    descriptor, aside = tempfile.mkstemp(prefix=".incoming-", dir=path.parent)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        Path(aside).replace(path)
    except BaseException:
        Path(aside).unlink(missing_ok=True)
        raise
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
