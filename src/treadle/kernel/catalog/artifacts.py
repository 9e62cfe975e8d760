"""The rows of artifacts: which digests a project holds, and where their bytes are.

A digest is no permission: bytes are read through a row of the caller's own project. Recording a digest that clean-up
has condemned revives it in the same statement, so a put and a clean-up can race without losing anything.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

import msgspec

from treadle.ground.clock import to_micros
from treadle.ground.digests import canonical_json
from treadle.kernel.artifacts.records import Artifact
from treadle.kernel.catalog.errors import ArtifactNotFound
from treadle.kernel.store import Reader, Row, Statements, Transaction

sql = Statements(__package__)

_EMPTY_META = "{}"


class ArtifactRows:
    """Finds and records artifacts. Holds nothing: the reader and the transaction are the caller's."""

    def find(self, reader: Reader, project: str, digest: str) -> Artifact | None:
        """The artifact, or None when this project has no such digest."""
        row = reader.find(sql.find_artifact, {"project": project, "digest": digest})
        return None if row is None else _artifact(row)

    def get(self, reader: Reader, project: str, digest: str) -> Artifact:
        """The artifact. Raises ArtifactNotFound."""
        found = self.find(reader, project, digest)
        if found is None:
            raise ArtifactNotFound(
                f"There is no artifact {digest} in the project {project!r}.",
                why="It was never recorded here, or clean-up took it after its retention.",
                fix="Run the step that makes it again; treadle why shows which one that is.",
                digest=digest,
            )
        return found

    def record(self, tx: Transaction, project: str, artifacts: Iterable[Artifact], *, at: datetime) -> None:
        """Makes the artifacts known to the project; those that it knows already stay as they are, and are revived."""
        recorded_at = to_micros(at)
        for artifact in artifacts:
            self.record_one(tx, project, artifact, recorded_at)

    def record_one(self, tx: Transaction, project: str, artifact: Artifact, recorded_at: int) -> None:
        """As `record`, for one artifact and a time in microseconds: the journal's path."""
        values = {
            "project": project,
            "digest": artifact.digest,
            "kind": artifact.kind,
            "codec": artifact.codec,
            "size_bytes": artifact.size_bytes,
            "blob": artifact.blob,
            "inline": artifact.inline,
            "meta": canonical_json(artifact.meta).decode() if artifact.meta else _EMPTY_META,
            "recorded_at": recorded_at,
        }
        tx.put(sql.record_artifact, values)


def _artifact(row: Row) -> Artifact:
    digest, kind, codec, size_bytes, blob, inline, meta = row
    return Artifact(
        digest=digest,
        kind=kind,
        codec=codec,
        size_bytes=size_bytes,
        blob=blob,
        inline=None if inline is None else bytes(inline),
        meta={} if meta == _EMPTY_META else msgspec.json.decode(meta),
    )
