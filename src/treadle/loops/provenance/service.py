"""The verbs of provenance: why a thing is as it is, what came of it, and whether it comes out the same again."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace

from treadle.kernel.catalog import RunRows
from treadle.kernel.governance import Caller, verb
from treadle.loops.provenance import naming
from treadle.loops.provenance.again import Again
from treadle.loops.provenance.counting import Served
from treadle.loops.provenance.diagnosing import Diagnosing
from treadle.loops.provenance.diagnosis import DiagnoseRequest, Diagnosis
from treadle.loops.provenance.downward import Downward
from treadle.loops.provenance.ports import RunsAgain
from treadle.loops.provenance.records import (
    ImpactRequest,
    Node,
    PredictionReplay,
    ReplayRequest,
    Verification,
    VerifyRequest,
    WhyRequest,
)
from treadle.loops.provenance.replaying import Replaying
from treadle.loops.provenance.sources import Sources
from treadle.loops.provenance.upward import Upward
from treadle.loops.provenance.verifying import Verifying

EVIDENCE = "verification"
"""The kind under which a verdict is evidence on a model version, or on a run."""


class Provenance:
    """The graph of one store, walked and made again."""

    def __init__(self, sources: Sources, runs_again: RunsAgain) -> None:
        self._sources, self._runs_again = sources, runs_again

    @verb("provenance.why", permission="provenance.read")
    def why(self, caller: Caller, request: WhyRequest) -> Node:
        """Where something comes from: of a prediction, down to the raw rows. Raises NothingOfThatName."""
        with self._walk(caller) as up:
            return naming.why(up, request.id, rows=max(0, request.rows))

    @verb("provenance.impact", permission="provenance.read")
    def impact(self, caller: Caller, request: ImpactRequest) -> Node:
        """What came of something: runs, model versions, endpoints, and how many predictions. Raises NothingOfThatName."""
        with self._walk(caller) as up:
            down = Downward(up, Served(self._sources.datasets, caller.project))
            return naming.impact(up, down, request.id)

    @verb("provenance.diagnose", permission="provenance.read")
    def diagnose(self, caller: Caller, request: DiagnoseRequest) -> Diagnosis:
        """Since when what an alert tells of has moved, what came before that upstream, and what the alert led to.

        Raises AlertNotFound. Cost: one walk of the model version's lineage, and the events recorded since the search begins.
        """
        with self._walk(caller) as up:
            return Diagnosing(up).diagnose(request.alert, max(0, request.before_s))

    @verb("provenance.replay", permission="code.run")
    def replay(self, caller: Caller, request: ReplayRequest) -> PredictionReplay:
        """Whether a past prediction, and the features it was made from, come out the same today.

        Runs recorded code in a fresh process. Raises PredictionNotFound.
        """
        return Replaying(self._sources, Again(self._sources, self._runs_again, caller)).replay(request.prediction)

    @verb("provenance.verify", permission="code.run", event="evidence.added")
    def verify(self, caller: Caller, request: VerifyRequest) -> Verification:
        """Makes a model version or a run again in a fresh process, compares, and puts the verdict on record.

        Takes as long as the training took. Raises NothingOfThatName, NotReproducible.
        """
        verifying = Verifying(self._sources, Again(self._sources, self._runs_again, caller))
        if request.id.startswith("run_"):
            with self._sources.store.read() as reader:
                run = RunRows().get(reader, caller.project, request.id)
            return self._on_record(caller, verifying.run(run), None)
        with self._walk(caller) as up:
            version = naming.version_of(up, request.id)
        return self._on_record(caller, verifying.model(version), version.digest)

    def _on_record(self, caller: Caller, found: Verification, digest: str | None) -> Verification:
        """The verification, once it is evidence: passed when it predicts the same, to the bit."""
        body = {
            "verdict": found.verdict,
            "environment": asdict(found.environment),
            "of_run": found.of_run,
            "first_difference": found.first_difference,
            "largest_difference": found.largest_difference,
            "steps": {step.path: step.verdict for step in found.steps},
        }
        evidence = self._sources.store.write(
            lambda tx: self._sources.evidence.add(
                tx,
                caller.project,
                subject=found.subject,
                kind=EVIDENCE,
                verdict="passed" if found.is_reproduced else "failed",
                body=body,
                actor=caller.actor,
                digest=digest,
                run=found.run,
            ),
            durable=True,
        )
        return replace(found, evidence=evidence.id)

    @contextmanager
    def _walk(self, caller: Caller) -> Iterator[Upward]:
        with self._sources.store.read() as reader:
            yield Upward(self._sources, reader, caller)
