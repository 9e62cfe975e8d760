"""Opening the engine that a manifest names."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any, Literal, Protocol

import msgspec
import numpy as np
from numpy.typing import NDArray

from treadle.ground.errors import did_you_mean
from treadle.systems.serve.runtime.errors import BadModel

Matrix = NDArray[np.float64]


class EngineOptions(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What an engine must know beside the file. `method` is scikit-learn's, `output` names ONNX's tensor of scores."""

    threads: int = 1
    method: Literal["predict_proba", "predict", "decision_function"] = "predict_proba"
    output: str | None = None
    rounds_inputs: bool = False
    """LightGBM's text of trees that were fitted on float32: the rows are rounded to it before they are compared."""
    trusted: tuple[str, ...] = ()
    """Types that a skops file may hold beyond those that skops itself trusts; decided where the model was registered."""


class Engine(Protocol):
    """A loaded model. `predict` may be called from several threads at once."""

    name: str
    version: str
    threads: int

    def predict(self, matrix: Matrix) -> Matrix:
        """Scores, float64 (n,) or (n, w). matrix: float64, C-contiguous, (n, k), NaN where a value is missing."""
        ...


ENGINES = {
    "lightgbm": "treadle.systems.serve.runtime.engines.lightgbm",
    "xgboost": "treadle.systems.serve.runtime.engines.xgboost",
    "sklearn": "treadle.systems.serve.runtime.engines.sklearn",
    "onnx": "treadle.systems.serve.runtime.engines.onnx",
    "linear": "treadle.systems.serve.runtime.engines.linear",
}


def open_engine(name: str, model: Path, options: EngineOptions) -> Engine:
    """The engine of that name with the model loaded. Raises BadModel for an unknown engine or a file it cannot read,
    MissingExtra when its library is not installed."""
    if name not in ENGINES:
        raise BadModel(f"There is no engine {name!r}.", why=did_you_mean(name, ENGINES), engine=name)
    opener: Callable[[Path, EngineOptions], Any] = import_module(ENGINES[name]).open_model
    engine: Engine = opener(model, options)
    return engine
