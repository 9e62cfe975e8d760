"""Provenance: why a thing is as it is, what came of it, and whether it comes out the same when it is done again."""

from treadle.loops.provenance.records import (
    ImpactRequest,
    Node,
    PredictionReplay,
    ReplayRequest,
    Verification,
    VerifyRequest,
    WhyRequest,
)
from treadle.loops.provenance.service import Provenance
from treadle.loops.provenance.sources import Sources

__all__ = [
    "ImpactRequest", "Node", "PredictionReplay", "Provenance", "ReplayRequest", "Sources", "Verification",
    "VerifyRequest", "WhyRequest",
]  # fmt: skip
