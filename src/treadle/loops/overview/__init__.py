"""The loop at a glance: what flowed through each of the eight systems, what is wrong, and what waits for a person."""

from treadle.loops.overview.service import Overviews

__all__ = ["Overviews"]
