"""A collect service on a fresh store, and the person who uses it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from treadle.ground.clock import Clock, system_clock
from treadle.ground.ids import new_id
from treadle.kernel.catalog import Refs
from treadle.kernel.events import EventLog
from treadle.kernel.governance import Caller
from treadle.kernel.store import Store
from treadle.systems.collect import Datasets
from treadle.systems.collect.branching.service import Branches
from treadle.systems.collect.tags import Tags
from treadle.testing import embedded_store

ADA = Caller(project="default", actor="ada")


@dataclass(frozen=True)
class Home:
    """A home in a folder: what a second process would open as well."""

    folder: Path
    store: Store
    events: EventLog
    refs: Refs
    datasets: Datasets
    tags: Tags
    branches: Branches


def open_home(
    folder: Path,
    at: Callable[[str], None] = lambda point: None,
    clock: Clock = system_clock,
    store: Store | None = None,
) -> Home:
    """Opens (or makes) the home in a folder."""
    store = store or embedded_store(folder)
    events = EventLog(store, clock, new_id)
    refs = Refs(events, clock)
    datasets = Datasets(store, events, refs, folder / "tables", clock, new_id, inbox=folder / "inbox", at=at)
    tags, branches = Tags(store, refs, datasets.lookup), Branches(datasets.workings, new_id)
    return Home(folder, store, events, refs, datasets, tags, branches)


@pytest.fixture
def ada() -> Caller:
    return ADA


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    opened = open_home(tmp_path)
    yield opened
    opened.store.close()


@pytest.fixture
def datasets(home: Home) -> Datasets:
    return home.datasets
