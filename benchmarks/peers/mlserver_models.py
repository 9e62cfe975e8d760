"""MLServer's runtimes around a model file, and how its server is started; they run where MLServer is installed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Literal

Kind = Literal["trees", "linear"]


def write_repository(folder: Path, kind: Kind, model: Path, ports: tuple[int, int, int]) -> None:
    """The files by which `mlserver start FOLDER` serves the model as `numbers`, in its own process, without a pool.

    model: LightGBM's text of trees, or the JSON of a linear model: what needs least of MLServer.
    """
    http, grpc, metrics = ports
    settings = {"http_port": http, "grpc_port": grpc, "metrics_port": metrics, "parallel_workers": 0, "debug": False}
    (folder / "settings.json").write_text(json.dumps({**settings, "host": "127.0.0.1"}))
    place = folder / "numbers"
    place.mkdir()
    (place / f"{kind}.py").write_text(RUNTIMES[kind])
    described = {"name": "numbers", "implementation": f"{kind}.Model", "parameters": {"uri": str(model)}}
    (place / "model-settings.json").write_text(json.dumps(described))


RUNTIMES: dict[Kind, str] = {
    "trees": """
import lightgbm
from mlserver import MLModel
from mlserver.codecs import NumpyCodec
from mlserver.types import InferenceResponse


class Model(MLModel):
    async def load(self):
        self.booster = lightgbm.Booster(model_file=self.settings.parameters.uri)
        return True

    async def predict(self, payload):
        rows = self.decode(payload.inputs[0], default_codec=NumpyCodec)
        scores = self.booster.predict(rows, num_threads=1)
        return InferenceResponse(model_name=self.name, outputs=[NumpyCodec.encode_output("probability", scores)])
""",
    "linear": """
import json

import numpy
from mlserver import MLModel
from mlserver.codecs import NumpyCodec
from mlserver.types import InferenceResponse


class Model(MLModel):
    async def load(self):
        with open(self.settings.parameters.uri) as file:
            model = json.load(file)
        self.weights, self.intercept = numpy.array(model["weights"]), numpy.array(model["intercept"])
        return True

    async def predict(self, payload):
        rows = self.decode(payload.inputs[0], default_codec=NumpyCodec)
        scores = 1 / (1 + numpy.exp(-(rows @ self.weights + self.intercept)))
        return InferenceResponse(model_name=self.name, outputs=[NumpyCodec.encode_output("probability", scores)])
""",
}
