"""Batch scoring: a registered version over a snapshot of a dataset, as a step with its lineage."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, cast

import polars as pl

from treadle.assembly import current_workspace
from treadle.faces.sdk.models import PinnedModel
from treadle.kernel.engine.context import current_driver
from treadle.kernel.engine.handles import load
from treadle.kernel.engine.steps import step
from treadle.systems.serve.batch_scoring import open_servable, score_frame
from treadle.systems.serve.runtime.models import ServedModel


@dataclass(frozen=True, slots=True)
class PinnedServable:
    """A registered version as a server opens it; as an argument of a step it is known by the model's digest."""

    pinned: PinnedModel

    @property
    def digest(self) -> str:
        return self.pinned.digest

    def treadle_load(self, as_type: Any) -> ServedModel:
        """The model, opened, its probe answered."""
        workspace = current_workspace()
        pinned = self.pinned
        return open_servable(workspace.servable.get(pinned.project, pinned.model, str(pinned.number)))

    def treadle_producer(self) -> str | None:
        """The run that trained it."""
        return self.pinned.treadle_producer()


@step(name="batch_score")
def _batch_score(model: ServedModel, rows: pl.DataFrame, version: str, batch_rows: int) -> pl.DataFrame:
    return score_frame(model, rows, version=version, batch_rows=batch_rows)


def batch_score(model: PinnedModel, rows: Any, *, batch_rows: int = 10_000) -> pl.DataFrame:
    """The rows with what a registered version says of each beside them, by the engine that would serve it.

    model: `td.model("late-arrival@champion")`. rows: a snapshot, the handle of a step, or a frame; other columns than the
    model's inputs are kept. Inside a pipeline it is a step: cached, run where the executor runs steps, an edge from model
    and rows to what comes out. See `systems.serve.batch_scoring.score_frame` for the columns and errors.
    """
    servable, version = PinnedServable(model), str(model.number)
    if current_driver.get() is None:
        return score_frame(servable.treadle_load(None), load(rows), version=version, batch_rows=batch_rows)
    return _batch_score(cast("ServedModel", servable), rows, version, batch_rows)
