"""Collect and prepare joined on a fresh store, as the assembly joins them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import polars as pl
import pytest

from treadle.ground.clock import system_clock
from treadle.ground.ids import new_id
from treadle.kernel.artifacts import Artifacts, LocalBlobs
from treadle.kernel.catalog import Refs
from treadle.kernel.events import EventLog
from treadle.kernel.governance import Caller
from treadle.kernel.store import Store
from treadle.systems.collect import Datasets
from treadle.systems.prepare import ContractGate, Contracts, Incidents, QuarantineKeeper
from treadle.systems.prepare.records import PublishContract
from treadle.testing import embedded_store

ADA = Caller(project="default", actor="ada")


@dataclass(frozen=True)
class Workshop:
    store: Store
    events: EventLog
    datasets: Datasets
    contracts: Contracts
    quarantine: QuarantineKeeper
    incidents: Incidents

    def publish(self, dataset: str, text: str) -> None:
        self.contracts.publish(ADA, PublishContract(dataset=dataset, text=text))

    def rows(self, dataset: str) -> pl.DataFrame:
        head = self.datasets.find_snapshot("default", dataset)
        assert head is not None, f"{dataset} is empty"
        return self.datasets.scan("default", head).collect()


def open_workshop(folder: Path, store: Store | None = None) -> Workshop:
    store = store or embedded_store(folder)
    events = EventLog(store, system_clock, new_id)
    refs = Refs(events, system_clock)
    artifacts = Artifacts(LocalBlobs(folder / "blobs"))
    datasets = Datasets(store, events, refs, folder / "tables", system_clock, new_id)
    contracts = Contracts(store, artifacts, events, refs, datasets, system_clock, new_id)
    incidents = Incidents(store, events, system_clock, new_id)
    datasets.guard(ContractGate(contracts, incidents, system_clock, new_id))
    quarantine = QuarantineKeeper(store, events, contracts, datasets, datasets, system_clock)
    return Workshop(store, events, datasets, contracts, quarantine, incidents)


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Workshop]:
    opened = open_workshop(tmp_path)
    yield opened
    opened.store.close()
