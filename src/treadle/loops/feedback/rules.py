"""What is declared of an endpoint for its feedback: one artifact each, under a ref such as `truth/<endpoint>`."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any, ClassVar, Generic, Protocol, TypeVar

from treadle.ground.clock import Clock
from treadle.kernel.artifacts.service import Artifacts
from treadle.kernel.catalog import ArtifactRows, Refs
from treadle.kernel.governance import Caller
from treadle.kernel.store import Store, Transaction
from treadle.loops.feedback.records import TruthRule


class Declared(Protocol):
    """A frozen dataclass of plain values about one endpoint."""

    __dataclass_fields__: ClassVar[dict[str, Any]]

    @property
    def endpoint(self) -> str: ...

    @property
    def source(self) -> str:
        """Where it takes its values from, in a few words."""


Rule = TypeVar("Rule", bound=Declared)


class Declarations(Generic[Rule]):
    """Finds and keeps rules of one kind."""

    def __init__(
        self, kind: type[Rule], word: str, store: Store, artifacts: Artifacts, refs: Refs, clock: Clock
    ) -> None:
        self._kind, self._word = kind, word
        self._store, self._artifacts, self._refs, self._clock = store, artifacts, refs, clock
        self._rows = ArtifactRows()

    def find(self, project: str, endpoint: str) -> Rule | None:
        """The rule of an endpoint, or None."""
        with self._store.read() as reader:
            ref = self._refs.find(reader, project, f"{self._word}/{endpoint}")
            artifact = None if ref is None else self._rows.get(reader, project, ref.target)
        return None if artifact is None else self._kind(**_thawed(self._artifacts.load(artifact)))

    def put(self, caller: Caller, rule: Rule) -> Rule:
        """Makes this the rule of its endpoint; the same rule again changes nothing."""
        artifact = self._artifacts.put(_frozen(asdict(rule)))

        def work(tx: Transaction) -> None:
            self._rows.record(tx, caller.project, [artifact], at=self._clock())
            name = f"{self._word}/{rule.endpoint}"
            ref = self._refs.find(tx, caller.project, name)
            if ref is None or ref.target != artifact.digest:
                reason = f"{self._word} comes from {rule.source}"
                self._refs.move(tx, caller.project, name, artifact.digest, actor=caller.actor, reason=reason)

        self._store.write(work)
        return rule


class TruthRules(Declarations[TruthRule]):
    """Where the truth about an endpoint's predictions comes from."""

    def __init__(self, store: Store, artifacts: Artifacts, refs: Refs, clock: Clock) -> None:
        super().__init__(TruthRule, "truth", store, artifacts, refs, clock)


def _frozen(values: dict[str, Any]) -> dict[str, Any]:
    """The fields of a rule as they are stored: a tuple is a list in JSON."""
    return {name: list(value) if isinstance(value, tuple) else value for name, value in values.items()}


def _thawed(values: dict[str, Any]) -> dict[str, Any]:
    return {name: tuple(value) if isinstance(value, list) else value for name, value in values.items()}
