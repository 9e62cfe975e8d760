"""An order as columns: by what rows are sorted, and which rows come behind a given one.

Every term is one or two columns: its rank where values may be missing (0 a value, 1 a NaN, 2 none), which always
ascends, then the value itself. The last column tells any two rows apart.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from treadle.systems.train.search.compiling import Compiler
from treadle.systems.train.search.entities import Binder, Column, Entity
from treadle.systems.train.search.paging import Scalar
from treadle.systems.train.search.syntax import Field, Order, Sort
from treadle.systems.train.search.vocabulary import ATTRIBUTE


@dataclass(frozen=True, slots=True)
class SortKey:
    """One column of an order."""

    sql: str
    is_ascending: bool
    sort: Sort


@dataclass(frozen=True, slots=True)
class Sorting:
    """The columns of an order, and the joins that give them."""

    keys: tuple[SortKey, ...]
    joins: tuple[str, ...]

    @property
    def columns(self) -> str:
        """What a statement selects to tell where a page ends."""
        return ", ".join(key.sql for key in self.keys)

    @property
    def clause(self) -> str:
        """What stands behind `order by`."""
        return ", ".join(f"{key.sql} {'asc' if key.is_ascending else 'desc'}" for key in self.keys)


def sorting(orders: Sequence[Order], entity: Entity, bind: Binder) -> Sorting:
    """The columns of an order on an entity, its ties included."""
    keys: list[SortKey] = []
    joins: list[str] = []
    for order in orders:
        found, join = _term(order, entity, bind)
        keys += found
        joins += [join] if join else []
    named = {order.value.key for order in orders if isinstance(order.value, Field) and order.value.kind == ATTRIBUTE}
    for name, is_ascending in entity.ties:
        if name not in named:
            keys += column_keys(entity.columns[name], is_ascending, bind.dialect)
    return Sorting(tuple(keys), tuple(joins))


def _term(order: Order, entity: Entity, bind: Binder) -> tuple[list[SortKey], str]:
    value = order.value
    if isinstance(value, Field) and value.kind == ATTRIBUTE:
        return column_keys(entity.columns[value.key], order.is_ascending, bind.dialect), ""
    if isinstance(value, Field):
        found = entity.values[value.kind].joined(value.key, bind)
        return _ranked(found.value, found.rank, order.is_ascending, value.sort, bind.dialect), found.join
    sql = Compiler(entity, bind).value(value)
    return _ranked(sql, f"case when {sql} is null then 2 else 0 end", order.is_ascending, "number", bind.dialect), ""


def column_keys(column: Column, is_ascending: bool, dialect: str) -> list[SortKey]:
    """An attribute as columns of an order."""
    sql = column.order or column.sql
    sort: Sort = "number" if column.order else column.sort
    rank = f"case when {sql} is null then 2 else 0 end" if column.is_optional else None
    return _ranked(sql, rank, is_ascending, sort, dialect)


def _ranked(sql: str, rank: str | None, is_ascending: bool, sort: Sort, dialect: str) -> list[SortKey]:
    key = SortKey(collated(sql, sort, dialect), is_ascending, sort)
    return [key] if rank is None else [SortKey(rank, True, "number"), key]


def collated(sql: str, sort: Sort, dialect: str) -> str:
    """A value as it is compared for order: texts by their bytes, on both databases."""
    return f'({sql}) collate "C"' if sort == "text" and dialect == "postgresql" else sql


def behind(keys: Sequence[SortKey], values: Sequence[Scalar], bind: Binder) -> str:
    """Whether a row comes behind the one that has these values.

    A value that is null is equal in all rows of its rank, so that the columns behind it decide.
    """
    condition = ""
    for key, value in reversed(list(zip(keys, values, strict=True))):
        if value is None:
            continue
        name = bind(value)
        further = f"{key.sql} {'>' if key.is_ascending else '<'} {name}"
        condition = f"({further} or ({key.sql} = {name} and {condition}))" if condition else further
    return condition or "1 = 0"
