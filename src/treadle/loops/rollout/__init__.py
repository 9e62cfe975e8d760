"""Rollout: a revision comes into traffic by steps, is judged beside the one that serves, and goes on or goes back by itself.

It needs serving (routes), what was landed of it (predictions, failures, shadows) and the truth, hence it is a loop.
"""

from treadle.loops.rollout.comparing import ShadowReport, Shadows
from treadle.loops.rollout.records import Canary, CanaryPolicy, Signal
from treadle.loops.rollout.service import Canaries, CanaryNamed, StartCanary, StopCanary

__all__ = [
    "Canaries",
    "Canary",
    "CanaryNamed",
    "CanaryPolicy",
    "ShadowReport",
    "Shadows",
    "Signal",
    "StartCanary",
    "StopCanary",
]
