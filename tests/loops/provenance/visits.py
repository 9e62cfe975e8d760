"""A small real project for these tests: shops and their visits, a model of busy days, features with a window.

The files are written into a folder and imported from there, as a user's are. `Shop` holds the folder, the workspace on it
and what has been made in it.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl

from treadle import assembly
from treadle.assembly import Workspace
from treadle.ground import settings
from treadle.systems.serve import DeployEndpoint

VIEWS = """
from datetime import timedelta

import polars as pl
from treadle import features

history = features.FeatureView(
    name="history",
    dataset="visits",
    keys=["shop"],
    event_time="day",
    known_at=timedelta(hours=12),
    features={"visits_7d": features.total("visits", days=7), "days_7d": features.count(days=7), "last_visits": pl.col("visits")},
)
service = features.FeatureService(name="known-at-opening", views=[history], features=list(history.features))


def joined(entities, visits):
    found = features.join_features(entities, service.views, {"visits": visits}, as_of="as_of", features=service.features)
    return pl.from_arrow(found.table)
"""

FLOW = """
import os

import lightgbm
import polars as pl
import treadle as td
from treadle.assembly import current_workspace
from treadle.systems.train.registry.service import PromoteModel
from visits_views import joined, service

SMOOTHING = 1.0


@td.step
def training_rows(visits: pl.DataFrame) -> pl.DataFrame:
    days = visits.select("shop", "visit", as_of="day", busy=(pl.col("visits") > 20).cast(pl.Float64))
    return joined(days, visits)


@td.step
def unrelated(visits: pl.DataFrame) -> int:
    return visits.height


@td.step
def fit(rows: pl.DataFrame, leaves: int, seed: int = 7) -> lightgbm.Booster:
    parameters = {
        "objective": "binary", "num_leaves": leaves, "verbose": -1, "num_threads": 1, "deterministic": True,
        "force_row_wise": True, "seed": seed % 2**31, "lambda_l2": SMOOTHING, "min_data_in_leaf": 5,
    }
    matrix = rows.select(service.features).cast(pl.Float64).to_numpy()
    return lightgbm.train(parameters, lightgbm.Dataset(matrix, rows["busy"].to_numpy()), 10)


@td.pipeline
def train(definition: str, leaves: int = 4):
    visits = td.dataset("visits").snapshot()
    unrelated(visits)
    rows = training_rows(visits)
    model = fit(rows, leaves)
    td.register(
        "busy", model, signature=td.signature(rows, features=service.features), probe=rows, data={"training": visits},
        reference={"feature_service": definition},
    )
    return model


@td.pipeline
def train_on(rows: pl.DataFrame):
    return fit(rows, 4)


@td.step
def vectors(visits: pl.DataFrame, day: str) -> pl.DataFrame:
    moment = pl.lit(day).str.to_datetime(time_zone="UTC", time_unit="us")
    shops = visits.select("shop").unique().sort("shop").select(entity="shop", shop="shop", as_of=moment)
    return joined(shops, visits)


@td.pipeline
def prepare(day: str):
    return vectors(td.dataset("visits").snapshot(), day)


@td.step
def busiest(rows: pl.DataFrame) -> pl.DataFrame:
    return rows.filter(pl.col("visits") > 30).drop("_landing", "_row")


@td.pipeline
def keep_busiest():
    td.dataset("busiest").land(busiest(td.dataset("visits").snapshot()), key="all")


@td.step
def count_busiest(rows: pl.DataFrame) -> int:
    return rows.height


@td.pipeline
def report():
    return count_busiest(td.dataset("busiest").snapshot())


@td.pipeline
def meddle():
    rows = training_rows(td.dataset("visits").snapshot())
    workspace = current_workspace()
    request = PromoteModel(model="busy", version=1, alias="meddled", reason="past the journal")
    workspace.registry.models.promote(workspace.caller, request)
    return fit(rows, 3)


@td.step
def noise(rows: pl.DataFrame) -> pl.DataFrame:
    return rows.with_columns(noise=pl.lit(int.from_bytes(os.urandom(6))))


@td.step
def fit_on_noise(rows: pl.DataFrame, leaves: int) -> lightgbm.Booster:
    return fit(rows.with_columns(busy=(pl.col("noise") // (pl.int_range(pl.len()) + 1) % 2).cast(pl.Float64)), leaves, 1)


@td.pipeline
def train_on_noise():
    rows = training_rows(td.dataset("visits").snapshot())
    noisy = noise(rows)
    model = fit_on_noise(noisy, 4)
    td.register("noisy", model, signature=td.signature(rows, features=service.features), probe=rows)
    return model
"""


@dataclass
class Shop:
    folder: Path
    workspace: Workspace
    flow: Any
    made: dict[str, Any] = field(default_factory=dict)

    def ask(self, verb: str, request: Any) -> Any:
        return getattr(self.workspace.provenance, verb)(self.workspace.caller, request)


@contextmanager
def open_shop(folder: Path) -> Iterator[Shop]:
    """The project, its data landed, nothing trained yet; its workspace is the current one, its modules forgotten after."""
    (folder / "pyproject.toml").write_text("[project]\nname = 'visits'\nversion = '1'\n")
    (folder / "visits_views.py").write_text(VIEWS)
    (folder / "visits_flow.py").write_text(FLOW)
    path = [*sys.path]
    sys.path.insert(0, str(folder))
    workspace = Workspace(settings.load({"home": folder / ".treadle"}, environ={}, folder=folder), actor="ada")
    try:
        with assembly.use(workspace):
            workspace.datasets.land(workspace.caller, "visits", visits(0, 40), key="first", event_column="day")
            workspace.datasets.land(workspace.caller, "visits", visits(40, 50), key="second")
            yield Shop(folder, workspace, importlib.import_module("visits_flow"))
    finally:
        workspace.close()
        sys.path[:] = path
        for name in ("visits_flow", "visits_views"):
            sys.modules.pop(name, None)


def visits(first: int, last: int) -> pl.DataFrame:
    """Ten shops and how many came, a row a day and shop."""
    start = datetime(2026, 1, 1, tzinfo=UTC)
    days = [(day, shop) for day in range(first, last) for shop in range(10)]
    return pl.DataFrame(
        {
            "visit": [f"{shop}/{day}" for day, shop in days],
            "shop": [f"shop-{shop}" for _, shop in days],
            "day": pl.Series([start + timedelta(days=day) for day, _ in days], dtype=pl.Datetime("us", "UTC")),
            "visits": [float((day * 7 + shop * 5 + (day * shop) % 11) % 40) for day, shop in days],
        }
    )


def train_and_deploy(shop: Shop) -> None:
    """Version 1 of `busy`, deployed to an endpoint of that name."""
    workspace = shop.workspace
    definition = workspace.features.register(workspace.caller, shop.flow.service)
    shop.made["trained"] = shop.flow.train(definition.digest)
    workspace.endpoints.deploy(
        workspace.caller, DeployEndpoint(endpoint="busy", model="busy", version="1", reason="the first one")
    )
