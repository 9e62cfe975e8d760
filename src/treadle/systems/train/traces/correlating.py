"""How often two conditions hold of the same traces."""

# ruff: noqa: S608 -- statements are put together of fragments of ours; every value is bound

from __future__ import annotations

import math
from dataclasses import dataclass

from treadle.kernel.store import Reader
from treadle.kernel.store.sql import composed
from treadle.systems.train.search.compiling import Compiler
from treadle.systems.train.search.entities import Binder, Entity
from treadle.systems.train.search.finding import Question
from treadle.systems.train.search.syntax import Condition

_PRIOR = 0.5
"""What is added to each count so that a few traces prove little (Jeffreys)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Correlation:
    """npmi: from -1 (never together) over 0 (as by chance) to 1 (always together); None where it is not defined."""

    npmi: float | None
    npmi_smoothed: float | None
    first_count: int
    second_count: int
    joint_count: int
    total_count: int


def count_parsed(reader: Reader, entity: Entity, question: Question, condition: Condition | None) -> int:
    """How many rows meet a condition that is read already."""
    bind = Binder(reader.dialect, question.parameters)
    where = [question.scope, *([Compiler(entity, bind).condition(condition)] if condition is not None else [])]
    text = f"select count(*) from {entity.table} where {' and '.join(where)}"
    row = reader.find(composed("count_traces", text), bind.parameters)
    return 0 if row is None else int(row[0])


def correlation(*, total: int, first: int, second: int, both: int) -> Correlation:
    """The normalized pointwise mutual information of two conditions, from how often each holds and both do.

    Source: G. Bouma, "Normalized (Pointwise) Mutual Information in Collocation Extraction", 2009.
    """
    is_defined = total > 0 and first > 0 and second > 0
    table = (both, first - both, second - both, total - first - second + both)
    plain = None if not is_defined else -1.0 if both == 0 else _information(*table)
    smooth = _information(*(count + _PRIOR for count in table)) if is_defined else None
    return Correlation(
        npmi=plain,
        npmi_smoothed=smooth,
        first_count=first,
        second_count=second,
        joint_count=both,
        total_count=total,
    )


def _information(both: float, only_first: float, only_second: float, neither: float) -> float:
    total = both + only_first + only_second + neither
    if both == total:
        return 1.0
    expected = (both + only_first) / total * ((both + only_second) / total)
    found = math.log(both / total / expected) / -math.log(both / total)
    return max(-1.0, min(1.0, found))
