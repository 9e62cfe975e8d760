"""The verbs of the registry: register, look up, promote, and tell the history of an alias."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from treadle.ground.clock import Clock
from treadle.ground.errors import did_you_mean
from treadle.kernel.catalog import ArtifactRows, EvidenceRows, Refs
from treadle.kernel.events import EventLog
from treadle.kernel.governance import Caller, verb
from treadle.kernel.store import Reader, Store, Transaction
from treadle.systems.train.cards import as_it_reads_today
from treadle.systems.train.errors import BadModelName, ModelCardNotFound, ModelNotFound, ModelVersionNotFound
from treadle.systems.train.ports import Values
from treadle.systems.train.records import (
    AliasMove,
    Model,
    ModelVersion,
    Registration,
    VersionCard,
    VersionEvidence,
    VersionSheet,
    subject_of,
)
from treadle.systems.train.repository import VersionRows

CHAMPION = "champion"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9 ._-]{0,99}")


@dataclass(frozen=True, slots=True, kw_only=True)
class RegisterModel:
    """Registers an artifact of this project as the next version of a model."""

    registration: Registration
    run: str | None = None
    root: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelNamed:
    model: str


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionNamed:
    """`version` is a number (`3`), an alias (`champion`), or `newest`."""

    model: str
    version: str = "newest"


@dataclass(frozen=True, slots=True, kw_only=True)
class PromoteModel:
    """Moves an alias of a model to a version. `expected` is the version that the decision found there, if it says."""

    model: str
    version: int
    alias: str = CHAMPION
    reason: str = ""
    evidence: Mapping[str, Any] = field(default_factory=dict)
    expected: int | None = None


class Models:
    """The registry. values: where the cards that versions name are read from."""

    def __init__(
        self,
        store: Store,
        refs: Refs,
        evidence: EvidenceRows,
        events: EventLog,
        clock: Clock,
        values: Values | None = None,
    ) -> None:
        self._store, self._refs, self._evidence, self._events = store, refs, evidence, events
        self._clock, self._rows, self._values = clock, VersionRows(), values

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
        _check_name(registration.model)
        if root is not None:
            known = self._rows.find_of_root(tx, caller.project, registration.model, root, registration.digest)
            if known is not None:
                return known
        version = self._rows.add(
            tx, caller.project, registration, run=run, root=root, actor=caller.actor, at=self._clock()
        )
        self._events.append(
            tx,
            project=caller.project,
            kind="model.registered",
            subject=version.subject,
            actor=caller.actor,
            body={"digest": version.digest, "run": run, "root": root, "metrics": dict(version.metrics)},
        )
        return version

    @verb("models.list", permission="model.read")
    def list(self, caller: Caller) -> list[Model]:
        """Every model of the project, with the versions that its aliases stand on."""
        with self._store.read() as reader:
            return [
                Model(
                    name=name,
                    newest=newest,
                    versions=count,
                    aliases=self._aliases(reader, caller.project, name),
                    recorded_at=at,
                )
                for name, newest, count, at in self._rows.models(reader, caller.project)
            ]

    @verb("models.versions", permission="model.read")
    def versions(self, caller: Caller, request: ModelNamed) -> _Versions:
        """The versions of a model, newest first."""
        with self._store.read() as reader:
            found = self._rows.of_model(reader, caller.project, request.model)
            if not found:
                raise self._unknown_model(reader, caller.project, request.model)
            return found

    @verb("models.get", permission="model.read")
    def get(self, caller: Caller, request: VersionNamed) -> VersionSheet:
        """A version by number or alias, with its aliases and all evidence about it."""
        with self._store.read() as reader:
            version = self.resolve(reader, caller.project, request.model, request.version)
            aliases = self._aliases(reader, caller.project, request.model)
            found = self._evidence.about(reader, caller.project, version.subject)
        return VersionSheet(
            version=version,
            aliases=[alias for alias, number in aliases.items() if number == version.number],
            evidence=[
                VersionEvidence(
                    id=e.id,
                    kind=e.kind,
                    verdict=e.verdict,
                    body=e.body,
                    run=e.run,
                    actor=e.actor,
                    recorded_at=e.recorded_at,
                )
                for e in found
            ],
        )

    @verb("models.card", permission="model.read")
    def card(self, caller: Caller, request: VersionNamed) -> VersionCard:
        """The model card of a version as Markdown, with the evidence that has gathered since. Raises ModelCardNotFound."""
        sheet = self.get(caller, request)
        found = sheet.version
        if found.card is None or self._values is None:
            raise ModelCardNotFound(
                f"Version {found.number} of {found.model!r} has no model card.",
                why="It was registered without one.",
                fix="Register with one: td.register(…, card=td.card(spec, board, …))",
                model=found.model,
                version=found.number,
            )
        with self._store.read() as reader:
            artifact = ArtifactRows().get(reader, caller.project, found.card)
        content = self._values.load(artifact)
        written = content["markdown"] if isinstance(content, dict) else str(content)
        return VersionCard(
            model=found.model,
            version=found.number,
            markdown=as_it_reads_today(written, sheet.aliases, sheet.evidence),
            digest=found.card,
        )

    @verb("models.promote", permission="model.promote", event="ref.moved")
    def promote(self, caller: Caller, request: PromoteModel) -> ModelVersion:
        """The version on which the alias now stands. Raises EpochMoved when it was not where `expected` says."""
        return self._store.write(lambda tx: self.promote_in(tx, caller, request), durable=True)

    def promote_in(self, tx: Transaction, caller: Caller, request: PromoteModel) -> ModelVersion:
        """As the verb, within a transaction that is already open."""
        caller.require("model.promote")
        version = self.resolve(tx, caller.project, request.model, str(request.version))
        name = f"model/{request.model}@{request.alias}"
        epoch = None
        if request.expected is not None:
            ref = self._refs.find(tx, caller.project, name)
            stands = ref is not None and ref.target == subject_of(request.model, request.expected)
            epoch = ref.epoch if ref is not None and stands else (0 if request.expected == 0 else -1)
        self._refs.move(
            tx,
            caller.project,
            name,
            version.subject,
            actor=caller.actor,
            reason=request.reason,
            evidence=request.evidence,
            expected_epoch=epoch,
        )
        return version

    @verb("models.history", permission="model.read")
    def history(self, caller: Caller, request: ModelNamed) -> _Moves:
        """Every move of every alias of a model, oldest first: which version was in production on a given day."""
        moves: list[AliasMove] = []
        with self._store.read() as reader:
            if not self._rows.of_model(reader, caller.project, request.model):
                raise self._unknown_model(reader, caller.project, request.model)
            for ref in self._refs.list(reader, caller.project, f"model/{request.model}@"):
                for move in self._refs.history(reader, caller.project, ref.name):
                    moves.append(
                        AliasMove(
                            alias=ref.name.rpartition("@")[2],
                            version=_number(move.target),
                            previous=_number(move.previous),
                            actor=move.actor,
                            reason=move.reason,
                            evidence=move.evidence,
                            recorded_at=move.recorded_at,
                        )
                    )
        return sorted(moves, key=lambda move: move.recorded_at)

    def of_run(self, reader: Reader, project: str, run: str) -> _Versions:
        """The versions that a run made or registered."""
        return self._rows.of_run(reader, project, run)

    def holder(self, reader: Reader, project: str, model: str, alias: str) -> int | None:
        """The number of the version on which an alias stands, or None."""
        ref = self._refs.find(reader, project, f"model/{model}@{alias}")
        return None if ref is None else _number(ref.target)

    def resolve(self, reader: Reader, project: str, model: str, version: str) -> ModelVersion:
        """A version by number, alias or `newest`. Raises ModelNotFound, ModelVersionNotFound."""
        number = self._resolve_number(reader, project, model, version)
        found = None if number is None else self._rows.find(reader, project, model, number)
        if found is not None:
            return found
        known = self._rows.of_model(reader, project, model)
        if not known:
            raise self._unknown_model(reader, project, model)
        aliases = self._aliases(reader, project, model)
        raise ModelVersionNotFound(
            f"The model {model!r} has no version {version!r}.",
            why=f"Its versions are 1 to {known[0].number}; its aliases: {', '.join(aliases) or 'none yet'}.",
            fix=f"Look at them with: treadle models show {model}",
            model=model,
            version=version,
        )

    def _resolve_number(self, reader: Reader, project: str, model: str, version: str) -> int | None:
        if version.isdecimal():
            return int(version)
        if version == "newest":
            versions = self._rows.of_model(reader, project, model)
            return versions[0].number if versions else None
        return self.holder(reader, project, model, version)

    def _aliases(self, reader: Reader, project: str, model: str) -> dict[str, int]:
        prefix = f"model/{model}@"
        refs = self._refs.list(reader, project, prefix)
        return {ref.name.removeprefix(prefix): number for ref in refs if (number := _number(ref.target)) is not None}

    def _unknown_model(self, reader: Reader, project: str, model: str) -> ModelNotFound:
        names = [name for name, *_ in self._rows.models(reader, project)]
        return ModelNotFound(
            f"There is no model {model!r}.",
            why=did_you_mean(model, names) or "No model is registered yet.",
            fix="List them with: treadle models list",
            model=model,
        )


_Versions = list[ModelVersion]
_Moves = list[AliasMove]


def _number(subject: str | None) -> int | None:
    tail = (subject or "").rpartition("/")[2]
    return int(tail) if tail.isdecimal() else None


def _check_name(name: str) -> None:
    if not _NAME.fullmatch(name):
        raise BadModelName(
            f"{name!r} cannot be the name of a model.",
            why="A name has 1 to 100 letters, digits, spaces, dots, dashes or underscores, and begins with a letter or digit.",
            fix="Choose a plain name such as late-arrival.",
        )
