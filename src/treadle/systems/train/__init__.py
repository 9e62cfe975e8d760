"""Train: experiments and their runs, the registry of model versions, and what is known about both."""

from treadle.systems.train.registry import (
    Model,
    ModelNotFound,
    Models,
    ModelVersion,
    ModelVersionNotFound,
    Registration,
    subject_of,
)

__all__ = ["Model", "ModelNotFound", "ModelVersion", "ModelVersionNotFound", "Models", "Registration", "subject_of"]
