"""A collect service on a fresh store, and the person who uses it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from treadle.ground.clock import system_clock
from treadle.ground.ids import new_id
from treadle.kernel.catalog import Refs
from treadle.kernel.events import EventLog
from treadle.kernel.governance import Caller
from treadle.kernel.store import Store
from treadle.systems.collect import Datasets
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


def open_home(folder: Path, at: Callable[[str], None] = lambda point: None) -> Home:
    """Opens (or makes) the home in a folder."""
    store = embedded_store(folder)
    events = EventLog(store, system_clock, new_id)
    refs = Refs(events, system_clock)
    datasets = Datasets(store, events, refs, folder / "tables", system_clock, new_id, inbox=folder / "inbox", at=at)
    return Home(folder, store, events, refs, datasets)


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
