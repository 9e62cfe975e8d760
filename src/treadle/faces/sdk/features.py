"""Feature views as a user's project defines them: `from treadle import features`."""

from __future__ import annotations

from treadle.systems.features.joining import join_features
from treadle.systems.features.records import Joined, TrainingSet, ViewReport
from treadle.systems.features.views import FeatureService, FeatureView
from treadle.systems.features.windows import Window, count, mean, rate, total

__all__ = [
    "FeatureService",
    "FeatureView",
    "Joined",
    "TrainingSet",
    "ViewReport",
    "Window",
    "count",
    "join_features",
    "mean",
    "rate",
    "total",
]
