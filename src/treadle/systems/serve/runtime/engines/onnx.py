"""ONNX Runtime: one session, one thread, one matrix in, one tensor of scores out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from treadle.ground.errors import MissingExtra
from treadle.systems.serve.runtime.engines.opening import EngineOptions, Matrix
from treadle.systems.serve.runtime.errors import BadModel

_INPUT_TYPES = {"tensor(float)": np.float32, "tensor(double)": np.float64}


class OnnxEngine:
    """A session on the CPU. The float64 matrix is cast to what the graph takes."""

    name = "onnx"

    def __init__(self, runtime: Any, model: bytes, options: EngineOptions) -> None:
        self.version, self.threads = runtime.__version__, options.threads
        settings = runtime.SessionOptions()
        settings.intra_op_num_threads, settings.inter_op_num_threads = options.threads, 1
        settings.log_severity_level = 3
        self._session = runtime.InferenceSession(model, settings, providers=["CPUExecutionProvider"])
        inputs = self._session.get_inputs()
        if len(inputs) != 1 or inputs[0].type not in _INPUT_TYPES:
            given = ", ".join(f"{tensor.name}: {tensor.type}" for tensor in inputs)
            raise BadModel(f"An ONNX model is served from one float matrix, but the graph takes {given}.")
        self._input, self._dtype = inputs[0].name, _INPUT_TYPES[inputs[0].type]
        self._outputs = [_scores(self._session.get_outputs(), options.output)]

    def predict(self, matrix: Matrix) -> Matrix:
        feed = {self._input: matrix.astype(self._dtype, copy=False)}
        scores = self._session.run(self._outputs, feed)[0]
        return np.asarray(scores, dtype=np.float64).reshape(len(matrix), -1)


def _scores(outputs: list[Any], wanted: str | None) -> str:
    """The name of the tensor of scores: the one asked for, else the only floating one."""
    floating = [tensor.name for tensor in outputs if tensor.type in _INPUT_TYPES]
    if wanted is not None and wanted in floating:
        return wanted
    if wanted is None and len(floating) == 1:
        return str(floating[0])
    raise BadModel(
        f"The graph's floating outputs are {floating}, and none of them is the tensor of scores"
        + (f" {wanted!r}." if wanted is not None else " beyond doubt."),
        fix="Name it in the model's options (`output`); convert classifiers without ZipMap.",
    )


def open_model(model: Path, options: EngineOptions) -> OnnxEngine:
    """The session of an ONNX file; the bytes are read here, so a graph can name no other file."""
    try:
        import onnxruntime
    except ImportError:
        raise MissingExtra.of("onnxruntime", "onnx", "Serving an ONNX model") from None
    return OnnxEngine(onnxruntime, model.read_bytes(), options)
