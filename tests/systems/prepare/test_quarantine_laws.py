"""Nothing that was ever refused disappears, and no row comes twice, through any sequence of acts."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

import polars as pl
from hypothesis import settings
from hypothesis import strategies as some
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from tests.systems.prepare.conftest import ADA, open_workshop
from treadle.systems.prepare.errors import AlreadyDecided, QuarantinedRowNotFound
from treadle.systems.prepare.records import (
    DiscardRows,
    ListQuarantine,
    MendRows,
    QuarantinedRow,
    ReleaseRows,
    ReopenRows,
)

WEATHER = """\
apiVersion: v3.1.0
kind: DataContract
id: weather
version: 1.0.0
status: active
schema:
  - name: weather
    properties:
      - {name: hour, logicalType: integer, primaryKey: true}
      - {name: wind, logicalType: number, required: true, logicalTypeOptions: {minimum: 0, maximum: 200}}
"""


class Quarantine(RuleBasedStateMachine):
    """Rows land, are mended, released, given up, held again; good ones and bad ones, with keys that repeat."""

    @initialize()
    def begin(self) -> None:
        self.folder = Path(tempfile.mkdtemp())
        self.shop = open_workshop(self.folder)
        self.shop.publish("weather", WEATHER)
        self.came = 0

    def teardown(self) -> None:
        if hasattr(self, "shop"):
            self.shop.store.close()
            shutil.rmtree(self.folder)

    @rule(rows=some.lists(some.tuples(some.integers(0, 6), some.sampled_from([5.0, 150.0, 900.0, None])), max_size=4))
    def land(self, rows: list[tuple[int, float | None]]) -> None:
        frame = pl.DataFrame(rows, schema={"hour": pl.Int64, "wind": pl.Float64}, orient="row")
        [landing] = self.shop.datasets.land(ADA, "weather", frame)
        assert landing.rows_in == landing.rows_kept + landing.rows_refused
        self.came += len(rows)

    @rule(data=some.data())
    def release_by_hand(self, data: some.DataObject) -> None:
        some_rows = self._some(data, "all")
        if some_rows:
            mended = {row: {"wind": 1.0, "hour": data.draw(some.integers(0, 20))} for row in some_rows[::2]}
            try:
                self.shop.quarantine.release(
                    ADA, ReleaseRows(dataset="weather", rows=some_rows, reason="x", mended=mended)
                )
            except AlreadyDecided:
                assert any(row.state != "held" for row in self._rows("all") if row.id in some_rows)

    @rule(
        how=some.sampled_from(["wind % 100", "coalesce(wind, 3)", "wind * 10"]),
        where=some.sampled_from([None, "hour > 2"]),
    )
    def mend(self, how: str, where: str | None) -> None:
        asked = MendRows(dataset="weather", reason="x", set={"wind": how}, where=where, every=where is None)
        try:
            foreseen = self.shop.quarantine.try_mend(ADA, asked)
            done = self.shop.quarantine.mend(ADA, asked)
        except QuarantinedRowNotFound:
            return
        assert (done.n_released, done.n_still_held) == (foreseen.passing, foreseen.still_held)

    @rule(which=some.sampled_from(["wind.range", "primary_key", "wind.required"]))
    def discard(self, which: str) -> None:
        try:
            self.shop.quarantine.discard(ADA, DiscardRows(dataset="weather", rule=which, reason="x"))
        except QuarantinedRowNotFound:
            assert all(which not in row.rules for row in self._rows("held"))

    @rule(data=some.data())
    def reopen(self, data: some.DataObject) -> None:
        rows = self._some(data, "discarded")
        if rows:
            self.shop.quarantine.reopen(ADA, ReopenRows(dataset="weather", rows=rows, reason="x"))

    @invariant()
    def nothing_is_lost_and_nothing_comes_twice(self) -> None:
        if not hasattr(self, "shop"):
            return
        head = self.shop.datasets.find_snapshot("default", "weather")
        kept = [] if head is None else self.shop.rows("weather").select("_landing", "_row", "hour").rows()
        found = self.shop.quarantine.list(ADA, ListQuarantine(dataset="weather", state="all", limit=10_000))

        assert self.came == len(kept) + found.held + found.discarded
        assert len(found.rows) == found.held + found.released + found.mended + found.discarded
        assert len({hour for _, _, hour in kept}) == len(kept)  # the key still is one
        ids = {f"{landing}:{row}" for landing, row, _ in kept}
        assert len(ids) == len(kept)
        assert ids.isdisjoint({row.id for row in found.rows if row.state in ("held", "discarded")})
        assert {row.id for row in found.rows if row.state in ("released", "mended")} <= ids

    def _rows(self, state: str) -> list[QuarantinedRow]:
        asked = ListQuarantine(dataset="weather", state=state, limit=10_000)
        return list(self.shop.quarantine.list(ADA, asked).rows)

    def _some(self, data: some.DataObject, state: str) -> list[str]:
        known = [row.id for row in self._rows(state)]
        return data.draw(some.lists(some.sampled_from(known), max_size=3, unique=True)) if known else []


TestQuarantine = Quarantine.TestCase
TestQuarantine.settings = settings(max_examples=12, stateful_step_count=12, deadline=None)
