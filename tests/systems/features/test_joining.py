"""Entities and views become one table, the same bits alone and in company."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from treadle.systems.features import windows
from treadle.systems.features.errors import DuplicateFeature, InvalidFeatureView, MissingColumn
from treadle.systems.features.joining import join_features
from treadle.systems.features.views import FeatureView

START = datetime(2013, 1, 1, tzinfo=UTC)
MOMENT = pl.Datetime("us", "UTC")


def make_weather(n: int = 400, seed: int = 1) -> pl.DataFrame:
    rng = np.random.default_rng(seed)
    event = rng.integers(0, 40 * 3600, n)
    return pl.DataFrame(
        {
            "origin": rng.choice(["EWR", "JFK", "LGA"], n),
            "observed_at": [START + timedelta(seconds=int(s)) for s in event],
            "reported_at": [START + timedelta(seconds=int(s)) for s in event + rng.integers(0, 7200, n)],
            "temp": rng.normal(10, 20, n),
            "late": rng.random(n) < 0.2,
            "delay": rng.normal(0, 1, n) * 10.0 ** rng.integers(-12, 12, n),
            "_landing": "land_1",
            "_row": np.arange(n),
        },
        schema_overrides={"observed_at": MOMENT, "reported_at": MOMENT},
    )


def make_entities(n: int = 60, seed: int = 2) -> pl.DataFrame:
    rng = np.random.default_rng(seed)
    return pl.DataFrame(
        {
            "flight": np.arange(n),
            "origin": rng.choice(["EWR", "JFK", "LGA", "XXX"], n),
            "as_of": [START + timedelta(seconds=int(s)) for s in rng.integers(0, 45 * 3600, n)],
        },
        schema_overrides={"as_of": MOMENT},
    )


def make_views() -> list[FeatureView]:
    weather = FeatureView(
        name="weather",
        keys=["origin"],
        dataset="weather",
        event_time="observed_at",
        known_at="reported_at",
        ttl=timedelta(hours=3),
        features={
            "temp": "temp",
            "temp_f": pl.col("temp") * 1.8 + 32,
            "warmth": pl.col("temp").exp().sqrt(),
            "is_cold": (pl.col("temp") < 0).fill_null(True),
            "one": pl.lit(1),
        },
    )
    history = FeatureView(
        name="history",
        keys={"origin": "origin"},
        dataset="weather",
        event_time="observed_at",
        known_at="reported_at",
        features={
            "late_rate": windows.rate("late", hours=10),
            "mean_delay": windows.mean("delay", hours=10),
            "last_delay": windows.total("delay", last=7),
        },
    )
    return [weather, history]


def join(entities: pl.DataFrame, rows: pl.DataFrame, **options: object) -> pl.DataFrame:
    joined = join_features(entities, make_views(), {"weather": rows}, as_of="as_of", **options)
    table = pl.from_arrow(joined.table)
    assert isinstance(table, pl.DataFrame)
    return table


@given(st.integers(0, 59), st.integers(1, 60), st.integers(0, 5))
@settings(max_examples=15, deadline=None)
def test_a_row_has_the_same_bits_alone_and_in_any_batch(start, length, seed):
    """Batches cross from more rows than entities to fewer, so both ways of computing a feature are held together."""
    rows = make_weather(40 + 10 * seed, seed)
    entities = make_entities()

    together = join(entities, rows)
    apart = join(entities.slice(start, length), rows)
    alone = pl.concat([join(entities[i], rows) for i in range(start, min(start + 3, len(entities)))])

    assert apart.equals(together.slice(start, length), null_equal=True)
    assert alone.equals(together.slice(start, len(alone)), null_equal=True)


@given(st.randoms(use_true_random=False))
@settings(max_examples=8, deadline=None)
def test_order_of_storage_changes_no_bit(random):
    rows = make_weather()
    order = list(range(len(rows)))
    random.shuffle(order)

    assert join(make_entities(), rows[order], with_rows=True).equals(join(make_entities(), rows, with_rows=True))


def test_every_entity_row_is_kept_in_its_place_and_misses_are_null_and_counted():
    entities, rows = make_entities(), make_weather()

    joined = join_features(entities, make_views(), {"weather": rows}, as_of="as_of")

    table = pl.from_arrow(joined.table)
    assert table["flight"].to_list() == list(range(60))
    report = joined.reports[0]
    assert report.n_found + report.n_missed == report.n_entities == 60
    missed = table["weather__event_at"].is_null()
    assert missed.sum() == report.n_missed > 0
    assert table.filter(missed).select("temp", "temp_f", "is_cold", "one").null_count().row(0) == (report.n_missed,) * 4


def test_as_of_times_say_which_row_was_used_and_never_lie_in_the_future():
    table = join(make_entities(), make_weather(), with_rows=True)
    rows = make_weather()

    for answer in table.filter(pl.col("weather__event_at").is_not_null()).iter_rows(named=True):
        [used] = answer["weather__rows"]
        row = rows.row(used["row"], named=True)
        assert (row["observed_at"], row["reported_at"]) == (answer["weather__event_at"], answer["weather__known_at"])
        assert answer["weather__known_at"] <= answer["as_of"]
        assert used["landing"] == "land_1"


def test_features_come_in_the_order_that_was_asked():
    joined = join_features(
        make_entities(), make_views(), {"weather": make_weather()}, as_of="as_of", features=["late_rate", "temp"]
    )

    assert joined.features == ("late_rate", "temp")
    assert joined.table.column_names[3:5] == ["late_rate", "temp"]
    assert "temp_f" not in joined.table.column_names


def test_live_source_is_known_when_it_landed():
    view = FeatureView(
        name="live", keys=["origin"], dataset="weather", event_time="observed_at", known_at="live",
        features={"temp": "temp"},
    )  # fmt: skip
    rows = make_weather().rename({"reported_at": "_landed_at"})

    live = join_features(make_entities(), [view], {"weather": rows}, as_of="as_of")

    assert live.table["live__known_at"].to_pylist() == (
        join_features(
            make_entities(),
            [
                FeatureView(
                    name="live", keys=["origin"], dataset="weather", event_time="observed_at", known_at="reported_at",
                    features={"temp": "temp"},
                )
            ],
            {"weather": make_weather()},
            as_of="as_of",
        ).table["live__known_at"].to_pylist()
    )  # fmt: skip
    with pytest.raises(MissingColumn):
        join_features(make_entities(), [view], {"weather": make_weather()}, as_of="as_of")


def test_entity_column_with_a_features_name_is_refused():
    with pytest.raises(DuplicateFeature):
        join(make_entities().with_columns(temp=1.0), make_weather())


def test_expression_that_fails_on_the_data_names_its_view():
    view = FeatureView(
        name="weather", keys=["origin"], dataset="weather", event_time="observed_at", known_at="reported_at",
        features={"x": pl.col("_landing").cast(pl.Int64)},
    )  # fmt: skip

    with pytest.raises(InvalidFeatureView) as refusal:
        join_features(make_entities(), [view], {"weather": make_weather()}, as_of="as_of")

    assert "'weather'" in refusal.value.what


def test_no_entities_and_no_rows_give_empty_answers():
    nobody = join(make_entities().clear(), make_weather(), with_rows=True)
    nothing = join(make_entities(), make_weather().clear(), with_rows=True)

    assert len(nobody) == 0
    assert nothing["temp"].null_count() == 60
    assert nobody.schema == nothing.schema
