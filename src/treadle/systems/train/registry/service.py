"""The verbs of models: make and name them, register versions, move their aliases, and tell what stood when."""

from __future__ import annotations

import re
from typing import Any

from treadle.ground.clock import Clock, to_micros
from treadle.kernel.catalog import ArtifactRows, EvidenceRows, RefProtected, Refs
from treadle.kernel.events import EventLog
from treadle.kernel.governance import Caller, verb
from treadle.kernel.store import Reader, Store, Transaction, UniqueViolation
from treadle.kernel.vocabulary.pages import Page
from treadle.systems.train.registry.cards import as_it_reads_today, of_facts
from treadle.systems.train.registry.dossiers import Dossiers
from treadle.systems.train.registry.errors import BadModelName, ModelExists
from treadle.systems.train.registry.history import alias_moves, stage_moves, told
from treadle.systems.train.registry.lookup import Lookup, no_alias
from treadle.systems.train.registry.own_files import release
from treadle.systems.train.registry.ports import Announcer, Values
from treadle.systems.train.registry.records import (
    PROMPT_TAG,
    Model,
    ModelHistory,
    ModelLine,
    ModelSheet,
    ModelVersion,
    Registration,
    VersionCard,
    VersionSheet,
    is_prompt,
    subject_of,
)
from treadle.systems.train.registry.requests import (
    CHAMPION,
    CreateModel,
    DeleteModel,
    DescribeModel,
    DropAlias,
    HistoryOf,
    ModelNamed,
    PromoteModel,
    RegisterModel,
    RenameModel,
    TagModel,
    VersionNamed,
)
from treadle.systems.train.registry.searching import SearchRegistry, find_models
from treadle.systems.train.registry.telling import Teller

__all__ = ["CHAMPION", "HistoryOf", "ModelNamed", "Models", "PromoteModel", "RegisterModel", "VersionNamed"]

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9 ._-]{0,99}")


class Models:
    """The registry's models. values: where the cards that versions name are read from."""

    def __init__(
        self,
        store: Store,
        refs: Refs,
        evidence: EvidenceRows,
        events: EventLog,
        clock: Clock,
        values: Values | None = None,
        announcer: Announcer | None = None,
    ) -> None:
        self._store, self._refs, self._events = store, refs, events
        self._clock, self._values = clock, values
        self.lookup = Lookup(refs)
        """What other services ask within their own reading."""
        self._teller, self._dossiers = Teller(events, announcer), Dossiers(self.lookup, evidence, values)

    @verb("models.register", permission="model.write", event="model.registered")
    def register(self, caller: Caller, request: RegisterModel) -> ModelVersion:
        """The version that was registered; the same run with the same bytes gets the same version again."""
        return self._store.write(
            lambda tx: self.register_in(tx, caller, request.registration, run=request.run, root=request.root)
        )

    def register_in(
        self, tx: Transaction, caller: Caller, registration: Registration, *, run: str | None, root: str | None
    ) -> ModelVersion:
        """As the verb, within a transaction that is already open: the step that registers commits with it."""
        caller.require("model.write")
        rows, project = self.lookup.rows, caller.project
        line = self.lookup.lines.find(tx, project, registration.model)
        while line is None:
            _check_name(registration.model)
            line = self._add(tx, caller, CreateModel(name=registration.model))
            line = line or self.lookup.lines.find(tx, project, registration.model)
        if root is not None:
            known = rows.find_of_root(tx, project, line.line, root, registration.digest)
            if known is not None:
                return known
        now = self._clock()
        made_ms = to_micros(now) // 1000
        while True:
            version = ModelVersion(
                project=project,
                model=line.name,
                line=line.line,
                number=rows.next_number(tx, project, line.line),
                digest=registration.digest,
                signature=registration.signature,
                probe=registration.probe,
                card=registration.card,
                metrics=registration.metrics,
                data=registration.data,
                reference=registration.reference,
                description=registration.description,
                run=run,
                root=root,
                actor=caller.actor,
                recorded_at=now,
                created_ms=made_ms,
                updated_ms=made_ms,
            )
            if rows.add(tx, version):  # two that race for a number are told apart by its key
                break
        self.lookup.lines.touch(tx, project, line.line, made_ms)
        body = {"digest": version.digest, "run": run, "root": root, "metrics": dict(version.metrics)}
        self._teller.registered(tx, caller, version, {}, body)
        return version

    @verb("models.create", permission="model.write", event="model.created")
    def create(self, caller: Caller, request: CreateModel) -> ModelSheet:
        """A new model without versions. Raises ModelExists."""
        made = self._store.write(lambda tx: self._create(tx, caller, request))
        return ModelSheet(model=made, tags=dict(request.tags), aliases={}, latest=[])

    @verb("models.rename", permission="model.write", event="model.renamed")
    def rename(self, caller: Caller, request: RenameModel) -> ModelSheet:
        """The model under its new name; versions, aliases and evidence stay with it. Raises ModelExists."""

        def work(tx: Transaction) -> ModelSheet:
            line = self.lookup.line(tx, caller.project, request.model)
            self._require_free(tx, caller.project, request.new_name, unless=line)
            try:
                self.lookup.lines.rename(tx, caller.project, line.line, request.new_name, self._now_ms())
            except UniqueViolation as error:
                raise _exists(request.new_name) from error
            body = {"from": line.name, "to": request.new_name, "reason": request.reason}
            self._teller.tell(tx, caller, "model.renamed", line.subject, body)
            return self._sheet(tx, caller, request.new_name)

        return self._store.write(work)

    @verb("models.describe", permission="model.write", event="model.described")
    def describe(self, caller: Caller, request: DescribeModel) -> ModelSheet:
        """The model with its new description."""

        def work(tx: Transaction) -> ModelSheet:
            line = self.lookup.line(tx, caller.project, request.model)
            self.lookup.lines.describe(tx, caller.project, line.line, request.description, self._now_ms())
            self._teller.tell(tx, caller, "model.described", line.subject, {})
            return self._sheet(tx, caller, request.model)

        return self._store.write(work)

    @verb("models.delete", permission="model.delete", event="model.deleted")
    def delete(self, caller: Caller, request: DeleteModel) -> None:
        """Takes a model away with its versions and aliases. Raises RefProtected where an alias is protected."""

        def work(tx: Transaction) -> None:
            line = self.lookup.line(tx, caller.project, request.model)
            for alias in self.lookup.aliases(tx, caller.project, line):
                self._drop(tx, caller, line, alias, request.reason or "its model was deleted")
            versions = self.lookup.rows.of_model(tx, caller.project, line.line)
            for version in versions:
                release(tx, version)
            self.lookup.lines.delete(tx, caller.project, line.line, self._clock())
            numbers = [version.number for version in versions]
            body = {"name": line.name, "versions": numbers, "reason": request.reason}
            self._teller.tell(tx, caller, "model.deleted", line.subject, body)

        self._store.write(work, durable=True)

    @verb("models.tag", permission="model.write", event="model.tagged")
    def tag(self, caller: Caller, request: TagModel) -> None:
        """Labels a model, or without a value takes the label away."""

        def work(tx: Transaction) -> None:
            project, tags = caller.project, self.lookup.tags
            line = self.lookup.line(tx, project, request.model)
            if request.value is None:
                tags.delete(tx, project, line.line, 0, request.key)
            else:
                tags.set(tx, project, line.line, 0, {request.key: request.value})
            of_prompt = is_prompt(tags.of(tx, project, line.line, 0))
            self._teller.tagged(tx, caller, line, None, request.key, request.value, is_prompt=of_prompt)

        self._store.write(work)

    @verb("models.list", permission="model.read")
    def list(self, caller: Caller) -> list[Model]:
        """Every model of the project, with the versions that its aliases stand on."""
        with self._store.read() as reader:
            return [
                Model(
                    name=name,
                    newest=newest,
                    versions=count,
                    aliases=self.lookup.aliases(reader, caller.project, _bare(line, name)),
                    recorded_at=at,
                )
                for line, name, newest, count, at in self.lookup.lines.all(reader, caller.project)
            ]

    @verb("models.search", permission="model.read")
    def search(self, caller: Caller, request: SearchRegistry) -> Page[ModelSheet]:
        """The models that a filter finds, as `look` shows them, a page at a time. Raises SearchInvalid."""
        with self._store.read() as reader:
            lines, token = find_models(reader, caller.project, request)
            sheets = [self.lookup.sheet(reader, caller.project, line) for line in lines]
        return Page(items=sheets, next=token)

    @verb("models.look", permission="model.read")
    def look(self, caller: Caller, request: ModelNamed) -> ModelSheet:
        """A model with its labels, its aliases and the newest version of each stage. Raises ModelNotFound."""
        with self._store.read() as reader:
            return self._sheet(reader, caller, request.model)

    @verb("models.versions", permission="model.read")
    def versions(self, caller: Caller, request: ModelNamed) -> _Versions:
        """The versions of a model, newest first."""
        with self._store.read() as reader:
            line = self.lookup.line(reader, caller.project, request.model)
            return self.lookup.rows.of_model(reader, caller.project, line.line)

    @verb("models.get", permission="model.read")
    def get(self, caller: Caller, request: VersionNamed) -> VersionSheet:
        """A version by number or alias, with its aliases and all evidence about it."""
        with self._store.read() as reader:
            found = self.lookup.label(reader, self.resolve(reader, caller.project, request.model, request.version))
            evidence = self._dossiers.evidence(reader, found.version)
        return VersionSheet(
            version=found.version,
            tags=found.tags,
            aliases=found.aliases,
            evidence=evidence,
        )

    @verb("models.card", permission="model.read")
    def card(self, caller: Caller, request: VersionNamed) -> VersionCard:
        """The model card of a version as Markdown, with the evidence that has gathered since.

        A version that was registered without a card gets one that is made of what is known of it.
        """
        with self._store.read() as reader:
            found = self.resolve(reader, caller.project, request.model, request.version)
            dossier = self._dossiers.of(reader, found)
            artifact = None if found.card is None else ArtifactRows().get(reader, caller.project, found.card)
        if artifact is None or self._values is None:
            written = of_facts(dossier)
        else:
            content = self._values.load(artifact)
            written = content["markdown"] if isinstance(content, dict) else str(content)
        return VersionCard(
            model=found.model,
            version=found.number,
            markdown=as_it_reads_today(written, dossier.aliases, dossier.evidence),
            digest=found.card,
        )

    @verb("models.promote", permission="model.promote", event="ref.moved")
    def promote(self, caller: Caller, request: PromoteModel) -> ModelVersion:
        """The version on which the alias now stands. Raises EpochMoved when it was not where `expected` says."""
        return self._store.write(lambda tx: self.promote_in(tx, caller, request), durable=True)

    def promote_in(self, tx: Transaction, caller: Caller, request: PromoteModel) -> ModelVersion:
        """As the verb, within a transaction that is already open."""
        caller.require("model.promote")
        project = caller.project
        version = self.resolve(tx, project, request.model, str(request.version))
        line = self.lookup.line(tx, project, request.model)
        name = line.alias_ref(request.alias)
        ref = self._refs.find(tx, project, name)
        epoch = None
        if request.expected is not None:
            stands = ref is not None and ref.target == subject_of(line.line, request.expected)
            epoch = ref.epoch if ref is not None and stands else (0 if request.expected == 0 else -1)
        says_nothing_new = not (request.reason or request.evidence) and request.expected is None
        if not (says_nothing_new and ref is not None and ref.target == version.subject):
            self._refs.move(
                tx,
                project,
                name,
                version.subject,
                actor=caller.actor,
                reason=request.reason,
                evidence=request.evidence,
                expected_epoch=epoch,
            )
        is_of_prompt = is_prompt(self.lookup.tags.of(tx, project, line.line, 0))
        self._teller.aliased(tx, caller, line, request.alias, version.number, is_prompt=is_of_prompt)
        return version

    @verb("models.unalias", permission="model.promote", event="ref.deleted")
    def unalias(self, caller: Caller, request: DropAlias) -> None:
        """Takes an alias away; its history stays. Raises AliasNotFound, RefProtected."""

        def work(tx: Transaction) -> None:
            line = self.lookup.line(tx, caller.project, request.model)
            if self.lookup.holder(tx, caller.project, line, request.alias) is None:
                raise no_alias(line.name, request.alias)
            self._drop(tx, caller, line, request.alias, request.reason)
            is_of_prompt = is_prompt(self.lookup.tags.of(tx, caller.project, line.line, 0))
            self._teller.aliased(tx, caller, line, request.alias, None, is_prompt=is_of_prompt)

        self._store.write(work, durable=True)

    @verb("models.history", permission="model.read")
    def history(self, caller: Caller, request: HistoryOf) -> ModelHistory:
        """Every move of every alias and stage of a model up to a moment, oldest first, and what stood then."""
        with self._store.read() as reader:
            line = self.lookup.line(reader, caller.project, request.model)
        aliases = alias_moves(self._events.below(caller.project, line.alias_ref("")))
        stages = stage_moves(self._events.below(caller.project, f"{line.subject}/"))
        return told(line.name, request.at or self._clock(), [*aliases, *stages])

    # What other services ask within their own reading or transaction

    def of_run(self, reader: Reader, project: str, run: str) -> _Versions:
        """The versions that a run made or registered."""
        return self.lookup.rows.of_run(reader, project, run)

    def holder(self, reader: Reader, project: str, model: str, alias: str) -> int | None:
        """The number of the version on which an alias stands, or None."""
        line = self.lookup.lines.find(reader, project, model)
        return None if line is None else self.lookup.holder(reader, project, line, alias)

    def resolve(self, reader: Reader, project: str, model: str, version: str) -> ModelVersion:
        """A version by number, alias or `newest`. Raises ModelNotFound, ModelVersionNotFound."""
        return self.lookup.resolve(reader, project, model, version)

    def _sheet(self, reader: Reader, caller: Caller, model: str) -> ModelSheet:
        return self.lookup.sheet(reader, caller.project, self.lookup.line(reader, caller.project, model))

    def _create(self, tx: Transaction, caller: Caller, request: CreateModel) -> ModelLine:
        self._require_free(tx, caller.project, request.name)
        line = self._add(tx, caller, request)
        if line is None:
            raise _exists(request.name)
        return line

    def _add(self, tx: Transaction, caller: Caller, request: CreateModel) -> ModelLine | None:
        """The model that was made; None when another took its name first."""
        line = self.lookup.lines.add(
            tx,
            caller.project,
            request.name,
            description=request.description,
            created_ms=request.created_ms or self._now_ms(),
            actor=caller.actor,
        )
        if line is not None:
            self.lookup.tags.set(tx, caller.project, line.line, 0, request.tags)
            self._teller.created(tx, caller, line, request.tags)
        return line

    def _require_free(self, reader: Reader, project: str, name: str, *, unless: ModelLine | None = None) -> None:
        found = self.lookup.lines.find(reader, project, name)
        if found is not None and (unless is None or found.line != unless.line):
            raise _exists(name, is_prompt=PROMPT_TAG in self.lookup.tags.of(reader, project, found.line, 0))

    def _drop(self, tx: Transaction, caller: Caller, line: ModelLine, alias: str, reason: str) -> None:
        drop_alias(self._refs, tx, caller, line, alias, reason)

    def _now_ms(self) -> int:
        return to_micros(self._clock()) // 1000


_Versions = list[ModelVersion]


def drop_alias(refs: Refs, tx: Transaction, caller: Caller, line: ModelLine, alias: str, reason: str) -> None:
    """Takes an alias away. Raises RefProtected: what takes evidence to move does not vanish without any."""
    name = line.alias_ref(alias)
    ref = refs.find(tx, caller.project, name)
    if ref is not None and ref.protection is not None:
        raise RefProtected(
            f"{name} is protected and cannot be taken away.",
            why="It moves only onto versions that have passed its checks.",
            fix="Move it onto another version, or have its protection lifted first.",
            ref=name,
        )
    refs.delete(tx, caller.project, name, actor=caller.actor, reason=reason)


def _bare(line: str, name: str) -> ModelLine:
    return ModelLine(line=line, name=name, description=None, created_ms=0, updated_ms=0, actor="")


def _exists(name: str, **context: Any) -> ModelExists:
    return ModelExists(
        f"There is a model {name!r} already.", fix="Register the next version of it, or choose another name.", **context
    )


def _check_name(name: str) -> None:
    if not _NAME.fullmatch(name):
        raise BadModelName(
            f"{name!r} cannot be the name of a model.",
            why="A name has 1 to 100 letters, digits, spaces, dots, dashes or underscores, and begins with a letter or digit.",
            fix="Choose a plain name such as late-arrival.",
        )
