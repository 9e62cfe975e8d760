"""LightGBM's native text through its C interface: 4 us for a row and a hundred trees, bit for bit what Python answers.

Source: LightGBM `include/LightGBM/c_api.h` (LGBM_BoosterPredictForMat and its single-row fast form, 3.0 and newer).
"""

from __future__ import annotations

import ctypes
from pathlib import Path

import numpy as np

from treadle.systems.serve.runtime.engines.opening import EngineOptions, Matrix
from treadle.systems.serve.runtime.engines.shared_libraries import load_library, package_version
from treadle.systems.serve.runtime.errors import BadModel

_NORMAL, _CONTRIBUTIONS, _FLOAT64, _ROW_MAJOR, _ALL_TREES = 0, 3, 1, 1, -1


class LightGBMEngine:
    """A booster. Rows go through the single-row form when they come alone, through the matrix form otherwise."""

    name = "lightgbm"

    def __init__(self, text: bytes, threads: int, *, rounds_inputs: bool = False) -> None:
        self.version, self.threads = package_version("lightgbm"), threads
        self._library = load_library("lightgbm", "lib_lightgbm")
        self._library.LGBM_GetLastError.restype = ctypes.c_char_p
        self._parameters = f"num_threads={threads} verbosity=-1".encode()
        self._booster = ctypes.c_void_p()
        trees = ctypes.c_int()
        self._check(
            self._library.LGBM_BoosterLoadModelFromString(text, ctypes.byref(trees), ctypes.byref(self._booster))
        )
        self.features = self._count("LGBM_BoosterGetNumFeature")
        self.width = self._count("LGBM_BoosterGetNumClasses")
        self._rounds_inputs = rounds_inputs
        is_mean = b"\naverage_output\n" in text.partition(b"\nTree=")[0] + b"\n"
        self._averaged_over = self._count("LGBM_BoosterGetCurrentIteration") if is_mean else 1
        self._bind()

    def _bind(self) -> None:
        self._fast = ctypes.c_void_p()
        self._check(
            self._library.LGBM_BoosterPredictForMatSingleRowFastInit(
                self._booster, _NORMAL, 0, _ALL_TREES, _FLOAT64, ctypes.c_int32(self.features), self._parameters,
                ctypes.byref(self._fast),
            )
        )  # fmt: skip
        self._one = self._library.LGBM_BoosterPredictForMatSingleRowFast
        self._one.argtypes = [ctypes.c_void_p] * 4
        self._many = self._library.LGBM_BoosterPredictForMat
        integer, pointer = ctypes.c_int, ctypes.c_void_p
        self._many.argtypes = [pointer, pointer, integer, ctypes.c_int32, ctypes.c_int32, integer, integer, integer,
                               integer, ctypes.c_char_p, pointer, pointer]  # fmt: skip
        self._length = ctypes.c_int64()  # written by every call and never read, so calls may share it
        self._length_at = ctypes.addressof(self._length)

    def predict(self, matrix: Matrix) -> Matrix:
        rows, columns = matrix.shape
        if columns != self.features:
            raise BadModel(f"The booster has {self.features} features, the signature {columns} inputs.")
        if self._rounds_inputs:
            matrix = matrix.astype(np.float32).astype(np.float64)
        scores = np.empty((rows, self.width))
        # Half the price of `.ctypes.data`, which builds an object for each address.
        data, out = matrix.__array_interface__["data"][0], scores.__array_interface__["data"][0]
        if rows == 1:
            code = self._one(self._fast, data, self._length_at, out)
        else:
            code = self._many(self._booster, data, _FLOAT64, rows, columns, _ROW_MAJOR, _NORMAL, 0, _ALL_TREES,
                              self._parameters, self._length_at, out)  # fmt: skip
        if code:
            self._check(code)
        return scores

    explains = "tree_shap"

    def contributions(self, matrix: Matrix, background: Matrix) -> Matrix:
        """TreeSHAP of the raw sum, weighted by the training rows of each node; the last of each output is the base."""
        rows, columns = matrix.shape
        if self._rounds_inputs:
            matrix = matrix.astype(np.float32).astype(np.float64)
        parts = np.empty((rows, self.width, columns + 1))
        self._check(
            self._many(self._booster, matrix.ctypes.data, _FLOAT64, rows, columns, _ROW_MAJOR, _CONTRIBUTIONS, 0,
                       _ALL_TREES, self._parameters, self._length_at, parts.ctypes.data)
        )  # fmt: skip
        return parts / self._averaged_over  # LightGBM averages the trees of a forest's answer, and not of its parts

    def _count(self, function: str) -> int:
        count = ctypes.c_int()
        self._check(getattr(self._library, function)(self._booster, ctypes.byref(count)))
        return count.value

    def _check(self, code: int) -> None:
        if code:
            raise BadModel(f"LightGBM: {self._library.LGBM_GetLastError().decode(errors='replace')}")

    def __del__(self) -> None:
        if getattr(self, "_fast", None):
            self._library.LGBM_FastConfigFree(self._fast)
        if getattr(self, "_booster", None):
            self._library.LGBM_BoosterFree(self._booster)


def open_model(model: Path, options: EngineOptions) -> LightGBMEngine:
    """The booster of a native text file."""
    text = model.read_bytes()
    if not text.startswith(b"tree"):
        raise BadModel(f"{model.name} is no LightGBM text model.")
    return LightGBMEngine(text, options.threads, rounds_inputs=options.rounds_inputs)
