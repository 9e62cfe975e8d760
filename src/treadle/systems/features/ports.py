"""What features ask of the outside: snapshots and their rows, and machines that join them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, Protocol

from treadle.kernel.governance import Caller
from treadle.kernel.vocabulary.datasets import Snapshot

if TYPE_CHECKING:
    import polars as pl
    import pyarrow as pa

    from treadle.systems.features.on_demand import OnDemandView
    from treadle.systems.features.records import Joined
    from treadle.systems.features.views import FeatureView


class SnapshotSource(Protocol):
    """Datasets as features read them."""

    def snapshot(self, project: str, dataset: str, at: str | None = None) -> Snapshot:
        """The snapshot at a version, tag, id or time; the newest without `at`."""

    def scan(self, project: str, snapshot: Snapshot) -> pl.LazyFrame:
        """The rows of a snapshot, with `_landing` and `_row`."""


class LandingTimes(Protocol):
    """When landings came to stand; asked only for live sources."""

    def landed_at(self, project: str, dataset: str) -> Mapping[str, datetime]:
        """Landing id -> the moment from which its rows could be read."""


class LandedRows(Protocol):
    """What came of a landing."""

    @property
    def id(self) -> str: ...
    @property
    def rows_kept(self) -> int: ...


class RowSink(Protocol):
    """Where rows that are pushed land."""

    def land(self, caller: Caller, dataset: str, source: Any, *, key: str | None = None) -> Sequence[LandedRows]:
        """Lands a frame and answers its landing; a key that has landed before answers the first one."""


class JoinEngine(Protocol):
    """Where joins can be carried out other than in this process; it gives what `join_features` gives, bit for bit."""

    def join(
        self,
        entities: pa.Table | pl.DataFrame,
        views: Sequence[FeatureView | OnDemandView],
        frames: Mapping[str, pa.Table | pl.DataFrame],
        *,
        as_of: str,
        features: Sequence[str] | None = None,
    ) -> Joined: ...
