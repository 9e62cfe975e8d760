"""What the services of collect share: the store, the way to find datasets, and the one way in which anything lands."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from treadle.ground.clock import Clock
from treadle.kernel.catalog import Refs
from treadle.kernel.events import EventLog
from treadle.kernel.store import Store
from treadle.systems.collect.creating import Creating
from treadle.systems.collect.landing import Landings
from treadle.systems.collect.lookup import Lookup


@dataclass(frozen=True, slots=True, kw_only=True)
class Workings:
    """See the module."""

    store: Store
    events: EventLog
    refs: Refs
    root: Path
    clock: Clock
    lookup: Lookup
    creating: Creating
    landings: Landings
