"""Ways to a store that other processes can take as well."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from treadle.backends.postgres import open_postgres
from treadle.ground.clock import system_clock
from treadle.ground.ids import new_id
from treadle.kernel.events import EventLog
from treadle.kernel.governance import Caller, bind
from treadle.kernel.store import Store
from treadle.kernel.store.sqlite import open_sqlite
from treadle.migrations import schema
from treadle.systems.train.tracking.experiments import Experiments
from treadle.systems.train.tracking.runs import TrackedRuns
from treadle.systems.train.tuning import Studies
from treadle.systems.train.tuning.runs import TrackedTrials

CALLER = Caller(project="default", actor="ada")


@dataclass(frozen=True)
class Opened:
    """The verbs of studies on the store at a place; one store for each process and place."""

    place: str

    def __call__(self) -> Any:
        verbs = bind([studies_on(store_at(self.place, os.getpid()))])

        def call(name: str, request: Any = None) -> Any:
            return verbs[name].call(CALLER, *(() if request is None else (request,)))

        return call


def studies_on(store: Store) -> Studies:
    """Studies whose trials are runs as well."""
    events = EventLog(store, system_clock, new_id)
    experiments = Experiments(store, events, system_clock)
    runs = TrackedRuns(store, experiments, events, system_clock, new_id)
    return Studies(store, events, system_clock, TrackedTrials(store, experiments, runs, system_clock, new_id))


_stores: dict[tuple[str, int], Store] = {}


def store_at(place: str, pid: int) -> Store:
    """The store of a file or a URL."""
    if (place, pid) not in _stores:
        opened = open_postgres(place, schema()) if "://" in place else open_sqlite(Path(place), schema())
        _stores[place, pid] = opened
    return _stores[place, pid]


def forget(place: str) -> None:
    """Closes the store of a place in this process."""
    if (store := _stores.pop((place, os.getpid()), None)) is not None:
        store.close()
