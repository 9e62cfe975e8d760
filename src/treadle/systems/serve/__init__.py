"""Serving: endpoints with revisions, a data plane that answers, a log that remembers every prediction.

`runtime/` is the data plane, a process of its own that opens no store. The rest is the control plane: deploy, split, roll
back, ship the prediction log, replay. This module hands its names out when they are asked for, since the data plane
passes through here on its way and must not pay for the control plane.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from treadle.systems.serve.ports import ModelSource as ModelSource
    from treadle.systems.serve.ports import PredictionArchive as PredictionArchive
    from treadle.systems.serve.ports import PredictionSink as PredictionSink
    from treadle.systems.serve.ports import ServableModel as ServableModel
    from treadle.systems.serve.predictions import PredictionNamed as PredictionNamed
    from treadle.systems.serve.predictions import Predictions as Predictions
    from treadle.systems.serve.records import Endpoint as Endpoint
    from treadle.systems.serve.records import EndpointSheet as EndpointSheet
    from treadle.systems.serve.records import KeyedPrediction as KeyedPrediction
    from treadle.systems.serve.records import PredictionRecord as PredictionRecord
    from treadle.systems.serve.records import Replay as Replay
    from treadle.systems.serve.records import Revision as Revision
    from treadle.systems.serve.records import Route as Route
    from treadle.systems.serve.records import ServedView as ServedView
    from treadle.systems.serve.records import Shipped as Shipped
    from treadle.systems.serve.service import DeployEndpoint as DeployEndpoint
    from treadle.systems.serve.service import EndpointNamed as EndpointNamed
    from treadle.systems.serve.service import Endpoints as Endpoints
    from treadle.systems.serve.service import RollBackEndpoint as RollBackEndpoint
    from treadle.systems.serve.shipping import PredictionShipper as PredictionShipper
    from treadle.systems.serve.supervisor import ServerProcess as ServerProcess
    from treadle.systems.serve.traffic import DrainTraffic as DrainTraffic
    from treadle.systems.serve.traffic import ShadowTraffic as ShadowTraffic
    from treadle.systems.serve.traffic import SplitTraffic as SplitTraffic
    from treadle.systems.serve.traffic import Traffic as Traffic

_HOME_OF = {
    **dict.fromkeys(("ModelSource", "PredictionArchive", "PredictionSink", "ServableModel"), "ports"),
    **dict.fromkeys(("PredictionNamed", "Predictions"), "predictions"),
    **dict.fromkeys(
        (
            "Endpoint",
            "EndpointSheet",
            "KeyedPrediction",
            "PredictionRecord",
            "Replay",
            "Revision",
            "Route",
            "ServedView",
        ),
        "records",
    ),
    **dict.fromkeys(("DeployEndpoint", "EndpointNamed", "Endpoints", "RollBackEndpoint"), "service"),
    **dict.fromkeys(("DrainTraffic", "ShadowTraffic", "SplitTraffic", "Traffic"), "traffic"),
    "PredictionShipper": "shipping",
    "ServerProcess": "supervisor",
    "Shipped": "records",
}

__all__ = sorted(_HOME_OF)  # noqa: PLE0605


def __getattr__(name: str) -> Any:
    if name not in _HOME_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_HOME_OF[name]}"), name)
    globals()[name] = value
    return value
