"""From a source to the version's own files.

First the source is followed to the files that it names, which takes the run or logged model that holds them. Then the
files become rows of a folder of the version's own, sealed: the bytes are shared, and what is written to the run later
changes nothing about the version.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, BinaryIO, Protocol

from treadle.ground.clock import Clock
from treadle.ground.digests import of_json
from treadle.ground.ids import NewId
from treadle.kernel.store import Reader, Store, Transaction
from treadle.systems.train.files.names import folder_of_uri
from treadle.systems.train.files.records import StoredFile
from treadle.systems.train.files.repository import FileRows
from treadle.systems.train.registry import sources
from treadle.systems.train.registry.contents import facts_of, signature_of, wanted_files
from treadle.systems.train.registry.errors import BadSource, ModelVersionNotFound
from treadle.systems.train.registry.lookup import Lookup, no_alias
from treadle.systems.train.registry.own_files import keep
from treadle.systems.train.registry.ports import Origin, Origins
from treadle.systems.train.registry.records import ModelLine, is_prompt
from treadle.systems.train.registry.requests import CreateVersion

_LARGEST_READ = 1 << 20
"""A larger description of a model is not read; the model itself never is."""


class Bytes(Protocol):
    """Reads blobs."""

    def open(self, digest: str) -> BinaryIO: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawn:
    """A source that was followed: what the version records of it, and the files as (path, digest, size)."""

    source: str
    run_id: str | None
    logged_model: str | None
    location: str | None = None
    origin: Origin | None = None
    files: Sequence[tuple[str, str, int]] = ()
    signature: Mapping[str, Any] = field(default_factory=dict)
    facts: Mapping[str, Any] = field(default_factory=dict)

    @property
    def digest(self) -> str:
        """Of the list of paths and digests; where no files are kept here, of the source's text."""
        if not self.files:
            return of_json({"source": self.source})
        return of_json([[path, digest] for path, digest, _ in self.files])

    @property
    def size_bytes(self) -> int | None:
        """Of all files; None where none are kept here."""
        return sum(size for _, _, size in self.files) if self.files else None


class Sealer:
    """Follows sources, and seals what they lead to. origins: None where no tracking is at hand."""

    def __init__(
        self, store: Store, lookup: Lookup, blobs: Bytes, origins: Origins, clock: Clock, new_id: NewId
    ) -> None:
        self._store, self._lookup, self._blobs, self._origins = store, lookup, blobs, origins
        self._clock, self._new_id, self._files = clock, new_id, FileRows()

    def draw(self, project: str, request: CreateVersion) -> Drawn:
        """The source with the files that it names now. Raises BadSource, ModelNotFound, ModelVersionNotFound."""
        if is_prompt(request.tags):
            if request.source not in sources.PROMPT_SOURCES:
                raise BadSource(
                    f"Invalid prompt source: '{request.source}'. Prompt sources must use an MLflow placeholder."
                )
            return Drawn(source=request.source, run_id=request.run_id, logged_model=request.logged_model)
        with self._store.read() as reader:
            drawn = self._follow(reader, project, request)
            folder = None if drawn.location is None else folder_of_uri(drawn.location)
            if folder is None:
                return drawn
            files = sorted(_below(folder, self._files.files_below(reader, project, folder)))
        return self._described(replace(drawn, files=files)) if files else drawn

    def seal(self, tx: Transaction, project: str, drawn: Drawn, actor: str) -> str | None:
        """Makes the files the version's own; answers where they are read from now on."""
        if not drawn.files:
            return drawn.location
        return keep(tx, project, drawn.files, mark=self._new_id("mv"), actor=actor, at=self._clock())

    def _follow(self, reader: Reader, project: str, request: CreateVersion) -> Drawn:
        source, run_id, model_id = request.source, request.run_id, request.logged_model
        sources.check_host(source)
        kind = sources.kind_of(source)
        asked = sources.wanted(source) if kind == "models" else None
        if asked is not None and asked.logged_model is None:
            return self._of_version(reader, project, request, asked)
        sources.check_path(source)
        if asked is not None and asked.logged_model != model_id:
            raise sources.foreign(source, "model_id")
        if model_id:
            return self._of_logged_model(reader, project, request, kind)
        return self._of_run(reader, project, source, run_id, kind)

    def _of_run(self, reader: Reader, project: str, source: str, run_id: str | None, kind: sources.Kind) -> Drawn:
        origin = self._origins.of_run(reader, project, run_id) if run_id else None
        drawn = Drawn(source=source, run_id=run_id, logged_model=None, origin=origin)
        if kind == "runs":
            named, path = sources.run_and_path(source)
            if named != run_id:
                raise sources.foreign(source, "run_id")
            place = source if origin is None else f"{origin.location.rstrip('/')}/{path}".rstrip("/")
            return replace(drawn, location=place)
        if run_id and origin is None and kind in ("local", "kept"):
            raise sources.foreign(source, "run_id")
        if kind == "local" and (origin is None or not sources.is_within(source, origin.location)):
            raise sources.local(source, "run_id")
        if kind == "kept" and (origin is None or not sources.is_within(source, origin.location)):
            raise sources.foreign(source, "run_id")
        return replace(drawn, location=source)

    def _of_logged_model(self, reader: Reader, project: str, request: CreateVersion, kind: sources.Kind) -> Drawn:
        source, model_id = request.source, request.logged_model or ""
        if kind == "runs":
            raise sources.foreign(source, "model_id")
        origin = self._origins.of_logged_model(reader, project, model_id)
        if kind == "models" or origin is not None:
            if origin is None:
                raise sources.foreign(source, "model_id")
            place = origin.location if kind == "models" else source
            if kind in ("kept", "local") and not sources.is_within(source, origin.location):
                raise sources.foreign(source, "model_id") if kind == "kept" else sources.local(source, "model_id")
            run_id = request.run_id or origin.run_id
            return Drawn(source=source, run_id=run_id, logged_model=model_id, location=place, origin=origin)
        if kind in ("kept", "local"):
            raise sources.foreign(source, "model_id")
        return Drawn(source=source, run_id=request.run_id, logged_model=model_id, location=source)

    def _of_version(self, reader: Reader, project: str, request: CreateVersion, asked: sources.Wanted) -> Drawn:
        line = self._lookup.line(reader, project, asked.name or "")
        if is_prompt(self._lookup.tags.of(reader, project, line.line, 0)):
            raise BadSource(
                f"Invalid model version source: '{request.source}'. Prompt versions cannot be used as model version "
                "sources."
            )
        found = self._lookup.resolve(reader, project, line.name, self._number_asked(reader, project, line, asked))
        if (request.run_id is not None and request.run_id != (found.run_id or "")) or (
            request.logged_model is not None and request.logged_model != (found.logged_model or "")
        ):
            raise BadSource(
                f"Invalid model version source: '{request.source}'. The run_id and model_id request parameters must match "
                "the referenced model version."
            )
        origin = self._origins.of_run(reader, project, found.run_id) if found.run_id else None
        return Drawn(
            source=f"models:/{found.model}/{found.number}",
            run_id=request.run_id if request.run_id is not None else found.run_id,
            logged_model=request.logged_model,
            location=found.location or found.source,
            origin=origin,
        )

    def _number_asked(self, reader: Reader, project: str, line: ModelLine, asked: sources.Wanted) -> str:
        if asked.version is not None:
            return asked.version
        if asked.alias is not None:
            number = self._lookup.holder(reader, project, line, asked.alias)
            if number is None:
                raise no_alias(line.name, asked.alias)
            return str(number)
        if asked.stage is None:
            return "newest"
        numbers = self._lookup.rows.in_stage(reader, project, line.line, asked.stage.capitalize())
        if not numbers:
            raise ModelVersionNotFound(
                f"No versions of model with name {line.name!r} and stage {asked.stage!r} found",
                model=line.name,
                stage=asked.stage,
            )
        return str(max(numbers))

    def _described(self, drawn: Drawn) -> Drawn:
        """With what its own descriptions say: those are read as text, and the model itself is not."""
        texts = {
            path: self._text(digest)
            for path, digest, size_bytes in drawn.files
            if path in wanted_files(path for path, _, _ in drawn.files) and size_bytes <= _LARGEST_READ
        }
        return replace(drawn, signature=signature_of(texts), facts=facts_of(texts, len(drawn.files), drawn.origin))

    def _text(self, digest: str) -> str:
        with self._blobs.open(digest) as stream:
            return stream.read().decode(errors="replace")


def _below(folder: str, files: Any) -> list[tuple[str, str, int]]:
    start = len(folder) + 1 if folder else 0
    found: list[StoredFile] = list(files)
    return [(file.path[start:], file.digest, file.size_bytes) for file in found]
