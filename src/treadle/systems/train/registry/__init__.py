"""The registry: models, their numbered versions, the names that move over them and the evidence about them."""

from treadle.systems.train.registry.errors import ModelExists, ModelNotFound, ModelVersionNotFound
from treadle.systems.train.registry.records import Model, ModelVersion, Registration, subject_of
from treadle.systems.train.registry.service import Models

__all__ = [
    "Model",
    "ModelExists",
    "ModelNotFound",
    "ModelVersion",
    "ModelVersionNotFound",
    "Models",
    "Registration",
    "subject_of",
]
