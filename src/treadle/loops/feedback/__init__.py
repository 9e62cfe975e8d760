"""Feedback: predictions become a dataset, the truth comes late, and the two are joined for whoever watches."""

from treadle.loops.feedback.archive import LandedPredictions
from treadle.loops.feedback.records import Coverage, TruthRule
from treadle.loops.feedback.rules import TruthRules
from treadle.loops.feedback.service import Feedback
from treadle.loops.feedback.watching import Observed

__all__ = ["Coverage", "Feedback", "LandedPredictions", "Observed", "TruthRule", "TruthRules"]
