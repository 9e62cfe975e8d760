"""What the walk asks of the systems, in its own words; assembly joins them."""

from __future__ import annotations

from typing import Any, Protocol

from treadle.kernel.store import Reader
from treadle.kernel.vocabulary.datasets import Snapshot


class Landings(Protocol):
    """Snapshots by id, and where their rows came from."""

    def snapshot_of(self, reader: Reader, project: str, snapshot_id: str) -> Snapshot | None: ...

    def origin_of(self, reader: Reader, project: str, landing: str) -> dict[str, Any]:
        """What a landing recorded of its source: `source`, `key`, rows in, kept and refused."""
