"""What a user writes steps and pipelines with. Importing this says where runs are recorded: in the current workspace."""

from __future__ import annotations

from treadle.assembly import current_workspace
from treadle.kernel.engine import open_with
from treadle.kernel.engine.declaring import env, file
from treadle.kernel.engine.handles import Handle, load
from treadle.kernel.engine.pipelines import Schedule, on_alert, on_event, on_landing, pipeline
from treadle.kernel.engine.records import ConcurrencyLimit, Resources
from treadle.kernel.engine.secrets import secret
from treadle.kernel.engine.steps import each, step

open_with(lambda: current_workspace().engine)

__all__ = [
    "ConcurrencyLimit",
    "Handle",
    "Resources",
    "Schedule",
    "each",
    "env",
    "file",
    "load",
    "on_alert",
    "on_event",
    "on_landing",
    "pipeline",
    "secret",
    "step",
]
