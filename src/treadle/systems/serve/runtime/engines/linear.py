"""Linear models on NumPy alone, in float64: 3 us a row, and neither scikit-learn nor ONNX Runtime in the process.

The file is JSON: weights (columns x outputs), intercept, the link, and what comes before: fill, shift and scale.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any, Literal

import msgspec
import numpy as np

from treadle.systems.serve.runtime.engines.opening import EngineOptions, Matrix
from treadle.systems.serve.runtime.errors import BadModel, WrongInput


class LinearFile(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What stands in the file: `link((x filled - shift) / scale @ weights + intercept)`."""

    treadle_linear: Literal[1] = 1
    weights: list[list[float]]
    intercept: list[float]
    link: Literal["identity", "logistic", "softmax", "exp"]
    shift: list[float] | None = None
    scale: list[float] | None = None
    fill: list[float] | None = None

    def __post_init__(self) -> None:
        columns, width = len(self.weights), len(self.intercept)
        if not columns or not width or {len(row) for row in self.weights} != {width}:
            raise ValueError("weights and intercept do not fit each other")
        if any(part is not None and len(part) != columns for part in (self.shift, self.scale, self.fill)):
            raise ValueError("shift, scale and fill have an entry a column")


class LinearEngine:
    """A linear model. A missing value is filled where the model says by what, and refused otherwise."""

    name, threads = "linear", 1

    def __init__(self, model: LinearFile) -> None:
        self.version = np.__version__
        self._weights, self._intercept = np.array(model.weights), np.array(model.intercept)
        self._single = self._weights[:, 0].copy() if self._weights.shape[1] == 1 else None
        self._bias = float(self._intercept[0])
        self._link = model.link
        self._fill, self._shift, self._scale = _array(model.fill), _array(model.shift), _array(model.scale)

    def predict(self, matrix: Matrix) -> Matrix:
        rows, columns = matrix.shape
        if columns != len(self._weights):
            raise BadModel(f"The model has {len(self._weights)} features, the signature {columns} inputs.")
        values = self._prepared(matrix)
        if self._single is not None and rows == 1:
            return self._one(float(values[0].dot(self._single)) + self._bias)
        raw = values @ self._weights + self._intercept
        if np.isnan(raw).any():
            raise _missing()
        return self._linked(raw)

    explains = "linear_shap"

    def contributions(self, matrix: Matrix, background: Matrix) -> Matrix:
        """Weights times the way from the background's mean; the last of each output is its raw sum there."""
        mean = np.nanmean(self._prepared(background), axis=0)
        away = self._prepared(matrix) - mean
        base = np.broadcast_to(mean @ self._weights + self._intercept, (len(matrix), self._weights.shape[1]))
        return np.concatenate([away[:, None, :] * self._weights.T, base[:, :, None]], axis=2)

    def _prepared(self, matrix: Matrix) -> Any:
        values: Any = matrix
        if self._fill is not None:
            values = np.where(np.isnan(values), self._fill, values)
        if self._shift is not None:
            values = values - self._shift
        return values if self._scale is None else values / self._scale

    def _one(self, raw: float) -> Matrix:
        """One row and one output, without an array in between."""
        if raw != raw:
            raise _missing()
        if self._link == "logistic":
            raw = 1.0 / (1.0 + math.exp(-raw)) if raw > -700.0 else math.exp(raw)
        elif self._link == "exp":
            raw = math.exp(min(raw, 709.0))
        return np.array(((raw,),))

    def _linked(self, raw: Any) -> Matrix:
        if self._link == "logistic":
            return np.asarray(1.0 / (1.0 + np.exp(-np.maximum(raw, -700.0))))
        if self._link == "softmax":
            raised = np.exp(raw - raw.max(axis=1, keepdims=True))
            return np.asarray(raised / raised.sum(axis=1, keepdims=True))
        return np.asarray(np.exp(np.minimum(raw, 709.0)) if self._link == "exp" else raw)


def _array(values: list[float] | None) -> Any:
    return None if values is None else np.array(values)


def _missing() -> WrongInput:
    return WrongInput(
        "A value is missing, and this model takes none.", fix="Send a number in every input, or fill it before."
    )


def open_model(model: Path, options: EngineOptions) -> LinearEngine:
    """The model of a file of linear weights."""
    try:
        return LinearEngine(msgspec.json.decode(model.read_bytes(), type=LinearFile))
    except msgspec.DecodeError as error:
        raise BadModel(f"{model.name} is no file of linear weights.", why=str(error)) from None
