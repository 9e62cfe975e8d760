"""What can be searched: an entity's vocabulary, and where in the tables its values stand.

An entity is described by data: its table, its attributes as columns, and a `Values` for each further kind. Whoever owns
tables describes them; compiling and paging are the same for all. SQL here is fixed text of ours over the entity's table;
everything that comes from outside goes through `Binder`.
"""

# ruff: noqa: S608 -- statements are put together of fragments of ours; every value is bound

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from treadle.systems.train.search.errors import SearchInvalid, check_text
from treadle.systems.train.search.syntax import Sort
from treadle.systems.train.search.vocabulary import Vocabulary

Test = Callable[[str], str]
"""The SQL of a value -> the SQL of a condition on it."""


class Binder:
    """Collects what is bound: `bind(value)` answers the name under which it goes into the statement."""

    def __init__(self, dialect: str, parameters: Mapping[str, object] | None = None) -> None:
        self.dialect, self.parameters = dialect, dict(parameters or {})
        self._count, self._aliases = 0, 0

    def __call__(self, value: object) -> str:
        if isinstance(value, str):
            check_text(value)
        name = f"p{self._count}"
        self._count += 1
        self.parameters[name] = value
        return f":{name}"

    def any_of(self, values: Sequence[str] | Sequence[int]) -> str:
        """`in (…)` for any number of values."""
        for value in values:
            if isinstance(value, str):
                check_text(value)
        name = self(list_for(self.dialect, values))
        return in_list(self.dialect, name)

    def copy(self) -> Binder:
        """A binder that goes on from here by itself."""
        other = Binder(self.dialect, self.parameters)
        other._count, other._aliases = self._count, self._aliases
        return other

    def alias(self) -> str:
        """A table's name that nothing else in the statement has."""
        self._aliases += 1
        return f"j{self._aliases}"


def in_list(dialect: str, name: str) -> str:
    """`in (…)` of the list that is bound to a name (`:numbers`) as `list_for` gives it."""
    return f"in (select value from json_each({name}))" if dialect == "sqlite" else f"= any({name})"


def list_for(dialect: str, values: Sequence[str] | Sequence[int]) -> object:
    """A list as it is bound for `in_list`."""
    return json.dumps(list(values)) if dialect == "sqlite" else list(values)


@dataclass(frozen=True, slots=True)
class Joined:
    """A value that a statement joins for its order. has_value: 0, else higher for what comes later; None: always there."""

    join: str
    value: str
    rank: str | None


class Values(Protocol):
    """Where the values of a kind stand."""

    @property
    def has_nan(self) -> bool:
        """Whether a value may be a NaN, which no comparison but != finds."""

    def holds(self, key: str, test: Test, bind: Binder) -> str:
        """Whether the value of a key meets a test; false where there is none. One of them suffices where many may be."""

    def absent(self, key: str, bind: Binder) -> str:
        """Whether there is no value."""

    def scalar(self, key: str, bind: Binder, aggregate: str | None = None) -> str:
        """The value itself, null where there is none. Raises SearchInvalid where there may be many."""

    def joined(self, key: str, bind: Binder) -> Joined:
        """The value for an order."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """An attribute that is a column (or an expression of columns) of the entity's table. order: what it is ordered by."""

    sql: str
    sort: Sort
    is_optional: bool = False
    order: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Keyed:
    """Values by key in a table beside the entity's: at most one for each row and key.

    owner: how its rows belong to the entity's, with `{x}` for its own name: `{x}.project = r.project and …`.
    code: what stands in the key's column for a key. aggregates: columns (or expressions with `{x}`) by function.
    missing: for some keys, the value that a row without one is taken to have.
    """

    table: str
    owner: str
    key: str = "key"
    value: str = "value"
    nan: str | None = None
    code: Callable[[str], object] = lambda key: key
    aggregates: Mapping[str, str] = field(default_factory=dict)
    missing: Mapping[str, str] = field(default_factory=dict)

    @property
    def has_nan(self) -> bool:
        return self.nan is not None

    def holds(self, key: str, test: Test, bind: Binder) -> str:
        if key in self.missing:
            return test(f"coalesce({self.scalar(key, bind)}, {bind(self.missing[key])})")
        x = bind.alias()
        return f"(select {test(self._value(x))} from {self._rows(x, key, bind)})"

    def absent(self, key: str, bind: Binder) -> str:
        return f"not exists (select 1 from {self._rows(bind.alias(), key, bind)})"

    def scalar(self, key: str, bind: Binder, aggregate: str | None = None) -> str:
        x = bind.alias()
        value = self._value(x) if aggregate is None else self.aggregates[aggregate].format(x=x)
        return f"(select {value} from {self._rows(x, key, bind)})"

    def joined(self, key: str, bind: Binder) -> Joined:
        x = bind.alias()
        on = f"{self.owner.format(x=x)} and {x}.{self.key} = {bind(self.code(key))}"
        rank = f"case when {x}.{self.key} is null then 2 when {x}.{self.nan} = 1 then 1 else 0 end"
        if self.nan is None:
            rank = f"case when {x}.{self.key} is null then 2 else 0 end"
        return Joined(f"left join {self.table} {x} on {on}", self._value(x), rank)

    def _rows(self, x: str, key: str, bind: Binder) -> str:
        return f"{self.table} {x} where {self.owner.format(x=x)} and {x}.{self.key} = {bind(self.code(key))}"

    def _value(self, x: str) -> str:
        return f"{x}.{self.value}" if self.nan is None else f"case when {x}.{self.nan} = 0 then {x}.{self.value} end"


@dataclass(frozen=True, slots=True, kw_only=True)
class Many:
    """Values of which a row may have several: the data sets that a run read. One that meets a condition is enough.

    rows: tables and the condition that makes their rows the entity's. columns: by key, the value and any further condition.
    """

    rows: str
    columns: Mapping[str, str]
    has_nan: bool = False

    def holds(self, key: str, test: Test, bind: Binder) -> str:
        return f"exists (select 1 from {self.rows} and {test(self.columns[key])})"

    def absent(self, key: str, bind: Binder) -> str:
        return f"not exists (select 1 from {self.rows} and {self.columns[key]} is not null)"

    def scalar(self, key: str, bind: Binder, aggregate: str | None = None) -> str:
        raise SearchInvalid(f"{key!r} may have several values; it can be compared, not reckoned with.")

    def joined(self, key: str, bind: Binder) -> Joined:
        raise SearchInvalid(f"{key!r} may have several values; nothing can be ordered by it.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Entity:
    """table: the entity's table and its short name, `tracked_run r`. ties: columns that tell equal rows apart, with their
    directions (True: ascending); the last one is unique. default: the order where none is asked for."""

    vocabulary: Vocabulary
    table: str
    columns: Mapping[str, Column]
    values: Mapping[str, Values] = field(default_factory=dict)
    ties: tuple[tuple[str, bool], ...]
    default: tuple[str, ...] = ()
