"""Tuning: studies and their trials, and the storage by which Optuna keeps them here."""

from treadle.systems.train.tuning.errors import StudyExists, StudyNotFound, TrialFinished, TrialNotFound
from treadle.systems.train.tuning.records import Study
from treadle.systems.train.tuning.service import Studies

__all__ = ["Studies", "Study", "StudyExists", "StudyNotFound", "TrialFinished", "TrialNotFound"]
