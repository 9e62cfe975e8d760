"""The verbs of signatures: what is to be signed about a version, and the bundles that were made over it.

The private key stays with whoever signs: a client asks for the statement, signs it, and hands in the bundle with the public
key. The server checks that they belong together and to the version; whose key it is, whoever verifies has to know.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from treadle.ground.clock import Clock
from treadle.ground.digests import of_bytes
from treadle.kernel.artifacts.service import Artifacts
from treadle.kernel.catalog import ArtifactRows, EvidenceRows
from treadle.kernel.governance import Caller, verb
from treadle.kernel.store import Reader, Store, Transaction
from treadle.systems.train.registry.dossiers import Dossiers
from treadle.systems.train.registry.lookup import Lookup
from treadle.systems.train.registry.records import Dossier
from treadle.systems.train.registry.requests import VersionNamed
from treadle.systems.train.signing.bundles import statement_of, verified
from treadle.systems.train.signing.errors import FilesDiffer
from treadle.systems.train.signing.keys import hint_of, public_key_of

SIGNATURE = "signature"
"""The kind of evidence that a signature is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedStatement:
    """The statement about a version, as the very text that is to be signed."""

    model: str
    version: int
    statement: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AddSignature:
    """A bundle over a version's statement, and the public key (PEM) that it was signed with."""

    model: str
    version: str
    bundle: Mapping[str, Any]
    public_key: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Signature:
    """A signature over a version. key: the SHA-256 of the public key's PEM text, by which the bundle names it."""

    bundle: Mapping[str, Any]
    key: str
    public_key: str
    actor: str
    recorded_at: datetime


class Signatures:
    """See the module."""

    def __init__(
        self,
        store: Store,
        lookup: Lookup,
        dossiers: Dossiers,
        evidence: EvidenceRows,
        artifacts: Artifacts,
        clock: Clock,
    ) -> None:
        self._store, self._lookup, self._dossiers = store, lookup, dossiers
        self._evidence, self._artifacts, self._clock = evidence, artifacts, clock
        self._rows = ArtifactRows()

    @verb("signatures.statement", permission="model.read")
    def statement(self, caller: Caller, request: VersionNamed) -> SignedStatement:
        """What a signature over a version says: its files by SHA-256, and all that is known of it."""
        with self._store.read() as reader:
            found = self._lookup.resolve(reader, caller.project, request.model, request.version)
            dossier = self._dossiers.of(reader, found)
            files = self._files(reader, dossier)
        text = statement_of(f"{found.model}/{found.number}", files, about(dossier)).decode()
        return SignedStatement(model=found.model, version=found.number, statement=text)

    @verb("signatures.add", permission="model.write", event="evidence.added")
    def add(self, caller: Caller, request: AddSignature) -> Signature:
        """The signature, kept as evidence about the version. Raises SignatureWrong, FilesDiffer, BundleUnreadable."""
        key = public_key_of(request.public_key.encode())
        statement = verified(request.bundle, key)
        kept = self._artifacts.put(dict(request.bundle))

        def work(tx: Transaction) -> Signature:
            found = self._lookup.resolve(tx, caller.project, request.model, request.version)
            files = self._files(tx, self._dossiers.of(tx, found))
            if dict(statement.files) != files or statement.about.get("subject") != found.subject:
                raise FilesDiffer(
                    f"The bundle is not about version {found.number} of {found.model!r}.",
                    fix="Sign the statement that signatures.statement answers.",
                )
            self._rows.record(tx, caller.project, [kept], at=self._clock())
            body = {"bundle": kept.digest, "key": hint_of(key), "public_key": request.public_key}
            added = self._evidence.add(
                tx,
                caller.project,
                subject=found.subject,
                kind=SIGNATURE,
                verdict="passed",
                body=body,
                actor=caller.actor,
                digest=found.digest,
            )
            return Signature(
                bundle=request.bundle,
                key=body["key"],
                public_key=request.public_key,
                actor=caller.actor,
                recorded_at=added.recorded_at,
            )

        return self._store.write(work, durable=True)

    @verb("signatures.list", permission="model.read")
    def list(self, caller: Caller, request: VersionNamed) -> list[Signature]:
        """The signatures over a version, oldest first, each with its bundle."""
        with self._store.read() as reader:
            found = self._lookup.resolve(reader, caller.project, request.model, request.version)
            kept = [one for one in self._dossiers.evidence(reader, found) if one.kind == SIGNATURE]
            bundles = [self._rows.get(reader, caller.project, one.body["bundle"]) for one in kept]
        return [
            Signature(
                bundle=self._artifacts.load(bundle),
                key=one.body["key"],
                public_key=one.body["public_key"],
                actor=one.actor,
                recorded_at=one.recorded_at,
            )
            for one, bundle in zip(kept, bundles, strict=True)
        ]

    def _files(self, reader: Reader, dossier: Dossier) -> dict[str, str]:
        """SHA-256 by path; of a model that a step made, of its one encoded file."""
        if dossier.files:
            return {file.path: _hex(file.digest) for file in dossier.files}
        artifact = self._rows.find(reader, dossier.version.project, dossier.version.digest)
        if artifact is None:
            return {}
        return {"model": _hex(artifact.blob or of_bytes(artifact.inline or b""))}


def about(dossier: Dossier) -> dict[str, Any]:
    """What a statement says beside the files; signatures themselves are left out."""
    version = dossier.version
    facts: dict[str, Any] = {
        "project": version.project,
        "model": version.model,
        "version": version.number,
        "subject": version.subject,
        "digest": version.digest,
        "run": version.run,
        "run_id": version.run_id,
        "logged_model": version.logged_model,
        "source": version.source,
        "code": dict(dossier.code),
        "data": dict(version.data),
        "environment": {"python": dossier.python, "packages": list(dossier.packages)},
        "signature": dict(version.signature),
        "metrics": dict(version.metrics),
        "size_bytes": version.size_bytes,
        "probe": version.probe,
        "card": version.card,
        "registered_by": version.actor,
        "registered_at": version.recorded_at.isoformat(),
        "verdicts": [
            {"kind": one.kind, "verdict": one.verdict, "evidence": one.id}
            for one in dossier.evidence
            if one.kind != SIGNATURE
        ],
    }
    return {name: value for name, value in facts.items() if value not in (None, {}, [])}


def _hex(digest: str) -> str:
    return digest.removeprefix("sha256:")
