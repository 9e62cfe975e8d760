"""Release: a challenger meets the champion on the newest labelled rows, and is promoted or refused, with the reason."""

from treadle.loops.release.gates import decide
from treadle.loops.release.records import Decision, Finding, GatePolicy
from treadle.loops.release.service import Challenge, Release, Verdict

__all__ = ["Challenge", "Decision", "Finding", "GatePolicy", "Release", "Verdict", "decide"]
