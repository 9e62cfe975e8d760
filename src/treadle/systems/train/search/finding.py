"""The rows of an entity that a filter finds, in an order, a page at a time.

This is all that most entities need: describe the tables (`Entity`), then ask `find`. Runs have a finder of their own,
which knows their indexes (`runs`).
"""

# ruff: noqa: S608 -- statements are put together of fragments of ours; every value is bound

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from treadle.kernel.store import Reader, Row
from treadle.kernel.store.sql import composed
from treadle.systems.train.search.compiling import Compiler
from treadle.systems.train.search.entities import Binder, Entity
from treadle.systems.train.search.ordering import behind, sorting
from treadle.systems.train.search.paging import token_of, values_of
from treadle.systems.train.search.parsing import parse_filter, parse_orders
from treadle.systems.train.search.syntax import Condition, Order


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What is asked of an entity.

    scope: SQL of ours that every row must meet, with its own parameters: the project, the experiments.
    columns: what is wanted of each row, SQL of ours over the entity's table. seal: what else a page token is bound to.
    """

    columns: Sequence[str]
    scope: str
    parameters: Mapping[str, object]
    filter: str | None = None
    order_by: Sequence[str] = ()
    limit: int = 100
    token: str | None = None
    seal: object = None
    conditions: Sequence[str] = field(default_factory=tuple)


@dataclass(frozen=True, slots=True)
class Found:
    """A page of rows, and the token of the next one, None behind the last."""

    rows: list[Row]
    token: str | None


def find(reader: Reader, entity: Entity, question: Question) -> Found:
    """A page of the rows that a question asks for. Raises SearchInvalid."""
    condition = parse_filter(question.filter, entity.vocabulary)
    orders = parse_orders(question.order_by or entity.default, entity.vocabulary)
    return find_parsed(reader, entity, question, condition, orders)


def find_parsed(
    reader: Reader, entity: Entity, question: Question, condition: Condition | None, orders: Sequence[Order]
) -> Found:
    """As `find`, of a filter and an order that are read already."""
    bind = Binder(reader.dialect, question.parameters)
    sort = sorting(orders, entity, bind)
    mark = [entity.vocabulary.noun, question.filter or "", list(question.order_by), question.seal]
    where = [question.scope, *question.conditions]
    if condition is not None:
        where.append(Compiler(entity, bind).condition(condition))
    if question.token:
        values = values_of(question.token, mark, [key.sort for key in sort.keys])
        where.append(behind(sort.keys, values, bind))
    text = (
        f"select {', '.join(question.columns)}, {sort.columns} from {entity.table} {' '.join(sort.joins)} "
        f"where {' and '.join(where)} order by {sort.clause} limit {bind(question.limit + 1)}"
    )
    rows = reader.all(composed(f"find_{entity.vocabulary.noun}", text), bind.parameters)
    width = len(question.columns)
    token = token_of(mark, rows[question.limit - 1][width:]) if len(rows) > question.limit else None
    return Found([row[:width] for row in rows[: question.limit]], token)


def count(reader: Reader, entity: Entity, question: Question) -> int:
    """How many rows a question asks for, on all pages together. Raises SearchInvalid."""
    bind = Binder(reader.dialect, question.parameters)
    where = [question.scope, *question.conditions]
    condition = parse_filter(question.filter, entity.vocabulary)
    if condition is not None:
        where.append(Compiler(entity, bind).condition(condition))
    text = f"select count(*) from {entity.table} where {' and '.join(where)}"
    row = reader.find(composed(f"count_{entity.vocabulary.noun}", text), bind.parameters)
    return int(row[0]) if row else 0
