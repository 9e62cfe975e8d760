"""Small models, trained for real, and their deployment into a serving area by hand."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import lightgbm
import numpy as np

from treadle.ground.digests import of_bytes
from treadle.systems.serve.runtime.documents import Limits, RouteDocument, RouteRevision, write_document
from treadle.systems.serve.runtime.models import Manifest, make_manifest, write_model
from treadle.systems.serve.runtime.signature import Column, Signature

CARRIERS = ("9E", "AA", "DL", "UA")
ROWS: tuple[dict[str, Any], ...] = (
    {"distance": 1400.0, "dep_hour": 6, "carrier": "UA", "holiday": False},
    {"distance": None, "dep_hour": 17, "carrier": "9E", "holiday": True},
    {"distance": 229.0, "dep_hour": 22, "carrier": None, "holiday": False},
)


@dataclass(frozen=True)
class Model:
    manifest: Manifest
    content: bytes


@dataclass(frozen=True)
class Deployed:
    document: RouteDocument
    model: Model


@cache
def flights_model(
    *, numeric: bool = False, seed: int = 1, threshold: float | None = 0.5, carriers: tuple[str, ...] = CARRIERS
) -> Model:
    """A LightGBM model of lateness: two numbers, a category and a flag; or three numbers of one type."""
    rng = np.random.default_rng(seed)
    rows = 400
    if numeric:
        matrix = rng.normal(size=(rows, 3))
        columns = tuple(Column(name=name) for name in ("a", "b", "c"))
        probe: tuple[dict[str, Any], ...] = ({"a": 0.5, "b": -1.0, "c": 0.25}, {"a": 0.0, "b": 1.0, "c": -2.0})
        categorical: list[int] = []
    else:
        matrix = np.column_stack(
            [
                rng.uniform(100, 2500, rows),
                rng.integers(0, 24, rows),
                rng.integers(0, len(carriers), rows),
                rng.random(rows) < 0.1,
            ]
        )
        columns = (
            Column(name="distance", nullable=True),
            Column(name="dep_hour", datatype="INT64"),
            Column(name="carrier", datatype="BYTES", nullable=True, categories=carriers),
            Column(name="holiday", datatype="BOOL"),
        )
        probe, categorical = ROWS, [2]
    target = (matrix[:, 0] / matrix[:, 0].max() + rng.random(rows) > 1).astype(int)
    parameters = {
        "objective": "binary",
        "verbose": -1,
        "num_threads": 1,
        "deterministic": True,
        "seed": seed,
        "min_data_in_leaf": 5,
    }
    booster = lightgbm.train(parameters, lightgbm.Dataset(matrix, target, categorical_feature=categorical), 12)
    content = booster.model_to_string().encode()
    signature = Signature(
        inputs=columns, task="binary", classes=("on time", "late"), positive_class="late", threshold=threshold
    )
    return Model(
        make_manifest(
            model_digest=of_bytes(content), engine="lightgbm", file="model.txt", model=content,
            signature=signature, probe_rows=probe,
        ),
        content,
    )  # fmt: skip


def deploy(
    serving: Path, endpoint: str, *models: Model, number: int = 1, weights: tuple[float, ...] | None = None,
    versions: tuple[str, ...] | None = None, allow_backdating: bool = False, **limits: Any,
) -> Deployed:  # fmt: skip
    """Writes models and route document as the control plane does."""
    weights = weights or tuple(1 / len(models) for _ in models)
    versions = versions or tuple(str(number + at) for at in range(len(models)))
    revisions = tuple(
        RouteRevision(
            revision=f"rev_{number + at}", number=number + at, weight=weight, model="late-arrival", model_version=version,
            bundle=write_model(serving / "models", model.manifest, model.content),
        )
        for at, (model, weight, version) in enumerate(zip(models, weights, versions, strict=True))
    )  # fmt: skip
    document = RouteDocument(
        endpoint=endpoint,
        number=number,
        revisions=revisions,
        allow_backdating=allow_backdating,
        limits=Limits(**limits),
    )
    write_document(serving / "routes", document)
    return Deployed(document, models[0])
