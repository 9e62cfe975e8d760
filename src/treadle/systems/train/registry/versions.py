"""The verbs of versions: register files under a model, describe, stage, label, find and delete what is registered."""

from __future__ import annotations

from importlib.metadata import version as version_of
from typing import Any

from treadle.ground.clock import Clock, to_micros
from treadle.kernel.catalog import Refs
from treadle.kernel.events import EventLog
from treadle.kernel.governance import Caller, verb
from treadle.kernel.store import Reader, Store, Transaction
from treadle.kernel.vocabulary.pages import Page
from treadle.systems.train.registry.bom import bom_of
from treadle.systems.train.registry.dossiers import Dossiers
from treadle.systems.train.registry.errors import BadStage
from treadle.systems.train.registry.history import STAGED
from treadle.systems.train.registry.lookup import Lookup, labelled, no_alias
from treadle.systems.train.registry.own_files import files_of, release
from treadle.systems.train.registry.ports import Announcer, Origins
from treadle.systems.train.registry.records import (
    ACTIVE_STAGES,
    STAGES,
    LabelledVersion,
    ModelLine,
    ModelVersion,
    VersionFile,
    is_prompt,
    subject_of,
)
from treadle.systems.train.registry.requests import (
    CreateVersion,
    DeleteVersion,
    DescribeVersion,
    LatestVersions,
    StageVersion,
    TagVersion,
    VersionNamed,
)
from treadle.systems.train.registry.sealing import Drawn, Sealer
from treadle.systems.train.registry.searching import SearchRegistry, find_versions
from treadle.systems.train.registry.service import drop_alias
from treadle.systems.train.registry.telling import Teller


class Versions:
    """The registry's versions. sealer: makes the files that a source leads to a version's own."""

    def __init__(
        self,
        store: Store,
        refs: Refs,
        events: EventLog,
        clock: Clock,
        sealer: Sealer,
        origins: Origins,
        dossiers: Dossiers,
        announcer: Announcer | None = None,
    ) -> None:
        self._store, self._refs, self._clock, self._dossiers = store, refs, clock, dossiers
        self._sealer, self._origins = sealer, origins
        self._lookup, self._teller = Lookup(refs), Teller(events, announcer)

    @verb("versions.create", permission="model.write", event="model.registered")
    def create(self, caller: Caller, request: CreateVersion) -> LabelledVersion:
        """The next version of a model, made of the files that a source names. Raises BadSource, ModelNotFound.

        The files are sealed as the version's own: nothing that is written to the run later changes the version.
        """
        drawn = self._sealer.draw(caller.project, request)
        version = self._store.write(lambda tx: self._add(tx, caller, request, drawn))
        return LabelledVersion(version=version, tags=dict(request.tags), aliases=[])

    def check(self, caller: Caller, request: CreateVersion) -> None:
        """Raises what `create` would for its source; registers nothing."""
        caller.require("model.write")
        self._sealer.draw(caller.project, request)

    @verb("versions.get", permission="model.read")
    def get(self, caller: Caller, request: VersionNamed) -> LabelledVersion:
        """A version by number, alias or `newest`, with its labels and aliases."""
        with self._store.read() as reader:
            found = self._lookup.resolve(reader, caller.project, request.model, request.version)
            return self._lookup.label(reader, found)

    @verb("versions.at", permission="model.read")
    def at(self, caller: Caller, request: VersionNamed) -> LabelledVersion:
        """The version on which an alias stands. Raises AliasNotFound."""
        with self._store.read() as reader:
            line = self._lookup.line(reader, caller.project, request.model)
            number = self._lookup.holder(reader, caller.project, line, request.version)
            if number is None:
                raise no_alias(line.name, request.version)
            return self._lookup.label(reader, self._lookup.resolve(reader, caller.project, line.name, str(number)))

    @verb("versions.latest", permission="model.read")
    def latest(self, caller: Caller, request: LatestVersions) -> list[LabelledVersion]:
        """The newest version of each stage, or of the named stages. Raises BadStage."""
        with self._store.read() as reader:
            line = self._lookup.line(reader, caller.project, request.model)
            stages = {stage_named(stage) for stage in request.stages or STAGES}
            sheet = self._lookup.sheet(reader, caller.project, line)
        return [one for one in sheet.latest if one.version.stage in stages]

    @verb("versions.search", permission="model.read")
    def search(self, caller: Caller, request: SearchRegistry) -> Page[LabelledVersion]:
        """The versions that a filter finds, with their labels and aliases, a page at a time. Raises SearchInvalid."""
        with self._store.read() as reader:
            found, token = find_versions(reader, caller.project, request)
            items = self._lookup.label_all(reader, caller.project, found)
        return Page(items=items, next=token)

    @verb("versions.files", permission="model.read")
    def files(self, caller: Caller, request: VersionNamed) -> list[VersionFile]:
        """The files of a version, by path, with their digests; none where they are not kept here."""
        with self._store.read() as reader:
            found = self._lookup.resolve(reader, caller.project, request.model, request.version)
            return files_of(reader, found)

    @verb("versions.bom", permission="model.read")
    def bom(self, caller: Caller, request: VersionNamed) -> dict[str, Any]:
        """A version as a CycloneDX ML-BOM (1.6, JSON): the model, its files, its data, its environment, what was found."""
        with self._store.read() as reader:
            found = self._lookup.resolve(reader, caller.project, request.model, request.version)
            dossier = self._dossiers.of(reader, found)
        return bom_of(dossier, version_of("treadle"))

    @verb("versions.describe", permission="model.write", event="version.described")
    def describe(self, caller: Caller, request: DescribeVersion) -> LabelledVersion:
        """The version with its new description."""

        def work(tx: Transaction) -> LabelledVersion:
            version = self._resolve(tx, caller, request.model, request.version)
            self._lookup.rows.describe(tx, version, request.description, self._now_ms())
            self._teller.tell(tx, caller, "version.described", version.subject, {})
            return self._labelled(tx, caller, request.model, request.version)

        return self._store.write(work)

    @verb("versions.stage", permission="model.promote", event=STAGED)
    def stage(self, caller: Caller, request: StageVersion) -> LabelledVersion:
        """The version in its new stage. Raises BadStage."""
        stage = stage_named(request.stage)
        if request.archive_existing and stage not in ACTIVE_STAGES:
            raise BadStage(
                "Model version transition cannot archive existing model versions because "
                f"'{request.stage}' is not an Active stage. Valid stages are {list(ACTIVE_STAGES)}"
            )

        def work(tx: Transaction) -> LabelledVersion:
            version = self._resolve(tx, caller, request.model, request.version)
            if request.archive_existing:
                for number in self._lookup.rows.in_stage(tx, caller.project, version.line, stage):
                    if number != version.number:
                        why = request.reason or f"version {version.number} took its place"
                        self._move(tx, caller, version.line, number, stage, "Archived", why)
            self._move(tx, caller, version.line, version.number, version.stage, stage, request.reason)
            self._lookup.lines.touch(tx, caller.project, version.line, self._now_ms())
            return self._labelled(tx, caller, request.model, request.version)

        return self._store.write(work, durable=True)

    @verb("versions.tag", permission="model.write", event="version.tagged")
    def tag(self, caller: Caller, request: TagVersion) -> None:
        """Labels a version, or without a value takes the label away."""

        def work(tx: Transaction) -> None:
            project, tags = caller.project, self._lookup.tags
            version = self._resolve(tx, caller, request.model, request.version)
            if request.value is None:
                tags.delete(tx, project, version.line, version.number, request.key)
            else:
                tags.set(tx, project, version.line, version.number, {request.key: request.value})
            line = self._lookup.line(tx, project, request.model)
            of_prompt = is_prompt(tags.of(tx, project, line.line, 0))
            self._teller.tagged(tx, caller, line, version.number, request.key, request.value, is_prompt=of_prompt)

        self._store.write(work)

    @verb("versions.delete", permission="model.delete", event="version.deleted")
    def delete(self, caller: Caller, request: DeleteVersion) -> None:
        """Takes a version away, with the aliases that stand on it; its number is not given again. Raises RefProtected."""

        def work(tx: Transaction) -> None:
            version = self._resolve(tx, caller, request.model, request.version)
            line = self._lookup.line(tx, caller.project, request.model)
            for alias, number in self._lookup.aliases(tx, caller.project, line).items():
                if number == version.number:
                    why = request.reason or f"version {number} was deleted"
                    drop_alias(self._refs, tx, caller, line, alias, why)
            now = self._clock()
            self._lookup.rows.delete(tx, version, now)
            self._lookup.lines.touch(tx, caller.project, line.line, to_micros(now) // 1000)
            release(tx, version)
            body = {"digest": version.digest, "stage": version.stage, "reason": request.reason}
            self._teller.tell(tx, caller, "version.deleted", version.subject, body)

        self._store.write(work, durable=True)

    def _add(self, tx: Transaction, caller: Caller, request: CreateVersion, drawn: Drawn) -> ModelVersion:
        project, rows = caller.project, self._lookup.rows
        line = self._lookup.line(tx, project, request.model)
        location = self._sealer.seal(tx, project, drawn, caller.actor)
        version = self._numbered(tx, caller, request, drawn, line, location)
        while not rows.add(tx, version):
            version = self._numbered(tx, caller, request, drawn, line, location)
        self._lookup.tags.set(tx, project, line.line, version.number, request.tags)
        self._lookup.lines.touch(tx, project, line.line, version.created_ms)
        if drawn.logged_model and drawn.origin is not None:
            self._origins.note_version(tx, project, drawn.logged_model, line.name, version.number)
        body = {"digest": version.digest, "run": version.run, "source": version.source, "bytes": version.size_bytes}
        self._teller.registered(tx, caller, version, request.tags, body)
        return version

    def _numbered(
        self,
        tx: Transaction,
        caller: Caller,
        request: CreateVersion,
        drawn: Drawn,
        line: ModelLine,
        location: str | None,
    ) -> ModelVersion:
        now = self._clock()
        made_ms = request.created_ms or to_micros(now) // 1000
        origin = drawn.origin
        return ModelVersion(
            project=caller.project,
            model=line.name,
            line=line.line,
            number=self._lookup.rows.next_number(tx, caller.project, line.line),
            digest=drawn.digest,
            signature=drawn.signature,
            metrics={} if origin is None else origin.metrics,
            data={} if origin is None else origin.data,
            description=request.description,
            run=None if origin is None else origin.run,
            actor=caller.actor,
            recorded_at=now,
            source=drawn.source,
            location=location,
            run_id=drawn.run_id,
            run_link=request.run_link,
            logged_model=drawn.logged_model,
            size_bytes=drawn.size_bytes,
            facts=drawn.facts,
            created_ms=made_ms,
            updated_ms=made_ms,
        )

    def _move(
        self, tx: Transaction, caller: Caller, line: str, number: int, left: str, entered: str, reason: str
    ) -> None:
        self._lookup.rows.stage(tx, caller.project, line, number, entered, self._now_ms())
        if left != entered:
            body = {"from": left, "to": entered, "reason": reason}
            self._teller.tell(tx, caller, STAGED, subject_of(line, number), body)

    def _resolve(self, reader: Reader, caller: Caller, model: str, version: int) -> ModelVersion:
        return self._lookup.resolve(reader, caller.project, model, str(version))

    def _labelled(self, reader: Reader, caller: Caller, model: str, version: int) -> LabelledVersion:
        found = self._resolve(reader, caller, model, version)
        line = self._lookup.line(reader, caller.project, model)
        tags = self._lookup.tags.of(reader, caller.project, found.line, found.number)
        return labelled(found, tags, self._lookup.aliases(reader, caller.project, line))

    def _now_ms(self) -> int:
        return to_micros(self._clock()) // 1000


def stage_named(stage: str) -> str:
    """A stage in its own spelling, whatever the letters' case. Raises BadStage."""
    for known in STAGES:
        if stage.lower() == known.lower():
            return known
    raise BadStage(f"Invalid Model Version stage: {stage}. Value must be one of {', '.join(STAGES)}.")
