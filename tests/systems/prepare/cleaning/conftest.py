"""A raw dataset of a café's sales, and the contract that says how it is cleaned."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import polars as pl
import pytest

from tests.systems.prepare.conftest import ADA, Workshop, open_workshop
from treadle.ground.clock import system_clock
from treadle.kernel.artifacts import Artifacts, LocalBlobs
from treadle.systems.collect import Landing
from treadle.systems.prepare import Cleanings
from treadle.systems.prepare.cleaning.records import CleanDataset, Cleaning

SALES = """\
apiVersion: v3.1.0
kind: DataContract
id: sales
version: 1.0.0
status: active
team: {members: [{username: bea, role: data owner}]}
schema:
  - name: sales
    properties:
      - name: shop
        logicalType: string
        quality:
          - type: custom
            engine: treadle
            implementation: {clean: text, collapse: true, case: title}
      - name: price
        logicalType: number
        logicalTypeOptions: {maximum: 500}
        quality:
          - type: custom
            engine: treadle
            implementation: {clean: cast, to: number, thousands: ".", decimal: ",", ignore: "€"}
          - type: custom
            engine: treadle
            implementation: {clean: clip, minimum: 0}
    quality:
      - type: custom
        engine: treadle
        id: one_of_each
        implementation: {clean: duplicates, by: [shop, price]}
"""

ROWS = pl.DataFrame(
    {
        "shop": [" main  street", "harbour ", "Harbour", "Market", "market", None],
        "price": ["1,50", "2 €", "2", "-3", "free", "1.234,5"],
    }
)
"""Of six rows one is free, one is above the maximum, one comes twice."""


@dataclass(frozen=True)
class Cafe:
    shop: Workshop
    cleanings: Cleanings

    def land(self, rows: pl.DataFrame = ROWS) -> Landing:
        return self.shop.datasets.land(ADA, "sales.raw", rows)[0]

    def clean(self, **asked: object) -> Cleaning:
        return self.cleanings.run(ADA, CleanDataset(name="sales.raw", **asked))  # type: ignore[arg-type]


def open_cafe(folder: Path) -> Cafe:
    shop = open_workshop(folder)
    artifacts = Artifacts(LocalBlobs(folder / "blobs"))
    cleanings = Cleanings(
        shop.store, artifacts, shop.events, shop.contracts, shop.datasets, shop.datasets, system_clock
    )
    return Cafe(shop, cleanings)


@pytest.fixture
def cafe(tmp_path: Path) -> Iterator[Cafe]:
    opened = open_cafe(tmp_path)
    opened.shop.publish("sales", SALES)
    yield opened
    opened.shop.store.close()
