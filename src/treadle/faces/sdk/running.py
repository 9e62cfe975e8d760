"""What a user writes steps and pipelines with. Importing this says where runs are recorded: in the current workspace."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from treadle.assembly import Workspace, current_workspace, open_workspace, use
from treadle.kernel.engine import open_with
from treadle.kernel.engine.declaring import env, file
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
from treadle.kernel.engine.secrets import secret
from treadle.kernel.engine.steps import each, step

if TYPE_CHECKING:
    from treadle.kernel.engine.publishing import Publication

R = TypeVar("R")

open_with(lambda: current_workspace().engine)


def run(
    pipeline: Pipeline[..., R],
    /,
    *args: Any,
    now: datetime | None = None,
    seed: int = 0,
    fresh: bool = False,
    **kwargs: Any,
) -> PipelineRun[R]:
    """Runs a pipeline as a bare call does, with the moment that it takes for the present, or another seed.

    now: what `td.now()` says in the run. fresh: uses nothing that is known. Raises what ended the run.
    """
    done = current_workspace().engine.run(pipeline, pipeline.bind(args, kwargs), now=now, seed=seed, fresh=fresh)
    if done.error is not None:
        raise done.error
    return done


def publish(pipelines: Iterable[Pipeline[..., Any]], project_root: Path) -> Publication:
    """Stores the project as it is now; the schedules and triggers of these pipelines are live at that version."""
    from treadle.kernel.engine import publishing

    return publishing.publish(current_workspace().engine, pipelines, project_root)


__all__ = [
    "ConcurrencyLimit",
    "DataWindow",
    "Handle",
    "Limits",
    "Resources",
    "Schedule",
    "Window",
    "Workspace",
    "each",
    "env",
    "file",
    "load",
    "on_alert",
    "on_contract",
    "on_event",
    "on_labels",
    "on_landing",
    "open_workspace",
    "pipeline",
    "publish",
    "run",
    "secret",
    "step",
    "use",
]
