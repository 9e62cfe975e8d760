"""The rows behind a view: of a snapshot, of some entities in it, and what changed between two snapshots."""

from __future__ import annotations

from dataclasses import dataclass, replace

import polars as pl

from treadle.kernel.vocabulary.datasets import LANDING, ROW, ROW_COLUMNS, Snapshot
from treadle.systems.features.columns import require
from treadle.systems.features.joining import LANDED_AT
from treadle.systems.features.ports import LandingTimes, SnapshotSource
from treadle.systems.features.views import LIVE, FeatureView


@dataclass(frozen=True, slots=True)
class ViewRows:
    """Reads what one view needs of its dataset."""

    source: SnapshotSource
    landings: LandingTimes | None
    project: str
    view: FeatureView

    def schema(self, snapshot: Snapshot) -> pl.Schema:
        """The view's rows as types by column. Raises MissingColumn."""
        return self.view.rows(self._scan(snapshot).head(0).collect()).schema

    def keys(self, snapshot: Snapshot) -> pl.DataFrame:
        """Every entity of the snapshot, once."""
        return self._entities(self._rows(self._scan(snapshot)))

    def of_keys(self, snapshot: Snapshot, keys: pl.DataFrame | None) -> pl.DataFrame:
        """The dataset's rows of some entities (all of the snapshot when None), and of the events that they share with
        others; with landing times where the view is live."""
        rows = self._scan(snapshot)
        if keys is None:
            return self._with_landing_times(rows.collect())
        if self.view.query is None:
            return self._with_landing_times(self._of(rows, keys).collect())
        whole = rows.collect()
        mine = self._of(self.view.rows(whole).lazy(), keys).select(ROW_COLUMNS).collect()
        return self._with_landing_times(whole.join(mine, on=list(ROW_COLUMNS), how="semi", maintain_order="left"))

    def touched(self, before: Snapshot, after: Snapshot) -> pl.DataFrame:
        """The entities whose rows, or whose events' rows, are not the same in both snapshots.

        Files that both hold are not read. A row that only moved to another file has not changed.
        """
        if before.content_id == after.content_id:
            return self.keys(replace(after, files=()))
        old = {file.path for file in before.files}
        new = {file.path for file in after.files}
        gone = replace(after, files=[file for file in before.files if file.path not in new])
        come = replace(after, files=[file for file in after.files if file.path not in old])
        changed = self._rows(self._differing(gone, come).lazy())
        if not self.view.event_key:
            return self._entities(changed)
        on = list(self.view.event_key)
        events = changed.select(on).unique()
        both = [self._rows(self._scan(one)) for one in (replace(after, files=before.files), after)]
        sharing = [one.join(events, on=on, how="semi", nulls_equal=True) for one in both]
        return self._entities(pl.concat([one.select(self._held).lazy() for one in (changed, *sharing)]).collect())

    @property
    def _held(self) -> list[str]:
        return list(dict.fromkeys(self.view.key_map.values()))

    def _rows(self, raw: pl.LazyFrame) -> pl.DataFrame:
        """The view's rows of raw ones."""
        if self.view.query is None:
            return raw.select(
                [*self._held, *(name for name in self.view.event_key if name not in self._held)]
            ).collect()
        return self.view.rows(raw.collect())

    def _entities(self, rows: pl.DataFrame) -> pl.DataFrame:
        return rows.select(self._held).drop_nulls().unique()

    def _differing(self, gone: Snapshot, come: Snapshot) -> pl.DataFrame:
        """The raw rows that only one of the two holds, with their ids."""
        old, new = self._scan(gone).collect(), self._scan(come).collect()
        if old.is_empty() or new.is_empty():
            return pl.concat([old, new])
        on = new.columns
        only_new = new.join(old, on=on, how="anti", nulls_equal=True)
        only_old = old.join(new, on=on, how="anti", nulls_equal=True)
        return pl.concat([only_old, only_new])

    def _of(self, rows: pl.LazyFrame, keys: pl.DataFrame) -> pl.LazyFrame:
        """The rows of some entities and of the events that they share with others."""
        mine = rows.join(keys.lazy(), on=keys.columns, how="semi")
        if not self.view.event_key:
            return mine
        on = list(self.view.event_key)
        return rows.join(mine.select(on).unique(), on=on, how="semi", nulls_equal=True)

    def _scan(self, snapshot: Snapshot) -> pl.LazyFrame:
        """The columns of the dataset that the view reads, with row ids."""
        rows = self.source.scan(self.project, snapshot)
        held = rows.collect_schema()
        require(held.to_frame(), self.view.columns, f"dataset {self.view.dataset!r} (view {self.view.name!r})")
        wanted = {LANDING, ROW, *self.view.columns}
        return rows.select([column for column in held.names() if column in wanted])

    def _with_landing_times(self, rows: pl.DataFrame) -> pl.DataFrame:
        if self.view.known_at != LIVE or self.landings is None:
            return rows
        times = self.landings.landed_at(self.project, self.view.dataset)
        landed = pl.DataFrame(
            {LANDING: list(times), LANDED_AT: list(times.values())},
            schema={LANDING: rows.schema[LANDING], LANDED_AT: pl.Datetime("us", "UTC")},
        )
        return rows.join(landed, on=LANDING, how="left", maintain_order="left")
