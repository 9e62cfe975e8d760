"""Artifacts: put a value, get its digest; give the digest's record, get the value.

Bytes are stored first and are durable when `put` returns; the row that makes them known is the caller's, in the caller's
transaction. A small value never touches the disk here: its bytes are in the record.
"""

from __future__ import annotations

import dataclasses
import io
import tempfile
import types
import typing
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, BinaryIO

from treadle.ground.errors import TreadleError
from treadle.kernel.artifacts.blobs import BlobStore
from treadle.kernel.artifacts.codecs import Codec, Codecs, Draft, Source, identity
from treadle.kernel.artifacts.errors import BlobCorrupt, NotLoadable
from treadle.kernel.artifacts.records import Artifact

Known = Callable[[str], Artifact | None]
"""Finds the record of a digest that the caller may use; None when there is none."""


class Artifacts:
    """Values by digest, over a blob store.

    allow_pickle: the operator's switch. Off, no pickle is written or read.
    codecs: further codecs, asked before ours.
    workspace: where files and folders are read into; a temporary folder of this process when not given.
    """

    def __init__(
        self,
        blobs: BlobStore,
        *,
        allow_pickle: bool = False,
        codecs: Sequence[Codec] = (),
        workspace: Path | None = None,
    ) -> None:
        self._blobs = blobs
        self._allow_pickle = allow_pickle
        self._codecs = Codecs(codecs, allow_pickle=allow_pickle)
        self._workspace = workspace
        self._temporary: tempfile.TemporaryDirectory[str] | None = None

    @property
    def blobs(self) -> BlobStore:
        return self._blobs

    @property
    def allow_pickle(self) -> bool:
        return self._allow_pickle

    def put(self, value: Any, *, kind: str | None = None, known: Known | None = None) -> Artifact:
        """Store a value and answer its record; its bytes are durable on return.

        kind: a name of the caller's for what the value is ("code", "environment"); it sets the digest apart from that of
            the same value without one.
        known: asked for the digest before anything is written; bytes that are there already are not written again.
        Raises NotStorable with the reason and a way out, StorageFull, StorageReadOnly.
        Cost: about 5 µs for a small value; a large frame is written once, and hashed while it is written.
        """
        codec = self._codecs.of_value(value)
        draft = codec.draft(value, self)
        kind = None if kind == codec.kind else kind
        if known is not None and (found := known(_kinded(draft.digest(), kind))) is not None and self.stands(found):
            return found
        artifact = draft.store()
        if kind is None:
            return artifact
        return dataclasses.replace(artifact, kind=kind, digest=_kinded(artifact.digest, kind))

    def digest(self, value: Any, *, kind: str | None = None) -> str:
        """The digest that `put` would answer; nothing is stored."""
        codec = self._codecs.of_value(value)
        return _kinded(codec.draft(value, self).digest(), None if kind == codec.kind else kind)

    def load(self, artifact: Artifact, as_type: Any = None) -> Any:
        """The value; frames and arrays memory-mapped.

        as_type: what the consumer's annotation asks for: pa.Table, pl.DataFrame, pl.LazyFrame, pd.DataFrame, np.ndarray, …;
            optional and annotated types are looked through. None, and what says nothing (Any, a type variable), is as it was put.
        Raises BlobNotFound, BlobCorrupt, NotLoadable, PickleNotAllowed, MissingExtra.
        """
        codec = self._codecs.named(artifact.codec)
        self._check_size(artifact)
        return codec.load(Source(artifact, self), _asked_type(as_type))

    def open_file(self, artifact: Artifact) -> BinaryIO:
        """The encoded bytes as a stream."""
        return io.BytesIO(artifact.inline) if artifact.inline is not None else self._blobs.open(_blob_of(artifact))

    def path(self, artifact: Artifact) -> Path | None:
        """A local, read-only file with the encoded bytes; None when they are inline."""
        return None if artifact.inline is not None else self._blobs.path(_blob_of(artifact))

    def stands(self, artifact: Artifact) -> bool:
        """Whether all bytes of the artifact are there; they are not read (but for the list of a folder's files)."""
        try:
            return all(map(self._blobs.has, self.blobs_of(artifact)))
        except TreadleError:
            return False

    def blobs_of(self, artifact: Artifact) -> Iterable[str]:
        """Digests of all blobs that the artifact needs: its own, and those of the values and files inside it."""
        if artifact.blob is not None:
            yield artifact.blob
        yield from self._codecs.named(artifact.codec).parts(Source(artifact, self))

    def can_read(self, codec: str) -> bool:
        """Whether this installation has the codec; snapshots of datasets, for one, are kept by another system."""
        try:
            return self._codecs.named(codec) is not None
        except NotLoadable:
            return False

    def verify(self, artifact: Artifact, *, deep: bool = False) -> str | None:
        """What is wrong with the stored bytes, in words; None when they are what was put.

        Blobs are hashed against their names. Inline values, and all others when `deep`, are read and their logical digest
        is computed again.
        """
        try:
            for blob in self.blobs_of(artifact):
                if (problem := self._blobs.verify(blob)) is not None:
                    return f"{blob}: {problem}"
            if deep or artifact.inline is not None:
                return self._verify_logically(artifact)
        except TreadleError as problem:
            return " ".join(problem.sentences()[:2])
        return None

    def draft(self, value: Any) -> Draft:
        """The value made ready: its digest can be asked, or it can be stored."""
        return self._codecs.of_value(value).draft(value, self)

    def workspace(self) -> Path:
        if self._workspace is None:
            self._temporary = tempfile.TemporaryDirectory(prefix="treadle-", ignore_cleanup_errors=True)
            self._workspace = Path(self._temporary.name)
        return self._workspace

    def _verify_logically(self, artifact: Artifact) -> str | None:
        codec = self._codecs.named(artifact.codec)
        found = codec.draft(codec.load(Source(artifact, self), None), self).digest()
        expected = _kinded(found, None if artifact.kind == codec.kind else artifact.kind)
        return None if artifact.digest == expected else f"The value that is stored has the digest {found}."

    def _check_size(self, artifact: Artifact) -> None:
        """A blob of another length is refused before it is read; the check is one look at the file."""
        if artifact.blob is None or artifact.codec == "folder/manifest":
            return
        found = self._blobs.size(artifact.blob)
        if found is not None and found != artifact.size_bytes:
            raise BlobCorrupt(
                f"The bytes of {artifact.digest} are not whole: {found:,} of {artifact.size_bytes:,}.",
                fix="Find all damaged artifacts with: treadle doctor. Run the step that made it again.",
                digest=artifact.digest,
                blob=artifact.blob,
            )


def _kinded(digest: str, kind: str | None) -> str:
    """The digest of a value under a name of the caller's."""
    return digest if kind is None else identity(f"kind.{kind}", digest.encode())


def _blob_of(artifact: Artifact) -> str:
    assert artifact.blob is not None, "an artifact is inline or a blob"
    return artifact.blob


def _asked_type(annotation: Any) -> Any:
    """The class that an annotation asks for, or None when it leaves the choice open."""
    if annotation is None or annotation is Any or annotation is object or isinstance(annotation, str | typing.TypeVar):
        return None
    origin = typing.get_origin(annotation)
    if origin is typing.Annotated:
        return _asked_type(typing.get_args(annotation)[0])
    if origin is typing.Union or origin is types.UnionType:
        choices = [choice for choice in typing.get_args(annotation) if choice is not type(None)]
        return _asked_type(choices[0]) if len(choices) == 1 else None
    if origin is not None:
        return origin
    return annotation if isinstance(annotation, type) and not annotation.__module__.startswith("inspect") else None
