"""The join as SQL gives what the join itself gives, in both dialects."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta

import duckdb
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from treadle.systems.features import windows as w
from treadle.systems.features.errors import NotInSql
from treadle.systems.features.in_sql import Tables, join_query
from treadle.systems.features.joining import join_features
from treadle.systems.features.on_demand import OnDemandView
from treadle.systems.features.views import FeatureView

START = datetime(2013, 1, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)
MOMENT = pl.Datetime("us", "UTC")

hours = st.integers(0, 10)
row_lists = st.lists(
    st.tuples(
        st.sampled_from(["a", "b", None]), st.none() | hours, st.none() | hours, st.none() | st.sampled_from([1.5, -2.0, 8.25]),
        st.integers(0, 4), st.none() | st.booleans(),
    ),
    max_size=20,
)  # fmt: skip
entity_lists = st.lists(st.tuples(st.sampled_from(["a", "b", "c", None]), hours, hours), max_size=8)


def at(hour: int | None) -> datetime | None:
    return None if hour is None else START + hour * HOUR


def make_rows(rows: list[tuple]) -> pl.DataFrame:
    return pl.DataFrame(
        [(*row[:1], at(row[1]), at(row[2]), *row[3:], "land_1", place) for place, row in enumerate(rows)],
        schema={
            "key": pl.String, "event_at": MOMENT, "known_at": MOMENT, "value": pl.Float64, "event": pl.Int64,
            "flag": pl.Boolean, "_landing": pl.String, "_row": pl.Int64,
        },
        orient="row",
    )  # fmt: skip


def make_entities(rows: list[tuple]) -> pl.DataFrame:
    return pl.DataFrame(
        [(place, key, at(asks), at(about), 2.0 * place) for place, (key, asks, about) in enumerate(rows)],
        schema={"id": pl.Int64, "key": pl.String, "as_of": MOMENT, "about": MOMENT, "amount": pl.Float64},
        orient="row",
    )


def make_view(name: str, features: dict, **changes: object) -> FeatureView:
    parts: dict = {"keys": ["key"], "dataset": "rows", "event_time": "event_at", "known_at": "known_at"}
    return FeatureView(name=name, features=features, **{**parts, **changes})


SHAPES: dict[str, dict] = {
    "rolling": {"hours": 4},
    "closed": {"hours": 4, "tile": 2 * HOUR},
    "open": {"hours": 4, "tile": 2 * HOUR, "edge": "open"},
    "last": {"last": 3},
    "session": {"session": 2 * HOUR, "lateness": HOUR},
    "flagged": {"hours": 6, "where": pl.col("flag")},
}
AGGREGATES: dict = {
    "n": lambda shape: w.count(**shape),
    "low": lambda shape: w.least("value", **shape),
    "total": lambda shape: w.total("value", **shape),
    "mean": lambda shape: w.mean(pl.col("value") * 2 + 1, **shape),
    "share": lambda shape: w.rate("flag", **shape),
    "spread": lambda shape: w.std("value", **shape),
    "kinds": lambda shape: w.distinct("value", **shape),
    "middle": lambda shape: w.quantile("value", 0.3, **shape),
}
MADE = {f"{name}_rolling": make(SHAPES["rolling"]) for name, make in AGGREGATES.items()} | {
    f"{name}_{shape}": AGGREGATES[name](options) for shape, options in SHAPES.items() for name in ("n", "low")
}
VIEWS = [
    make_view("newest", {"value": "value", "is_high": pl.col("value") > 2}, ttl=5 * HOUR),
    make_view("delayed", {"d": (pl.col("value") / 2).fill_null(0.0)}, known_at=2 * HOUR),
    make_view("forecast", {"f": "value"}, target_time="about", ttl=3 * HOUR),
    make_view("history", MADE | {"recent": w.values("value", last=3)}, event_key=["event"]),
    make_view("queried", {}, sql="select key, event_at, known_at, value * 10 as tens from rows where flag"),
    OnDemandView(name="ratio", inputs=["amount"], features={"ratio": pl.col("amount") - pl.col("value")}),
    OnDemandView(name="sum", inputs=["amount"], sql="select amount + tens as plus, ratio as again from request"),
]
QUERIES = {
    dialect: join_query(VIEWS, ["id", "key", "as_of", "about", "amount"], as_of="as_of", dialect=dialect,
                        tables=Tables(entities="main.entities", datasets={"rows": "main.rows"}))
    for dialect in ("duckdb", "standard")
}  # fmt: skip


def carried_out(query: str, entities: pl.DataFrame, rows: pl.DataFrame) -> pl.DataFrame:
    with duckdb.connect() as connection:
        connection.execute("set TimeZone = 'UTC'")
        for name, frame in (("entities", entities), ("rows", rows)):
            connection.register(f"given_{name}", frame.to_arrow())
            connection.execute(f"create table {name} as from given_{name}")
        found = pl.from_arrow(connection.sql(query).to_arrow_table())
    assert isinstance(found, pl.DataFrame)
    return found.sort("id")


def alike(one: object, other: object) -> bool:
    if isinstance(one, float) and isinstance(other, float):
        return math.isclose(one, other, rel_tol=1e-9, abs_tol=1e-9)
    return one == other


@pytest.mark.parametrize("dialect", QUERIES)
@given(entities=entity_lists, rows=row_lists)
@settings(max_examples=10, deadline=None)
def test_query_answers_as_the_join_does(dialect, entities, rows):
    asked, held = make_entities(entities), make_rows(rows)

    found = carried_out(QUERIES[dialect], asked, held)

    joined = join_features(asked, VIEWS, {"rows": held}, as_of="as_of")
    for expected, answer in zip(joined.table.to_pylist(), found.iter_rows(named=True), strict=True):
        assert {name: answer[name] for name in joined.features if not alike(answer[name], expected[name])} == {}


def test_names_stay_names_whatever_is_in_them():
    view = make_view("v", {'x"; drop table rows; --': pl.col('va"lue')}, keys={'k"': "key"})

    query = join_query(
        [view], ['k"', "as_of"], as_of="as_of", tables=Tables(entities='e"', datasets={"rows": 'r"; --'})
    )

    assert '"x""; drop table rows; --"' in query
    assert '"r""; --"' in query


def test_expression_without_surely_the_same_meaning_is_refused_by_name():
    view = make_view("v", {"x": pl.col("value").round(1)})

    with pytest.raises(NotInSql) as refusal:
        join_query([view], ["key", "as_of"], as_of="as_of", tables=Tables(entities="e", datasets={}))

    assert "sql=" in refusal.value.fix
