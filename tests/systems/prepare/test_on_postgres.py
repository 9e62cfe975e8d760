"""Landing, gate, quarantine and release say the same on PostgreSQL."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.systems.prepare.conftest import ADA, open_workshop
from tests.systems.prepare.test_quarantine import WEATHER, weather
from treadle.backends.postgres import open_postgres
from treadle.migrations import schema
from treadle.systems.collect import NamedDataset
from treadle.systems.collect.records import RestoreSnapshot
from treadle.systems.prepare.errors import AlreadyDecided
from treadle.systems.prepare.records import DiscardRows, ListIncidents, ListQuarantine, ReleaseRows
from treadle.testing.postgres import postgres_store_database


def test_a_row_goes_through_quarantine_and_comes_back_on_postgres(tmp_path: Path) -> None:
    with postgres_store_database() as url:
        shop = open_workshop(tmp_path, open_postgres(url, schema()))
        shop.publish("weather", WEATHER)
        [landing] = shop.datasets.land(ADA, "weather", weather([1, 2, 3], [9, 1048, 12]), key="monday")
        row = f"{landing.id}:1"
        request = ReleaseRows(dataset="weather", rows=[row], reason="comma", mended={row: {"wind": 10.48}})

        answer = shop.quarantine.release(ADA, request)

        assert (answer.rows, shop.rows("weather").height) == ([row], 3)
        with pytest.raises(AlreadyDecided):
            shop.quarantine.discard(ADA, DiscardRows(dataset="weather", rows=[row], reason="late"))
        assert shop.quarantine.list(ADA, ListQuarantine(dataset="weather")).held == 0
        assert [incident.rows for incident in shop.incidents.list(ADA, ListIncidents())] == [1]
        [again] = shop.datasets.land(ADA, "weather", weather([1], [9]), key="monday")
        assert again == landing
        shop.datasets.restore(ADA, RestoreSnapshot(name="weather", at="1"))
        assert [s.rows for s in shop.datasets.history(ADA, NamedDataset(name="weather"))] == [2, 3, 2]
        assert shop.events.verify("default").broken is None
        shop.store.close()
