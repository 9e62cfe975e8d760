"""A vector that the model server read by key: computed again, each view as of its moment from the snapshot it came from."""

from __future__ import annotations

from typing import Any

import polars as pl

from treadle.ground.clock import to_micros
from treadle.ground.errors import TreadleError
from treadle.kernel.governance import Caller
from treadle.loops.provenance.frames import Unfound
from treadle.loops.provenance.sources import Sources
from treadle.systems.collect.landing_times import LandingTimes
from treadle.systems.features.on_demand import OnDemandView
from treadle.systems.features.online.reader import EXPIRED, UNAVAILABLE
from treadle.systems.features.online.recomputing import Asked, Recomputing
from treadle.systems.features.registered import Registered
from treadle.systems.features.views import FeatureService, FeatureView
from treadle.systems.serve import KeyedPrediction, ServedView


class KeyedVectors:
    """Vectors of one caller's project."""

    def __init__(self, sources: Sources, caller: Caller) -> None:
        self._project = caller.project
        self._registered = Registered(sources.store, sources.refs, sources.artifacts)
        tables = sources.features.source
        self.computing = Recomputing(tables, LandingTimes(sources.store), caller.project)

    def service(self, keyed: KeyedPrediction) -> FeatureService | Unfound:
        """The service in the version that was served."""
        try:
            return self._registered.service(self._project, keyed.service, keyed.digest)
        except TreadleError as error:
            return Unfound(" ".join(error.sentences()))

    def again(self, keyed: KeyedPrediction) -> dict[str, Any] | Unfound:
        """Every column of the vector, as it comes out today; what the request brought is as it was."""
        service = self.service(keyed)
        if isinstance(service, Unfound):
            return service
        if not keyed.views:
            return Unfound("The online store did not answer in time, so the vector was made of nulls.")
        views = {view.name: view for view in service.views}
        columns: list[pl.Series] = [pl.Series(name, [value]) for name, value in keyed.asked.items()]
        try:
            for part in keyed.views:
                columns += self._columns(views[part.view], part, keyed)
            frame = pl.DataFrame({column.name: column for column in columns})
            for view in service.on_demand:
                frame = frame.with_columns(view.compute(frame))
        except (TreadleError, KeyError) as error:
            said = " ".join(error.sentences()) if isinstance(error, TreadleError) else f"There is no view {error}."
            return Unfound(said)
        return frame.row(0, named=True)

    def _columns(self, view: FeatureView | OnDemandView, part: ServedView, keyed: KeyedPrediction) -> list[pl.Series]:
        assert isinstance(view, FeatureView)
        if part.status == UNAVAILABLE or part.as_of is None:
            return [pl.Series(name, [None]) for name in view.features]
        snapshot = self.computing.snapshot(view, str(part.version))
        frame = self.computing.frame(view, snapshot, [Asked(keyed.asked, to_micros(part.as_of))])
        forgotten = view.row_features if part.status == EXPIRED else ()
        return [
            pl.Series(name, [None], dtype=frame[name].dtype) if name in forgotten else frame[name]
            for name in view.features
        ]
