"""What tracked runs read and made, as edges of the graph.

A client's data set is known by its description alone, and a logged model by its id: each becomes a small artifact, so that
`why` walks from a run that evaluated a model to the run that made it, and `impact` from a data set to its runs.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from treadle.ground.clock import Clock
from treadle.ground.ids import run_id_of
from treadle.kernel.artifacts import Artifact
from treadle.kernel.catalog import ArtifactRows, Edge, LineageRows
from treadle.kernel.catalog.records import Direction
from treadle.kernel.store import Transaction
from treadle.systems.train.tracking.records import DatasetInput

DATASET, MODEL = "data set", "logged model"
CONTEXT_TAG = "mlflow.data.context"


class Describer(Protocol):
    """Makes an artifact of a small value."""

    def put(self, value: Any, *, kind: str) -> Artifact: ...


class RunEdges:
    """Draws the edges of tracked runs."""

    def __init__(self, describer: Describer, clock: Clock) -> None:
        self._describer, self._clock = describer, clock
        self._artifacts, self._edges = ArtifactRows(), LineageRows()

    def ends(self, datasets: Sequence[DatasetInput], models: Sequence[str]) -> list[tuple[str, Artifact]]:
        """The roles of data sets and logged models in a run, each with the artifact that stands for it."""
        return [self._dataset(one) for one in datasets] + [self._model(model) for model in models]

    def _dataset(self, one: DatasetInput) -> tuple[str, Artifact]:
        context = next((tag.value for tag in one.tags if tag.key == CONTEXT_TAG), "")
        described = {"name": one.name, "digest": one.digest, "source_type": one.source_type, "source": one.source}
        return f"{context or 'data'}: {one.name}@{one.digest}", self._describer.put(described, kind=DATASET)

    def _model(self, model: str) -> tuple[str, Artifact]:
        return f"model: {model}", self._describer.put({"logged_model": model}, kind=MODEL)

    def draw(
        self, tx: Transaction, project: str, run: str, direction: Direction, ends: Sequence[tuple[str, Artifact]]
    ) -> None:
        """Adds edges between a run and artifacts; those that are known already stay."""
        made = run_id_of(run)
        if made is None or not ends:
            return
        self._artifacts.record(tx, project, [artifact for _, artifact in ends], at=self._clock())
        edges = []
        for role, artifact in ends:
            maker = made if direction == "out" else self._maker(tx, project, artifact.digest)
            edges.append(Edge(run=made, direction=direction, role=role, digest=artifact.digest, producer=maker))
        self._edges.record(tx, project, edges)

    def _maker(self, tx: Transaction, project: str, digest: str) -> str | None:
        makers = self._edges.producers(tx, project, digest)
        return makers[0] if makers else None
