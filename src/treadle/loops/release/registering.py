"""What a registration is made of: the signature of a frame, and a probe that any server must answer alike."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import polars as pl

from treadle.ground.frames import to_polars
from treadle.kernel.vocabulary.datasets import ROW_COLUMNS
from treadle.loops.release.errors import BadSignature
from treadle.systems.serve.runtime.batches import InputPlan
from treadle.systems.serve.runtime.signature import Signature

PROBE_ROWS = 64


def describe_inputs(
    frame: Any,
    *,
    features: Sequence[str],
    task: str = "binary",
    classes: Sequence[str] = (),
    threshold: float | None = None,
    categories: Mapping[str, Sequence[str]] | None = None,
) -> dict[str, Any]:
    """The signature of a model that takes these columns of the frame, in this order.

    Numbers are FP64 and may be missing; text is a category, whose codes are the places in `categories` or, where none
    are given, those of the sorted distinct values. classes: what 0, 1, … mean. threshold: above it a binary model
    decides for the positive class. Raises BadSignature for a column that is neither number nor text, or the id of a row.
    """
    ids = [name for name in features if name in ROW_COLUMNS]
    if ids:
        raise BadSignature(
            f"The column {ids[0]!r} is no feature.",
            why="By _landing and _row a row of a dataset is found again; they say nothing about it.",
            fix='Leave them out: features=[name for name in data.columns if name not in ("_landing", "_row")].',
        )
    table = to_polars(frame)
    inputs = [_column(table, name, (categories or {}).get(name)) for name in features]
    signature: dict[str, Any] = {"inputs": inputs, "task": task}
    if classes:
        signature["classes"] = list(classes)
    if threshold is not None:
        signature["threshold"] = threshold
    return signature


def encode(signature: Mapping[str, Any], frame: Any) -> np.ndarray[Any, Any]:
    """The float64 matrix (n, k) that an estimator takes, exactly as a server makes it from the same rows."""
    table = to_polars(frame)
    columns = []
    for column in signature["inputs"]:
        series = table[column["name"]]
        if column.get("categories") is not None:
            codes = {text: float(code) for code, text in enumerate(column["categories"])}
            series = series.cast(pl.String).replace_strict(codes, default=None, return_dtype=pl.Float64)
        columns.append(series.cast(pl.Float64).fill_null(np.nan).to_numpy())
    return np.ascontiguousarray(np.stack(columns, axis=1)) if columns else np.empty((table.height, 0))


def predict(model: Any, matrix: np.ndarray[Any, Any], *, task: str = "binary") -> np.ndarray[Any, Any]:
    """The scores of a model object of any of the known libraries: float64, (n,) or (n, classes).

    For a binary task the probability of the class 1.
    """
    if type(model).__module__.startswith("xgboost") and type(model).__name__ == "Booster":
        import xgboost

        return np.asarray(model.predict(xgboost.DMatrix(matrix)), dtype=np.float64)
    if hasattr(model, "predict_proba") and task != "regression":
        scores = np.asarray(model.predict_proba(matrix), dtype=np.float64)
        return scores[:, 1] if task == "binary" else scores
    if type(model).__module__.startswith("lightgbm"):
        return np.asarray(model.predict(matrix, num_threads=1), dtype=np.float64)
    return np.asarray(model.predict(matrix), dtype=np.float64)


def make_probe(model: Any, signature: Mapping[str, Any], rows: Any, *, count: int = PROBE_ROWS) -> dict[str, Any]:
    """The first rows of a frame and what the model scores them: the value that is stored beside a version.

    The matrix is made by the server's own plan, so that a probe also shows that the signature fits the model.
    Raises BadSignature for rows that the signature does not take.
    """
    import msgspec

    names = [column["name"] for column in signature["inputs"]]
    table = to_polars(rows).select(names).head(count)
    listed = [{name: _plain(value) for name, value in row.items()} for row in table.to_dicts()]
    try:
        plan = InputPlan(msgspec.convert(dict(signature), Signature))
    except (msgspec.ValidationError, ValueError) as error:
        raise BadSignature(f"The signature says nothing that could be served: {error}.") from None
    matrix = plan.from_rows(listed).matrix
    scores = predict(model, matrix, task=signature["task"]).reshape(len(listed), -1)
    return {"rows": listed, "scores": scores.tolist()}


def _column(table: pl.DataFrame, name: str, categories: Sequence[str] | None) -> dict[str, Any]:
    if name not in table.columns:
        raise BadSignature(f"The frame has no column {name!r}.", why=f"It has {', '.join(table.columns)}.")
    dtype = table.schema[name]
    if categories is not None or dtype in (pl.String, pl.Categorical) or isinstance(dtype, pl.Enum):
        known = categories or sorted(table[name].cast(pl.String).drop_nulls().unique().to_list())
        return {"name": name, "datatype": "BYTES", "nullable": True, "categories": list(known)}
    if dtype.is_numeric() or dtype == pl.Boolean:
        return {"name": name, "datatype": "FP64", "nullable": True}
    raise BadSignature(
        f"The column {name!r} is of the type {dtype}, which a model cannot take.",
        fix="Turn it into a number or a text before training.",
    )


def _plain(value: Any) -> Any:
    if isinstance(value, bool):
        return float(value)
    if isinstance(value, int):
        return float(value)
    return None if isinstance(value, float) and np.isnan(value) else value
