"""From when on the rows of each landing could be read: what live sources take for the moment of knowing."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from treadle.kernel.store import Store
from treadle.systems.collect import repository as rows_of


class LandingTimes:
    """The landing times of a store's datasets."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def landed_at(self, project: str, dataset: str) -> Mapping[str, datetime]:
        """Landing id -> the moment at which it ended; landings that never did are left out."""
        with self._store.read() as reader:
            landings = rows_of.landings_of(reader, project, dataset)
        return {landing.id: landing.ended_at for landing in landings if landing.ended_at is not None}
