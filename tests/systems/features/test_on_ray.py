"""The join on a real, local Ray gives what it gives here, bit for bit."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest

from treadle.backends.ray_features import RayJoins
from treadle.systems.features import windows as w
from treadle.systems.features.joining import join_features
from treadle.systems.features.on_demand import OnDemandView
from treadle.systems.features.views import FeatureView

pytestmark = [pytest.mark.filterwarnings("ignore"), pytest.mark.timeout(180)]

START = datetime(2013, 1, 1, tzinfo=UTC)
MOMENT = pl.Datetime("us", "UTC")


def make_rows(n: int = 500) -> pl.DataFrame:
    rng = np.random.default_rng(3)
    event = rng.integers(0, 40 * 3600, n)
    micros = int(START.timestamp()) * 1_000_000
    return pl.DataFrame(
        {
            "carrier": rng.choice(["AA", "UA", "DL", None], n),
            "gate": rng.integers(0, 9, n).astype(np.int16),
            "event_at": pl.Series(micros + event * 1_000_000).cast(MOMENT),
            "known_at": pl.Series(micros + (event + rng.integers(-3600, 7200, n)) * 1_000_000).cast(MOMENT),
            "delay": rng.normal(0, 1, n) * 10.0 ** rng.integers(-9, 9, n),
            "flight": rng.integers(0, 300, n),
            "_landing": "land_1",
            "_row": np.arange(n),
        }
    )


def make_entities(n: int = 200) -> pl.DataFrame:
    rng = np.random.default_rng(4)
    moments = int(START.timestamp()) * 1_000_000 + rng.integers(0, 45 * 3600, n) * 1_000_000
    return pl.DataFrame(
        {
            "carrier": rng.choice(["AA", "UA", "ZZ"], n),
            "gate": rng.integers(0, 10, n),
            "as_of": pl.Series(moments).cast(MOMENT),
            "amount": rng.normal(size=n),
        }
    )


def make_view(name: str, key: str, features: dict, **changes: object) -> FeatureView:
    return FeatureView(
        name=name, keys=[key], dataset="rows", event_time="event_at", known_at="known_at", features=features, **changes
    )


VIEWS = [
    make_view("carriers", "carrier", {"delay": "delay", "total": w.total("delay", hours=9)}, ttl=timedelta(hours=20)),
    make_view("gates", "gate", {"most": w.greatest("delay", last=4)}),
    make_view("corrected", "gate", {"mean": w.mean("delay", hours=30)}, event_key=["flight"]),
    make_view("queried", "carrier", {}, sql="select carrier, event_at, known_at, delay * 2 as twice from rows"),
    OnDemandView(name="ratio", inputs=["amount"], features={"ratio": pl.col("amount") / pl.col("delay")}),
]


def test_join_on_ray_has_the_same_bits_and_reports():
    """One test for all, since starting Ray takes seconds."""
    ray = pytest.importorskip("ray", reason="the extra ray is not installed")
    entities, frames = make_entities(), {"rows": make_rows()}
    expected = join_features(entities, VIEWS, frames, as_of="as_of")

    try:
        found = RayJoins(parts=2, options={"num_cpus": 2}).join(entities, VIEWS, frames, as_of="as_of")
    finally:
        ray.shutdown()

    assert pl.from_arrow(found.table).equals(pl.from_arrow(expected.table))
    assert found.reports == expected.reports


@pytest.mark.soak
def test_a_few_features_joined_on_ray_are_those_of_the_whole_join():
    ray = pytest.importorskip("ray", reason="the extra ray is not installed")
    entities, frames = make_entities(), {"rows": make_rows()}
    expected = join_features(entities, VIEWS, frames, as_of="as_of")

    try:
        few = RayJoins(parts=3).join(entities, VIEWS, frames, as_of="as_of", features=["ratio", "most"])
    finally:
        ray.shutdown()

    assert few.table.column("ratio").equals(expected.table.column("ratio"))
