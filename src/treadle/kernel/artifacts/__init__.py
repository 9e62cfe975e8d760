"""Content by digest: what passes between steps, and what a run leaves."""

from treadle.kernel.artifacts.blobs import BlobInfo, BlobStore, BlobWriter
from treadle.kernel.artifacts.local import LocalBlobs
from treadle.kernel.artifacts.records import INLINE_BYTES, Artifact

__all__ = ["INLINE_BYTES", "Artifact", "BlobInfo", "BlobStore", "BlobWriter", "LocalBlobs"]
