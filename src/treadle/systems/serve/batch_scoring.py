"""A served model over a whole frame: the same engine, the same checks and the same numbers as an endpoint gives."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import polars as pl

from treadle.systems.serve.area import ServingArea, bundle_of
from treadle.systems.serve.errors import BadDeployment
from treadle.systems.serve.ports import ServableModel
from treadle.systems.serve.runtime.models import ServedModel

OWN = ("probability", "decision", "probabilities", "label", "prediction", "model_version")
"""Columns that scoring adds, as the protocol's outputs are called."""


def open_servable(servable: ServableModel) -> ServedModel:
    """The model as a server opens it: files checked, probe answered. Raises BadDeployment, BadModel."""
    with tempfile.TemporaryDirectory(prefix="treadle-scoring-") as folder:
        area = ServingArea(Path(folder))
        return area.try_model(bundle_of(area.put_model(servable)), 1)


def score_frame(model: ServedModel, rows: pl.DataFrame, *, version: str, batch_rows: int = 10_000) -> pl.DataFrame:
    """The rows with what the model says of each beside them, in their order.

    binary: `probability`, and `decision` where the model has a threshold. multiclass: `probabilities` and `label`.
    regression: `prediction`. All: `model_version`. Memory beyond the frame: that of one batch.
    Raises BadDeployment where the frame has such columns already or lacks an input; UnknownInput and its kin for values.
    """
    signature = model.signature
    names = [column.name for column in signature.inputs]
    missing, taken = [n for n in names if n not in rows.columns], [n for n in OWN if n in rows.columns]
    if missing:
        raise BadDeployment(f"The rows have no column {missing[0]!r}, which the model takes.")
    if taken:
        raise BadDeployment(f"The rows have a column {taken[0]!r} already.", fix="Give it another name first.")
    scores = np.empty((rows.height, signature.width))
    for start in range(0, rows.height, batch_rows):
        part = rows.select(names).slice(start, batch_rows)
        scores[start : start + part.height] = model.scores(model.plan.from_rows(part.to_dicts()).matrix)
    return rows.with_columns(*_outputs(model, scores), model_version=pl.lit(version))


def _outputs(model: ServedModel, scores: np.ndarray[tuple[int, int], np.dtype[np.float64]]) -> list[pl.Series]:
    signature = model.signature
    if signature.task == "multiclass":
        labels = [signature.classes[at] for at in scores.argmax(axis=1)]
        nested = pl.Series("probabilities", scores.tolist(), dtype=pl.List(pl.Float64))
        return [nested, pl.Series("label", labels, dtype=pl.String)]
    if signature.task == "regression":
        return [pl.Series("prediction", scores[:, 0])]
    found = [pl.Series("probability", scores[:, 0])]
    if signature.threshold is not None:
        found.append(pl.Series("decision", scores[:, 0] >= signature.threshold))
    return found
