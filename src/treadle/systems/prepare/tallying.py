"""What is counted of one rule while batches go by, and the result that it comes to."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from treadle.systems.prepare.records import RuleResult
from treadle.systems.prepare.rules import Rule

MAX_EXAMPLES = 5


@dataclass(slots=True)
class Tally:
    """Counts of one rule."""

    evaluated: int = 0
    failed: int = 0
    examples: list[str] = field(default_factory=list)
    observed: Any = None
    passed: bool | None = None
    skipped: str | None = None

    def measured(self, observed: Any, passed: bool, rows: int) -> None:
        """Notes the one figure of a rule about the table."""
        self.observed, self.passed, self.failed, self.evaluated = observed, passed, int(not passed), rows


def result_of(rule: Rule, tally: Tally) -> RuleResult:
    """The result of a rule: its own figure, or the rows that failed against what it tolerates."""
    observed, passed = tally.observed, tally.failed == 0 if tally.passed is None else tally.passed
    if rule.tolerance is not None and not tally.skipped:
        observed = rule.tolerance.observed(tally.failed, tally.evaluated)
        passed = rule.tolerance.holds(observed)
    return RuleResult(
        rule=rule.id,
        kind=rule.kind,
        severity=rule.severity,
        dimension=rule.dimension,
        columns=rule.columns,
        evaluated=tally.evaluated,
        failed=tally.failed,
        passed=passed or tally.skipped is not None,
        observed=observed,
        examples=tuple(tally.examples),
        description=rule.description,
        skipped=tally.skipped,
    )
