"""The indexes by which runs are found: what a condition says of an index, and in which stages an order follows one."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from treadle.systems.train.search.compiling import bounded
from treadle.systems.train.search.entities import Binder
from treadle.systems.train.search.paging import Scalar
from treadle.systems.train.search.syntax import Comparison, Condition, Field, Number, Range, Text

INDEXED = 250
"""How much of a text its index holds."""
TABLES = {"parameter": "run_param", "tag": "run_tag"}


@dataclass(frozen=True, slots=True)
class Driver:
    """Conditions that one index answers together."""

    table: str
    key: str
    conditions: tuple[Condition, ...]


def drivers(conditions: Iterable[Condition]) -> list[Driver]:
    """The conditions that an index answers; those on one metric together, as one range of it."""
    of_metric: dict[str, list[Condition]] = {}
    found: list[Driver] = []
    for condition in conditions:
        match condition:
            case Comparison(Field("metric", key), operator, Number()) if operator != "!=":
                of_metric.setdefault(key, []).append(condition)
            case Range(Field("metric", key), Number(), Number()):
                of_metric.setdefault(key, []).append(condition)
            case Comparison(Field("parameter" | "tag" as kind, key), "=", Text()):
                found.append(Driver(TABLES[kind], key, (condition,)))
    return [*(Driver("metric_latest", key, tuple(parts)) for key, parts in of_metric.items()), *found]


def of_index(condition: Condition, bind: Binder, x: str = "f") -> str:
    """A driver's condition in the words of its index."""
    match condition:
        case Comparison(_, operator, Number(number)):
            return f"{x}.value {operator} {bind(bounded(number))}"
        case Range(_, Number(low), Number(high)):
            return f"{x}.value >= {bind(bounded(low))} and {x}.value <= {bind(bounded(high))}"
        case Comparison(_, _, Text(text)):
            begins = f"substr({x}.value, 1, {INDEXED}) = {bind(text[:INDEXED])}"
            return begins if len(text) < INDEXED else f"{begins} and {x}.value = {bind(text)}"
    raise AssertionError(condition)


@dataclass(frozen=True, slots=True)
class Stage:
    """Rows that follow each other in the order, and that an index gives in that order.

    fixed: by what they are sorted that is the same for all of them. leads: what the index sorts them by, the value last.
    bind: what the conditions have bound. is_scoped: whether the rows are those of an index `o` of the experiments' own, to
    which their runs are still to be joined.
    """

    source: str
    where: str
    fixed: tuple[int | None, ...]
    leads: tuple[str, ...]
    bind: Binder | None = None
    is_scoped: bool = False

    def is_at(self, after: Sequence[Scalar]) -> bool:
        """Whether the row with these values, where a page ended, is one of the stage's."""
        return _ranks(self.fixed) == _ranks(after[: len(self.fixed)])

    def is_at_or_behind(self, after: Sequence[Scalar]) -> bool:
        """Whether the stage may have rows behind the one with these values."""
        return _ranks(self.fixed) >= _ranks(after[: len(self.fixed)])


STAGES_OF_START = (
    Stage("tracked_run r", "r.start_ms is not null", (0,), ("r.start_ms",)),
    Stage("tracked_run r", "r.start_ms is null", (2, None), ()),
)


def beginning(value: Scalar) -> Scalar:
    """As much of a text as its index holds."""
    return value[:INDEXED] if isinstance(value, str) else value


def _ranks(values: Sequence[Scalar]) -> list[Scalar]:
    return [0 if value is None else value for value in values]
