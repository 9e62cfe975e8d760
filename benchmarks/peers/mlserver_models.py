"""How MLServer is given a model: LightGBM's trees by a runtime of a few lines, scikit-learn's by its own runtime."""

from __future__ import annotations

import json
from pathlib import Path


def write_repository(folder: Path, model: Path, ports: tuple[int, int, int]) -> None:
    """The files by which `mlserver start FOLDER` serves the model as `numbers`, in its own process, without a pool: what
    is quickest there. model: LightGBM's text of trees, or an estimator by joblib."""
    http, grpc, metrics = ports
    settings = {"http_port": http, "grpc_port": grpc, "metrics_port": metrics, "parallel_workers": 0, "debug": False}
    (folder / "settings.json").write_text(json.dumps({**settings, "host": "127.0.0.1"}))
    place = folder / "numbers"
    place.mkdir()
    runtime = "mlserver_sklearn.SKLearnModel"
    if model.suffix != ".joblib":
        runtime = "trees.Trees"
        (place / "trees.py").write_text(TREES)
    described = {"name": "numbers", "implementation": runtime, "parameters": {"uri": str(model)}}
    (place / "model-settings.json").write_text(json.dumps(described))


TREES = """
import lightgbm
from mlserver import MLModel
from mlserver.codecs import NumpyCodec
from mlserver.types import InferenceResponse


class Trees(MLModel):
    async def load(self):
        self.booster = lightgbm.Booster(model_file=self.settings.parameters.uri)
        return True

    async def predict(self, payload):
        rows = self.decode(payload.inputs[0], default_codec=NumpyCodec)
        scores = self.booster.predict(rows, num_threads=1)
        return InferenceResponse(model_name=self.name, outputs=[NumpyCodec.encode_output("probability", scores)])
"""
