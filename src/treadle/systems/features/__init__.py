"""Features: values of an entity as they were known at a moment, alike in training, serving and replay."""

from treadle.systems.features.records import Joined, TrainingSet, ViewReport
from treadle.systems.features.service import Definition, FeatureNamed, Features
from treadle.systems.features.views import LIVE, FeatureService, FeatureView
from treadle.systems.features.windows import count, mean, rate, total

__all__ = [
    "LIVE",
    "Definition",
    "FeatureNamed",
    "FeatureService",
    "FeatureView",
    "Features",
    "Joined",
    "TrainingSet",
    "ViewReport",
    "count",
    "mean",
    "rate",
    "total",
]
