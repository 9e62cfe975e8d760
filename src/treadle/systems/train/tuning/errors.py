"""What can go wrong with studies.

NotFound
├── StudyNotFound               there is no such study, or it has been deleted
└── TrialNotFound
Conflict
├── StudyExists                 the name is taken
└── TrialFinished               a trial that has ended does not change any more
"""

from __future__ import annotations

from treadle.ground.errors import Conflict, NotFound


class StudyNotFound(NotFound):
    code = "study.not_found"


class TrialNotFound(NotFound):
    code = "study.trial_not_found"


class StudyExists(Conflict):
    code = "study.exists"


class TrialFinished(Conflict):
    code = "study.trial_finished"
