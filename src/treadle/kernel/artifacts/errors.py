"""Errors of artifacts and their bytes.

    InvalidInput
    ├── NotStorable                 the value has no codec, or cannot be encoded exactly
    └── NotLoadable                 the artifact cannot be given in the form that was asked for
    NotFound
    └── BlobNotFound                the bytes are gone
    Corrupt
    └── BlobCorrupt                 the bytes are there, and are not what was written
    Denied
    └── PickleNotAllowed            reading or writing would need pickle, which the operator has not allowed
    Unavailable
    ├── StorageFull                 no space (or quota, or file-size limit) left for the bytes
    ├── StorageReadOnly             the place for the bytes cannot be written
    └── StorageUnavailable          the blob store does not answer

The names of operating system errors become ours in one place, `storage_errors`.
"""

from __future__ import annotations

import contextlib
import errno
from collections.abc import Iterator
from pathlib import Path

from treadle.ground.errors import Corrupt, Denied, InvalidInput, NotFound, TreadleError, Unavailable


class NotStorable(InvalidInput):
    code = "artifact.not_storable"


class NotLoadable(InvalidInput):
    code = "artifact.not_loadable"


class BlobNotFound(NotFound):
    code = "artifact.blob_not_found"


class BlobCorrupt(Corrupt):
    code = "artifact.blob_corrupt"


class PickleNotAllowed(Denied):
    code = "artifact.pickle_not_allowed"


class StorageFull(Unavailable):
    code = "artifact.storage_full"


class StorageUnavailable(Unavailable):
    code = "artifact.storage_unavailable"


class StorageReadOnly(Unavailable):
    code, retryable = "artifact.storage_read_only", False


_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_READ_ONLY = {errno.EROFS, errno.EACCES, errno.EPERM}


@contextlib.contextmanager
def storage_errors(place: Path) -> Iterator[None]:
    """Turns what the operating system says about writing below `place` into an error that says what to do."""
    try:
        yield
    except OSError as problem:
        ours = _named(problem, place)
        if ours is None:
            raise
        raise ours from problem


def _named(problem: OSError, place: Path) -> TreadleError | None:
    why = f"The system says: {problem.strerror or problem}."
    if problem.errno in _FULL:
        return StorageFull(
            f"There is no room left for artifacts in {place}.",
            why=f"{why} Nothing was stored, and nothing that was stored before is harmed.",
            fix="Free some space (treadle storage shows what uses it, treadle gc removes what nothing needs) and run again.",
            place=str(place),
        )
    if problem.errno in _READ_ONLY:
        return StorageReadOnly(
            f"Artifacts cannot be written to {place}.",
            why=why,
            fix="Make the folder writable for this user, or point TREADLE_HOME or TREADLE_ARTIFACTS at one that is.",
            place=str(place),
        )
    return None
