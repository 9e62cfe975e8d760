"""Starts that somebody asked for: a run with parameters of their own, a run that is to go on.

Each is a firing like that of a schedule, so that a scheduler starts a process for it and it becomes one run however often
it is handed out. What is asked for stands beside the parameters, under a name that no parameter can have.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec

from treadle.ground.clock import to_micros
from treadle.kernel.engine.journal import as_text
from treadle.kernel.engine.scheduler import Firing
from treadle.kernel.engine.service import Engine

ASKED = "$run"
BY_HAND = "hand:"
RESUME = "resume:"


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """How a run is to be made. actor: who asked. resumes: the run that is to go on; None for a new one."""

    actor: str
    seed: int = 0
    fresh: bool = False
    from_step: str | None = None
    resumes: str | None = None


def asked_of(firing: Firing) -> Asked | None:
    """What somebody asked for with a firing; None for one that came by itself."""
    form = firing.params.get(ASKED)
    return None if form is None else msgspec.convert(form, Asked)


def firing_values(
    engine: Engine,
    project: str,
    source: str,
    pipeline: str,
    publication: str,
    *,
    moment: datetime | None = None,
    params: dict[str, Any] | None = None,
    asked: Asked | None = None,
) -> dict[str, Any]:
    """The values of `claim_firing` for a start that somebody asked for now; any scheduler may take it up at once.

    moment: what `td.now()` says in the run; the present when None.
    """
    at = to_micros(engine.clock())
    form = {} if asked is None else {ASKED: msgspec.to_builtins(asked)}
    return {
        "project": project,
        "source": source,
        "fire_at": at,
        "id": engine.new_id("fire"),
        "pipeline": pipeline,
        "publication": publication,
        "params": as_text({**(params or {}), **form}),
        "state": "claimed",
        "caused_by": None,
        "claimed_by": None,
        "claimed_at": 0,
        "moment_at": at if moment is None else to_micros(moment),
        "reason": None,
        "at": at,
    }
