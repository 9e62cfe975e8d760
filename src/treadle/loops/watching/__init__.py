"""Monitors that begin by themselves when an endpoint is deployed, follow its models, and judge windows as they end."""

from treadle.loops.watching.service import Looked, Watching

__all__ = ["Looked", "Watching"]
