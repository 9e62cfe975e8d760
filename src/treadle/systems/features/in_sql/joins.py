"""The join of `joining.py` as one SQL query: the same rows, the same values but for the last bits of sums.

Times are whole microseconds (bigint) inside of the query, so that no engine's intervals matter. A view is a row of common
table expressions: its rows; the line of those that become the newest known; the answer to each entity. The dialect
`standard` uses window functions and joins alone, `duckdb` its as-of join, which is quicker there.

Every name is quoted, and constants are numbers or quoted texts: nothing of a definition becomes SQL by itself but the
text of a view's own query, which has been parsed and checked (`sql_rows.py`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

from treadle.kernel.vocabulary.datasets import LANDING, ROW
from treadle.systems.features.columns import micros
from treadle.systems.features.in_sql.expressions import expression_sql, quoted
from treadle.systems.features.in_sql.windowed import window_query
from treadle.systems.features.on_demand import OnDemandView
from treadle.systems.features.views import LIVE, FeatureView, check_distinct, check_needs, names_of

Dialect = Literal["duckdb", "standard"]

ENTITIES = "treadle_entities"
NUMBER = "treadle_n"


@dataclass(frozen=True, slots=True, kw_only=True)
class Tables:
    """Where the query finds what it joins: names of tables or views, `schema.table` in parts.

    datasets: dataset -> table; with `_landing` and `_row`, and `_landed_at` for live views. Without a name, the dataset's own.
    """

    entities: str
    datasets: Mapping[str, str]

    def of(self, dataset: str) -> str:
        """The quoted name of a dataset's table."""
        return table_name(self.datasets.get(dataset, dataset))


def table_name(name: str) -> str:
    """`schema.table` with each part quoted."""
    return ".".join(quoted(part) for part in name.split("."))


def join_query(
    views: Sequence[FeatureView | OnDemandView],
    entity_columns: Sequence[str],
    *,
    as_of: str,
    tables: Tables,
    features: Sequence[str] | None = None,
    dialect: Dialect = "duckdb",
) -> str:
    """One select: the entities' columns, then the features, one row an entity, in no order.

    entity_columns: the columns of the entities' table that are wanted, with keys, as_of and what else the views ask of
    entities among them. Raises NotInSql for an expression without SQL of the same meaning.
    """
    check_distinct(views)
    check_needs(views)
    stored = [view for view in views if isinstance(view, FeatureView)]
    demanded = [view for view in views if isinstance(view, OnDemandView)]
    moments = [as_of, *sorted({view.target_time for view in stored if view.target_time})]
    columns = ", ".join(quoted(column) for column in entity_columns)
    times = ", ".join(f"{_ticks(quoted(moment), dialect)} as {quoted(_tick_name(moment))}" for moment in moments)
    parts = [
        f"{ENTITIES} as (select {columns}, {times}, row_number() over (order by {quoted(as_of)}) as {NUMBER}"
        f" from {table_name(tables.entities)})"
    ]
    for view in stored:
        parts += _ViewQuery(view, as_of, tables, dialect).parts()
    answers = [_answer_name(view) for view in stored]
    joined = "".join(f"\nleft join {answer} using ({NUMBER})" for answer in answers)
    found = [name for view in stored for name in view.features]
    selected = ", ".join([*(f"{ENTITIES}.{quoted(column)}" for column in entity_columns), *(quoted(name) for name in found)])  # fmt: skip
    source = f"select {selected}\nfrom {ENTITIES}{joined}"
    for place, each in enumerate(demanded):
        parts.append(f"treadle_before_{place} as (\n{source}\n)")
        source = _on_demand(each, f"treadle_before_{place}", [*entity_columns, *found])
        found += each.names
    wanted = list(features) if features is not None else [name for view in views for name in names_of(view)]
    final = ", ".join(quoted(name) for name in [*entity_columns, *wanted])
    parts.append(f"treadle_answer as (\n{source}\n)")
    return "with " + ",\n".join(parts) + f"\nselect {final} from treadle_answer"


def _on_demand(view: OnDemandView, table: str, columns: Sequence[str]) -> str:
    if view.query is not None:
        text = view.query.selecting(list(columns))
        return f"select * from (with request as (select * from {table}) {text}) as {_safe(view.name)}"
    computed = ", ".join(f"{expression_sql(each)} as {quoted(name)}" for name, each in view.features.items())
    return f"select *, {computed} from {table}"


def _ticks(expression: str, dialect: Dialect) -> str:
    """A moment as microseconds since 1970."""
    if dialect == "duckdb":
        return f"epoch_us({expression})"
    return f"cast(extract(epoch from {expression}) * 1000000 as bigint)"


def _tick_name(moment: str) -> str:
    return f"treadle_at_{moment}"


def _safe(name: str) -> str:
    return quoted(f"treadle_{name}")


def _answer_name(view: FeatureView) -> str:
    return quoted(f"treadle_{view.name}_answer")


@dataclass(frozen=True, slots=True)
class _ViewQuery:
    view: FeatureView
    as_of: str
    tables: Tables
    dialect: Dialect

    def parts(self) -> list[str]:
        """The common table expressions of one view; the last answers each entity by its number."""
        view = self.view
        rows = quoted(f"treadle_{view.name}_rows")
        pieces = [f"{rows} as (\n{self._rows()}\n)"]
        answers: list[tuple[str, list[str]]] = []
        if view.row_features:
            newest = quoted(f"treadle_{view.name}_newest")
            pieces.append(f"{newest} as (\n{self._newest(rows)}\n)")
            answers.append((newest, list(view.row_features)))
        for place, (name, window) in enumerate(view.window_features.items()):
            answer = quoted(f"treadle_{view.name}_window_{place}")
            keys = self._on_keys("r")
            moment = f"e.{quoted(_tick_name(self.as_of))}"
            delay = micros(view.known_at) if isinstance(view.known_at, timedelta) else 0
            pieces.append(f"{answer} as (\n{window_query(window, rows, keys, moment, quoted(name), delay)}\n)")
            answers.append((answer, [name]))
        joins = "".join(f"\nleft join {answer} using ({NUMBER})" for answer, _ in answers)
        columns = "".join(f", {answer}.{quoted(name)}" for answer, names in answers for name in names)
        pieces.append(f"{_answer_name(view)} as (\nselect e.{NUMBER}{columns} from {ENTITIES} e{joins}\n)")
        return pieces

    def _rows(self) -> str:
        """The dated rows with a key: keys, times as microseconds, when they are superseded, and features or values."""
        view = self.view
        keys = [f"{quoted(held)} as {quoted(f'k{place}')}" for place, held in enumerate(view.key_map.values())]
        event = _ticks(quoted(view.event_time), self.dialect)
        if isinstance(view.known_at, timedelta):
            known = f"{event} + {micros(view.known_at)}"
        else:
            column = "_landed_at" if view.known_at in (None, LIVE) else str(view.known_at)
            known = _ticks(quoted(column), self.dialect)
        values = [f"{expression_sql(each)} as {quoted(name)}" for name, each in view.row_features.items()]
        for name, window in view.window_features.items():
            if window.value is not None:
                values.append(f"{expression_sql(window.value)} as {quoted(f'v_{name}')}")
            if window.where is not None:
                values.append(f"coalesce({expression_sql(window.where)}, false) as {quoted(f'w_{name}')}")
        inner = ", ".join(
            [*keys, f"{event} as event_us", f"{known} as known_us", quoted(LANDING), quoted(ROW), *values]
        )
        event_key = ", ".join(quoted(column) for column in view.event_key)
        superseded = "null"
        if event_key:
            superseded = (
                f"lead({known}) over (partition by {event_key} order by {known}, {quoted(LANDING)}, {quoted(ROW)})"
            )
        dated = f"{quoted(view.event_time)} is not null"
        if not isinstance(view.known_at, timedelta):
            dated += f" and {quoted('_landed_at' if view.known_at in (None, LIVE) else str(view.known_at))} is not null"
        # A version with another key, even without one, supersedes: so keys are asked for outside.
        has_key = " and ".join(f"{quoted(f'k{place}')} is not null" for place in range(len(view.key_map)))
        return (
            f"select * from (select {inner}, {superseded} as superseded_us from {self._source()} as treadle_source"
            f" where {dated}) as treadle_dated where {has_key}"
        )

    def _source(self) -> str:
        """The dataset's table, or the view's own query over it."""
        table = self.tables.of(self.view.dataset)
        query = self.view.query
        if query is None:
            return table
        kept = [LANDING, ROW] + (["_landed_at"] if self.view.known_at in (None, LIVE) else [])
        text = query.selecting([column for column in kept if column not in query.outputs])
        return f"(with {quoted(self.view.dataset)} as (select * from {table}) {text})"

    def _on_keys(self, rows: str) -> str:
        keys = enumerate(self.view.key_map)
        return " and ".join(f"e.{quoted(asked)} = {rows}.{quoted(f'k{place}')}" for place, asked in keys)

    def _newest(self, rows: str) -> str:
        """The newest row known by each entity's moment, by the entity's number."""
        view = self.view
        names = ", ".join(f"r.{quoted(name)}" for name in view.row_features)
        moment = f"e.{quoted(_tick_name(self.as_of))}"
        if view.target_time is not None:
            return self._forecast(rows, names, moment)
        keys = ", ".join(quoted(f"k{place}") for place in range(len(view.key_map)))
        order = f"event_us, known_us, {quoted(LANDING)}, {quoted(ROW)}"
        backwards = f"event_us desc, known_us desc, {quoted(LANDING)} desc, {quoted(ROW)} desc"
        usable = "greatest(event_us, known_us)"
        line = (
            f"select *, lead(usable_us) over (partition by {keys} order by usable_us) as until_us from ("
            f"select *, max(event_us) over (partition by {keys} order by usable_us, {order}"
            " rows between unbounded preceding and current row) as newest_us from ("
            f"select *, {usable} as usable_us, row_number() over (partition by {keys}, {usable} order by {backwards})"
            f" as place from {rows}) as treadle_placed where place = 1) as treadle_line where event_us >= newest_us"
        )
        expired = "" if view.ttl is None else f" where {moment} - r.event_us <= {micros(view.ttl)}"
        if self.dialect == "duckdb":
            join = f"asof join ({line}) as r on {self._on_keys('r')} and {moment} >= r.usable_us"
        else:
            within = f"{moment} >= r.usable_us and (r.until_us is null or {moment} < r.until_us)"
            join = f"join ({line}) as r on {self._on_keys('r')} and {within}"
        return f"select e.{NUMBER}, {names} from {ENTITIES} e {join}{expired}"

    def _forecast(self, rows: str, names: str, moment: str) -> str:
        """The newest row about the latest moment up to the target that was known by then."""
        view = self.view
        target = f"e.{quoted(_tick_name(str(view.target_time)))}"
        backwards = f"r.event_us desc, r.known_us desc, r.{quoted(LANDING)} desc, r.{quoted(ROW)} desc"
        kept = ", ".join(quoted(name) for name in view.row_features)
        expired = "" if view.ttl is None else f" and target_us - event_us <= {micros(view.ttl)}"
        return (
            f"select {NUMBER}, {kept} from (select e.{NUMBER}, {names}, r.event_us, {target} as target_us,"
            f" row_number() over (partition by e.{NUMBER} order by {backwards}) as place from {ENTITIES} e"
            f" join {rows} r on {self._on_keys('r')} and r.event_us <= {target} and r.known_us <= {moment})"
            f" as treadle_placed where place = 1{expired}"
        )
