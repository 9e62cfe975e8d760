"""Served vectors computed again: a view's values for some entities, each as of its own moment, from one snapshot."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from treadle.ground.clock import from_micros
from treadle.kernel.vocabulary.datasets import Snapshot
from treadle.systems.features.joining import join_features
from treadle.systems.features.online.entity_keys import EntityKeys
from treadle.systems.features.online.rows import ViewRows
from treadle.systems.features.online.values import key_kinds
from treadle.systems.features.ports import LandingTimes, SnapshotSource
from treadle.systems.features.views import FeatureView

_AS_OF = "__as_of"


@dataclass(frozen=True, slots=True)
class Asked:
    """An entity as it was asked for, and the moment to compute it as of (microseconds since 1970)."""

    entity: Mapping[str, Any]
    moment: int


@dataclass(frozen=True, slots=True)
class Recomputing:
    """Computes views of one project again."""

    source: SnapshotSource
    landings: LandingTimes
    project: str

    def snapshot(self, view: FeatureView, at: str | None = None) -> Snapshot:
        """The snapshot of the view's dataset at a version or a time; the newest without one. Raises NotFound."""
        return self.source.snapshot(self.project, view.dataset, at)

    def values(self, view: FeatureView, snapshot: Snapshot, asked: Sequence[Asked]) -> list[dict[str, Any]]:
        """The features of each entity, and under `__event_at` when its newest row happened."""
        if not asked:
            return []
        found: list[dict[str, Any]] = self.frame(view, snapshot, asked).to_arrow().to_pylist()
        return found

    def frame(self, view: FeatureView, snapshot: Snapshot, asked: Sequence[Asked]) -> pl.DataFrame:
        """As `values`, in the types of the view. asked: one or more."""
        rows = ViewRows(self.source, self.landings, self.project, view)
        schema = rows.schema(snapshot)
        kinds = key_kinds(view, schema)
        keys = EntityKeys([name for name, _ in kinds], [kind for _, kind in kinds])
        entities = [keys.decode(keys.encode(one.entity)) for one in asked]
        held = view.key_map
        frame = pl.DataFrame(
            [pl.Series(name, [one[name] for one in entities], dtype=schema[held[name]]) for name in keys.names]
        )
        wanted = frame.rename(held).unique()
        moments = pl.Series(_AS_OF, [from_micros(one.moment) for one in asked], dtype=pl.Datetime("us", "UTC"))
        frames = {view.dataset: rows.of_keys(snapshot, wanted)}
        table = join_features(frame.with_columns(moments), [view], frames, as_of=_AS_OF).table
        return pl.DataFrame(table).rename({f"{view.name}__event_at": "__event_at"})
