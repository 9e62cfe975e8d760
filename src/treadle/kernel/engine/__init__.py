"""Runs: steps, pipelines, journal, executors, schedules. One lookup by key gives cache, resume and lineage.

The names below are loaded when they are asked for, so that a worker or a fingerprint pays for no more than it uses.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from treadle.kernel.engine.ambient import current_engine, open_with, use
    from treadle.kernel.engine.handles import Handle, load
    from treadle.kernel.engine.pipelines import (
        Pipeline,
        PipelineRun,
        Schedule,
        on_alert,
        on_contract,
        on_event,
        on_labels,
        on_landing,
        pipeline,
    )
    from treadle.kernel.engine.policies import DataWindow, Limits, Window
    from treadle.kernel.engine.records import ConcurrencyLimit, Resources
    from treadle.kernel.engine.service import Engine, Surroundings
    from treadle.kernel.engine.steps import Step, each, step

__all__ = [
    "ConcurrencyLimit",
    "DataWindow",
    "Engine",
    "Handle",
    "Limits",
    "Pipeline",
    "PipelineRun",
    "Resources",
    "Schedule",
    "Step",
    "Surroundings",
    "Window",
    "current_engine",
    "each",
    "load",
    "on_alert",
    "on_contract",
    "on_event",
    "on_labels",
    "on_landing",
    "open_with",
    "pipeline",
    "step",
    "use",
]

_HOMES = {
    "ambient": ("current_engine", "open_with", "use"),
    "handles": ("Handle", "load"),
    "pipelines": (
        "Pipeline",
        "PipelineRun",
        "Schedule",
        "on_alert",
        "on_contract",
        "on_event",
        "on_labels",
        "on_landing",
        "pipeline",
    ),
    "policies": ("DataWindow", "Limits", "Window"),
    "records": ("ConcurrencyLimit", "Resources"),
    "service": ("Engine", "Surroundings"),
    "steps": ("Step", "each", "step"),
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}


def __getattr__(name: str) -> Any:
    home = _HOME_OF.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{home}"), name)
