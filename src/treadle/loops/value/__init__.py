"""Business value: what predictions turned out to be worth, and what they cost to make."""

from treadle.loops.value.records import ValueFigure, ValueReport, ValueRule
from treadle.loops.value.service import Value, ValueOf, ValueRules

__all__ = ["Value", "ValueFigure", "ValueOf", "ValueReport", "ValueRule", "ValueRules"]
