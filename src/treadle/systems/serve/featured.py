"""Whether a feature service gives what a model takes."""

from __future__ import annotations

from treadle.ground.errors import did_you_mean
from treadle.systems.serve.errors import BadDeployment
from treadle.systems.serve.ports import OfferedService
from treadle.systems.serve.runtime.documents import FeatureSource
from treadle.systems.serve.runtime.models import Manifest
from treadle.systems.serve.runtime.signature import Column


def source_for(project: str, offered: OfferedService, manifest: Manifest) -> FeatureSource:
    """How the model's vectors are read. Raises BadDeployment where the service lacks a column, or has it in another type."""
    known: dict[str, str | None] = {**dict(offered.keys), **dict.fromkeys(offered.inputs), **offered.features}
    for column in manifest.signature.inputs:
        if column.name not in known:
            raise BadDeployment(
                f"The model takes {column.name!r}, which the feature service {offered.name!r} does not give.",
                why=did_you_mean(column.name, known),
                fix="Name the service that the model was trained with, or leave --features out.",
            )
        given = known[column.name]
        if given is not None and not _fits(given, column):
            raise BadDeployment(
                f"The model takes {column.name!r} as {column.datatype}; the feature service {offered.name!r} gives "
                f"{given or 'what no model takes'}.",
                fix="Cast the feature in its view, materialise it again, and train with it.",
            )
    return FeatureSource(
        project=project,
        service=offered.name,
        digest=offered.digest,
        keys=tuple(offered.keys),
        inputs=tuple(offered.inputs),
    )


def _fits(given: str, column: Column) -> bool:
    """Whether a value of a datatype is taken by a column; a whole number is by one of floating numbers."""
    kinds = (_kind(given), _kind(column.datatype))
    return kinds[0] == kinds[1] or kinds == ("int", "float")


def _kind(datatype: str) -> str:
    if "INT" in datatype:
        return "int"
    return {"BYTES": "text", "BOOL": "bool"}.get(datatype, "float" if datatype else "")
