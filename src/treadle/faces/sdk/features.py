"""Feature views as a user's project defines them: `from treadle import features`."""

from __future__ import annotations

from treadle.faces.sdk.online import materialize, online, push, skew
from treadle.systems.features.joining import join_features
from treadle.systems.features.on_demand import OnDemandView
from treadle.systems.features.on_demand import OnDemandView as on_demand  # noqa: N813 - reads as a verb: f.on_demand(...)
from treadle.systems.features.records import Joined, TrainingSet, ViewReport
from treadle.systems.features.views import FeatureService, FeatureView
from treadle.systems.features.windows import (
    Window,
    count,
    distinct,
    duration,
    greatest,
    least,
    mean,
    quantile,
    rate,
    std,
    total,
    values,
)

__all__ = [
    "FeatureService",
    "FeatureView",
    "Joined",
    "OnDemandView",
    "TrainingSet",
    "ViewReport",
    "Window",
    "count",
    "distinct",
    "duration",
    "greatest",
    "join_features",
    "least",
    "materialize",
    "mean",
    "on_demand",
    "online",
    "push",
    "quantile",
    "rate",
    "skew",
    "std",
    "total",
    "values",
]
