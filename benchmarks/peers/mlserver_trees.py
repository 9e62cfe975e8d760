"""MLServer's runtime around a LightGBM model file, and how its server is started; runs where MLServer is installed."""

from __future__ import annotations

import json
import sys
from pathlib import Path


def write_repository(folder: Path, model: Path, ports: tuple[int, int, int]) -> None:
    """The files by which `mlserver start FOLDER` serves the model as `numbers`, in its own process, without a pool."""
    http, grpc, metrics = ports
    settings = {"http_port": http, "grpc_port": grpc, "metrics_port": metrics, "parallel_workers": 0, "debug": False}
    (folder / "settings.json").write_text(json.dumps({**settings, "host": "127.0.0.1"}))
    place = folder / "numbers"
    place.mkdir()
    (place / "trees.py").write_text(RUNTIME)
    described = {"name": "numbers", "implementation": "trees.Trees", "parameters": {"uri": str(model)}}
    (place / "model-settings.json").write_text(json.dumps(described))


RUNTIME = """
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

if __name__ == "__main__":
    write_repository(Path(sys.argv[1]), Path(sys.argv[2]), (int(sys.argv[3]), int(sys.argv[4]), int(sys.argv[5])))
