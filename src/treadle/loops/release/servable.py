"""Registered models as serving wants them: the engine, its one file, the signature and the probe.

train knows versions and artifacts, serve knows engines and files; what a codec wrote is taken apart here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from treadle.kernel.artifacts import Artifact
from treadle.kernel.artifacts.codecs import bundle
from treadle.kernel.artifacts.service import Artifacts
from treadle.kernel.catalog import ArtifactRows
from treadle.kernel.store import Store
from treadle.loops.release.errors import NotServable
from treadle.systems.serve.ports import ServableModel
from treadle.systems.train import Models, ModelVersion

_ENGINES = {
    "model/lightgbm": ("lightgbm", "model.txt"),
    "model/xgboost": ("xgboost", "model.ubj"),
    "model/skops": ("sklearn", None),
    "model/onnx": ("onnx", None),
}
"""Codec -> engine, and the member of its bundle that the engine reads; None where the bytes are the file."""


class RegisteredModels:
    """Serving's view of the registry; satisfies its port `ModelSource`."""

    def __init__(self, store: Store, models: Models, artifacts: Artifacts) -> None:
        self._store, self._models, self._artifacts, self._rows = store, models, artifacts, ArtifactRows()

    def get(self, project: str, model: str, version: str) -> ServableModel:
        """A version by number, alias or `newest`. Raises ModelNotFound, ModelVersionNotFound, NotServable."""
        with self._store.read() as reader:
            found = self._models.resolve(reader, project, model, version)
            artifact = self._rows.get(reader, project, found.digest)
            probe = None if found.probe is None else self._rows.get(reader, project, found.probe)
        if probe is None:
            raise NotServable(
                f"{found.model} version {found.number} has no probe, and cannot be checked before it takes traffic.",
                fix="Register it with a few rows of its input: td.register(..., probe=rows.head(64))",
            )
        engine, content = engine_and_file(artifact, self._artifacts)
        rows = self._artifacts.load(probe)
        return ServableModel(
            model=found.model,
            version=str(found.number),
            digest=found.digest,
            engine=engine,
            content=content,
            signature=found.signature,
            probe_rows=rows["rows"],
            probe_scores=rows["scores"],
            options=_options(engine, found),
        )


def engine_and_file(artifact: Artifact, artifacts: Artifacts) -> tuple[str, bytes]:
    """The serving engine of a stored model and the bytes that it loads. Raises NotServable."""
    known = _ENGINES.get(artifact.codec)
    if known is None:
        raise NotServable(
            f"A {artifact.kind} stored as {artifact.codec!r} cannot be served.",
            why="Served are LightGBM, XGBoost, scikit-learn (skops) and ONNX models.",
            fix="Convert the model to ONNX and register that.",
        )
    engine, member = known
    with artifacts.open_file(artifact) as stream:
        data = stream.read()
    return engine, data if member is None else bundle.unpack(data)[member]


def _options(engine: str, version: ModelVersion) -> Mapping[str, Any]:
    if engine != "sklearn":
        return {}
    is_regression = version.signature.get("task") == "regression"
    return {"method": "predict" if is_regression else "predict_proba", "trusted": version.reference.get("trusted", [])}
