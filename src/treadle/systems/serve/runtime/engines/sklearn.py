"""scikit-learn estimators by skops, which loads no type that nobody trusted, and never a pickle."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

import numpy as np

from treadle.ground.errors import MissingExtra
from treadle.systems.serve.runtime.engines.opening import EngineOptions, Matrix
from treadle.systems.serve.runtime.engines.shared_libraries import package_version
from treadle.systems.serve.runtime.errors import BadModel


class SklearnEngine:
    """An estimator on a bounded number of threads.

    BLAS and OpenMP pools belong to the whole process, so they are narrowed for a call and widened again after it, which
    costs 30 us; in a process whose pools are so already, as a model server's are from its start, it costs nothing.
    """

    name = "sklearn"

    def __init__(self, estimator: Any, options: EngineOptions) -> None:
        from threadpoolctl import ThreadpoolController

        self.version, self.threads = package_version("scikit-learn"), options.threads
        self._call = getattr(estimator, options.method, None)
        if self._call is None:
            raise BadModel(f"{type(estimator).__name__} has no {options.method}.")
        pools = ThreadpoolController()
        is_set = all(pool["num_threads"] == options.threads for pool in pools.info())
        self._pools = None if is_set else pools

    def predict(self, matrix: Matrix) -> Matrix:
        with self._pools.limit(limits=self.threads) if self._pools else contextlib.nullcontext():
            scores = np.asarray(self._call(matrix), dtype=np.float64)  # type: ignore[misc]
        return scores.reshape(len(matrix), -1)


def open_model(model: Path, options: EngineOptions) -> SklearnEngine:
    """The estimator of a skops file. Raises BadModel for types outside of what skops and `options.trusted` trust."""
    try:
        from skops.io import get_untrusted_types, load
    except ImportError:
        raise MissingExtra.of("skops", "sklearn", "Serving a scikit-learn model") from None
    foreign = sorted(set(get_untrusted_types(file=model)) - set(options.trusted))
    if foreign:
        raise BadModel(
            f"The model holds the type {foreign[0]}, which nobody has trusted.",
            fix="Trust it by name where the model is registered, if you know what it does.",
        )
    return SklearnEngine(load(model, trusted=list(options.trusted)), options)
