"""The verb of profiles: what the columns of a snapshot hold."""

from __future__ import annotations

from treadle.kernel.governance import Caller, verb
from treadle.systems.prepare.ports import Tables
from treadle.systems.prepare.profiling.describing import describe
from treadle.systems.prepare.profiling.making import ProfileMaker
from treadle.systems.prepare.profiling.records import ProfileOf, SnapshotProfile


class Profiles:
    """Profiles of the datasets of a store."""

    def __init__(self, tables: Tables, maker: ProfileMaker) -> None:
        self._tables, self._maker = tables, maker

    @verb("profiles.get", permission="dataset.read")
    def get(self, caller: Caller, request: ProfileOf) -> SnapshotProfile:
        """What the columns of a snapshot hold: counts, ranges, histograms, frequent values, possible personal data.

        It is computed when it is first asked for (or by `treadle up`, soon after the landing) and kept.
        """
        snapshot = self._tables.snapshot(caller.project, request.dataset, request.at)
        return describe(self._maker.of_snapshot(caller.project, snapshot), snapshot, bars=request.bars)
