"""The truth rules of a store: one artifact each, under the ref `truth/<endpoint>`."""

from __future__ import annotations

from dataclasses import asdict

from treadle.ground.clock import Clock
from treadle.kernel.artifacts.service import Artifacts
from treadle.kernel.catalog import ArtifactRows, Refs
from treadle.kernel.governance import Caller
from treadle.kernel.store import Store, Transaction
from treadle.loops.feedback.records import TruthRule


class TruthRules:
    """Finds and keeps truth rules."""

    def __init__(self, store: Store, artifacts: Artifacts, refs: Refs, clock: Clock) -> None:
        self._store, self._artifacts, self._refs, self._clock = store, artifacts, refs, clock
        self._rows = ArtifactRows()

    def find(self, project: str, endpoint: str) -> TruthRule | None:
        """The rule of an endpoint, or None."""
        with self._store.read() as reader:
            ref = self._refs.find(reader, project, f"truth/{endpoint}")
            artifact = None if ref is None else self._rows.get(reader, project, ref.target)
        return None if artifact is None else TruthRule(**self._artifacts.load(artifact))

    def put(self, caller: Caller, rule: TruthRule) -> TruthRule:
        """Makes this the rule of its endpoint; the same rule again changes nothing."""
        artifact = self._artifacts.put(asdict(rule))

        def work(tx: Transaction) -> None:
            self._rows.record(tx, caller.project, [artifact], at=self._clock())
            name = f"truth/{rule.endpoint}"
            ref = self._refs.find(tx, caller.project, name)
            if ref is None or ref.target != artifact.digest:
                reason = f"truth comes from {rule.dataset}"
                self._refs.move(tx, caller.project, name, artifact.digest, actor=caller.actor, reason=reason)

        self._store.write(work)
        return rule
