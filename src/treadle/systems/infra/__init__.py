"""Infra: the store, the bytes and the disk underneath. What they cost, whether they are sound, what can go."""

from treadle.systems.infra.records import Check, CleanUp, Examination
from treadle.systems.infra.service import Storage

__all__ = ["Check", "CleanUp", "Examination", "Storage"]
