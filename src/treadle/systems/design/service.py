"""The verbs of design: register specifications, keep leaderboards and cards, and find them again."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec

from treadle.ground.clock import Clock
from treadle.ground.errors import NotFound, did_you_mean
from treadle.kernel.artifacts import Artifact, Artifacts
from treadle.kernel.catalog import ArtifactRows, Refs
from treadle.kernel.governance import Caller, verb
from treadle.kernel.store import Reader, Store, Transaction
from treadle.systems.design.card import ModelCard, markdown
from treadle.systems.design.errors import LeaderboardNotFound, ModelSpecNotFound
from treadle.systems.design.leaderboard import Leaderboard
from treadle.systems.design.spec import ModelSpec, as_json, from_mapping

SPEC, BOARD = "model_spec/", "leaderboard/"


@dataclass(frozen=True, slots=True, kw_only=True)
class RegisterSpec:
    """A specification as data, with the shorthands that TOML and YAML may use."""

    spec: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class DesignNamed:
    """A model specification, or its leaderboard, by the specification's name."""

    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RegisteredSpec:
    """A specification, the digest of the artifact that holds it, and since when it is the current one."""

    spec: Mapping[str, Any]
    digest: str
    updated_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedLeaderboard:
    """The newest leaderboard of a specification, and the digest of the artifact that holds it."""

    leaderboard: Leaderboard
    digest: str
    updated_at: datetime


def card_content(card: ModelCard) -> dict[str, Any]:
    """What the artifact of a card holds: the record, and its rendering."""
    return {"card": as_json(card), "markdown": markdown(card)}


class Designs:
    """The specifications and leaderboards of a store."""

    def __init__(self, store: Store, refs: Refs, artifacts: Artifacts, clock: Clock) -> None:
        self._store, self._refs, self._artifacts, self._clock = store, refs, artifacts, clock
        self._rows = ArtifactRows()

    @verb("specs.register", permission="spec.write", event="ref.moved")
    def register(self, caller: Caller, request: RegisterSpec) -> RegisteredSpec:
        """The specification, checked and kept; the same one again moves nothing. Raises InvalidModelSpec."""
        spec = from_mapping(request.spec)
        self._keep(caller, SPEC + spec.name, self._artifacts.put(spec.describe(), kind="model_spec"), "registered")
        return self.get(caller, DesignNamed(name=spec.name))

    @verb("specs.list", permission="spec.read")
    def list(self, caller: Caller) -> list[RegisteredSpec]:
        """Every specification of the project, by name."""
        with self._store.read() as reader:
            names = [ref.name for ref in self._refs.list(reader, caller.project, SPEC)]
            return [self._registered(reader, caller.project, name) for name in names]

    @verb("specs.get", permission="spec.read")
    def get(self, caller: Caller, request: DesignNamed) -> RegisteredSpec:
        """A specification by name."""
        with self._store.read() as reader:
            self._require(reader, caller.project, SPEC, request.name, ModelSpecNotFound, "model spec")
            return self._registered(reader, caller.project, SPEC + request.name)

    def spec(self, caller: Caller, name: str) -> ModelSpec:
        """A registered specification as the object that it describes."""
        return from_mapping(self.get(caller, DesignNamed(name=name)).spec)

    def record(self, caller: Caller, board: Leaderboard, *, run: str | None = None) -> RecordedLeaderboard:
        """Keeps a leaderboard as the newest of its specification. run: the run that made it."""
        caller.require("spec.write")
        reason = f"run {run}" if run is not None else "recorded"
        self._keep(caller, BOARD + board.spec, self._artifacts.put(as_json(board)), reason)
        return self.leaderboard(caller, DesignNamed(name=board.spec))

    def record_in(self, tx: Transaction, caller: Caller, board: Leaderboard, *, run: str | None) -> dict[str, Any]:
        """As `record`, within the transaction of a run whose act this is; answers what the artifact holds."""
        caller.require("spec.write")
        content = as_json(board)
        self._keep_in(tx, caller, BOARD + board.spec, self._artifacts.put(content), f"run {run}")
        return content

    @verb("leaderboards.get", permission="spec.read")
    def leaderboard(self, caller: Caller, request: DesignNamed) -> RecordedLeaderboard:
        """The newest leaderboard of a specification."""
        with self._store.read() as reader:
            self._require(reader, caller.project, BOARD, request.name, LeaderboardNotFound, "leaderboard")
            ref = self._refs.get(reader, caller.project, BOARD + request.name)
            content = self._artifacts.load(self._rows.get(reader, caller.project, ref.target))
        board = msgspec.convert(content, Leaderboard)
        return RecordedLeaderboard(leaderboard=board, digest=ref.target, updated_at=ref.updated_at)

    def put_card(self, caller: Caller, card: ModelCard) -> Artifact:
        """The card as an artifact of the project (record and Markdown), to be named by a model version."""
        caller.require("spec.write")
        artifact = self._artifacts.put(card_content(card))
        self._store.write(lambda tx: self._rows.record(tx, caller.project, [artifact], at=self._clock()))
        return artifact

    def _keep(self, caller: Caller, name: str, artifact: Artifact, reason: str) -> None:
        self._store.write(lambda tx: self._keep_in(tx, caller, name, artifact, reason))

    def _keep_in(self, tx: Transaction, caller: Caller, name: str, artifact: Artifact, reason: str) -> None:
        known = self._refs.find(tx, caller.project, name)
        if known is None or known.target != artifact.digest:
            self._rows.record(tx, caller.project, [artifact], at=self._clock())
            self._refs.move(tx, caller.project, name, artifact.digest, actor=caller.actor, reason=reason)

    def _registered(self, reader: Reader, project: str, name: str) -> RegisteredSpec:
        ref = self._refs.get(reader, project, name)
        content = self._artifacts.load(self._rows.get(reader, project, ref.target))
        return RegisteredSpec(spec=content, digest=ref.target, updated_at=ref.updated_at)

    def _require(
        self, reader: Reader, project: str, kind: str, name: str, missing: Callable[..., NotFound], noun: str
    ) -> None:
        if self._refs.find(reader, project, kind + name) is None:
            known = [ref.name.removeprefix(kind) for ref in self._refs.list(reader, project, kind)]
            raise missing(f"There is no {noun} {name!r}.", fix=did_you_mean(name, known), name=name)
