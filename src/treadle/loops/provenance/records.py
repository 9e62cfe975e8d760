"""What is asked of provenance, and what it answers: trees of things, and verdicts about doing them again."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Literal

SHOWN_ABOVE = "shown above"

Sameness = Literal["identical", "within tolerance", "different", "not reproducible"]
"""How a prediction, or its features, came out this time."""

Rung = Literal["identical-bytes", "identical-model", "identical-predictions", "equal-to-1e-6", "different"]
"""The ladder of a verification, the best first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WhyRequest:
    """Asks where something comes from.

    id: a prediction (`pred_…`), run, snapshot, landing, row (`land_…:17`), alert, event, artifact (`sha256:…`), model
    version (`late-arrival/3`, `late-arrival@champion`) or endpoint (`endpoint/late-arrival`).
    rows: so many raw rows are shown for each feature view; of more, the newest. With 0 the features' join is not done again,
    which is most of what a prediction's answer costs.
    """

    id: str
    rows: int = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class ImpactRequest:
    """Asks what came of something: a snapshot, run, artifact, code bundle, row, landing or model version."""

    id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplayRequest:
    """Asks for a prediction, and the features that it was made from, to be computed again."""

    prediction: str


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifyRequest:
    """Asks for a model version (`late-arrival/3`, `late-arrival@champion`) or a run to be made again and compared."""

    id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """One thing on the way: a prediction, a model version, a run, an artifact, a snapshot, a row.

    relation: how it belongs to the node above (`served by`, `trained by`, `input rows`). facts: what to show, in order.
    note: where the walk stops or repeats itself, and why.
    """

    kind: str
    id: str
    title: str
    relation: str = ""
    facts: dict[str, Any] = field(default_factory=dict)
    children: list[Node] = field(default_factory=list)
    note: str = ""

    def walk(self) -> Iterator[Node]:
        """This node and all below it, parents first."""
        yield self
        for child in self.children:
            yield from child.walk()

    def find(self, kind: str) -> Node | None:
        """The first node of a kind, in the order of `walk`."""
        return next((node for node in self.walk() if node.kind == kind), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class ValueDifference:
    """One value that came out otherwise."""

    name: str
    served: Any
    now: Any


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplayedPart:
    """One half of a replay: of the model, or of the features. `run` is the run in which the features were made again."""

    verdict: Sameness
    reason: str = ""
    largest_difference: float | None = None
    differences: list[ValueDifference] = field(default_factory=list)
    run: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PredictionReplay:
    """A past prediction, computed again. model: the served model on the served vectors, in the same call shape.
    features: the step that made the vectors, on the recorded inputs."""

    prediction: str
    model: ReplayedPart
    features: ReplayedPart


@dataclass(frozen=True, slots=True, kw_only=True)
class EnvironmentVerdict:
    """Where it was made again, held against where it was made. `verdict`: same, rebuilt, other or unknown."""

    verdict: str
    differences: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class ComparedStep:
    """One step that was made again. recorded, now: digests of its result. code_differs: what ran is not what ran then."""

    path: str
    verdict: Literal["identical-bytes", "identical", "different"]
    recorded: str | None
    now: str | None
    run: str
    code_differs: bool = False
    seconds: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Verification:
    """How a model or a run came out when it was made again. run: the one of this time, of the kind `verification`.

    first_difference: the path of the first step whose result differs. answered: how many steps that the model does not
    stand on were answered from the record. evidence: the id of the finding, as it is on record.
    """

    subject: str
    verdict: Rung
    environment: EnvironmentVerdict
    of_run: str
    run: str
    steps: list[ComparedStep]
    first_difference: str | None = None
    largest_difference: float | None = None
    notes: list[str] = field(default_factory=list)
    evidence: str | None = None
    seconds: float = 0.0

    @property
    def is_reproduced(self) -> bool:
        """Whether it predicts the same, to the bit."""
        return self.verdict in ("identical-bytes", "identical-model", "identical-predictions")
