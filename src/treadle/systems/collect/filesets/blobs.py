"""The blobs that manifests name, for clean-up: those of every manifest whose file is still there."""

from __future__ import annotations

from collections.abc import Iterable

from treadle.kernel.store import Reader
from treadle.systems.collect.repository import sql


class ManifestBlobs:
    """Satisfies the port `BlobUsers` of infra."""

    def blobs(self, reader: Reader) -> Iterable[str]:
        """The blobs of every project."""
        return (blob for (blob,) in reader.each(sql.blobs_of_manifests))

    def uses(self, reader: Reader, blob: str) -> bool:
        """Whether a manifest of any project names the blob."""
        return reader.find(sql.manifest_with_blob, {"blob": blob}) is not None

    def sizes(self, reader: Reader, project: str) -> Iterable[tuple[str, str, int]]:
        """(dataset and manifest, blob, size in bytes), sorted by blob."""
        for dataset, path, blob, size in reader.each(sql.sizes_of_manifest_blobs, {"project": project}):
            yield f"{dataset}/{path}", blob, size

    def damaged(self, reader: Reader) -> Iterable[tuple[str, str]]:
        """Nothing: the bytes of files are in blobs, and those are looked at as blobs."""
        return ()
