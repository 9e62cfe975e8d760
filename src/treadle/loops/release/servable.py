"""Registered models as serving wants them: the engine, its one file, the signature and the probe.

train knows versions and artifacts, serve knows engines and files; what a codec wrote is taken apart here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from treadle.kernel.artifacts import Artifact
from treadle.kernel.artifacts.codecs import bundle
from treadle.kernel.artifacts.codecs.estimators import trusted_types
from treadle.kernel.artifacts.service import Artifacts
from treadle.kernel.catalog import ArtifactRows
from treadle.kernel.store import Store
from treadle.loops.release.errors import NotServable
from treadle.systems.serve.conversion.records import ORIGINAL, Choice
from treadle.systems.serve.ports import ServableModel
from treadle.systems.train import Models, ModelVersion

_ENGINES = {
    "model/lightgbm": ("lightgbm", "model.txt"),
    "model/xgboost": ("xgboost", "model.ubj"),
    "model/skops": ("sklearn", None),
    "model/onnx": ("onnx", None),
}
"""Codec -> engine, and the member of its bundle that the engine reads; None where the bytes are the file."""

COMPARED, SERVED_AS = "engines", "served_as"
"""Where a version's `reference` names the table of the forms that were compared, and the file of the one that serves."""


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
        engine, content, options, tolerance = self._served(found, artifact)
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
            tolerance=max(1e-6, tolerance * _magnitude(rows["scores"])),
            options=options,
        )

    def version(self, project: str, model: str, version: str) -> ModelVersion:
        """A version by number, alias or `newest`. Raises ModelNotFound, ModelVersionNotFound."""
        with self._store.read() as reader:
            return self._models.resolve(reader, project, model, version)

    def choice(self, version: ModelVersion) -> Choice | None:
        """What was found when the forms of a version were compared; None when nobody compared any."""
        digest = version.reference.get(COMPARED)
        if digest is None:
            return None
        with self._store.read() as reader:
            table = self._rows.get(reader, version.project, digest)
        return msgspec.convert(self._artifacts.load(table), Choice)

    def _served(self, version: ModelVersion, artifact: Artifact) -> tuple[str, bytes, Mapping[str, Any], float]:
        """(engine, file, options, tolerance) of the form that serves: the original, unless another was chosen."""
        choice = self.choice(version)
        if choice is None or choice.serves in (None, ORIGINAL):
            engine, content = engine_and_file(artifact, self._artifacts)
            return engine, content, original_options(engine, content, version.signature), 0.0
        with self._store.read() as reader:
            file = self._rows.get(reader, version.project, version.reference[SERVED_AS])
        engine = next(one.engine for one in choice.comparisons if one.name == choice.serves)
        return engine, bytes(self._artifacts.load(file)), choice.options, choice.tolerance


def is_servable(artifact: Artifact) -> bool:
    """Whether an engine loads a model that is stored like this."""
    return artifact.codec in _ENGINES


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


def original_options(engine: str, content: bytes, signature: Mapping[str, Any]) -> Mapping[str, Any]:
    """What the engine of an unconverted model must know beside its file."""
    if engine != "sklearn":
        return {}
    method = "predict" if signature.get("task") == "regression" else "predict_proba"
    return {"method": method, "trusted": trusted_types(content)}


def _magnitude(scores: Sequence[Sequence[float]]) -> float:
    """How large the scores are, and 1 at least: a tolerance is relative above it."""
    return max(1.0, *(abs(score) for row in scores for score in row))
