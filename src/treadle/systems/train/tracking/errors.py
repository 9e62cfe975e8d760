"""What can go wrong in tracking. The sentence alone is what clients of MLflow's protocol match on, so these have no more.

InvalidInput  <- TrackingInvalid        a value that breaks a rule of tracking
NotFound      <- ExperimentNotFound, TrackedRunNotFound, TagNotFound, LoggedModelNotFound
Conflict      <- ExperimentExists       the name is taken, by a deleted one too
              <- ExperimentNotActive    a deleted experiment cannot be renamed
"""

from __future__ import annotations

from treadle.ground.errors import Conflict, InvalidInput, NotFound


class TrackingInvalid(InvalidInput):
    code = "tracking.invalid"


class ExperimentNotFound(NotFound):
    code = "experiment.not_found"


class TrackedRunNotFound(NotFound):
    code = "tracking.run_not_found"


class TagNotFound(NotFound):
    code = "tracking.tag_not_found"


class LoggedModelNotFound(NotFound):
    code = "logged_model.not_found"


class ExperimentExists(Conflict):
    code = "experiment.exists"


class ExperimentNotActive(Conflict):
    code = "experiment.not_active"
