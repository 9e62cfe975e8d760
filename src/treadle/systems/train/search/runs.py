"""Finding runs by their indexes.

A page of runs can be found in two ways, and each is quick where the other is slow. *Walk*: follow the index of the first
term of the order and keep what meets the filter, until the page is full; quick when many runs match. *Narrow*: take the
runs that one condition of the filter finds by its own index, and sort them; quick when few match. The conditions are
counted first, never beyond a bound, so the choice costs little. Where what matches stands at the far end of the order, a
walk gathers first which runs meet the conditions, and passes the others by (`marks`). No way reads histories.
"""

# ruff: noqa: S608 -- statements are put together of fragments of ours; every value is bound

from __future__ import annotations

import functools
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace

from treadle.ground.memo import cached_property
from treadle.kernel.store import Reader, Row, Statements
from treadle.kernel.store.sql import composed
from treadle.systems.train.search.catalog import runs
from treadle.systems.train.search.compiling import Compiler
from treadle.systems.train.search.entities import Binder, Entity
from treadle.systems.train.search.errors import SearchInvalid
from treadle.systems.train.search.finding import Found
from treadle.systems.train.search.indexes import (
    INDEXED,
    STAGES_OF_START,
    TABLES,
    Driver,
    Stage,
    beginning,
    drivers,
    of_index,
)
from treadle.systems.train.search.marks import MOST_MARKED, is_marked, marks
from treadle.systems.train.search.ordering import Sorting, SortKey, behind, collated, sorting
from treadle.systems.train.search.paging import token_of, values_of
from treadle.systems.train.search.records import Facet
from treadle.systems.train.search.syntax import (
    Condition,
    Field,
    Order,
    conjuncts,
    fields_of,
)
from treadle.systems.train.search.vocabulary import ATTRIBUTE

sql = Statements(__package__)

_FEW = 3000
"""So many runs are sorted sooner than an index is walked for the hundredth of them."""
_CERTAIN = 10
"""By how much a walk must be shorter to be preferred: what matches may stand at its end."""
_GLANCE = 4
"""The first runs of an order, so many times a page, are looked at before it is walked."""
_SOON = {"metric_latest": 16, "run_param": 32, "run_tag": 32}
"""Then so many, where the first promise it; texts take longer to gather, which is what is saved."""
_PASSED = 200
"""How many runs that are not marked are passed by, at least, before two that match have been sorted."""
_MOST_MERGED = 20
"""So many experiments are searched one by one, and their pages merged."""
START = Field(ATTRIBUTE, "start_time", "number")


@dataclass(frozen=True, slots=True, kw_only=True)
class RunQuestion:
    """Which runs are asked for. experiments: their numbers. lifecycles: `active`, `deleted` or both.

    mark: what a page token is bound to. Conditions and orders are read already (`parsing`).
    """

    project: str
    experiments: Sequence[int]
    lifecycles: Sequence[str]
    condition: Condition | None
    orders: Sequence[Order]
    limit: int
    token: str | None
    mark: object


def find_runs(reader: Reader, question: RunQuestion) -> Found:
    """A page of (number, run id) of the runs that are asked for. Raises SearchInvalid."""
    if not question.experiments:
        return Found([], None)
    finder = _Finder(reader, question)
    rows = _merged(reader, question, finder) if finder.is_mergeable else finder.rows()
    token = None
    if len(rows) > question.limit:
        rows = rows[: question.limit]
        token = token_of(question.mark, rows[-1][2:])
    return Found([row[:2] for row in rows], token)


def _merged(reader: Reader, question: RunQuestion, finder: _Finder) -> list[Row]:
    """The page of several experiments, from a page of each."""
    pages = (_Finder(reader, replace(question, experiments=[number])).rows() for number in question.experiments)
    rows = [row for page in pages for row in page]

    def compared(one: Row, other: Row) -> int:
        for key, mine, theirs in zip(finder.keys, one[2:], other[2:], strict=True):
            if mine != theirs and mine is not None and theirs is not None:
                return 1 if (mine > theirs) is key.is_ascending else -1
        return 0

    return sorted(rows, key=functools.cmp_to_key(compared))[: question.limit + 1]


def count_runs(reader: Reader, question: RunQuestion) -> int:
    """How many runs are asked for, on all pages together."""
    if not question.experiments:
        return 0
    return _Finder(reader, question).count()


def facets(reader: Reader, question: RunQuestion, field: Field, most: int) -> list[Facet]:
    """How many of the runs that are asked for have which value of a field; the most frequent first."""
    return _Finder(reader, question).facets(field, most) if question.experiments else []


class _Finder:
    """One search: what it knows of its question, and the ways to its rows."""

    def __init__(self, reader: Reader, question: RunQuestion) -> None:
        self._reader, self._question = reader, question
        self._is_hidden = False
        self._marks: bytes | None = None
        self._conjuncts = conjuncts(question.condition)
        self._drivers = drivers(self._conjuncts)
        codes = self._codes()
        self._entity: Entity = runs(lambda name: codes.get(name, -1))
        self._code = codes
        self._orders = question.orders or (Order(START, False),)
        self.keys = sorting(self._orders, self._entity, self._bind()).keys
        sorts = [key.sort for key in self.keys]
        self._after = values_of(question.token, question.mark, sorts) if question.token else None

    def rows(self) -> list[Row]:
        """The page's rows and the one that follows: number, run id, and by what they are sorted."""
        driver, count = self._driver()
        if len(self._question.experiments) == 1 and self._can_walk() and (driver is None or self._is_dense(count)):
            return self._walked()
        return self._sorted(driver)

    @property
    def is_mergeable(self) -> bool:
        """Whether the pages of several experiments, each quick by itself, give the page of all of them."""
        return 1 < len(self._question.experiments) <= _MOST_MERGED and self._can_walk()

    def count(self) -> int:
        """How many rows there are."""
        bind, (driver, _) = self._bind(), self._driver()
        text = f"select count(*) from {self._source(driver, bind)} where {self._where(bind, driver)}"
        row = self._reader.find(composed("count_runs", text), bind.parameters)
        return int(row[0]) if row else 0

    def facets(self, field: Field, most: int) -> list[Facet]:
        """How many rows have which value."""
        if field.sort != "text" or field.kind == "dataset":
            raise SearchInvalid("Runs are counted by a parameter, a tag or a text attribute.")
        bind, (driver, _) = self._bind(), self._driver()
        value = Compiler(self._entity, bind).value(field)
        text = (
            f"select value, count(*) from (select {value} as value from {self._source(driver, bind)} "
            f"where {self._where(bind, driver)}) found group by value "
            f"order by 2 desc, case when value is null then 1 else 0 end, {collated('value', 'text', bind.dialect)} "
            f"limit {bind(most)}"
        )
        rows = self._reader.all(composed("facets_of_runs", text), bind.parameters)
        return [Facet(value=value, count=count) for value, count in rows]

    # What there is

    def _bind(self) -> Binder:
        question = self._question
        return Binder(self._reader.dialect, {"project": question.project})

    def _codes(self) -> dict[str, int]:
        asked = [order.value for order in self._question.orders]
        fields = [*fields_of(self._question.condition), *(field for value in asked for field in fields_of(value))]
        names = sorted({field.key for field in fields if field.kind == "metric"})
        if not names:
            return {}
        values = {"project": self._question.project, "names": json.dumps(names)}
        return dict(self._reader.all(sql.metric_keys, values))

    def _scope(self, bind: Binder, table: str) -> str:
        """The rows of a table that belong to the experiments asked for."""
        numbers = list(self._question.experiments)
        if len(numbers) == 1:
            return f"{table}.project = :project and {table}.experiment = {bind(numbers[0])}"
        return f"{table}.project = :project and {table}.experiment {bind.any_of(numbers)}"

    def _lifecycle(self, bind: Binder) -> str:
        names = [bind(name) for name in self._question.lifecycles]
        return f"r.lifecycle = {names[0]}" if len(names) == 1 else f"r.lifecycle in ({', '.join(names)})"

    # By one condition

    def _driver(self) -> tuple[Driver | None, int]:
        """The condition that few rows meet by its own index, and how many; None when there is none such."""
        best, fewest = None, _FEW + 1
        for driver in self._drivers:
            bind = self._bind()
            text = f"select count(*) from (select 1 from {self._indexed(driver, bind)} limit {bind(fewest)}) counted"
            row = self._reader.find(composed("count_indexed", text), bind.parameters)
            if row is not None and row[0] < fewest:
                best, fewest = driver, row[0]
        return best, fewest

    def _is_dense(self, count: int) -> bool:
        """Whether so many runs match, of all that there are, that an index is walked for a page of them sooner."""
        if self._can_mark and self._newest < _PASSED * count:
            return True
        return _CERTAIN * self._question.limit * self._newest < count * count

    @cached_property
    def _newest(self) -> int:
        """The greatest number of a run of the project; 0 when there is none."""
        row = self._reader.find(sql.newest_run, {"project": self._question.project})
        return int(row[0] or 0) if row else 0

    @property
    def _can_mark(self) -> bool:
        return self._newest <= MOST_MARKED

    def _indexed(self, driver: Driver, bind: Binder) -> str:
        """Rows `f` whose run_numbers are those of the runs that meet a condition."""
        rows = f"{driver.table} f where {self._scope(bind, 'f')}"
        if driver.table == "metric_latest":
            rows += f" and f.key = {bind(self._code.get(driver.key, -1))} and f.is_nan = 0"
        else:
            rows += f" and f.key = {bind(driver.key)}"
        for condition in driver.conditions:
            rows += f" and {of_index(condition, bind)}"
        return rows

    def _source(self, driver: Driver | None, bind: Binder) -> str:
        if driver is None:
            return "tracked_run r"
        return f"(select f.run_number from {self._indexed(driver, bind)}) n cross join tracked_run r"

    def _where(self, bind: Binder, driver: Driver | None, *, is_scoped: bool = False) -> str:
        """is_scoped: whether the rows come from an index of the experiments' own already.

        Their experiment is then not asked for again: the planner of PostgreSQL would take it for a way to the run.
        """
        if driver is not None:
            parts = ["r.project = :project", "r.number = n.run_number"]
        else:
            parts = [] if is_scoped else [self._scope(bind, "r")]
        if self._is_hidden:
            number = (
                "+o.run_number" if is_scoped else "+r.number"
            )  # the sign keeps SQLite from walking the list instead
            if self._marks is None:
                indexed = (self._indexed(one, bind) for one in self._drivers)
                parts += [f"{number} in (select f.run_number from {rows})" for rows in indexed]
            else:
                parts.append(is_marked(bind(self._marks), number, bind.dialect))
        parts.append(self._lifecycle(bind))
        compiler, met = Compiler(self._entity, bind), () if driver is None else driver.conditions
        parts += [compiler.condition(part) for part in self._conjuncts if part not in met]
        return " and ".join(parts)

    def _sorted(self, driver: Driver | None) -> list[Row]:
        """All that match, sorted."""
        bind = self._bind()
        sort = sorting(self._orders, self._entity, bind)
        where = self._where(bind, driver)
        if self._after is not None:
            where += f" and {behind(sort.keys, self._after, bind)}"
        return self._select(self._source(driver, bind), sort, where, sort.columns, bind)

    def _select(self, source: str, sort: Sorting, where: str, columns: str, bind: Binder, limit: int = 0) -> list[Row]:
        text = (
            f"select r.number, r.run, {columns} from {source} {' '.join(sort.joins)} where {where} "
            f"order by {sort.clause} limit {bind(limit or self._question.limit + 1)}"
        )
        return self._reader.all(composed("find_runs", text), bind.parameters)

    # Along the first term of the order

    def _can_walk(self) -> bool:
        first = self._orders[0].value
        if first == START:
            return len(self._question.lifecycles) == 1
        return isinstance(first, Field) and first.kind in ("metric", *TABLES)

    def _walked(self) -> list[Row]:
        """Stage by stage of the order, each along an index, until the page is full."""
        wanted = self._question.limit + 1
        rows: list[Row] = []
        stages = self._stages()
        self._is_hidden = bool(self._drivers) and not self._is_met_soon(stages, wanted)
        if self._is_hidden and self._can_mark:
            self._marks = self._marked()
        for stage in stages:
            rows += self._of_stage(stage, wanted - len(rows))
            if len(rows) >= wanted:
                break
        return rows

    def _marked(self) -> bytes:
        """Which runs meet all conditions that have an index."""
        binds = [self._bind() for _ in self._drivers]
        rows = [(self._indexed(one, bind), bind.parameters) for one, bind in zip(self._drivers, binds, strict=True)]
        return marks(self._reader, rows, self._newest)

    def _is_met_soon(self, stages: list[Stage], wanted: int) -> bool:
        """Whether the first runs of the order fill the page already, as they do unless what is asked for stands behind.

        Where it does, the runs that meet each condition are gathered once, so that those before them are passed by quickly.
        """
        stage = next((one for one in stages if self._after is None or one.is_at_or_behind(self._after)), None)
        if stage is None or not stage.leads:
            return True
        met = self._met(stage, wanted, _GLANCE * wanted)
        soon = max(_SOON[driver.table] for driver in self._drivers)
        if wanted > met >= wanted * _GLANCE / soon:
            met = self._met(stage, wanted, soon * wanted)
        return met >= wanted

    def _met(self, stage: Stage, wanted: int, most: int) -> int:
        """How many of the first runs of a stage meet the conditions that have an index, up to those of a page."""
        bind = stage.bind.copy() if stage.bind else self._bind()
        where, number = stage.where, "o.run_number" if stage.is_scoped else "r.number"
        if not stage.is_scoped:
            where += f" and {self._scope(bind, 'r')} and {self._lifecycle(bind)}"
        led = self.keys[len(stage.fixed)]
        lead = collated(stage.leads[0], led.sort, bind.dialect)
        if self._after is not None and stage.is_at(self._after):
            value = beginning(self._after[len(stage.fixed)])
            where += f" and {lead} {'>=' if led.is_ascending else '<='} {bind(value)}"
        met = (
            f"exists (select 1 from {self._indexed(one, bind)} and f.run_number = w.number)" for one in self._drivers
        )
        text = (
            f"select count(*) from (select 1 from (select {number} as number from {stage.source} where {where} "
            f"order by {lead} {'asc' if led.is_ascending else 'desc'} limit {bind(most)}) w "
            f"where {' and '.join(met)} limit {bind(wanted)}) counted"
        )
        row = self._reader.find(composed("met_soon", text), bind.parameters)
        return 0 if row is None else int(row[0])

    def _stages(self) -> list[Stage]:
        """What follows each other in the order: the values of its first term, NaNs, then what has none."""
        first = self._orders[0].value
        if first == START:
            return list(STAGES_OF_START)
        assert isinstance(first, Field)
        bind = self._bind()
        found = self._stages_of_values(first, bind)
        absent = self._entity.values[first.kind].absent(first.key, bind)
        if len(self._question.lifecycles) == 1 and (len(self._orders) == 1 or self._orders[1].value == START):
            found += [
                Stage("tracked_run r", f"{absent} and {one.where}", (2, None, *one.fixed), one.leads, bind)
                for one in STAGES_OF_START
            ]
        else:
            found.append(Stage("tracked_run r", absent, (2, None), (), bind))
        return found

    def _stages_of_values(self, field: Field, bind: Binder) -> list[Stage]:
        """The runs that have a value of a metric, a parameter or a tag, as its index gives them."""
        table = TABLES.get(field.kind, "metric_latest")
        source = f"{table} o"
        key = field.key if field.kind in TABLES else self._code.get(field.key, -1)
        along = f"{self._scope(bind, 'o')} and o.key = {bind(key)}"
        if field.kind in TABLES:
            leads = (f"substr(o.value, 1, {INDEXED})", "o.value")
            return [Stage(source, along, (0,), leads, bind, is_scoped=True)]
        for driver in self._drivers:
            if driver.key == field.key and driver.table == table:  # a range of the index that is walked
                along += "".join(f" and {of_index(part, bind, 'o')}" for part in driver.conditions)
        return [
            Stage(source, f"{along} and o.is_nan = 0", (0,), ("o.value",), bind, is_scoped=True),
            Stage(source, f"{along} and o.is_nan = 1", (1, None), (), bind, is_scoped=True),
        ]

    def _of_stage(self, stage: Stage, limit: int) -> list[Row]:
        after, passed = self._after, len(stage.fixed)
        if after is not None and not stage.is_at_or_behind(after):
            return []
        bind = stage.bind.copy() if stage.bind else self._bind()
        sort = sorting(self._orders, self._entity, bind)
        keys, joins = list(sort.keys[passed:]), sort.joins if self._orders[0].value == START else sort.joins[1:]
        extra = max(len(stage.leads) - 1, 0)
        if stage.leads:
            led = keys[0]
            keys[:1] = [
                SortKey(collated(lead, led.sort, bind.dialect), led.is_ascending, led.sort) for lead in stage.leads
            ]
        source, where = stage.source, f"{stage.where} and {self._where(bind, None, is_scoped=stage.is_scoped)}"
        if stage.is_scoped:
            source += " cross join tracked_run r"
            where = f"r.project = :project and r.number = o.run_number and {where}"
        if after is not None and stage.is_at(after):
            values = [*(beginning(after[passed]) for _ in range(extra)), *after[passed:]]
            where += f" and {behind(keys, values, bind)}"
            if stage.leads:  # said once more in the index's own words
                where += f" and {keys[0].sql} {'>=' if keys[0].is_ascending else '<='} {bind(values[0])}"
        fixed = ("null" if value is None else str(value) for value in stage.fixed)
        columns = ", ".join([*fixed, *(key.sql for key in keys[extra:])])
        return self._select(source, Sorting(tuple(keys), joins), where, columns, bind, limit)
