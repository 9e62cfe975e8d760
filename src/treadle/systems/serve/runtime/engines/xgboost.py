"""XGBoost's native UBJ or JSON through its C interface.

Source: xgboost `include/xgboost/c_api.h` (XGBoosterPredictFromDense, 1.6 and newer). XGBoost computes in float32.
"""

from __future__ import annotations

import ctypes
import json
import math
from pathlib import Path

import numpy as np

from treadle.systems.serve.runtime.engines.opening import EngineOptions, Matrix
from treadle.systems.serve.runtime.engines.shared_libraries import load_library, package_version
from treadle.systems.serve.runtime.errors import BadModel

_NORMAL = {"type": 0, "training": False, "iteration_begin": 0, "iteration_end": 0, "strict_shape": False, "cache_id": 0}
_CONFIG = json.dumps({**_NORMAL, "missing": math.nan}).encode()
_CONTRIBUTIONS = json.dumps({**_NORMAL, "type": 2}).encode()


class XGBoostEngine:
    """A booster; a missing value is NaN."""

    name = "xgboost"

    def __init__(self, raw: bytes, threads: int) -> None:
        self.version, self.threads = package_version("xgboost"), threads
        self._library = load_library("xgboost", "libxgboost")
        self._library.XGBGetLastError.restype = ctypes.c_char_p
        self._booster = ctypes.c_void_p()
        self._check(self._library.XGBoosterCreate(None, ctypes.c_uint64(0), ctypes.byref(self._booster)))
        self._check(self._library.XGBoosterLoadModelFromBuffer(self._booster, raw, ctypes.c_uint64(len(raw))))
        self._check(self._library.XGBoosterSetParam(self._booster, b"nthread", str(threads).encode()))
        features = ctypes.c_uint64()
        self._check(self._library.XGBoosterGetNumFeature(self._booster, ctypes.byref(features)))
        self.features = features.value

    def predict(self, matrix: Matrix) -> Matrix:
        rows, columns = matrix.shape
        if columns != self.features:
            raise BadModel(f"The booster has {self.features} features, the signature {columns} inputs.")
        shape, dimensions = ctypes.POINTER(ctypes.c_uint64)(), ctypes.c_uint64()
        scores = ctypes.POINTER(ctypes.c_float)()
        interface = b'{"data":[%d,true],"shape":[%d,%d],"typestr":"<f8","version":3}' % (
            matrix.ctypes.data, rows, columns,
        )  # fmt: skip
        self._check(
            self._library.XGBoosterPredictFromDense(
                self._booster, interface, _CONFIG, None, ctypes.byref(shape), ctypes.byref(dimensions),
                ctypes.byref(scores),
            )
        )  # fmt: skip
        sizes = tuple(shape[at] for at in range(dimensions.value))
        # The buffer belongs to the booster until its next call: astype copies it.
        return np.ctypeslib.as_array(scores, shape=(math.prod(sizes),)).astype(np.float64).reshape(rows, -1)

    explains = "tree_shap"

    def contributions(self, matrix: Matrix, background: Matrix) -> Matrix:
        """TreeSHAP of the raw sum, weighted by the training rows of each node; the last of each output is the base."""
        rows, columns = matrix.shape
        data, values = ctypes.c_void_p(), np.ascontiguousarray(matrix, dtype=np.float32)
        self._check(
            self._library.XGDMatrixCreateFromMat(
                values.ctypes.data_as(ctypes.POINTER(ctypes.c_float)), ctypes.c_uint64(rows), ctypes.c_uint64(columns),
                ctypes.c_float(math.nan), ctypes.byref(data),
            )
        )  # fmt: skip
        shape, dimensions = ctypes.POINTER(ctypes.c_uint64)(), ctypes.c_uint64()
        parts = ctypes.POINTER(ctypes.c_float)()
        try:
            self._check(
                self._library.XGBoosterPredictFromDMatrix(
                    self._booster,
                    data,
                    _CONTRIBUTIONS,
                    ctypes.byref(shape),
                    ctypes.byref(dimensions),
                    ctypes.byref(parts),
                )
            )
            size = math.prod(shape[at] for at in range(dimensions.value))
            return np.ctypeslib.as_array(parts, shape=(size,)).astype(np.float64).reshape(rows, -1, columns + 1)
        finally:
            self._library.XGDMatrixFree(data)

    def _check(self, code: int) -> None:
        if code:
            message = self._library.XGBGetLastError().decode(errors="replace").partition("\n")[0]
            raise BadModel(f"XGBoost: {message}")

    def __del__(self) -> None:
        if getattr(self, "_booster", None):
            self._library.XGBoosterFree(self._booster)


def open_model(model: Path, options: EngineOptions) -> XGBoostEngine:
    """The booster of a UBJ or JSON file."""
    return XGBoostEngine(model.read_bytes(), options.threads)
