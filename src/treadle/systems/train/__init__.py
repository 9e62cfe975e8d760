"""Train: the registry of model versions, their aliases and the evidence about them."""

from treadle.systems.train.errors import ModelNotFound, ModelVersionNotFound
from treadle.systems.train.records import Model, ModelVersion, Registration, subject_of
from treadle.systems.train.service import Models

__all__ = ["Model", "ModelNotFound", "ModelVersion", "ModelVersionNotFound", "Models", "Registration", "subject_of"]
