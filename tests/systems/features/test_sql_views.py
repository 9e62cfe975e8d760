"""Views and features defined in SQL: the same answers as in Python, and nothing that looks across rows."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import polars as pl
import pytest

from treadle.systems.features import windows
from treadle.systems.features.errors import DuplicateFeature, InvalidFeatureView, LooksAcrossRows
from treadle.systems.features.joining import join_features
from treadle.systems.features.on_demand import OnDemandView
from treadle.systems.features.views import FeatureService, FeatureView, service_from_description, view_from_description

START = datetime(2013, 1, 1, tzinfo=UTC)
MOMENT = pl.Datetime("us", "UTC")


def make_flights() -> pl.DataFrame:
    return pl.DataFrame(
        {
            "carrier": ["AA", "AA", "UA", "AA"],
            "dep_at": [START + timedelta(hours=hour) for hour in (1, 2, 3, 4)],
            "seen_at": [START + timedelta(hours=hour) for hour in (2, 5, 4, 6)],
            "delay": [20.0, -3.0, 16.0, None],
            "cancelled": [False, False, False, True],
            "_landing": "land_1",
            "_row": [0, 1, 2, 3],
        },
        schema_overrides={"dep_at": MOMENT, "seen_at": MOMENT},
    )


def make_entities() -> pl.DataFrame:
    return pl.DataFrame(
        {
            "carrier": ["AA", "AA", "UA", "ZZ"],
            "as_of": [START + timedelta(hours=hour) for hour in (3, 7, 4, 9)],
            "amount": [10.0, 20.0, 30.0, 40.0],
        },
        schema_overrides={"as_of": MOMENT},
    )


SELECT = "select carrier, dep_at, seen_at, delay, delay > 15 as was_late from flights where not cancelled"


def make_sql_view(**changes: object) -> FeatureView:
    parts: dict = {
        "name": "history", "keys": ["carrier"], "dataset": "flights", "event_time": "dep_at", "known_at": "seen_at",
        "sql": SELECT,
    }  # fmt: skip
    return FeatureView(**{**parts, **changes})


def table_of(views: list, **options: object) -> pl.DataFrame:
    found = pl.from_arrow(join_features(make_entities(), views, {"flights": make_flights()}, as_of="as_of", **options).table)  # fmt: skip
    assert isinstance(found, pl.DataFrame)
    return found


def test_query_answers_as_the_expressions_do():
    in_python = FeatureView(
        name="history", keys=["carrier"], dataset="flights", event_time="dep_at", known_at="seen_at",
        features={"delay": "delay", "was_late": pl.col("delay") > 15},
    )  # fmt: skip
    flown = make_flights().filter(~pl.col("cancelled"))

    found = table_of([make_sql_view()], with_rows=True)

    expected = join_features(make_entities(), [in_python], {"flights": flown}, as_of="as_of", with_rows=True).table
    assert found.equals(pl.from_arrow(expected))


def test_all_columns_but_keys_and_times_are_features_and_windows_may_use_them():
    view = make_sql_view()
    windowed = make_sql_view(name="rates", features={"late_rate": windows.rate("was_late", days=1)})

    assert list(view.features) == ["delay", "was_late"]
    assert view.columns == ["cancelled", "carrier", "delay", "dep_at", "seen_at"]
    assert table_of([windowed])["late_rate"].to_list() == [1.0, 0.5, 1.0, None]


def test_definition_comes_back_from_its_description_with_its_digest():
    view = make_sql_view()
    ratio = OnDemandView(name="ratio", inputs=["amount"], features={"per_delay": pl.col("amount") / pl.col("delay")})
    service = FeatureService(name="s", views=[view], on_demand=[ratio], features=["per_delay", "was_late"])

    again = [view_from_description(each.describe()) for each in service.definitions]

    assert [each.digest for each in again] == [view.digest, ratio.digest]
    assert service_from_description(service.describe(), again).digest == service.digest


@pytest.mark.parametrize(
    "query",
    [
        "select carrier, dep_at, seen_at, sum(delay) over (partition by carrier) as d from flights",
        "select carrier, dep_at, seen_at, max(delay) as d from flights group by all",
        "select distinct carrier, dep_at, seen_at, delay as d from flights",
        "select carrier, dep_at, seen_at, delay as d from flights order by delay limit 3",
        "select carrier, dep_at, seen_at, random() as d from flights",
        "select carrier, dep_at, seen_at, now() as d from flights",
        "select carrier, dep_at, seen_at, (select max(delay) from flights) as d from flights",
        "select carrier, dep_at, seen_at, getenv('HOME') as d from flights",
        "select carrier, dep_at, seen_at, unnest([1, 2]) as d from flights",
        "with f as (select * from flights) select carrier, dep_at, seen_at, delay as d from flights",
    ],
)
def test_query_that_looks_beyond_its_row_is_refused(query):
    with pytest.raises(LooksAcrossRows):
        make_sql_view(sql=query)


@pytest.mark.parametrize(
    "query",
    [
        "select * from flights",
        "select carrier, dep_at, seen_at, delay + 1 from flights",
        "select carrier, dep_at, delay as d from flights",
        "select carrier, dep_at, seen_at, delay as d from planes",
        "select f.carrier, dep_at, seen_at, delay as d from flights f join planes p using (tail)",
        "select carrier, dep_at, seen_at, text as d from read_csv('/etc/passwd')",
        "select carrier, dep_at, seen_at, delay as d, delay as d from flights",
        "select 1; select 2",
        "drop table flights",
        "selct",
    ],
)
def test_query_that_is_no_select_of_named_columns_of_the_dataset_is_refused(query):
    with pytest.raises(InvalidFeatureView):
        make_sql_view(sql=query)


def test_query_that_fails_on_the_data_says_why():
    view = make_sql_view(sql="select carrier, dep_at, seen_at, cast(carrier as integer) as d from flights")

    with pytest.raises(InvalidFeatureView) as refusal:
        table_of([view])

    assert "try_cast" in refusal.value.fix


ON_DEMAND = [
    OnDemandView(name="ratio", inputs=["amount"], features={"ratio": pl.col("amount") / pl.col("delay")}),
    OnDemandView(name="ratio", inputs=["amount"], sql="select amount / delay as ratio from request"),
]


@pytest.mark.parametrize("view", ON_DEMAND, ids=["expression", "query"])
def test_feature_on_demand_is_computed_from_the_request_and_other_features(view):
    history = make_sql_view(features={"delay": "delay"})

    found = table_of([history, view], features=["ratio"])

    assert found["ratio"].to_list() == [0.5, 20 / -3, 30 / 16, None]
    assert "delay" not in found.columns
    served = view.compute(pl.DataFrame({"amount": [20.0], "delay": [-3.0]}))
    assert served["ratio"].to_list() == [found["ratio"][1]]


def test_feature_on_demand_that_reads_nothing_known_is_refused():
    with pytest.raises(InvalidFeatureView) as refusal:
        FeatureService(name="s", views=[make_sql_view()], on_demand=[OnDemandView(
            name="r", inputs=["amount"], features={"r": pl.col("amount") / pl.col("dely")})], features=["r"],
        )  # fmt: skip

    assert "delay" in refusal.value.fix


def test_on_demand_view_refuses_what_a_row_alone_cannot_answer():
    with pytest.raises(LooksAcrossRows):
        OnDemandView(name="r", inputs=["amount"], features={"r": pl.col("amount") / pl.col("amount").max()})
    with pytest.raises(LooksAcrossRows):
        OnDemandView(name="r", inputs=["amount"], sql="select amount / max(amount) over () as r from request")
    with pytest.raises(InvalidFeatureView):
        OnDemandView(name="r", inputs=["amount"], sql="select amount as r from request where amount > 2")
    with pytest.raises(InvalidFeatureView):
        OnDemandView(name="r", inputs=["amount"])


def test_two_features_of_one_name_are_refused_on_demand_too():
    with pytest.raises(DuplicateFeature):
        table_of([make_sql_view(), OnDemandView(name="r", inputs=["amount"], features={"delay": pl.col("amount") + 1})])
