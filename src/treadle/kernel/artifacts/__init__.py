"""Content by digest: what passes between steps, and what a run leaves."""

from treadle.kernel.artifacts.blobs import BlobInfo, BlobStore, BlobWriter
from treadle.kernel.artifacts.errors import (
    BlobCorrupt,
    BlobNotFound,
    NotLoadable,
    NotStorable,
    PickleNotAllowed,
    StorageFull,
    StorageReadOnly,
    StorageUnavailable,
)
from treadle.kernel.artifacts.local import LocalBlobs
from treadle.kernel.artifacts.records import INLINE_BYTES, Artifact
from treadle.kernel.artifacts.service import Artifacts

__all__ = [
    "INLINE_BYTES",
    "Artifact",
    "Artifacts",
    "BlobCorrupt",
    "BlobInfo",
    "BlobNotFound",
    "BlobStore",
    "BlobWriter",
    "LocalBlobs",
    "NotLoadable",
    "NotStorable",
    "PickleNotAllowed",
    "StorageFull",
    "StorageReadOnly",
    "StorageUnavailable",
]
