"""Codecs of files and folders on disk, given as `pathlib.Path`.

A file's identity is its bytes; its name travels along. A folder's is the relative path, the bytes and the executable bit of every
file in it, and its empty folders; owner, times and other bits are not kept. Each file is a blob of its own, so two folders
share what they have in common. Symbolic links are refused: what they point at is outside, or changes.
"""

from __future__ import annotations

import dataclasses
import hashlib
import os
import stat
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath
from typing import Any

import msgspec

from treadle.ground.digests import canonical_json
from treadle.kernel.artifacts.codecs.base import Codec, Draft, Shelf, Source, identity, identity_of_hash, placed
from treadle.kernel.artifacts.errors import BlobCorrupt, NotLoadable, NotStorable
from treadle.kernel.artifacts.records import Artifact


class FolderEntry(msgspec.Struct, frozen=True):
    """One file of a folder: where, whether executable, how long, and the sha256 of its bytes."""

    path: str
    executable: bool
    size_bytes: int
    blob: str


class Manifest(msgspec.Struct, frozen=True):
    """What is in a folder, sorted by path."""

    files: tuple[FolderEntry, ...]
    empty_folders: tuple[str, ...] = ()

    def digest(self) -> str:
        files = [[entry.path, entry.executable, entry.blob] for entry in self.files]
        return identity("folder", canonical_json([files, self.empty_folders]))


class Files:
    """One file."""

    name, kind = "file/raw", "file"

    def accepts(self, value: Any) -> bool:
        return isinstance(value, Path) and not value.is_symlink() and value.is_file()

    def draft(self, value: Path, shelf: Shelf) -> Draft:
        return FileDraft(self, shelf, value)

    def load(self, source: Source, as_type: Any) -> Any:
        if as_type is bytes:
            return source.bytes()
        name = PurePosixPath(str(source.meta.get("name", "file"))).name or "file"
        place = _fresh(source) / name
        _copy(source.shelf, source.blob, place, executable=bool(source.meta.get("executable")))
        return place

    def parts(self, source: Source) -> Iterable[str]:
        return ()


class Folders:
    """All files below a folder."""

    name, kind = "folder/manifest", "folder"

    def accepts(self, value: Any) -> bool:
        if isinstance(value, Path) and not value.exists():
            raise NotStorable(
                f"There is nothing at {value}.", fix="Return the path of a file or folder that the step has written."
            )
        return isinstance(value, Path) and not value.is_symlink() and value.is_dir()

    def draft(self, value: Path, shelf: Shelf) -> Draft:
        return FolderDraft(self, shelf, value)

    def load(self, source: Source, as_type: Any) -> Path:
        place = _fresh(source) / "folder"
        unpack_folder(source, place)
        return place

    def parts(self, source: Source) -> Iterable[str]:
        return (entry.blob for entry in read_manifest(source).files)


class FileDraft:
    """A file on its way; its bytes are read once when it is stored."""

    __slots__ = ("_codec", "_digest", "_path", "_shelf")

    def __init__(self, codec: Codec, shelf: Shelf, path: Path) -> None:
        self._codec, self._shelf, self._path = codec, shelf, path
        self._digest = ""

    def digest(self) -> str:
        if not self._digest:
            with self._path.open("rb", buffering=0) as stream:
                self._digest = identity_of_hash("file", hashlib.file_digest(stream, "sha256").digest())
        return self._digest

    def store(self) -> Artifact:
        blob = self._shelf.blobs.put_file(self._path)
        self._digest = identity_of_hash("file", bytes.fromhex(blob.removeprefix("sha256:")))
        return Artifact(
            digest=self._digest,
            kind=self._codec.kind,
            codec=self._codec.name,
            size_bytes=self._shelf.blobs.size(blob) or 0,
            blob=blob,
            meta={"name": self._path.name, "executable": os.access(self._path, os.X_OK)},
        )


class FolderDraft:
    """A folder on its way."""

    __slots__ = ("_codec", "_digest", "_path", "_shelf")

    def __init__(self, codec: Codec, shelf: Shelf, path: Path) -> None:
        self._codec, self._shelf, self._path = codec, shelf, path
        self._digest = ""

    def digest(self) -> str:
        self._digest = self._digest or self._manifest(is_stored=False).digest()
        return self._digest

    def store(self) -> Artifact:
        manifest = self._manifest(is_stored=True)
        self._digest = manifest.digest()
        sizes = sum(entry.size_bytes for entry in manifest.files)
        artifact = placed(
            self._codec, self._shelf, self._digest, msgspec.json.encode(manifest), {"files": len(manifest.files)}
        )
        return dataclasses.replace(artifact, size_bytes=sizes)

    def _manifest(self, *, is_stored: bool) -> Manifest:
        files, empty = [], []
        for path, facts in _walk(self._path):
            relative = path.relative_to(self._path).as_posix()
            if stat.S_ISDIR(facts.st_mode):
                empty.append(relative)
                continue
            blob = self._shelf.blobs.put_file(path) if is_stored else _hash_file(path)
            files.append(FolderEntry(relative, bool(facts.st_mode & stat.S_IXUSR), facts.st_size, blob))
        return Manifest(tuple(sorted(files, key=lambda entry: entry.path)), tuple(sorted(empty)))


def _hash_file(path: Path) -> str:
    with path.open("rb", buffering=0) as stream:
        return "sha256:" + hashlib.file_digest(stream, "sha256").hexdigest()


def _walk(folder: Path) -> Iterator[tuple[Path, os.stat_result]]:
    """All files, and all folders that are empty. Raises NotStorable for links, sockets, devices, and names that are no Unicode."""
    with os.scandir(folder) as entries:
        found = sorted(entries, key=lambda entry: entry.name)
    if not found:
        yield folder, folder.stat()
    for entry in found:
        path = Path(entry.path)
        try:
            entry.name.encode()
        except UnicodeEncodeError:
            raise NotStorable(f"{entry.name!r} in {folder} has a name that is no Unicode.", fix="Rename it.") from None
        facts = entry.stat(follow_symlinks=False)
        if stat.S_ISDIR(facts.st_mode):
            yield from _walk(path)
        elif stat.S_ISREG(facts.st_mode):
            yield path, facts
        else:
            what = "a symbolic link" if stat.S_ISLNK(facts.st_mode) else "no regular file"
            raise NotStorable(
                f"{path} is {what}, which a folder artifact cannot hold.",
                why="What it points at lies outside the folder or may change."
                if what == "a symbolic link"
                else "It has no bytes of its own.",
                fix="Copy the file itself into the folder, or leave it out.",
            )


def _fresh(source: Source) -> Path:
    """A new folder in the workspace: whoever reads an artifact has a copy of their own, and may write into it."""
    workspace = source.shelf.workspace()
    workspace.mkdir(parents=True, exist_ok=True)
    return Path(tempfile.mkdtemp(prefix=f"{source.artifact.digest[7:19]}-", dir=workspace))


def read_manifest(source: Source) -> Manifest:
    """The manifest of a stored folder, with every path checked to stay inside it."""
    try:
        manifest = msgspec.json.decode(source.bytes(), type=Manifest)
    except msgspec.MsgspecError as problem:
        raise BlobCorrupt(
            f"The manifest of the folder {source.artifact.digest} cannot be read.", why=str(problem)
        ) from problem
    for name in (*(entry.path for entry in manifest.files), *manifest.empty_folders):
        path = PurePosixPath(name)
        if (
            path.is_absolute()
            or ".." in path.parts
            or "\\" in name
            or "\0" in name
            or (name in ("", ".") and manifest.files)
        ):
            raise NotLoadable(f"The folder {source.artifact.digest} names the path {name!r}, which leads out of it.")
    return manifest


def unpack_folder(source: Source, place: Path) -> None:
    """Write a stored folder to `place`, which must not exist; it appears there when it is complete."""
    manifest = read_manifest(source)
    place.parent.mkdir(parents=True, exist_ok=True)
    building = place.with_name(f".{place.name}.{os.getpid()}.{id(source):x}")
    for name in manifest.empty_folders:
        (building / name).mkdir(parents=True, exist_ok=True)
    for entry in manifest.files:
        target = building / entry.path
        target.parent.mkdir(parents=True, exist_ok=True)
        _copy(source.shelf, entry.blob, target, executable=entry.executable)
    building.mkdir(parents=True, exist_ok=True)
    building.rename(place)


def _copy(shelf: Shelf, blob: str, target: Path, *, executable: bool) -> None:
    """A copy, not a link: whoever changes it changes nothing that is stored."""
    partial = target.with_name(f"{target.name}.{os.getpid()}.part")
    with shelf.blobs.open(blob) as stream, partial.open("wb") as out:
        while piece := stream.read(8 << 20):
            out.write(piece)
    partial.chmod(0o755 if executable else 0o644)
    partial.replace(target)
