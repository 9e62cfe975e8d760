"""Features: values of an entity as they were known at a moment, alike in training, serving and replay.

Names are handed out when they are asked for: the online reader passes through here on its way into a model server, and
must not pay for Polars.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from treadle.systems.features.on_demand import OnDemandView as OnDemandView
    from treadle.systems.features.records import Joined as Joined
    from treadle.systems.features.records import TrainingSet as TrainingSet
    from treadle.systems.features.records import ViewReport as ViewReport
    from treadle.systems.features.service import Definition as Definition
    from treadle.systems.features.service import FeatureNamed as FeatureNamed
    from treadle.systems.features.service import Features as Features
    from treadle.systems.features.views import LIVE as LIVE
    from treadle.systems.features.views import FeatureService as FeatureService
    from treadle.systems.features.views import FeatureView as FeatureView
    from treadle.systems.features.windows import count as count
    from treadle.systems.features.windows import distinct as distinct
    from treadle.systems.features.windows import duration as duration
    from treadle.systems.features.windows import greatest as greatest
    from treadle.systems.features.windows import least as least
    from treadle.systems.features.windows import mean as mean
    from treadle.systems.features.windows import quantile as quantile
    from treadle.systems.features.windows import rate as rate
    from treadle.systems.features.windows import std as std
    from treadle.systems.features.windows import total as total
    from treadle.systems.features.windows import values as values

_HOME_OF = {
    "OnDemandView": "on_demand",
    **dict.fromkeys(("Joined", "TrainingSet", "ViewReport"), "records"),
    **dict.fromkeys(("Definition", "FeatureNamed", "Features"), "service"),
    **dict.fromkeys(("LIVE", "FeatureService", "FeatureView"), "views"),
    **dict.fromkeys(
        ("count", "distinct", "duration", "greatest", "least", "mean", "quantile", "rate", "std", "total", "values"),
        "windows",
    ),
}

__all__ = sorted(_HOME_OF)  # noqa: PLE0605


def __getattr__(name: str) -> Any:
    if name not in _HOME_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_HOME_OF[name]}"), name)
    globals()[name] = value
    return value
