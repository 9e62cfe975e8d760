"""The verb of the release loop: let a challenger meet the champion, record the decision, move the alias."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from treadle.kernel.artifacts import Artifact
from treadle.kernel.catalog import ArtifactRows, EvidenceRows
from treadle.kernel.events import EventLog
from treadle.kernel.governance import Caller, verb
from treadle.kernel.store import Store, Transaction
from treadle.loops.release.errors import BadEvaluation
from treadle.loops.release.gates import decide
from treadle.loops.release.ports import Values
from treadle.loops.release.records import Decision, Finding, GatePolicy
from treadle.systems.train import Models, ModelVersion
from treadle.systems.train.registry.service import PromoteModel

GATE = "gate"
"""The kind of evidence that a protected alias asks for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Challenge:
    """A version that wants an alias, and the rows on which it is judged.

    evaluation: the digest of a frame with the columns `truth` (0 or 1), `challenger` and `champion` (probabilities):
    the same rows scored by both. champion_is: who the other column is where no version holds the alias yet.
    window: what the rows are, for the record (`2013-07-01 to 2013-07-28, landed`). conditions: what was found elsewhere
    and must hold as well, such as the gate of the model's specification.
    """

    model: str
    version: int
    evaluation: str
    alias: str = "champion"
    policy: GatePolicy = field(default_factory=GatePolicy)
    champion_is: str = "the baseline"
    window: str = ""
    run: str | None = None
    conditions: Sequence[Finding] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What became of a challenge: who held the alias before and who holds it now, and the evidence for it."""

    model: str
    version: int
    champion_before: int | None
    champion_after: int | None
    promoted: bool
    reason: str
    window: str
    evidence: str
    figures: Mapping[str, Any]


class Release:
    """Decides over aliases of models."""

    def __init__(self, store: Store, models: Models, evidence: EvidenceRows, events: EventLog, values: Values) -> None:
        self._store, self._models, self._evidence = store, models, evidence
        self._events, self._values, self._artifacts = events, values, ArtifactRows()

    @verb("releases.challenge", permission="model.promote", event="release.decided")
    def challenge(self, caller: Caller, request: Challenge) -> Verdict:
        """The verdict, committed with its evidence and, where the challenger won, with the move of the alias."""
        decision, champion = self.judge(caller, request)
        return self._store.write(lambda tx: self.commit(tx, caller, request, decision, champion), durable=True)

    def judge(self, caller: Caller, request: Challenge) -> tuple[Decision, int | None]:
        """The decision and the champion that it was made against; writes nothing."""
        caller.require("model.promote")
        with self._store.read() as reader:
            version = self._models.resolve(reader, caller.project, request.model, str(request.version))
            evaluation = self._artifacts.get(reader, caller.project, request.evaluation)
            model = self._artifacts.find(reader, caller.project, version.digest)
            champion = self._champion(reader, caller, request)
        rows, columns = self._rows(evaluation, request.policy)
        holder = request.champion_is if champion is None else f"the champion, version {champion}"
        size = 0 if model is None else model.size_bytes
        judged = decide(
            rows["truth"],
            rows["challenger"],
            rows["champion"],
            policy=request.policy,
            champion_is=holder,
            size_bytes=size,
            conditions=request.conditions,
            columns=columns,
        )
        return judged, champion

    def commit(
        self, tx: Transaction, caller: Caller, request: Challenge, decision: Decision, champion: int | None
    ) -> Verdict:
        """Evidence, event and move, in the caller's transaction. Raises EpochMoved when the alias moved meanwhile."""
        version = self._models.resolve(tx, caller.project, request.model, str(request.version))
        body = {**decision.as_evidence(), "against": champion, "window": request.window, "rows": request.evaluation}
        found = self._evidence.add(
            tx,
            caller.project,
            subject=version.subject,
            kind=GATE,
            verdict="passed" if decision.promoted else "failed",
            body=body,
            actor=caller.actor,
            digest=version.digest,
            run=request.run,
        )
        self._record(tx, caller, version, decision, champion, found.id)
        if decision.promoted and champion != version.number:
            self._models.promote_in(
                tx,
                caller,
                PromoteModel(
                    model=request.model,
                    version=version.number,
                    alias=request.alias,
                    reason=decision.reason,
                    evidence={GATE: found.id},
                    expected=champion or 0,
                ),
            )
        return Verdict(
            model=request.model,
            version=version.number,
            champion_before=champion,
            champion_after=version.number if decision.promoted else champion,
            promoted=decision.promoted,
            reason=decision.reason,
            window=request.window,
            evidence=found.id,
            figures=decision.figures,
        )

    def _champion(self, reader: Any, caller: Caller, request: Challenge) -> int | None:
        return self._models.holder(reader, caller.project, request.model, request.alias)

    def _rows(
        self, evaluation: Artifact, policy: GatePolicy
    ) -> tuple[dict[str, np.ndarray[Any, Any]], dict[str, np.ndarray[Any, Any]]]:
        """The scores, and the columns that the policy names."""
        frame = self._values.load(evaluation)
        scores = {name: np.asarray(frame[name], dtype=np.float64) for name in ("truth", "challenger", "champion")}
        named = dict.fromkeys((*policy.slices, *policy.groups))
        known = set(getattr(frame, "columns", frame))
        missing = [name for name in named if name not in known]
        if missing:
            raise BadEvaluation(
                f"The evaluation has no column {missing[0]!r}, which the gate's policy names.",
                fix="Keep it beside truth, challenger and champion.",
            )
        return scores, {name: np.asarray(frame[name], dtype=object) for name in named}

    def _record(
        self,
        tx: Transaction,
        caller: Caller,
        version: ModelVersion,
        decision: Decision,
        champion: int | None,
        evidence: str,
    ) -> None:
        body = {
            "promoted": decision.promoted,
            "reason": decision.reason,
            "against": champion,
            "evidence": evidence,
            "figures": decision.figures,
        }
        self._events.append(
            tx,
            project=caller.project,
            kind="release.decided",
            subject=version.subject,
            actor=caller.actor,
            body=body,
        )
