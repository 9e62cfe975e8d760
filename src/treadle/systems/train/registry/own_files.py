"""The files that are a version's own: they lie in a folder that nobody chooses, and is sealed."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from treadle.kernel.store import Reader, Transaction
from treadle.systems.train.files.names import folder_of_uri
from treadle.systems.train.files.repository import FileRows
from treadle.systems.train.registry.records import ModelVersion, VersionFile

FOLDER = "registered"
"""The folders of versions lie below this one, under ids of their own."""


def folder_of(version: ModelVersion) -> str | None:
    """The folder of a version's sealed files; None where none are kept here."""
    folder = None if version.location is None else folder_of_uri(version.location)
    return folder if folder is not None and folder.startswith(f"{FOLDER}/") else None


def files_of(reader: Reader, version: ModelVersion) -> list[VersionFile]:
    """The files of a version, by path; none where they are not kept here."""
    folder = folder_of(version)
    if folder is None:
        return []
    start = len(folder) + 1
    found = FileRows().files_below(reader, version.project, folder)
    files = [VersionFile(path=one.path[start:], digest=one.digest, size_bytes=one.size_bytes) for one in found]
    return sorted(files, key=lambda file: file.path)


def keep(
    tx: Transaction, project: str, files: Sequence[tuple[str, str, int]], *, mark: str, actor: str, at: datetime
) -> str:
    """Makes some bytes, as (path, digest, size), a version's own files; answers where they are read from now on.

    mark: what no other folder of versions is called.
    """
    rows, folder = FileRows(), f"{FOLDER}/{mark}"
    for path, digest, size_bytes in files:
        rows.put(tx, project, f"{folder}/{path}", blob=digest, size_bytes=size_bytes, actor=actor, at=at)
    rows.seal(tx, project, folder, at=at)
    return f"mlflow-artifacts:/{folder}"


def release(tx: Transaction, version: ModelVersion) -> None:
    """Gives up the files of a version that is deleted; clean-up takes the bytes that nothing else names."""
    folder = folder_of(version)
    if folder is not None:
        FileRows().purge(tx, version.project, folder)
